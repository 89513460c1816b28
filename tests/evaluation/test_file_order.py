"""What a matcher learns, finds and is worth is the same in any order of the file, and of the signals asked for."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.formats.matcher_files import read_matcher
from tests.support.catalogues import labelled_postings, write_catalogue
from tests.support.cli import Run

POSTINGS = [*labelled_postings(150), *(Posting(f"x{row}", None, "kopi", "0" * 16, f"g{row // 5}") for row in range(70))]
"""The last have one title and one hash, so that of each one's equally near others most are left out."""


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two folders with the same postings in another order."""
    found = [tmp_path / "one", tmp_path / "other"]
    order = np.random.default_rng(0).permutation(len(POSTINGS))
    for folder in found:
        folder.mkdir()
    write_catalogue(found[0] / "train.csv", POSTINGS)
    write_catalogue(found[1] / "train.csv", [POSTINGS[row] for row in order])
    return found


def train(run: Run, folder: Path, signals: str) -> None:
    ran = run("train", "matcher", "--catalogue", str(folder / "train.csv"), "--models", str(folder / "models"),
              "--signals", signals, "--train-share", "0.6", "--force")  # fmt: skip
    assert ran.code == 0, ran.err


def worth(run: Run, folder: Path) -> Any:
    ran = run("evaluate", "--catalogue", str(folder / "train.csv"), "--models", str(folder / "models"),
              "--matcher", "auto", "--output", str(folder / "out"), "--signals", "hash")  # fmt: skip
    assert ran.code == 0, ran.err
    report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))["matcher"]
    del report["signals_on_the_same"]  # whose folds are drawn from the file as it is
    return report


def found_in(run: Run, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The ids in the order written, and the matches of each."""
    ran = run("submit", "--catalogue", str(folder / "train.csv"), "--models", str(folder / "models"),
              "--matcher", "auto", "--output", str(folder / "s.csv"))  # fmt: skip
    assert ran.code == 0, ran.err
    with (folder / "s.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return [line["posting_id"] for line in lines], {line["posting_id"]: line["matches"] for line in lines}


def test_the_order_of_file_and_signals_changes_nothing(run: Run, folders: list[Path]) -> None:
    one, other = folders
    train(run, one, "hash,title")
    train(run, other, "title,hash")
    manifests = [read_matcher(folder / "models").manifest for folder in folders]
    assert manifests[0].files == manifests[1].files
    assert manifests[0].thresholds == manifests[1].thresholds
    assert worth(run, one) == worth(run, other)
    (ids, matches), (other_ids, other_matches) = found_in(run, one), found_in(run, other)
    assert matches == other_matches
    assert ids == [posting.posting_id for posting in POSTINGS] != other_ids
