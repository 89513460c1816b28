"""Checks files of postings: what an import of them would refuse, and what is odd in them; nothing is stored."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Posting
from pricematch.encoding.blocking import encoding_for
from pricematch.encoding.catalogue_files import row_format
from pricematch.encoding.stored_images import Encode
from pricematch.errors import RowProblem
from pricematch.formats.posting_rows import PostingRows, check_rows
from pricematch.formats.row_checks import PostingRow
from pricematch.progress import Progress
from pricematch.serving.imports import image_source
from pricematch.serving.intake import try_each
from pricematch.serving.row_imports import RowImport
from pricematch.settings import Settings

_EXAMPLES, _MAX_PROBLEMS = 20, 1000
_MARKUP = re.compile(r"<[a-zA-Z/][^<>]*>|&(?:[a-zA-Z]{2,8}|#\d{1,6});")
_WRONGLY_DECODED = re.compile("[ÃÂÐÑ][\u0080-\u00bf‚-›€]|â€|ï»¿|\ufffd")


@dataclass(frozen=True)
class CheckedFile:
    """Outcome of checking a file.

    Attributes:
        read_as: format, encoding and delimiter.
        counts: of rows, of those that are bad, of what the good ones have, and of label groups, by what they count.
        problems: the first thousand of the bad rows, in the order of the file.
        warnings: what is odd in the good ones, a sentence for each kind.
    """

    read_as: str
    counts: Mapping[str, int]
    problems: Sequence[RowProblem]
    warnings: Sequence[str]


def check_file(settings: Settings, file: Path, images: Path | None, progress: Progress) -> CheckedFile:
    """Check a file of postings as an import would, and decode its images.

    Args:
        settings: limits, and how the file is to be read.
        file: CSV or NDJSON.
        images: folder or ZIP file of the images; None: images are not looked at.
        progress: called with how many rows are done.

    Raises:
        SettingsError: there are no such images.
        CatalogueError, ImportRefused: the file or the images are of no use as a whole.
    """
    check_rows(file, str(file), *row_format(settings))
    if images is None:
        return _checked(settings, file, None, progress, _not_decoded)
    return encoding_for(partial(_checked, settings, file, images, progress), settings)


def _checked(settings: Settings, file: Path, images: Path | None, progress: Progress, encode: Encode) -> CheckedFile:
    total = sum(1 for _ in PostingRows(file, str(file), *row_format(settings)))
    rows, seen = PostingRows(file, str(file), *row_format(settings)), _Seen()
    problems, done, bad = list[RowProblem](), 0, 0
    with image_source(images, settings) as source:
        put = partial(try_each, lambda _: None, encode)
        trial = RowImport(_Named() if source is None else source, lambda _: None, put, settings.max_title_chars)
        for batch in trial.batches(seen.each(rows)):
            done, bad = done + batch.rows, bad + batch.counts.failed
            problems += batch.problems[: _MAX_PROBLEMS - len(problems)]
            progress("Checking rows", done, total)
    counts = {"rows": total, "bad rows": bad, **seen.counts, "label groups": len(rows.labels)}
    counts["label groups of one posting"] = sum(count == 1 for count in rows.labels.values())
    return CheckedFile(rows.read_as, counts, problems, [*rows.warnings(_EXAMPLES), *seen.warnings()])


def _not_decoded(images: Sequence[bytes], _: Wanted) -> Sequence[ImageFeatures]:
    """Features that say nothing, for images that are not looked at."""
    return [ImageFeatures(bytes(32), None, {}) for _ in images]


class _Named:
    """Implements `ports.ImageSource` where images are not looked at: a row that names one has one."""

    def read(self, name: str) -> bytes:  # noqa: ARG002
        return b""


class _Seen:
    """Counts what the readable postings of a file have, and titles that look damaged."""

    def __init__(self) -> None:
        names = ("with an image", "with several images", "with a hash", "with a title", "with a label group")
        self.counts = dict.fromkeys(names, 0)
        self._markup, self._wrongly_decoded = list[str](), list[str]()

    def each(self, rows: PostingRows) -> Iterator[PostingRow]:
        """The rows, counted as they pass."""
        for row in rows:
            if row.posting is not None:
                self._count(row.posting)
            yield row

    def _count(self, posting: Posting) -> None:
        fields = (posting.image, posting.more_images, posting.image_phash, posting.title, posting.label_group)
        for name, value in zip(self.counts, fields, strict=True):
            self.counts[name] += bool(value)
        if _MARKUP.search(posting.title):
            self._markup.append(posting.title[:80])
        if _WRONGLY_DECODED.search(posting.title):
            self._wrongly_decoded.append(posting.title[:80])

    def warnings(self) -> list[str]:
        """What is odd in the titles."""
        kinds = [
            (self._markup, "hold HTML"),
            (self._wrongly_decoded, "look as if they had been read in another encoding than they were written in"),
        ]
        return [f"title: {len(titles)} titles {what}, such as {titles[0]!r}" for titles, what in kinds if titles]
