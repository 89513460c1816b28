"""Changes to a catalogue: stored first, then taken into memory; one by one, and rows of a file many at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.feedback_batches import FeedbackBatch, PairDecision
from pricematch.catalogue.postings import MAX_LABEL_CHARS, Posting
from pricematch.catalogue.records import (
    ANYHOW,
    NO_REMARK,
    Condition,
    Counts,
    Decision,
    Kept,
    PairFeedback,
    Patch,
    Put,
    Remark,
    Stored,
)
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.errors import ImageError, ModelOutputError, PricematchError, RowDamaged, RowProblem
from pricematch.formats.posting_rows import PostingRow
from pricematch.serving.snapshots import Snapshot, Snapshots
from pricematch.store.ports import FeedbackStore, PostingStore


@dataclass(frozen=True)
class Offered:
    """A posting to be stored.

    Attributes:
        posting: its `image` is None, or the digest of an image that is stored.
        image: the bytes of its image; None where it brings none.
        condition: what must be true of the stored one.
    """

    posting: Posting
    image: bytes | None = None
    condition: Condition = ANYHOW


@dataclass(frozen=True)
class Intake:
    """Stores postings and removes them; the next query sees it. Safe to use from several threads.

    Attributes:
        store: keeps postings.
        feedback: keeps feedback on pairs of them.
        images: keeps the features of their images.
        snapshots: the catalogue in memory.
    """

    store: PostingStore
    feedback: FeedbackStore
    images: StoredImages
    snapshots: Snapshots

    def put(self, put: Put) -> tuple[Kept, Snapshot]:
        """Store a posting; the features of its image are kept already, see `StoredImages.keep`.

        Returns:
            What became of it, and the snapshot in which it is found.

        Raises:
            ConditionFailed: the stored one is not as the condition says.
            StoreError: it cannot be kept.
        """
        [kept] = self.store.put([put])
        return kept, self.snapshots.follow([put.posting.posting_id])

    def patch(self, patch: Patch) -> tuple[Posting, Kept, Snapshot]:
        """Change some of a stored posting; the features of an image that it brings are kept already, as for `put`.

        Returns:
            The posting, what became of it, and the snapshot in which it is found.

        Raises:
            PostingNotFound, ConditionFailed: it is not there, or not as the condition says.
            FieldInvalid: it would not be as it must be.
            StoreError: it cannot be kept.
        """
        posting, kept = self.store.patch(patch)
        return posting, kept, self.snapshots.follow([patch.posting_id])

    def put_each(self, offered: Sequence[Offered]) -> Sequence[Kept | ImageError]:
        """Store those of some postings whose image can be used; images are encoded together.

        Returns:
            What became of each, or why its image cannot be used.

        Raises:
            ImageUnavailable: one was to show an image that is not stored; nothing is stored.
            ConditionFailed, StoreError, ModelOutputError: nothing is stored.
        """
        kept = put_each(self.store, self.images, self.snapshots.current.matcher.wanted_of_stored, offered)
        self.snapshots.follow([it.posting.posting_id for it in offered])
        return kept

    def remove(self, posting_id: str, condition: Condition = ANYHOW) -> tuple[bool, int]:
        """Remove a posting: whether it was there, and the catalogue's version in which it is not.

        Raises:
            ConditionFailed: it is not as the condition says.
            StoreError: the store cannot be written to.
        """
        there = self.store.delete(posting_id, condition)
        return there, self.snapshots.follow([posting_id]).version

    def decide(
        self, left: str, right: str, decision: Decision, remark: Remark = NO_REMARK
    ) -> tuple[PairFeedback, bool]:
        """Keep feedback on a pair; whether it is new. Raises StoreError, ValueError for a posting and itself."""
        feedback, new = self.feedback.decide(left, right, decision, remark)
        self.snapshots.follow(())
        return feedback, new

    def withdraw(self, left: str, right: str) -> tuple[bool, int]:
        """Take feedback back: whether it was there, and the catalogue's version without it; raises StoreError."""
        there = self.feedback.withdraw(left, right)
        return there, self.snapshots.follow(()).version

    def decide_each(
        self, decisions: Sequence[PairDecision], remark: Remark, version: int | None = None, *, undecided: bool = False
    ) -> tuple[FeedbackBatch, int]:
        """Keep feedback on many pairs as one change, see `FeedbackStore.decide_each`; and the version that has it."""
        batch = self.feedback.decide_each(decisions, remark, version, undecided=undecided)
        return batch, self.snapshots.follow(()).version

    def undo(self, batch_id: str) -> tuple[FeedbackBatch, int]:
        """Take a batch of feedback back, see `FeedbackStore.undo`; and the version without it."""
        batch = self.feedback.undo(batch_id)
        return batch, self.snapshots.follow(()).version


