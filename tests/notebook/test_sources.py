"""Catalogues and images as notebooks bring them."""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pricematch.errors import (
    CatalogueError,
    ImageCorrupt,
    ImageError,
    ImageTooLarge,
    ImageTypeUnsupported,
    ImageUnavailable,
)
from pricematch.notebook.sources import catalogue_file, image_bytes

LIMIT = 1_000_000


class Frame:
    """Columns by name, as data frames of pandas and polars have them."""

    def __init__(self, **columns: Sequence[Any]) -> None:
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, column: str) -> Sequence[Any]:
        return self._columns[column]


class Twice(Frame):
    """A frame of pandas may have two columns of one name."""

    def __init__(self) -> None:
        super().__init__(posting_id=["a"])
        self.columns = ["posting_id", "metadata.x", "metadata.x"]


class NoTruth:
    """As `pandas.NA`: what it is compared with is as unknown as itself."""

    def __ne__(self, other: object) -> Any:
        return self

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


def read(source: Any, folder: Path) -> list[Mapping[str, Any]]:
    """The rows of the file that a source becomes."""
    return [json.loads(line) for line in catalogue_file(source, lambda: folder).read_text().splitlines()]


def test_a_path_is_the_file(tmp_path: Path) -> None:
    """Nothing is copied, and no folder is asked for."""

    def none() -> Path:
        raise AssertionError

    assert catalogue_file("postings.csv", none) == Path("postings.csv")
    assert catalogue_file(tmp_path, none) == tmp_path


def test_frames_columns_and_records_are_the_same(tmp_path: Path) -> None:
    """Other columns are left out."""
    columns: dict[str, list[Any]] = {"posting_id": ["a", "b"], "title": ["kopi", "teh"], "price": [1, 2]}
    records = [{name: cells[row] for name, cells in columns.items()} for row in range(2)]
    expected = [{"posting_id": "a", "title": "kopi"}, {"posting_id": "b", "title": "teh"}]
    for source in (Frame(**columns), columns, records, iter(records)):
        assert read(source, tmp_path) == expected


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (np.float32("nan"), ""),
        (np.datetime64("NaT"), ""),
        (NoTruth(), ""),
        ("", ""),
        ("susu \ud83d", "susu \ud83d"),
        (12, "12"),
        (12.0, "12"),
        (np.int64(12), "12"),
        (np.float64(12), "12"),
        (2.0**60, "1.152921504606847e+18"),
        (0.5, "0.5"),
        (float("inf"), "inf"),
        (Path("images/a.png"), "images/a.png"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_cells_are_text(cell: object, text: str, tmp_path: Path) -> None:
    """What is missing is empty, and whole numbers have no point, since pandas makes floats of them."""
    assert read([{"posting_id": "a", "label_group": cell}], tmp_path) == [{"posting_id": "a", "label_group": text}]


def test_metadata_are_objects(tmp_path: Path) -> None:
    """Numbers of NumPy are numbers, and what is missing is null."""
    cells = [{"price": np.float64(1.5), "day": date(2026, 1, 2)}, float("nan"), None]
    rows = read({"posting_id": ["a", "b", "c"], "metadata": cells}, tmp_path)
    assert [row["metadata"] for row in rows] == [{"price": 1.5, "day": "2026-01-02"}, None, None]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (5, 5),
        (np.int64(5), 5),
        (5.5, 5.5),
        (True, True),
        (np.bool_(1), True),
        ("red", "red"),
        (" 12.50 ", 12.5),
        ("007", "007"),
        ('["a", 1]', ["a", 1]),
        ("null", None),
        (["a", "b"], ["a", "b"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ({"a": 1}, {"a": 1}),
        (date(2026, 1, 2), "2026-01-02"),
    ],
    ids=repr,
)
def test_columns_of_metadata_are_fields(cell: object, value: object, tmp_path: Path) -> None:
    """As in a CSV file, whether the source has columns or rows."""
    columns: dict[str, list[Any]] = {"posting_id": ["a"], "metadata.x": [cell], "metadata.in.y": [1]}
    for source in (Frame(**columns), columns, [{name: cells[0] for name, cells in columns.items()}]):
        assert read(source, tmp_path) == [{"posting_id": "a", "metadata": {"in": {"y": 1}, "x": value}}]


@pytest.mark.parametrize(
    "cell",
    [None, float("nan"), np.datetime64("NaT"), NoTruth(), "", "  "],
    ids=["none", "nan", "nat", "no truth", "empty", "blank"],
)
def test_missing_cells_are_fields_that_are_not_there(cell: object, tmp_path: Path) -> None:
    rows = [{"posting_id": "a", "metadata.x": cell}, {"posting_id": "b", "metadata.x": cell, "metadata.y": 1}]
    assert [row["metadata"] for row in read(rows, tmp_path)] == [None, {"y": 1}]


def test_metadata_may_be_text_of_json_and_columns_beside_it(tmp_path: Path) -> None:
    """What was given stays as it was."""
    given = {"brand": {"name": "x"}}
    rows = [
        {"posting_id": "a", "metadata": '{"price": 5}', "metadata.seller": "s"},
        {"posting_id": "b", "metadata": given, "metadata.brand.country": "id"},
    ]
    found = [row["metadata"] for row in read(rows, tmp_path)]
    assert found == [{"price": 5, "seller": "s"}, {"brand": {"name": "x", "country": "id"}}]
    assert given == {"brand": {"name": "x"}}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"metadata": "{", "posting_id": "a"}, "row 2: metadata: expected JSON"),
        ({"metadata": {"x": 1}, "metadata.x": 2, "posting_id": "a"}, "row 2: metadata.x: expected one value"),
        ({"metadata.x": 1, "metadata.x.y": 2, "posting_id": "a"}, "row 2: metadata.x.y: expected one value"),
        ({"metadata": 5, "metadata.x": 1, "posting_id": "a"}, "row 2: metadata: expected a mapping, got int"),
    ],
)
def test_metadata_of_two_minds_names_the_row(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=message):
        read([{"posting_id": "b"}, row], tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "at least one posting"),
        ({"posting_id": []}, "at least one posting"),
        ({"id": ["a"], "title": ["b"]}, "expected the column posting_id .* got id, title"),
        ([{"title": "b"}], "expected the column posting_id"),
        (Twice(), "each column once, got metadata.x twice"),
        ({"posting_id": ["a"], "title": []}, "one length, got 1 of posting_id, 0 of title"),
        (7, "expected the path of a CSV file, a data frame, or mappings with posting_id, got int"),
        ([7], "got int"),
        (b"postings.csv", "got bytes"),
    ],
)
def test_what_is_no_catalogue_is_refused(source: Any, message: str, tmp_path: Path) -> None:
    """The sentence says what was expected and what came; nothing is written."""
    with pytest.raises(CatalogueError, match=message):
        catalogue_file(source, lambda: tmp_path)
    assert list(tmp_path.iterdir()) == []


