"""`pricematch verdicts`: files of verdicts out of a store and into one."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.records import Remark
from pricematch.store.sqlite.store import open_store
from tests.support.cli import Run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with two verdicts."""
    with closing(open_store(tmp_path / "data")) as store:
        store.feedback.decide("a", "b", "same")
        store.feedback.decide("a", "c", "different", Remark("Ann", "=two; sizes"))
    return tmp_path / "data"


def contents(folder: Path) -> list[object]:
    with closing(open_store(folder)) as store:
        return [(it.first, it.second, it.said, it.decided_at) for it in store.feedback.all_feedback()]


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_what_is_exported_is_imported_elsewhere_as_it_was(data: Path, ending: str, tmp_path: Path, run: Run) -> None:
    file, other = tmp_path / f"verdicts.{ending}", tmp_path / "other"
    assert f"wrote {file}" in run("verdicts", "export", str(file), "--data", str(data)).out
    for counts in (("2", "0", "0"), ("0", "0", "2")):
        ran = run("verdicts", "import", str(file), "--data", str(other))
        assert ran.code == 0
        assert tuple(re.findall(r"\d+", ran.out.splitlines()[-2])) == counts
    assert contents(other) == contents(data)


def test_the_standard_output_has_csv_alone(data: Path, run: Run) -> None:
    ran = run("verdicts", "export", "-", "--data", str(data))
    assert ran.out.splitlines()[0] == "posting_id,other_posting_id,verdict,decided_at,by,note"
    assert len(ran.out.splitlines()) == 3


def test_a_file_with_a_bad_row_changes_nothing(data: Path, tmp_path: Path, run: Run) -> None:
    before = contents(data)
    file = tmp_path / "verdicts.ndjson"
    rows = [{"posting_id": "x", "other_posting_id": "y", "verdict": said} for said in ("same", "perhaps")]
    file.write_text("\n".join(map(json.dumps, rows)))
    ran = run("verdicts", "import", str(file), "--data", str(data))
    assert ran.code == 1
    assert "row 2, column verdict: expected same or different, got 'perhaps'" in ran.err
    assert contents(data) == before


def test_there_is_nothing_to_export_without_a_store(tmp_path: Path, run: Run) -> None:
    ran = run("verdicts", "export", str(tmp_path / "x.csv"), "--data", str(tmp_path / "none"))
    assert (ran.code, "there is no store" in ran.err) == (2, True)
