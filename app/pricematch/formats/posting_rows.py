"""Rows of catalogue files, read of CSV or NDJSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pricematch.catalogue.labels import EXAMPLES
from pricematch.catalogue.metadata import METADATA, Metadata, MetadataLimits, parse_metadata
from pricematch.catalogue.postings import MAX_IMAGES
from pricematch.errors import CatalogueError, FieldInvalid, RowProblem
from pricematch.formats.csv_records import CsvRecords, nearest
from pricematch.formats.json_lines import BadLine, fields_of, list_of_texts, texts_of
from pricematch.formats.metadata_columns import check_columns, is_metadata_column, metadata_of_cells
from pricematch.formats.row_checks import COLUMNS, IMAGE, IMAGE_COLUMNS, IMAGES, PostingRow, RowChecker
from pricematch.formats.text_lines import PROBED_BYTES, TextError, TextLines
from pricematch.settings import CsvDelimiter, CsvEncoding, Settings

_REQUIRED, _ONE_OF = ("posting_id",), (IMAGE, "title", *IMAGE_COLUMNS[1:])
_OPTIONAL = (IMAGE, "title", "image_phash", "label_group")
_USUAL = (*_REQUIRED, *_OPTIONAL)
_SHOWN = 80
_OTHER_FILES: Mapping[bytes, str] = MappingProxyType(
    {
        b"PK\x03\x04": "a ZIP file or a spreadsheet; export the sheet as CSV",
        b"\xd0\xcf\x11\xe0": "a spreadsheet; export the sheet as CSV",
        b"\x1f\x8b": "a gzip file; unpack it",
        b"PAR1": "a Parquet file; export it as CSV",
    }
)
_MAX_IGNORED = 100
"""Names of fields nothing reads that are remembered; a file may have any number."""


@dataclass(frozen=True, slots=True)
class RowLimits:
    """Sizes beyond which a file is refused: rows of the catalogue, and bytes of one row; and what metadata may be."""

    rows: int
    row_bytes: int
    metadata: MetadataLimits


def metadata_limits(settings: Settings) -> MetadataLimits:
    """What the metadata of a posting may be by settings."""
    return MetadataLimits(settings.max_metadata_bytes, settings.max_metadata_depth, settings.max_metadata_fields)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a file is to be read; what is auto is detected."""

    encoding: CsvEncoding = "auto"
    delimiter: CsvDelimiter = "auto"


DETECTED = TextFormat()