def pixels_of(content: bytes) -> "np.ndarray[Any, Any]":
    """What an image file shows."""
    return np.asarray(Image.open(io.BytesIO(content)))


def test_files_and_bytes_are_taken_as_they_are(tmp_path: Path) -> None:
    """Whoever decodes them says what is wrong with them."""
    (tmp_path / "a.jpg").write_bytes(b"no image")
    for image in (str(tmp_path / "a.jpg"), tmp_path / "a.jpg", b"no image", bytearray(b"no image")):
        assert image_bytes(image, LIMIT) == b"no image"  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4)])
def test_pixels_are_kept_exactly(shape: tuple[int, ...]) -> None:
    """Arrays and images of Pillow lose nothing."""
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    for image in (pixels, Image.fromarray(pixels)):
        assert np.array_equal(pixels_of(image_bytes(image, LIMIT)), pixels)


def test_modes_that_png_lacks_become_rgb() -> None:
    """Such as CMYK."""
    assert pixels_of(image_bytes(Image.new("CMYK", (8, 8)), LIMIT)).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("absent.jpg", ImageUnavailable, "absent.jpg cannot be read"),
        (7, ImageTypeUnsupported, "got int"),
        (np.zeros((8, 8)), ImageTypeUnsupported, r"got float64, \[8, 8\]"),
        (np.zeros((8, 8, 2), np.uint8), ImageTypeUnsupported, r"got uint8, \[8, 8, 2\]"),
        (np.zeros((0, 8), np.uint8), ImageTypeUnsupported, r"got uint8, \[0, 8\]"),
    ],
)
def test_what_is_no_image_is_refused(image: Any, error: type[ImageError], message: str) -> None:
    """The sentence says what was expected and what came."""
    with pytest.raises(error, match=message):
        image_bytes(image, LIMIT)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Its size is enough."""
    (tmp_path / "a.jpg").write_bytes(bytes(11))
    with pytest.raises(ImageTooLarge, match="at most 10 bytes, got 11"):
        image_bytes(tmp_path / "a.jpg", 10)


def test_an_image_that_pillow_cannot_decode_is_corrupt() -> None:
    """Pillow reads the file when its pixels are needed."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG")
    with pytest.raises(ImageCorrupt):
        image_bytes(Image.open(io.BytesIO(file.getvalue()[:-20])), LIMIT)
