"""Rows of a file as postings of a store, many at once; a bad row fails alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from pricematch.catalogue.job_records import Counts
from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting
from pricematch.catalogue.records import Kept, Stored
from pricematch.encoding.ports import ImageSource
from pricematch.errors import ImageError, ModelOutputError, PricematchError, RowDamaged, RowProblem
from pricematch.formats.row_checks import PostingRow
from pricematch.serving.intake import Offered
from pricematch.serving.posting_images import BadImage

AT_ONCE = 64
"""Rows of a batch, at most."""
_BYTES_AT_ONCE = 32 * 1024 * 1024
"""Of its images; one more may come on top."""
_PutEach: TypeAlias = Callable[[Sequence[Offered]], Sequence[Kept | BadImage]]


@dataclass(frozen=True)
class ImportedBatch:
    """A batch of rows that is stored.

    Attributes:
        rows: how many, bad ones included.
        counts: what became of them.
        problems: of those that failed, in the order of the file.
    """

    rows: int
    counts: Counts
    problems: Sequence[RowProblem]


@dataclass(frozen=True)
class RowImport:
    """Puts the postings of rows into a store; a bad row fails alone.

    Attributes:
        images: the images that rows name; None: rows bring none, and stored postings keep theirs.
        stored: gives what is stored under an id; None for nothing.
        put_each: stores postings.
        max_title_chars: characters of a title.
    """

    images: ImageSource | None
    stored: Callable[[str], Stored | None]
    put_each: _PutEach
    max_title_chars: int

    def batches(self, rows: Iterable[PostingRow], skip: int = 0) -> Iterator[ImportedBatch]:
        """Put rows without the first `skip`; a batch that is yielded is kept for good.

        Raises:
            StoreError: it cannot be kept.
            CatalogueError: the rows cannot be read on.
        """
        batch: list[tuple[PostingRow, Offered | RowProblem]] = []
        size = 0
        for row in islice(rows, skip, None):
            found = self._offered(row)
            batch.append((row, found))
            size += sum(map(len, found.images)) if isinstance(found, Offered) else 0
            if len(batch) == AT_ONCE or size > _BYTES_AT_ONCE:
                yield self._stored(batch)
                batch, size = [], 0
        if batch:
            yield self._stored(batch)

    def _offered(self, row: PostingRow) -> Offered | RowProblem:
        """The posting of a row, or the first problem of the row."""
        if row.posting is None:
            return row.problems[0]
        found = self._with_images(row.posting)
        if not isinstance(found, Offered):
            return _image_problem(row, found)
        posting = found.posting
        if len(posting.title) > self.max_title_chars:
            message = f"expected at most {self.max_title_chars} characters, got {len(posting.title)}"
            return RowProblem(row.number, "title", message)
        if len(posting.label_group or "") > MAX_LABEL_CHARS:
            return RowProblem(row.number, "label_group", f"expected at most {MAX_LABEL_CHARS} characters, got more")
        if not found.images and posting.image is None and not posting.title:
            return RowProblem(row.number, None, "expected an image or a title, got neither")
        return found

    def _with_images(self, posting: Posting) -> Offered | BadImage | RowDamaged:
        """A posting without the names of its images, and the images; or with the digests of those that it keeps."""
        if self.images is not None:
            read = list[bytes]()
            for place, name in enumerate(posting.images, start=1):
                try:
                    read.append(self.images.read(name))
                except ImageError as error:
                    return BadImage(error, place, len(posting.images))
            return Offered(posting.with_images(()), read)
        try:
            stored = self.stored(posting.posting_id)
        except RowDamaged as error:  # nobody knows which images it had
            return error
        return Offered(posting.with_images(() if stored is None else stored.posting.images))

    def _stored(self, batch: Sequence[tuple[PostingRow, Offered | RowProblem]]) -> ImportedBatch:
        good = [(row, found) for row, found in batch if isinstance(found, Offered)]
        outcomes = dict(zip((row.number for row, _ in good), self._put([found for _, found in good]), strict=True))
        counts, problems = Counts(), list[RowProblem]()
        for row, found in batch:
            outcome = outcomes.get(row.number)
            if isinstance(outcome, Kept):
                counts += Counts(**{outcome.outcome: 1})
                continue
            counts += Counts(failed=1)
            found_problems = row.problems or [found if isinstance(found, RowProblem) else _image_problem(row, outcome)]
            problems.extend(replace(problem, posting_id=row.posting_id) for problem in found_problems)
        return ImportedBatch(len(batch), counts, problems)

    def _put(self, offered: Sequence[Offered]) -> Sequence[Kept | BadImage | PricematchError]:
        """The outcome of each; where all of them together fail, they are put one by one."""
        try:
            return self.put_each(offered)
        except (ImageError, ModelOutputError):
            return [self._put_alone(it) for it in offered]

    def _put_alone(self, offered: Offered) -> Kept | BadImage | PricematchError:
        try:
            [kept] = self.put_each([offered])
        except (ImageError, ModelOutputError) as error:
            return error
        return kept


def _image_problem(row: PostingRow, found: BadImage | PricematchError | None) -> RowProblem:
    """The problem of a row's image; what no image is to blame for is told with the name of the first."""
    place, error = (found.place, found.error) if isinstance(found, BadImage) else (1, found)
    return row.image_problem(place, str(error))
