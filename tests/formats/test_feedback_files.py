"""Files of verdicts."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.records import PairFeedback, as_author, as_note
from pricematch.errors import CatalogueError
from pricematch.formats.feedback_files import read_feedback, read_whole_feedback, to_csv, to_ndjson

WRITERS = {".csv": to_csv, ".ndjson": to_ndjson, ".jsonl": to_ndjson}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text("'=+-@ \n\"a,;", max_size=8)


def accepted(read: object, text: str) -> bool:
    """Whether a text may be kept."""
    try:
        as_author(text) if read is as_author else as_note(text)
    except ValueError:
        return False
    return True


AUTHORS = TEXT.filter(lambda it: accepted(as_author, it)).map(as_author)
NOTES = TEXT.filter(lambda it: accepted(as_note, it)).map(as_note)
FEEDBACK = st.lists(
    st.builds(
        PairFeedback,
        st.sampled_from("ab"),
        st.text("xyzäß", min_size=1, max_size=3),
        st.sampled_from(["same", "different"]),
        st.just(0),
        st.integers(0, 4 * 10**15).map(lambda it: it / 10**6),
        AUTHORS,
        NOTES,
    ),
    unique_by=lambda it: (it.first, it.second),
    max_size=6,
)


@given(FEEDBACK, st.sampled_from(sorted(WRITERS)))
def test_what_is_written_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, feedback: list[PairFeedback], ending: str
) -> None:
    """Times to the microsecond, names and notes to the letter."""
    path = tmp_path_factory.mktemp("verdicts") / f"verdicts{ending}"
    path.write_text(WRITERS[ending](feedback), encoding="utf-8", newline="")
    assert read_whole_feedback(path, 65536, 1.0) == feedback
    assert list(read_feedback(path, 65536)) == sorted((it.first, it.second, it.decision) for it in feedback)


@given(FEEDBACK)
def test_no_cell_is_a_formula_to_a_spreadsheet(feedback: list[PairFeedback]) -> None:
    for row in csv.reader(io.StringIO(to_csv(feedback), newline="")):
        assert all(cell[:1] not in tuple("=+-@\t\r") for cell in row)


def test_what_a_file_lacks_is_nobody_and_now(tmp_path: Path) -> None:
    [found] = read_whole_feedback(written(tmp_path, "b,a,same"), 1000, 5.0)
    assert found == PairFeedback("a", "b", "same", 0, 5.0)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("b,a,same,,,", "row 3, column posting_id: the pair of 'a' and 'b' already stands in row 2"),
        ("a,c,same,yesterday,,", "row 3, column decided_at: expected a time such as 2026-07-01T12:30:00+00:00, got"),
        ("a,c,same,2026-07-01T12:30:00,,", "row 3, column decided_at: expected a time with its distance from UTC"),
        ("a,c,same,1969-07-01T12:30:00Z,,", "row 3, column decided_at: expected a time from 1970 to 2999"),
        (f"a,c,same,,{'x' * 101},", "row 3, column by: expected at most 100 characters, got 101"),
        (f"a,c,same,,,{'x' * 1001}", "row 3, column note: expected at most 1000 characters, got 1001"),
        ("a,c,same,,A\x07nn,", "row 3, column by: expected a name, got a control character in it"),
        ("a,c,same,,,\x07", "row 3, column note: expected text, got a control character in it"),
    ],
)
def test_bad_fields_are_named_by_row_and_column(tmp_path: Path, row: str, problem: str) -> None:
    path = written(tmp_path, "a,b,same,,,", row, header=f"{FEEDBACK_HEADER},decided_at,by,note")
    with pytest.raises(CatalogueError, match="1 bad row") as refused:
        read_whole_feedback(path, 2000, 1.0)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "row 2: expected a JSON object, got list"),
        ('{"posting_id": "a", "other_posting_id": 5, "verdict": "same"}', "row 2: expected text in other_posting_id"),
        ('{"posting_id": "a", "verdict": "same"}', "row 2, column posting_id: expected two ids, got 'a' and ''"),
        (f'{{"note": "{"x" * 3000}"}}', "row 2: expected at most 2000 bytes, got more"),
    ],
)
def test_bad_lines_of_ndjson_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "verdicts.ndjson"
    path.write_text('{"posting_id": "a", "other_posting_id": "b", "verdict": "same"}\n' + line, encoding="utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_whole_feedback(path, 2000, 1.0)
    assert problem in str(refused.value)


FEEDBACK_HEADER = "posting_id,other_posting_id,verdict"


def written(folder: Path, *rows: str, header: str = FEEDBACK_HEADER) -> Path:
    path = folder / "verdicts.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_of_several_decisions_on_a_pair_the_last_holds(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,same", "c,b,different", "b,a,different")
    assert list(read_feedback(path, 1000)) == [("a", "b", "different"), ("b", "c", "different")]


def test_other_columns_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, "2026,same,b,a", header="\ufeffdecided_at,verdict,posting_id,other_posting_id")
    assert list(read_feedback(path, 1000)) == [("a", "b", "same")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,a,same", "expected two ids, got 'a' and 'a'"),
        ("../a,b,same", "expected two ids"),
        ("a,,same", "expected two ids"),
        ("a", "expected 3 fields, got 1"),
        ("a,b,maybe", "expected same or different, got 'maybe'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CatalogueError) as refused:
        read_feedback(written(tmp_path, "x,y,same", row), 1000)
    assert "1 bad row" in str(refused.value)
    assert "row 3" in str(refused.value)
    assert message in str(refused.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="missing verdict"):
        read_feedback(written(tmp_path, header="posting_id,other_posting_id"), 1000)
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_feedback(tmp_path / "absent.csv", 1000)
    with pytest.raises(CatalogueError, match="at most 1000 bytes"):
        read_feedback(written(tmp_path, f"a,b,{'x' * 5000}"), 1000)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_feedback_that_a_spreadsheet_has_saved_is_read(tmp_path: Path, encoding: str) -> None:
    """With its encoding and delimiter, and ids in whichever Unicode form (fault C19)."""
    path = tmp_path / "verdicts.csv"
    path.write_bytes("posting_id;other_posting_id;verdict\r\ncafé 1;b;same\r\n".encode(encoding))
    assert list(read_feedback(path, 1000)) == [("b", "café 1", "same")]
    path.write_text("posting_id,other_posting_id,verdict\ncafe\u0301,b,same\n café ,b,different\n", encoding="utf-8")
    assert list(read_feedback(path, 1000)) == [("b", "café", "different")]


def test_feedback_that_does_not_decode_is_refused_by_row(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(FEEDBACK_HEADER.encode() + "\né,ö,same\na,b,".encode() + b"\xe9\n")
    with pytest.raises(CatalogueError, match="row 3: expected UTF-8, got the byte 0xe9"):
        read_feedback(tmp_path / "latin.csv", 1000)
