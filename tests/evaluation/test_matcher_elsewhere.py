"""Offline verbs decide as the service does where a trained matcher is not at home."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.evaluation.matcher_evaluation import shrunk_pairs
from pricematch.formats.matcher_files import read_matcher
from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.progress import silent
from pricematch.settings import Settings
from tests.support.catalogues import features_of, labelled_postings, write_catalogue
from tests.support.cli import Ran, Run

AT_HOME = labelled_postings(200)


def foreign() -> list[Posting]:
    """Titles of the same four words in another order, hashes that are far from each other; every product twice."""
    random = np.random.default_rng(0)
    words = [" ".join(random.permutation(["red", "tin", "cup", "lid"])[:3]) for _ in range(160)]
    hashes = [f"{value:016x}" for value in random.integers(0, 2**63, 80)]
    return [Posting(f"q{row:03}", None, title, hashes[row // 2], f"g{row // 2}") for row, title in enumerate(words)]


ELSEWHERE = foreign()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matcher that half of a shop's groups taught, its catalogue, and that of another shop."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name, postings in (("home", AT_HOME), ("elsewhere", ELSEWHERE)):
        write_catalogue(folder / f"{name}.csv", postings)
    settings = Settings(catalogue=folder / "home.csv", models=folder / "models")
    train_matcher(settings, TrainMatcherOptions(("hash", "title"), 0.5, 0, None, force=True), silent)
    return folder


def verb(run: Run, folder: Path, name: str, verb: str, output: Path, matcher: str = "1") -> Ran:
    paths = ["--catalogue", str(folder / f"{name}.csv"), "--models", str(folder / "models"), "--output", str(output)]
    ran = run(verb, *paths, "--matcher", matcher)
    assert ran.code == 0, ran.err
    return ran


@pytest.mark.parametrize("postings", [AT_HOME, ELSEWHERE])
def test_pairs_and_thresholds_are_those_of_the_service(folder: Path, postings: Sequence[Posting]) -> None:
    loaded, features = read_matcher(folder / "models"), features_of(postings)
    pairs, shrunk = shrunk_pairs(features, loaded.model, loaded.thresholds, loaded.homing)
    how = loaded.model, loaded.thresholds
    search = ProbabilitySearch.build(loaded.label, Catalogue(postings), features, *how, teacher=loaded.homing)
    assert search.shrunk is not None
    assert search.shrunk.away == shrunk.away == (0 if postings is AT_HOME else 1)
    assert np.array_equal(search.pairs.probabilities, pairs.probabilities)
    assert search.thresholds.describe() == shrunk.thresholds.describe()


def test_an_evaluation_far_away_is_that_of_the_default(run: Run, folder: Path, tmp_path: Path) -> None:
    """And one line says how far that is."""
    reports = []
    for matcher in ("1", "default"):
        ran = verb(run, folder, "elsewhere", "evaluate", tmp_path / matcher, matcher)
        told = "matcher/1 is not at home in this catalogue (distance " in ran.out
        assert told == (matcher == "1")
        reports.append(json.loads((tmp_path / matcher / "report.json").read_text(encoding="utf-8"))["matcher"])
    trained, default = reports
    assert (trained["shrunk"], default["shrunk"]) == (1, 0)
    assert default["distance"] is None
    assert trained["f1"] == pytest.approx(default["f1"])


def test_an_evaluation_at_home_says_so(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "matcher/1 is at home in this catalogue (distance 0.0" in verb(run, folder, "home", "evaluate", tmp_path).out


def test_matches_of_a_file_are_shrunk_too(run: Run, folder: Path, tmp_path: Path) -> None:
    """As the default's, and the summary says it."""
    trained = verb(run, folder, "elsewhere", "submit", tmp_path / "1.csv")
    assert "shrunk by 100 % towards those of the default matcher" in trained.out
    verb(run, folder, "elsewhere", "submit", tmp_path / "2.csv", "default")
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()