class PostingRows:
    """The rows of a file, good and bad; it is NDJSON if its first character but blanks opens a JSON object, else CSV.

    `posting_id` is required, in CSV a column `image` or `title` as well; `image_phash`, `label_group`, metadata and
    more images (`image_2` … `image_8`, in NDJSON also all as the list `images`) may be absent or empty, and others are
    ignored, see `warnings`. Gaps between images are closed up, and one that is named twice counts once. Blanks around
    ids, hashes and labels are left out, words for nothing count as empty, and titles that hold Python byte escapes are
    decoded. It is read a line at a time, once.

    Args:
        path: of the file.
        name: what errors call it.
        limits: beyond which it is refused.
        given: how it is to be read.
    """

    def __init__(self, path: Path, name: str, limits: RowLimits, given: TextFormat = DETECTED) -> None:
        self._path, self._name, self._limits, self._given = path, name, limits, given
        self._checker = RowChecker()
        self._ignored: dict[str, None] = {}
        self._known = set[str]()
        self._read_as: tuple[str, str | None] = ("", None)

    def __iter__(self) -> Iterator[PostingRow]:
        """The rows; what follows a quotation mark that is not closed is not read.

        Raises:
            CatalogueError: the file as a whole is of no use: it cannot be read, lacks a column, is no CSV, or has more
                rows than the limit; perhaps after some rows.
        """
        try:
            with self._path.open("rb") as file:
                lines = TextLines(file, self._limits.row_bytes, self._given.encoding)
                file.seek(0)
                head = file.read(PROBED_BYTES)
                for magic, what in _OTHER_FILES.items():
                    if head.startswith(magic):
                        raise CatalogueError(f"{self._name}: expected CSV or NDJSON, got {what}")
                beginning = head.decode(lines.encoding, "ignore").lstrip("\ufeff \t\r\n")
                file.seek(0)
                is_json = beginning.startswith("{")
                self._read_as = (lines.name, None)
                for number, row in enumerate(self._ndjson(lines) if is_json else self._csv(lines), start=1):
                    if number > self._limits.rows:
                        raise CatalogueError(f"{self._name}: expected at most {self._limits.rows} postings, got more")
                    yield row
        except OSError as error:
            raise CatalogueError(f"{self._name}: cannot be read ({error.strerror})") from error

    @property
    def labels(self) -> Mapping[str, int]:
        """How many of the good rows so far have each label group."""
        return self._checker.labels

    @property
    def read_as(self) -> str:
        """How the file is read, once its first row is asked for."""
        encoding, delimiter = self._read_as
        return f"NDJSON in {encoding}" if delimiter is None else f"CSV in {encoding}, delimiter {delimiter!r}"

    def warnings(self, shown: int = EXAMPLES) -> list[str]:
        """What is odd in the rows so far, a sentence for each kind: form, columns that nothing reads, labels."""
        usual = self._read_as in {("UTF-8", ","), ("UTF-8", None)}
        absent = [column for column in _USUAL if column not in self._known]
        names = [
            f"{name[:_SHOWN]!r}{f' (is it {meant}?)' if (meant := nearest(name, absent)) else ''}"
            if name
            else "one without a name"
            for name in list(self._ignored)[: 2 * shown]
        ]
        more = [f"{len(self._ignored) - len(names)} more"] if len(self._ignored) > len(names) else []
        ignored = [f"columns that nothing reads: {', '.join([*names, *more])}"] if names else []
        form = [] if usual else [f"the file is {self.read_as}"]
        return [*form, *ignored, *self._checker.warnings(shown)]

    def _csv(self, lines: TextLines) -> Iterator[PostingRow]:
        limit = self._limits.row_bytes
        records = CsvRecords(lines, self._name, limit, _REQUIRED, _OPTIONAL, self._given.delimiter, one_of=_ONE_OF)
        self._read_as = (lines.name, records.delimiter)
        self._known.update(records.columns)
        metadata = [column for column in records.columns if is_metadata_column(column)]
        self._ignored = dict.fromkeys(it for it in records.columns if it not in COLUMNS and it not in metadata)
        try:
            check_columns(records.columns, self._limits.metadata)
        except FieldInvalid as error:
            raise CatalogueError(f"{self._name}: column {error.field[:_SHOWN]!r}: {error.reason}") from error
        for number, cells in records:
            if isinstance(cells, str):
                yield PostingRow.bad(number, cells)
            else:
                values = dict(zip(records.columns, cells, strict=True))
                columns = {column: values[column] for column in metadata}
                yield self._row(lines, number, values, partial(metadata_of_cells, columns, self._limits.metadata))

    def _ndjson(self, lines: TextLines) -> Iterator[PostingRow]:
        """The fields are the columns of a CSV file, text or null, `metadata`, an object or null, and a list `images`.

        All but `posting_id` may be absent.
        """
        try:
            for line in lines:
                if line is None:
                    yield PostingRow.bad(lines.number, f"expected at most {self._limits.row_bytes} bytes, got more")
                elif (fault := lines.undecoded(line)) is not None:
                    yield PostingRow.bad(lines.number, fault)
                elif line.strip():
                    try:
                        fields = fields_of(line)
                        images, values = _images_of(fields), texts_of(fields, COLUMNS)
                    except BadLine as error:
                        yield PostingRow.bad(lines.number, str(error))
                    else:
                        self._known.update(values)
                        if len(self._ignored) < _MAX_IGNORED:
                            unknown = (name[:_SHOWN] for name in fields if name not in (*COLUMNS, IMAGES, METADATA))
                            self._ignored.update(dict.fromkeys(unknown))
                        given = fields.get(METADATA)
                        metadata = partial(parse_metadata, {} if given is None else given, self._limits.metadata)
                        yield self._row(lines, lines.number, values, metadata, images)
        except TextError as error:
            yield PostingRow.bad(lines.number + 1, f"{error}; what follows was not read")

    def _row(
        self,
        lines: TextLines,
        number: int,
        values: Mapping[str, str],
        metadata: Callable[[], Metadata],
        images: Sequence[str] | None = None,
    ) -> PostingRow:
        texts = [*values.items(), *((IMAGES, name) for name in images or ())]
        faults = [(column, lines.undecoded(text)) for column, text in texts if not _is_plain(text)]
        problems = [RowProblem(number, column, fault) for column, fault in faults if fault is not None]
        if problems:
            return PostingRow(number, None, None, problems)
        try:
            return self._checker.row(number, values, metadata(), images)
        except FieldInvalid as error:
            return self._checker.row(number, values, error, images)


def _images_of(fields: Mapping[str, object]) -> Sequence[str] | None:
    """The names in the list `images` of a line; None where it has none. Raises BadLine."""
    if listed := [column for column in IMAGE_COLUMNS if isinstance(fields.get(column), list)]:
        raise BadLine(f"expected text in {listed[0]}, got a list; several images are named in {IMAGES}")
    if (names := list_of_texts(fields, IMAGES)) is None:
        return None
    if beside := [column for column in IMAGE_COLUMNS if fields.get(column) is not None]:
        raise BadLine(f"expected either {IMAGES} or {beside[0]}, got both")
    if len(names) > MAX_IMAGES:
        raise BadLine(f"expected at most {MAX_IMAGES} {IMAGES}, got {len(names)}")
    return names


def _is_plain(text: str) -> bool:
    return text.isascii() and "\0" not in text


def check_rows(path: Path, name: str, limits: RowLimits, given: TextFormat = DETECTED) -> None:
    """Raise CatalogueError if a file is not one of postings, by its first row."""
    if next(iter(PostingRows(path, name, limits, given)), None) is None:
        raise CatalogueError(f"{name}: expected at least one posting, got none")
