"""Files of postings that are imported: NDJSON beside CSV, row by row (row 25 of the table of faults)."""

import io
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError
from pricematch.formats.posting_rows import PostingRows, RowLimits, check_rows
from pricematch.formats.row_checks import PostingRow
from tests.support.catalogues import METADATA_LIMITS

LIMITS = RowLimits(rows=1000, row_bytes=400, metadata=METADATA_LIMITS)
PHASH = "94974f937d4c2433"


def lines(*rows: Any) -> bytes:
    """Each row on a line of its own; bytes as they are."""
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def rows_of(folder: Path, content: bytes, limits: RowLimits = LIMITS) -> list[PostingRow]:
    path = folder / "postings"
    path.write_bytes(content)
    return list(PostingRows(path, "postings", limits))


def problems_of(rows: list[PostingRow]) -> list[tuple[int, str]]:
    """Number and message of every problem."""
    return [(problem.row, problem.message) for row in rows for problem in row.problems]


def test_a_line_becomes_a_posting(tmp_path: Path) -> None:
    whole = {"posting_id": "a", "image": "1.png", "title": "Caf\\xc3\\xa9", "image_phash": PHASH.upper()}
    [one, other] = rows_of(tmp_path, lines({**whole, "label_group": "g", "price": 3}, {"posting_id": "b"}))
    assert one == PostingRow(1, "a", Posting("a", "1.png", "Café", PHASH, "g"))
    assert other == PostingRow(2, "b", Posting("b", None))


def test_both_formats_are_reported_by_what_they_begin_with(tmp_path: Path) -> None:
    csv, ndjson = b"posting_id,image\na,1.png\n", lines({"posting_id": "a", "image": "1.png"})
    for content in (csv, ndjson, b"\xef\xbb\xbf" + csv, b"\xef\xbb\xbf" + ndjson, b"\r\n \n" + ndjson):
        [row] = rows_of(tmp_path, content)
        assert row.posting == Posting("a", "1.png")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "expected a JSON object on a line of its own"),
        (b"[1]", "expected a JSON object, got list"),
        (b"null", "expected a JSON object, got NoneType"),
        (b"[" * 300, "on a line of its own"),
        (b'{"posting_id": ' + b"9" * 300 + b"}", "expected text in posting_id, got 9999"),
        (b'{"posting_id": "a", "title": "\\ud800"}', "a character that is none"),
        (b'{"posting_id": "a", "title": "\\u0000"}', "a character that is none"),
        (b'{"posting_id": "a", "title": ["x"]}', 'expected text in title, got ["x"]'),
        (b'{"posting_id": "a", "title": "\xc3\xa9\xe9"}', "expected UTF-8, got the byte 0xe9"),
        (b'{"image": "1.png"}', "expected 1–128 bytes of UTF-8"),
        (b'{"posting_id": "../a"}', "got '../a'"),
        (b'{"posting_id": "a", "image_phash": "x"}', "expected 16 hexadecimal digits, got 'x'"),
        (b'{"posting_id": "a", "title": "' + b"x" * 400 + b'"}', "expected at most 400 bytes, got more"),
    ],
)
def test_fault_25_a_bad_line_is_reported_and_the_others_are_read(tmp_path: Path, line: bytes, message: str) -> None:
    rows = rows_of(tmp_path, lines({"posting_id": "first"}, line, {"posting_id": "last"}))
    assert [row.posting for row in rows] == [Posting("first", None), None, Posting("last", None)]
    [(number, reported)] = problems_of(rows)
    assert number == 2
    assert message in reported


def test_fault_25_deep_nesting_is_reported_and_not_a_crash(tmp_path: Path) -> None:
    [_, row] = rows_of(tmp_path, lines({"posting_id": "a"}, b"[" * 100_000), RowLimits(9, 200_000, METADATA_LIMITS))
    [(_, reported)] = problems_of([row])
    assert "JSON object" in reported


def test_fault_25_an_id_that_occurs_twice_is_refused_the_second_time(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, lines({"posting_id": "a"}, {"posting_id": "b"}, {"posting_id": "a"}))
    assert problems_of(rows) == [(3, "'a' already stands in row 1")]


def test_fault_25_a_line_of_a_gigabyte_takes_little_memory(tmp_path: Path) -> None:
    """It is passed over in pieces, and the good one behind it is read."""
    path = tmp_path / "postings"
    with path.open("wb") as file:
        file.write(lines({"posting_id": "a"}))
        file.truncate(1 << 26)
        file.seek(0, io.SEEK_END)
        file.write(b"\n" + lines({"posting_id": "b"}))
    tracemalloc.start()
    found = list(PostingRows(path, "postings", LIMITS))
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()
    assert [row.posting for row in found] == [Posting("a", None), None, Posting("b", None)]
    assert found[1].problems[0].message == "expected at most 400 bytes, got more"


def test_fault_25_more_rows_than_the_limit_are_refused_as_a_whole(tmp_path: Path) -> None:
    content = lines(*({"posting_id": f"p{number}"} for number in range(4)))
    assert len(rows_of(tmp_path, content, RowLimits(4, 400, METADATA_LIMITS))) == 4
    with pytest.raises(CatalogueError, match="postings: expected at most 3 postings, got more"):
        rows_of(tmp_path, content, RowLimits(3, 400, METADATA_LIMITS))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"posting_id,image\n", b"{\n"[:0]])
def test_fault_25_a_file_without_rows_is_refused_beforehand(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "postings"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"postings: (expected|row 1)"):
        check_rows(path, "postings", LIMITS)


def test_a_missing_image_is_named_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "postings"
    path.write_bytes(lines({"posting_id": "a"}))
    check_rows(path, "postings", LIMITS)
    path.unlink()
    with pytest.raises(CatalogueError, match=r"^postings: cannot be read \(No such file or directory\)$"):
        check_rows(path, "postings", LIMITS)


@given(st.binary(max_size=300), st.sampled_from([b"{", b"posting_id,image\n", b"posting_id;image\n"]))
def test_every_row_is_a_posting_or_a_problem(content: bytes, beginning: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(beginning + content)
        rows = PostingRows(path, "postings", LIMITS)
        with suppress(CatalogueError):  # of no use as a whole
            assert all((row.posting is None) == bool(row.problems) for row in rows)
        rows.warnings()
