"""Verdicts from a CSV file."""

from pathlib import Path

import pytest

from pricematch.errors import CatalogueError
from pricematch.formats.verdict_file import read_verdicts

HEADER = "posting_id,other_posting_id,verdict"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "verdicts.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_of_several_verdicts_on_one_pair_the_last_one_holds(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,same", "c,b,different", "b,a,different")
    assert list(read_verdicts(path, 1000)) == [("a", "b", "different"), ("b", "c", "different")]


def test_other_columns_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, "2026,same,b,a", header="\ufeffdecided_at,verdict,posting_id,other_posting_id")
    assert list(read_verdicts(path, 1000)) == [("a", "b", "same")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,a,same", "expected two ids, got 'a' and 'a'"),
        ("../a,b,same", "expected two ids"),
        ("a,,same", "expected two ids"),
        ("a", "expected two ids"),
        ("a,b,maybe", "expected same or different, got 'maybe'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CatalogueError) as refused:
        read_verdicts(written(tmp_path, "x,y,same", row), 1000)
    assert "1 bad row" in str(refused.value)
    assert "row 3" in str(refused.value)
    assert message in str(refused.value)


def test_a_missing_column_and_a_file_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="missing verdict"):
        read_verdicts(written(tmp_path, header="posting_id,other_posting_id"), 1000)
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_verdicts(tmp_path / "absent.csv", 1000)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\na,b,\xe9\n")
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_verdicts(tmp_path / "latin.csv", 1000)
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_verdicts(written(tmp_path, f"a,b,{'x' * 5000}"), 1000)
