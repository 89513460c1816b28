"""Matchers on disk: read as they were written, and refused by name and reason where they are damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.errors import ArtefactError
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner, Trees
from pricematch.formats.manifest import TrainedOn, digests
from pricematch.formats.matcher_files import read_matcher, write_matcher
from pricematch.learning.fit import training_parts
from pricematch.learning.rungs import Moved, OnTop, Rung
from pricematch.learning.train_matcher import TrainedMatcher, TrainMatcherOptions, train_matcher
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel
from pricematch.pairs.thresholds import F1, SizeThresholds
from pricematch.settings import Settings
from tests.support.catalogues import labelled_postings, write_catalogue
from tests.support.matchers import drawn_training_data

pytestmark = pytest.mark.slow
ABOUT: dict[str, Any] = {
    "version": "1",
    "created": "2026-01-01T00:00:00+00:00",
    "seed": 0,
    "encoder": None,
    "held_out": [],
    "briers": {},
    "counts": {},
    "trained_on": TrainedOn(share=1, seed=0, groups=()),
    "catalogue_digest": "",
    "libraries": {},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedMatcher:
    folder = tmp_path_factory.mktemp("trained")
    write_catalogue(folder / "train.csv", labelled_postings(120))
    settings = Settings(catalogue=folder / "train.csv", models=folder / "models")
    return train_matcher(settings, TrainMatcherOptions(("hash", "title"), 1.0, 0, None, force=True), lambda *_: None)


@pytest.fixture
def models(trained: TrainedMatcher, tmp_path: Path) -> Path:
    assert trained.path is not None
    shutil.copytree(trained.path.parents[1], tmp_path / "models")
    return tmp_path / "models"


def change(models: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    file = models / "matcher/1/manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    edit(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_matcher_that_is_read_gives_the_same_bits(trained: TrainedMatcher, models: Path) -> None:
    read, learned = read_matcher(models), trained.fitted
    assert read.label == "matcher/1"
    features = np.random.default_rng(0).random(size=(300, len(learned.model.feature_names))).astype(np.float32)
    first = features[:, : len(pair_feature_names(("hash", "title")))]
    one, other = read.model, learned.model
    assert np.array_equal(one.first.predict(first), other.first.predict(first))
    expected = other.calibration(other.second.predict(features))
    assert np.array_equal(one.calibration(one.second.predict(features)), expected)
    assert read.thresholds.describe() == learned.thresholds.describe()
    assert [held_out["f1"] for held_out in read.manifest.held_out] == [it.f1 for it in learned.held_out]


def test_a_matcher_of_an_earlier_version_decides_as_before(models: Path) -> None:
    """On all but identical pairs, and pairs of titles alone: its thresholds are not of bounded probabilities."""
    before = [
        {"postings": 100, "thresholds": {"f1": {"match": 0.98, "alone": 0.6}}},
        {"postings": 900, "thresholds": {"f1": {"match": 0.996, "alone": 0.98}}},
    ]

    def written_before(manifest: dict[str, Any]) -> None:
        assert manifest.pop("bounded")
        manifest["thresholds"] = before

    change(models, written_before)
    read = read_matcher(models)
    features = np.random.default_rng(0).uniform(0, 0.8, (3000, len(read.model.feature_names))).astype(np.float32)
    features[:, read.model.feature_names.index("hash_similarity")] = 0.5
    raw = np.linspace(0.5, 1, 3000)
    for size in (50, 300, 900):
        old, new = SizeThresholds.from_description(before), read.thresholds.at(F1, size)
        match, fallback = (
            float(np.interp(np.log(size), np.log(old.sizes), [getattr(it, name) for it in old.thresholds[F1]]))
            for name in ("match", "fallback")
        )
        bounded = read.model.bounds(raw, features)
        assert np.array_equal(bounded >= new.match, raw >= match)
        assert np.array_equal(bounded >= new.fallback, raw >= fallback)


@pytest.mark.parametrize("trees", [False, True])
def test_what_begins_at_the_default_is_read_as_it_was_written(tmp_path: Path, *, trees: bool) -> None:
    default, data = read_default(), drawn_training_data(120)
    parts, names = training_parts(data, 0, lambda *_: None), pair_feature_names(("hash", "title"))
    for part in parts:
        part.add_graph_features()
    rung: Rung = OnTop(Moved(default.model), TreeLearner(0, 1)) if trees else Moved(default.model)
    scorers = rung.scorer(parts, names, 0), rung.scorer(parts, (*names, *GRAPH_FEATURES), 0)
    model = PairModel(("hash", "title"), *scorers, default.model.calibration)
    (tmp_path / "staged").mkdir()
    write_matcher(tmp_path / "models", tmp_path / "staged", model, default.size_thresholds, ABOUT)
    read = read_matcher(tmp_path / "models")
    assert read.manifest.files.keys() == ({"first.txt", "second.txt"} if trees else set())
    features = parts[0].features
    assert np.array_equal(read.model.predict_proba(features), model.predict_proba(features))
    change(tmp_path / "models", lambda manifest: manifest["moved"]["evidence"].update(scaled=-1.0))
    with pytest.raises(ArtefactError, match="expected a weight of scaled from"):
        read_matcher(tmp_path / "models")
    change(tmp_path / "models", lambda manifest: manifest.update(moved=None, trees=False))
    with pytest.raises(ArtefactError, match="expected moved weights where there are no trees"):
        read_matcher(tmp_path / "models")


def test_a_matcher_of_an_earlier_version_is_trees_alone(models: Path) -> None:
    def older(manifest: dict[str, Any]) -> None:
        for name in ("moved", "trees", "compared"):
            del manifest[name]

    change(models, older)
    file = models / "matcher/1/manifest.json"
    if not json.loads(file.read_text(encoding="utf-8"))["files"]:
        pytest.skip("nothing but weights was learned")
    assert isinstance(read_matcher(models).model.first, Trees)


@pytest.mark.parametrize("name", ["first.txt", "second.txt", "manifest.json"])
def test_a_missing_file_is_named(models: Path, name: str) -> None:
    (models / "matcher/1" / name).unlink()
    with pytest.raises(ArtefactError, match=rf"{name} (is missing|cannot be read)"):
        read_matcher(models)


@pytest.mark.parametrize("name", ["first.txt", "second.txt"])
def test_a_damaged_file_is_named(models: Path, name: str) -> None:
    path = models / "matcher/1" / name
    path.write_bytes(path.read_bytes().replace(b"leaf_value=0", b"leaf_value=1", 1) + b" ")
    with pytest.raises(ArtefactError, match=rf"{name} is damaged: its SHA-256"):
        read_matcher(models)


@pytest.mark.parametrize("content", [b"", b"tree\n\n\n", b"\xff\xfe", b"tree\nversion=v4\n" * 5], ids=range(4))
def test_damaged_trees_with_the_right_digest_are_refused_too(models: Path, content: bytes) -> None:
    folder = models / "matcher/1"
    (folder / "second.txt").write_bytes(content)
    change(models, lambda manifest: manifest.update(files=dict(digests(folder))))
    with pytest.raises(ArtefactError, match=r"second.txt holds no trees"):
        read_matcher(models)


def test_trees_that_were_swapped_are_refused(models: Path) -> None:
    folder = models / "matcher/1"
    shutil.copy(folder / "first.txt", folder / "second.txt")
    change(models, lambda manifest: manifest.update(files=dict(digests(folder))))
    with pytest.raises(ArtefactError, match=r"second.txt.*expected trees over .* features of these signals"):
        read_matcher(models)


BREAK: dict[str, tuple[dict[str, Any], str]] = {
    "other features": ({"features": ["one"]}, "trained by a version of pricematch with other evidence"),
    "other signals": ({"signals": ["smell"]}, "expected some of the signals hash, title, image"),
    "no signals": ({"signals": []}, "expected some of the signals"),
    "a signal twice": (
        {"signals": ["hash", "hash"], "features": [*pair_feature_names(("hash", "hash")), *GRAPH_FEATURES]},
        "expected some of the signals",
    ),
    "image without encoder": ({"signals": ["image"]}, "expected an encoder beside the signal image"),
    "a path outside": ({"files": {"../../secret": "0"}}, "expected paths inside the version"),
    "an absolute path": ({"files": {"/etc/passwd": "0"}}, "expected paths inside the version"),
    "no files": ({"files": {}}, "expected first.txt among its files"),
    "another version": ({"version": "2"}, "expected matcher/1, got matcher/2"),
    "another name": ({"name": "cae"}, "expected matcher/1, got cae/1"),
    "no calibration": ({"calibration": {}}, "expected a calibration"),
    "an infinite slope": (
        {"calibration": {"method": "platt", "raw_log_odds": [0], "log_odds": [0], "slope": 10**400}},
        "manifest.json is damaged",
    ),
    "no thresholds": ({"thresholds": []}, "manifest.json is damaged"),
    "a threshold beyond": (
        {"thresholds": [{"postings": 1, "thresholds": {"f1": {"match": 2, "alone": 0}}}]},
        "expected probabilities",
    ),
    "a huge size": (
        {"thresholds": [{"postings": 10**30, "thresholds": {"f1": {"match": 1, "alone": 0}}}]},
        "manifest.json is damaged",
    ),
    "an unknown field": ({"code": "import os"}, "manifest.json is damaged: code"),
    "colours of tomorrow": ({"colours": "3"}, "manifest.json is damaged: colours"),
    "a wrong type": ({"seed": "soon"}, "manifest.json is damaged: seed"),
}


@pytest.mark.parametrize("broken", BREAK)
def test_a_manifest_that_does_not_fit_is_refused_in_one_sentence(models: Path, broken: str) -> None:
    fields, reported = BREAK[broken]
    change(models, lambda manifest: manifest.update(fields))
    with pytest.raises(ArtefactError) as refused:
        read_matcher(models)
    assert reported in str(refused.value)
    assert str(models / "matcher/1") in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5_000, '{"name": "\\ud800"}'], ids=range(6))
def test_a_manifest_that_is_none_is_refused(models: Path, text: str) -> None:
    (models / "matcher/1/manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"manifest.json is damaged: (the file|name): "):
        read_matcher(models)


def test_without_a_matcher_the_way_to_one_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="holds no matcher; `pricematch train matcher` writes one"):
        read_matcher(tmp_path)


def test_a_matcher_of_before_a_term_was_known_decides_as_it_did(tmp_path: Path) -> None:
    """Trained by the version before equal titles became a term: it has no weight in that, and no home of it."""
    version = tmp_path / "models" / "matcher" / "1"
    version.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "matcher_before_same_title.json", version / "manifest.json")
    read = read_matcher(tmp_path / "models", None)
    known = read.manifest.moved
    assert known is not None
    evidence = known.regressions[0]
    assert evidence.by_term == known.evidence | {"same_title": 0.0}
    assert read.homing is not None
    assert read.homing.home.describe()["same_title"] == {"mean": 0.0, "spread": 0.0}
