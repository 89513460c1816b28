"""Which changes of a store a snapshot has, and which of those to come are of metadata alone, and no evidence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.records import PostingChange
from pricematch.matching.matcher import Matcher

Encoded: TypeAlias = tuple[PostingChange, Sequence[ImageFeatures | None]]
"""A change with the features of its images, each in its place; None for one that cannot be used."""


@dataclass(frozen=True)
class Held:
    """Which changes of a store a snapshot has.

    Attributes:
        version: all of postings up to this version of the store.
        feedback: all of feedback up to this one.
        ahead: by id, the revision of those of postings that it has besides.
    """

    version: int
    feedback: int
    ahead: Mapping[str, int] = field(default_factory=dict)

    def and_more(self, changes: Sequence[PostingChange], version: int, feedback: int) -> "Held":
        """With some changes of postings, after which it has all up to a version, and feedback up to one."""
        every = {**self.ahead, **{change.posting_id: change.revision for change in changes}}
        ahead = {posting_id: revision for posting_id, revision in every.items() if revision > version}
        return Held(version, max(self.feedback, feedback), ahead)

    def and_events(self, before: int, last: int) -> "Held":
        """With events of products, the last of a revision, where they are the very next changes of the store.

        `before` is the version before the first of them.
        """
        return self.and_more((), last, last) if before == self.version < last else self


def searched_of(matcher: Matcher, changes: Sequence[PostingChange]) -> list[PostingChange]:
    """Those of some changes that are not of metadata alone, or of evidence, so that something is searched otherwise."""
    return [it for it in changes if not _is_of_metadata(matcher, it)]


def metadata_of(matcher: Matcher, changes: Sequence[PostingChange]) -> Mapping[int, Metadata]:
    """The metadata that changes of nothing else bring, where they are no evidence, by the rows of their postings."""
    return {
        matcher.catalogue.row(it.posting_id): it.posting.metadata
        for it in changes
        if it.posting is not None and _is_of_metadata(matcher, it)
    }


def pieces(matcher: Matcher, changes: Sequence[Encoded], most: int) -> Iterator[list[Encoded]]:
    """Changes in pieces, in each at most so many that are not of metadata alone."""
    piece, counted = list[Encoded](), 0
    for it in changes:
        counts = not _is_of_metadata(matcher, it[0])
        if counted + counts > most:
            yield piece
            piece, counted = [], 0
        piece.append(it)
        counted += counts
    if piece:
        yield piece


def _is_of_metadata(matcher: Matcher, change: PostingChange) -> bool:
    """Whether a change is one of a posting's metadata at most, and of no evidence."""
    row = matcher.catalogue.located([change.posting_id]).get(change.posting_id)
    if row is None or change.posting is None:
        return False
    before = matcher.catalogue[row]
    return before.matches_as(change.posting) and matcher.evidence_fields.same(before.metadata, change.posting.metadata)
