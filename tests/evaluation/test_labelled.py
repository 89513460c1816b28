"""Feedback as labels, from a file and from a store."""

import logging
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.errors import SettingsError
from pricematch.evaluation.labelled import labels_of, load_feedback
from pricematch.formats.csv_files import read_csv
from pricematch.formats.posting_rows import RowLimits
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.catalogues import write_catalogue

POSTINGS = [Posting(f"p{row}", f"p{row}.png", f"title {row}", label_group=group) for row, group in enumerate("xxyyz")]


def test_verdicts_of_a_file_and_of_a_store_mend_labels_alike(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pricematch")
    write_catalogue(tmp_path / "catalogue.csv", POSTINGS)
    content = read_csv(tmp_path / "catalogue.csv", RowLimits(100, 1000))
    (tmp_path / "verdicts.csv").write_text(
        "posting_id,other_posting_id,verdict\np1,p2,same\np0,p3,different\np4,gone,same\n"
    )
    with closing(open_store(tmp_path / "data")) as store:
        store.feedback.decide("p2", "p1", "same")
        store.feedback.decide("p0", "p3", "different")
        store.feedback.decide("p4", "gone", "same")
    found = [labels_of(Settings(), content, tmp_path / name) for name in ("verdicts.csv", "data")]
    assert found[0] == found[1]
    assert found[0][1] == found[0][2]
    assert found[0][0] != found[0][3]
    assert "2 verdicts of" in caplog.text
    assert labels_of(Settings(), content, None) == list("xxyyz")


def test_contradictions_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_catalogue(tmp_path / "catalogue.csv", POSTINGS)
    content = read_csv(tmp_path / "catalogue.csv", RowLimits(100, 1000))
    rows = "p0,p1,same\np1,p2,same\np0,p2,different\n"
    (tmp_path / "verdicts.csv").write_text(f"posting_id,other_posting_id,verdict\n{rows}")
    labels_of(Settings(), content, tmp_path / "verdicts.csv")
    assert "p0 and p2 are different, and the same by p0 = p1 = p2" in caplog.text


def test_a_folder_that_holds_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no store in"):
        load_feedback(Settings(), tmp_path)
