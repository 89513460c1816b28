"""Rows that name several images, in CSV and in NDJSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError, ImageEmpty, ImageUnavailable
from pricematch.formats.csv_files import read_csv
from pricematch.formats.posting_lines import posting_line
from pricematch.formats.posting_rows import PostingRows, RowLimits
from pricematch.formats.row_checks import PostingRow
from tests.support.catalogues import METADATA_LIMITS

LIMITS = RowLimits(1000, 100_000, METADATA_LIMITS)
EIGHT = [f"{number}.png" for number in range(1, 9)]


def rows_of(folder: Path, content: str) -> tuple[list[PostingRow], list[str]]:
    """The rows of a file, and what is odd in it."""
    (folder / "file").write_text(content)
    rows = PostingRows(folder / "file", "file", LIMITS)
    return list(rows), rows.warnings()


def line(**fields: Any) -> str:
    return json.dumps({"posting_id": "a", **fields}) + "\n"


def images_of(folder: Path, content: str) -> tuple[str, ...]:
    """The images of the only row, which is good."""
    [row], _ = rows_of(folder, content)
    assert row.posting is not None, row.problems
    return row.posting.images


HEADER = "posting_id,image," + ",".join(f"image_{place}" for place in range(2, 9))


@pytest.mark.parametrize(
    ("content", "images"),
    [
        (f"{HEADER}\na,{','.join(EIGHT)}\n", EIGHT),
        (f"{HEADER}\na,1.png,,3.png,,,,,8.png\n", ["1.png", "3.png", "8.png"]),
        (f"{HEADER}\na,,,3.png,,nan,,N/A,8.png\n", ["3.png", "8.png"]),
        (f"{HEADER}\na,1.png,2.png,1.png,,2.png,3.png,,\n", ["1.png", "2.png", "3.png"]),
        ("image_3,posting_id,image_2\n3.png,a,2.png\n", ["2.png", "3.png"]),
        ("posting_id,title\na,kopi\n", []),
        (line(image="1.png"), ["1.png"]),
        (line(image_2="2.png", image="1.png"), ["1.png", "2.png"]),
        (line(images=EIGHT), EIGHT),
        (line(images=["2.png", "1.png", "2.png", "", "-"]), ["2.png", "1.png"]),
        (line(images=[], title="kopi"), []),
        (line(images=None, image="1.png"), ["1.png"]),
        (line(images=["1.png"], image=None), ["1.png"]),
    ],
)
def test_images_are_read_in_their_places(tmp_path: Path, content: str, images: list[str]) -> None:
    """Gaps are closed up, and what is named again counts once."""
    assert list(images_of(tmp_path, content)) == images


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (line(images="1.png"), 'expected a list of texts in images, got "1.png"'),
        (line(images={"a": 1}), "expected a list of texts in images, got {"),
        (line(images=["1.png", None]), "expected text in images, got null"),
        (line(images=[["1.png"]]), 'expected text in images, got ["1.png"]'),
        (line(images=["\0"]), "expected text in images, got a character that is none"),
        (line(images=["1.png"] * 9), "expected at most 8 images, got 9"),
        (line(images=["1.png"], image="2.png"), "expected either images or image, got both"),
        (line(images=["1.png"], image_3="2.png"), "expected either images or image_3, got both"),
        (line(image=["1.png"]), "expected text in image, got a list; several images are named in images"),
    ],
)
def test_a_line_whose_images_are_none_is_bad(tmp_path: Path, content: str, message: str) -> None:
    [row], _ = rows_of(tmp_path, content)
    assert row.posting is None
    assert message in row.problems[0].message


def test_a_problem_names_the_column_of_the_image(tmp_path: Path) -> None:
    """Behind a gap as well; and the name, unless the reason has it."""
    (tmp_path / "file.csv").write_text(f"{HEADER}\na,,2.png,,4.png,,,,\nb,1.png,,,,,,,\nc,4.png,,,,,,,2.png\n")
    content = read_csv(tmp_path / "file.csv", LIMITS)
    errors = {"4.png": ImageEmpty("no bytes"), "1.png": ImageUnavailable("'1.png' is not there")}
    assert [(it.row, it.column, it.message) for it in content.image_problems(errors)] == [
        (2, "image_4", "'4.png': no bytes"),
        (3, "image", "'1.png' is not there"),
        (4, "image", "'4.png': no bytes"),
    ]
    assert content.names() == ["2.png", "4.png", "1.png"]
    [row], _ = rows_of(tmp_path, f"{HEADER}\na,,2.png,3.png,2.png,3.png,4.png,,\n")
    assert row.image_columns == ("image_2", "image_3", "image_6"), "the first of each"
    [row], _ = rows_of(tmp_path, line(images=["1.png", "2.png"]))
    problem = row.image_problem(2, "no bytes")
    assert (problem.column, problem.message) == ("images", "'2.png': no bytes")


def test_words_for_nothing_are_told_by_their_columns(tmp_path: Path) -> None:
    _, warnings = rows_of(tmp_path, "posting_id,image,image_2,image_9\na,1.png,nan,9.png\n")
    assert warnings == [
        "columns that nothing reads: 'image_9'",
        "image_2: 1 cells say nothing ('nan' 1), and count as empty",
    ]


def test_a_file_needs_images_or_titles(tmp_path: Path) -> None:
    """A column that looks like the one that is missing is told; bytes that are no text as well."""
    with pytest.raises(CatalogueError, match=r"missing image; got 'posting_id, Image'; 'Image' looks like image"):
        rows_of(tmp_path, "posting_id,Image\na,1.png\n")
    (tmp_path / "file").write_bytes(b"posting_id,image,image_2\na,1.png,caf\xc3\xa9\nb,1.png,\xff\n")
    bad = list(PostingRows(tmp_path / "file", "file", LIMITS))[-1]
    assert [it.column for it in bad.problems] == ["image_2"]


@given(st.lists(st.sampled_from(EIGHT), max_size=8))
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_images_are_read_from_their_line(tmp_path: Path, images: list[str]) -> None:
    posting = Posting("a", None, "kopi").with_images(images)
    (tmp_path / "file").write_bytes(posting_line(posting))
    [row] = PostingRows(tmp_path / "file", "file", LIMITS)
    assert (row.posting, row.problems) == (posting, ())
