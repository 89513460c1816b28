"""Metadata in files of postings: columns of CSV, and objects on lines of JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.metadata import NO_METADATA, Metadata, parse_metadata
from pricematch.errors import CatalogueError
from pricematch.formats.metadata_columns import cell_value
from pricematch.formats.posting_rows import PostingRows, RowLimits
from pricematch.formats.row_checks import PostingRow
from tests.support.catalogues import METADATA_LIMITS

LIMITS = RowLimits(rows=1000, row_bytes=100_000, metadata=METADATA_LIMITS)


def read(folder: Path, content: str) -> tuple[list[PostingRow], list[str]]:
    """The rows of a file, and its warnings."""
    path = folder / "postings"
    path.write_text(content, encoding="utf-8")
    rows = PostingRows(path, "postings", LIMITS)
    return list(rows), rows.warnings()


def as_csv(columns: list[str], *cells: list[str]) -> str:
    """A file with one posting for each row of cells, and an id and an image before them."""
    file = io.StringIO()
    csv.writer(file).writerows(
        [["posting_id", "image", *columns], *([f"p{row}", "1.png", *each] for row, each in enumerate(cells))]
    )
    return file.getvalue()


def metadata_in(folder: Path, content: str) -> list[Metadata]:
    """The metadata of a file that nothing is wrong with."""
    rows, warnings = read(folder, content)
    assert [row.problems for row in rows] == [()] * len(rows)
    assert warnings == []
    return [row.posting.metadata for row in rows if row.posting is not None]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12.50", 12.5),
        ("0", 0),
        ("-3", -3),
        ("8991234567890", 8991234567890),
        ("9007199254740993", "9007199254740993"),
        ("9" * 5000, "9" * 5000),
        ("1.5" + "0" * 400, 1.5),
        ("007", "007"),
        ("+62", "+62"),
        ("1e5", "1e5"),
        ("12E3", "12E3"),
        ("1,5", "1,5"),
        (".5", ".5"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("True", "True"),
        ('"12"', "12"),
        ('"true"', "true"),
        ('""', ""),
        ('12"', '12"'),
        ('"L" size', '"L" size'),
        ("[new]", "[new]"),
        ('["a", 1]', ["a", 1]),
        ("[NaN]", "[NaN]"),
        ('{"a": {"b": 1}}', {"a": {"b": 1}}),
        ("{x}", "{x}"),
        ("red", "red"),
        ("N/A", "N/A"),
        ("-", "-"),
    ],
)
def test_a_cell_means_what_it_says(tmp_path: Path, cell: str, value: Any) -> None:
    """With and without blanks around it; True is not 1."""
    assert json.dumps(cell_value(cell)) == json.dumps(value)
    found = metadata_in(tmp_path, as_csv(["metadata.a"], [cell], [f"  {cell} "]))
    assert found == [parse_metadata({"a": value}, METADATA_LIMITS)] * 2


def test_columns_make_one_object(tmp_path: Path) -> None:
    """Nested where their names have dots; an empty cell is no field, and columns go beside the object of `metadata`."""
    columns = ["metadata.price", "metadata.brand.name", "metadata", "metadata.brand.country", "metadata.é ü"]
    found = metadata_in(
        tmp_path,
        as_csv(
            columns,
            ["12.5", "Acme", '{"brand": {"since": 1990}, "stock": 3}', "ID", "x"],
            ["", " ", "", "", ""],
            ["", "", "{}", "ID", ""],
            ["1", "", '{"tags": ["a"]}', "", ""],
        ),
    )
    assert [it.as_json() for it in found] == [
        {"brand": {"country": "ID", "name": "Acme", "since": 1990}, "price": 12.5, "stock": 3, "é ü": "x"},
        {},
        {"brand": {"country": "ID"}},
        {"price": 1, "tags": ["a"]},
    ]
    assert found[1] is NO_METADATA


BAD_CELLS = [
    (["metadata"], ["x"], "metadata", "expected JSON, got 'x'"),
    (["metadata"], ["[]"], "metadata", "expected a JSON object, got a list"),
    (["metadata"], ['{"a": 1, "a": 2}'], "metadata", "expected each name once in an object, got 'a' twice"),
    (["metadata"], ['{"a": {"b.c": 1}}'], "metadata.a", "expected names without a dot"),
    (["metadata.a"], ['{"": 1}'], "metadata.a", "expected names of fields, got an empty one"),
    (["metadata.a"], ["[" * 4 + "]" * 4], "metadata.a[0][0][0]", "expected text, a number"),
    (["metadata.a"], ["x" * 9000], "metadata", "expected at most 8192 bytes of JSON, got 9008"),
    (
        ["metadata", "metadata.a"],
        ['{"a": 1}', "2"],
        "metadata.a",
        "expected one value, got another one from another column",
    ),
    (
        ["metadata.a", "metadata.a.b"],
        ["1", "2"],
        "metadata.a.b",
        "expected one value, got 'a' as an object and otherwise",
    ),
    (["metadata.a.b", "metadata.a"], ["1", "2"], "metadata.a", "expected one value, got another one"),
]


@pytest.mark.parametrize(("columns", "cells", "column", "message"), BAD_CELLS)
def test_a_bad_cell_is_named_by_row_and_column(
    tmp_path: Path, columns: list[str], cells: list[str], column: str, message: str
) -> None:
    """The others are read."""
    rows, _ = read(tmp_path, as_csv(columns, [""] * len(columns), cells, [""] * len(columns)))
    assert [row.posting is not None for row in rows] == [True, False, True]
    [problem] = rows[1].problems
    assert (problem.row, problem.column, rows[1].posting_id) == (3, column, "p1")
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["metadata.a", "metadata.a"], "column 'metadata.a': expected each column once, got it twice"),
        (["metadata", "metadata"], "column 'metadata': expected each column once, got it twice"),
        (["metadata."], "column 'metadata.': expected names of fields, got an empty one"),
        (["metadata.a..b"], "column 'metadata.a..b': expected names of fields, got an empty one"),
        (["metadata.$a"], r"column 'metadata.\$a': expected names .* not beginning with \$"),
        (["metadata.a.b.c.d.e"], "column 'metadata.a.b.c.d.e': expected text, .*: too deep"),
        (["metadata." + "x" * 101], "column 'metadata.x*': expected names of at most 100 characters"),
    ],
)
def test_a_column_that_cannot_be_metadata_refuses_the_file(tmp_path: Path, columns: list[str], message: str) -> None:
    with pytest.raises(CatalogueError, match=f"^postings: {message}"):
        read(tmp_path, as_csv(columns, [""] * len(columns)))


def test_columns_that_only_resemble_metadata_are_ignored(tmp_path: Path) -> None:
    rows, warnings = read(tmp_path, as_csv(["Metadata", "metadatas", "price"], ["x", "y", "1"]))
    assert rows[0].posting is not None
    assert rows[0].posting.metadata is NO_METADATA
    assert warnings == ["columns that nothing reads: 'Metadata', 'metadatas', 'price'"]


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ('"metadata": "x"', "metadata", "expected a JSON object, got text"),
        ('"metadata": [1]', "metadata", "expected a JSON object, got a list"),
        ('"metadata": {"a": NaN}', "metadata.a", "expected a finite number, got nan"),
        ('"metadata": {"a": "\\ud800"}', "metadata.a", "expected text, got a character that is none"),
        ('"metadata": {"a": 9007199254740993}', "metadata.a", "expected a whole number within"),
        ('"metadata": {"a": 1, "a": 2}', None, "expected each name once in an object, got 'a' twice"),
        ('"title": "x", "title": "y"', None, "expected each name once in an object, got 'title' twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, column: str | None, message: str) -> None:
    rows, _ = read(tmp_path, f'{{"posting_id": "a"}}\n{{"posting_id": "b", {line}}}\n{{"posting_id": "c"}}\n')
    assert [row.posting is not None for row in rows] == [True, False, True]
    [problem] = rows[1].problems
    assert (problem.row, problem.column) == (2, column)
    assert problem.message.startswith(message)


def test_a_line_brings_its_object(tmp_path: Path) -> None:
    """Null and nothing are no metadata; text stays text, whatever it reads like."""
    values: list[Any] = [{"price": "12.50", "brand": {"name": "Acme"}}, None, {}]
    content = "".join(json.dumps({"posting_id": f"p{row}", "metadata": it}) + "\n" for row, it in enumerate(values))
    found = metadata_in(tmp_path, content + '{"posting_id": "z"}\n')
    assert [it.as_json() for it in found] == [values[0], {}, {}, {}]


@given(st.dictionaries(st.sampled_from("abc"), st.text(max_size=8) | st.integers() | st.floats(), min_size=1))
def test_any_cells_are_taken_or_refused(values: dict[str, Any]) -> None:
    """What is written into cells as JSON comes back."""
    fields = {name: value for name, value in values.items() if not isinstance(value, float)}
    cells = [json.dumps(value) if isinstance(value, str) else str(value) for value in fields.values()]
    back = {name: cell_value(cell) for name, cell in zip(fields, cells, strict=True)}
    expected = {name: str(it) if isinstance(it, int) and abs(it) > 2**53 else it for name, it in fields.items()}
    assert back == expected
