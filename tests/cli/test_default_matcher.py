"""The verbs that answer without a label, a training or a setting: by the default matcher."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.catalogues import labelled_postings, write_catalogue
from tests.support.cli import Run
from tests.support.matchers import export_matcher

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a catalogue of titles, hashes and label groups, without any image."""
    postings = [replace(posting, image=None) for posting in labelled_postings(COUNT, 4)]
    write_catalogue(tmp_path / "catalogue.csv", postings)
    return tmp_path


def options(folder: Path) -> list[str]:
    return ["--catalogue", str(folder / "catalogue.csv"), "--models", str(folder / "models")]


@pytest.mark.parametrize("matcher", ["default", "auto"])
def test_it_is_evaluated_on_all_label_groups(run: Run, folder: Path, matcher: str) -> None:
    """None of them has taught it, and nothing is trained beforehand."""
    signals = ["--signals", "hash,title", "--folds", "2", "--output", str(folder / "evaluated")]
    ran = run("evaluate", *options(folder), *signals, "--matcher", matcher)
    assert ran.code == 0, ran.err
    assert "matcher/default" in ran.out
    report = json.loads((folder / "evaluated" / "report.json").read_text(encoding="utf-8"))
    assert report["matcher"]["judged_postings"] == COUNT


@pytest.mark.parametrize("lacking", ["", "title", "image_phash"])
def test_a_submission_is_made_by_it(run: Run, folder: Path, lacking: str) -> None:
    """Each posting comes first among its own matches, and some have others, though nobody has a title or a hash."""
    if lacking:
        postings = [replace(posting, image=None) for posting in labelled_postings(COUNT, 4)]
        without = [replace(it, title="") if lacking == "title" else replace(it, image_phash=None) for it in postings]
        write_catalogue(folder / "catalogue.csv", without)
    ran = run("submit", *options(folder), "--matcher", "default", "--output", str(folder / "submission.csv"))
    assert ran.code == 0, ran.err
    with (folder / "submission.csv").open(encoding="utf-8", newline="") as file:
        lists = {row["posting_id"]: row["matches"].split() for row in csv.DictReader(file)}
    assert len(lists) == COUNT
    assert all(found[0] == posting_id for posting_id, found in lists.items())
    assert sum(len(found) > 1 for found in lists.values()) > COUNT / 4


def test_matches_are_shown_with_probabilities(run: Run, folder: Path) -> None:
    """And with reasons, where nothing was trained."""
    ran = run("show", "matches", "p1", *options(folder), "--data", str(folder / "data"), "--min-probability", "0")
    assert ran.code == 0, ran.err
    assert "probability" in ran.out
    assert "titles" in ran.out
    assert "similarity decides" not in ran.err


def test_the_list_of_models_has_it(run: Run, folder: Path) -> None:
    """As what is taken where none was trained, and then as what may be activated."""
    given = ["models", "list", "--models", str(folder / "models"), "--data", str(folder / "data")]

    def row() -> list[str]:
        line = next(line for line in run(*given).out.splitlines() if "default" in line)
        return [cell.strip() for cell in line.split("│")[1:-1]]

    assert row()[:2] == ["matcher", "default"]
    assert row()[3] == "default"
    export_matcher(folder / "models", ["hash", "title"])
    assert row()[3] == ""