def put_each(
    store: PostingStore, images: StoredImages, wanted: Wanted, offered: Sequence[Offered]
) -> Sequence[Kept | ImageError]:
    """The same without a catalogue in memory; `wanted` features of the images are computed."""
    forms = iter(images.ensure_each([it.image for it in offered if it.image is not None], wanted))
    puts, bad = list[Put](), dict[int, ImageError]()
    for place, it in enumerate(offered):
        form = None if it.image is None else next(forms)
        if form is None:
            puts.append(Put(it.posting, None, it.condition))
        elif isinstance(form, ImageError):
            bad[place] = form
        else:
            puts.append(Put(replace(it.posting, image=form.digest.hex()), form.stored_form, it.condition))
    kept = iter(store.put(puts))
    return [bad[place] if place in bad else next(kept) for place in range(len(offered))]


def try_each(
    stored: Callable[[str], Stored | None], encode: Encode, offered: Sequence[Offered]
) -> Sequence[Kept | ImageError]:
    """What `put_each` would make of some postings, each by itself; their images are decoded, and nothing is stored."""
    found = iter(encode([it.image for it in offered if it.image is not None], Wanted(phash=True, stored_form=True)))
    outcomes = list[Kept | ImageError]()
    for it in offered:
        features = None if it.image is None else next(found)
        if isinstance(features, ImageError):
            outcomes.append(features)
            continue
        posting = it.posting if features is None else replace(it.posting, image=features.digest.hex())
        try:
            before = stored(posting.posting_id)
        except RowDamaged:
            outcomes.append(Kept(0, "replaced"))
        else:
            same = before is not None and before.posting == posting
            outcomes.append(Kept(0, "created" if before is None else "unchanged" if same else "replaced"))
    return outcomes


AT_ONCE = 64
"""Rows of a batch, at most."""
_BYTES_AT_ONCE = 32 * 1024 * 1024
"""Of its images; one more may come on top."""
_PutEach: TypeAlias = Callable[[Sequence[Offered]], Sequence[Kept | ImageError]]


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
            size += len(found.image or b"") if isinstance(found, Offered) else 0
            if len(batch) == AT_ONCE or size > _BYTES_AT_ONCE:
                yield self._stored(batch)
                batch, size = [], 0
        if batch:
            yield self._stored(batch)

    def _offered(self, row: PostingRow) -> Offered | RowProblem:
        """The posting of a row, or the first problem of the row."""
        if row.posting is None:
            return row.problems[0]
        try:
            posting, image = self._with_image(row.posting)
        except (ImageError, RowDamaged) as error:  # of a damaged posting nobody knows which image it had
            return _image_problem(row, error)
        if len(posting.title) > self.max_title_chars:
            message = f"expected at most {self.max_title_chars} characters, got {len(posting.title)}"
            return RowProblem(row.number, "title", message)
        if len(posting.label_group or "") > MAX_LABEL_CHARS:
            return RowProblem(row.number, "label_group", f"expected at most {MAX_LABEL_CHARS} characters, got more")
        if image is None and posting.image is None and not posting.title:
            return RowProblem(row.number, None, "expected an image or a title, got neither")
        return Offered(posting, image)

    def _with_image(self, posting: Posting) -> tuple[Posting, bytes | None]:
        """A posting without the name of its image, and the image; or with the digest of the one it keeps."""
        if self.images is not None:
            image = None if posting.image is None else self.images.read(posting.image)
            return replace(posting, image=None), image
        stored = self.stored(posting.posting_id)
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
            found_problems = row.problems or [found if isinstance(found, RowProblem) else _image_problem(row, outcome)]
            problems.extend(replace(problem, posting_id=row.posting_id) for problem in found_problems)
        return ImportedBatch(len(batch), counts, problems)

    def _put(self, offered: Sequence[Offered]) -> Sequence[Kept | PricematchError]:
        """The outcome of each; where all of them together fail, they are put one by one."""
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


def _image_problem(row: PostingRow, error: PricematchError | None) -> RowProblem:
    name = None if row.posting is None else row.posting.image
    text = str(error)
    return RowProblem(row.number, "image", text if name is None or repr(name) in text else f"{name[:200]!r}: {text}")
