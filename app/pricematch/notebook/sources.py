"""What a notebook brings: catalogues as files, data frames or records, and images in several forms."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from pricematch.catalogue.labels import strip_blanks
from pricematch.catalogue.metadata import METADATA, read_json_value
from pricematch.errors import (
    CatalogueError,
    FieldInvalid,
    ImageCorrupt,
    ImageTooLarge,
    ImageTypeUnsupported,
    ImageUnavailable,
)
from pricematch.formats.atomic_writes import write_whole
from pricematch.formats.metadata_columns import cell_value, is_metadata_column, put_field

if TYPE_CHECKING:
    from PIL import Image as Pillow

COLUMNS = ("posting_id", "image", "title", "image_phash", "label_group", METADATA)
_REQUIRED = "posting_id"
_WHOLE = 2**53
"""From which on a float does not tell all whole numbers apart."""
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


class Frame(Protocol):
    """What is taken of a data frame of pandas or polars, or of anything that has named columns."""

    @property
    def columns(self) -> Iterable[Any]:
        """The names of the columns."""
        ...

    def __getitem__(self, column: str, /) -> Any:
        """The cells of a column, in order."""
        ...


CatalogueSource: TypeAlias = str | PathLike[str] | Frame | Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]
"""A CSV or NDJSON file, a data frame, columns by name, or records."""
Image: TypeAlias = "str | PathLike[str] | bytes | Pillow.Image | np.ndarray[Any, Any]"
"""An image: a file, the bytes of one, an image of Pillow, or pixels."""


def catalogue_file(source: CatalogueSource, folder: Callable[[], Path]) -> Path:
    """The file of a catalogue; where there is none, it is written into a folder, as NDJSON.

    Raises:
        CatalogueError: there is no column `posting_id`, one comes twice, or no row, or this is no catalogue; or the
            metadata of a row, from 1, are of two minds.
        SettingsError: the file cannot be written.
    """
    if isinstance(source, str | PathLike):
        return Path(source)
    lines = [json.dumps(_fields(row, cells), default=_plain) for row, cells in enumerate(_rows(source), start=1)]
    if not lines:
        raise CatalogueError("expected at least one posting, got none")
    path = folder() / "postings.ndjson"
    write_whole(path, "\n".join([*lines, ""]).encode())
    return path


def _rows(source: Any) -> Iterator[dict[str, Any]]:
    """The cells of each posting by their columns, those that are read."""
    if isinstance(source, Mapping) or hasattr(source, "columns"):
        names = [str(name) for name in (source if isinstance(source, Mapping) else source.columns)]
        _check_columns(names)
        known = [name for name in names if _is_read(name)]
        columns: list[list[Any]] = [list(source[name]) for name in known]
        if len(set(map(len, columns))) > 1:
            counts = ", ".join(f"{len(column)} of {name}" for name, column in zip(known, columns, strict=True))
            raise CatalogueError(f"expected columns of one length, got {counts}")
        for cells in zip(*columns, strict=True):
            yield dict(zip(known, cells, strict=True))
        return
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise CatalogueError(_not_a_catalogue(source))
    for row in source:
        if not isinstance(row, Mapping):
            raise CatalogueError(_not_a_catalogue(row))
        _check_columns(list(row))
        yield {name: cell for name, cell in row.items() if _is_read(name)}


def _check_columns(names: Sequence[Any]) -> None:
    if _REQUIRED not in names:
        got = ", ".join(map(str, names))[:200] or "none"
        raise CatalogueError(f"expected the column {_REQUIRED} (and perhaps {', '.join(COLUMNS[1:])}), got {got}")
    if twice := next((name for name in names if _is_read(name) and names.count(name) > 1), None):
        raise CatalogueError(f"expected each column once, got {twice} twice")


def _not_a_catalogue(source: object) -> str:
    return f"expected the path of a CSV file, a data frame, or mappings with posting_id, got {type(source).__name__}"


def _is_read(column: Any) -> bool:
    return column in COLUMNS or (isinstance(column, str) and is_metadata_column(column))


def _fields(row: int, cells: Mapping[str, Any]) -> dict[str, Any]:
    """Cells as a line of NDJSON has them: texts by their columns, and metadata as an object."""
    fields = {column: _text(cells[column]) for column in COLUMNS if column in cells and column != METADATA}
    if any(map(is_metadata_column, cells)):
        try:
            fields[METADATA] = _metadata(cells)
        except FieldInvalid as error:
            raise CatalogueError(f"row {row}: {error.field}: {error.reason}") from error
    return fields


def _metadata(cells: Mapping[str, Any]) -> Any:
    """The columns that bring metadata as one object, None where it is empty; raises FieldInvalid.

    Texts are read as those of a CSV file, and what is missing is a field that is not there.
    """
    given = {column: cell for column, cell in cells.items() if is_metadata_column(column) and not _is_empty(cell)}
    whole = given.pop(METADATA, {})
    if isinstance(whole, str):
        whole = read_json_value(whole, METADATA)
    if not isinstance(whole, Mapping):
        if given:
            raise FieldInvalid(METADATA, f"expected a mapping, got {type(whole).__name__}")
        return whole  # whoever reads the file says what is wrong
    fields = deepcopy(dict(whole)) if given else dict(whole)
    for column, cell in given.items():
        put_field(fields, column, cell_value(strip_blanks(cell)) if isinstance(cell, str) else cell)
    return fields or None


def _is_empty(cell: Any) -> bool:
    """Whether a cell says nothing: it is missing, or a text of blanks."""
    if isinstance(cell, str):
        return not strip_blanks(cell)
    return cell is None or (not isinstance(cell, np.ndarray) and _is_missing(cell))


def _plain(value: Any) -> Any:
    """A value of metadata that is no JSON: what NumPy has as Python's, and anything else as text."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)


