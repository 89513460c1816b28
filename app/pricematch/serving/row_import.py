"""Rows of a catalogue file on their way into a store, many at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting
from pricematch.catalogue.records import Counts, Kept
from pricematch.encoding.ports import ImageSource
from pricematch.errors import ImageError, ModelOutputError, PricematchError, RowProblem
from pricematch.formats.posting_rows import PostingRow
from pricematch.serving.intake import Offered
from pricematch.store.ports import PostingStore

AT_ONCE = 64
"""Rows of a batch, at most."""
_BYTES_AT_ONCE = 32 * 1024 * 1024
"""Of its pictures; one more may come on top."""
PutEach: TypeAlias = Callable[[Sequence[Offered]], Sequence[Kept | ImageError]]


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
        images: the pictures that rows name; None: rows bring none, and stored postings keep theirs.
        store: is asked what stored postings show.
        put_each: stores postings.
        max_title_chars: characters of a title.
    """

    images: ImageSource | None
    store: PostingStore
    put_each: PutEach
    max_title_chars: int

    def batches(self, rows: Iterable[PostingRow], skip: int = 0) -> Iterator[ImportedBatch]:
        """Put rows without the first `skip`; when a batch is told, it is kept for good.

        Raises:
            StoreError: it cannot be kept.
            CatalogueError: the rows cannot be read on.
        """
        batch: list[tuple[PostingRow, Offered | RowProblem]] = []
        size = 0
        for row in islice(rows, skip, None):
            found = self._offered(row)
            batch.append((row, found))
            size += len(found.image or b"") if isinstance(found, Offered) else 0
            if len(batch) == AT_ONCE or size > _BYTES_AT_ONCE:
                yield self._stored(batch)
                batch, size = [], 0
        if batch:
            yield self._stored(batch)

    def _offered(self, row: PostingRow) -> Offered | RowProblem:
        """What a row brings, or the first thing that is wrong with it."""
        if row.posting is None:
            return row.problems[0]
        try:
            posting, image = self._pictured(row.posting)
        except ImageError as error:
            return _of_picture(row, error)
        if len(posting.title) > self.max_title_chars:
            message = f"expected at most {self.max_title_chars} characters, got {len(posting.title)}"
            return RowProblem(row.number, "title", message)
        if len(posting.label_group or "") > MAX_LABEL_CHARS:
            return RowProblem(row.number, "label_group", f"expected at most {MAX_LABEL_CHARS} characters, got more")
        if image is None and posting.image is None and not posting.title:
            return RowProblem(row.number, None, "expected a picture or a title, got neither")
        return Offered(posting, image)

    def _pictured(self, posting: Posting) -> tuple[Posting, bytes | None]:
        """A posting without the name of its picture, and the picture; or with the digest of the one it keeps."""
        if self.images is not None:
            image = None if posting.image is None else self.images.read(posting.image)
            return replace(posting, image=None), image
        stored = self.store.get(posting.posting_id)
        return replace(posting, image=None if stored is None else stored.posting.image), None

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
            told = row.problems or [found if isinstance(found, RowProblem) else _of_picture(row, outcome)]
            problems.extend(replace(problem, posting_id=row.posting_id) for problem in told)
        return ImportedBatch(len(batch), counts, problems)

    def _put(self, offered: Sequence[Offered]) -> Sequence[Kept | PricematchError]:
        """What became of each; where something is wrong with all of them together, they are put one by one."""
        try:
            return self.put_each(offered)
        except (ImageError, ModelOutputError):
            return [self._put_alone(it) for it in offered]

    def _put_alone(self, offered: Offered) -> Kept | PricematchError:
        try:
            [kept] = self.put_each([offered])
        except (ImageError, ModelOutputError) as error:
            return error
        return kept


def _of_picture(row: PostingRow, error: PricematchError | None) -> RowProblem:
    name = None if row.posting is None else row.posting.image
    said = str(error)
    return RowProblem(row.number, "image", said if name is None or repr(name) in said else f"{name[:200]!r}: {said}")