def _text(cell: Any) -> str:
    """A cell as a file would have it; "" where it is missing.

    >>> [_text(cell) for cell in (None, float("nan"), "a", 7, 7.0, 0.5, np.int64(3))]
    ['', '', 'a', '7', '7', '0.5', '3']
    """
    if isinstance(cell, str):
        return cell
    if cell is None or _is_missing(cell):
        return ""
    if isinstance(cell, float | np.floating) and (number := float(cell)).is_integer() and abs(number) < _WHOLE:
        return str(int(number))  # a column of whole numbers that lacks some is one of floats in pandas
    return str(cell)


def _is_missing(cell: Any) -> bool:
    """Whether a cell is none: NaN, and what pandas has for it, are not equal to themselves."""
    try:
        return bool(cell != cell)  # noqa: PLR0124
    except (TypeError, ValueError):  # pandas.NA has no truth
        return True


def image_bytes(image: Image, max_bytes: int) -> bytes:
    """The bytes of an image file: as it is, or PNG of pixels, which loses nothing.

    Args:
        image: a path, bytes, an image of Pillow, or pixels: uint8, [height, width] grey or [height, width, 3 or 4].
        max_bytes: of a file.

    Raises:
        ImageUnavailable: the file cannot be read.
        ImageTooLarge: it has more bytes.
        ImageTypeUnsupported, ImageCorrupt: this is no image.
    """
    if isinstance(image, str | PathLike):
        return _read(Path(image), max_bytes)
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, np.ndarray):
        return _png(_of_pixels(image))
    if hasattr(image, "save") and hasattr(image, "mode"):
        return _png(image)
    raise ImageTypeUnsupported(
        f"expected a path, bytes, an image of Pillow or an array of pixels, got {type(image).__name__}"
    )


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ImageTooLarge(f"expected at most {max_bytes} bytes, got {size} in {path}")
        return path.read_bytes()
    except OSError as error:
        raise ImageUnavailable(f"the image {path} cannot be read ({error.strerror})") from error


def _of_pixels(pixels: "np.ndarray[Any, Any]") -> "Pillow.Image":
    from PIL import Image as Pillow

    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or not pixels.size or not (grey or (pixels.ndim == 3 and pixels.shape[2] in {3, 4})):
        raise ImageTypeUnsupported(
            "expected pixels as uint8, [height, width] or [height, width, 3 or 4], "
            f"got {pixels.dtype}, {list(pixels.shape)}"
        )
    return Pillow.fromarray(pixels)


def _png(image: "Pillow.Image") -> bytes:
    file = io.BytesIO()
    try:
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(file, format="PNG", compress_level=1)
    except (OSError, ValueError) as error:  # of a file that Pillow has not read to its end yet
        raise ImageCorrupt(f"the image does not decode ({error})") from error
    return file.getvalue()
