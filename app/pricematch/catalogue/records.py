"""Records of a store: stored postings and feedback, conditional changes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pricematch.catalogue.postings import Posting

Decision: TypeAlias = Literal["same", "different"]
"""A person's decision on two postings: the same product (must-link), or not (cannot-link)."""
MAX_AUTHOR_CHARS, MAX_NOTE_CHARS = 100, 1000
"""Characters of who decided, and of a note to a decision."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A posting as it is stored.

    Attributes:
        posting: its `images` are the SHA-256 of the images' bytes in 64 hexadecimal digits.
        revision: the catalogue's version that its last change made, from 1; no two postings share one.
    """

    posting: Posting
    revision: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of a stored posting for it to be changed (RFC 9110, sections 13.1.1 and 13.1.2).

    Attributes:
        revisions: it is there and of one of these; None: it may be of any.
        exists: whether it is there; None: it may be or not.
    """

    revisions: frozenset[int] | None = None
    exists: bool | None = None


ANYHOW = Condition()
"""The change is made whatever is stored."""


@dataclass(frozen=True, slots=True)
class Put:
    """A posting to be stored, in place of the one with its id if there is one.

    Attributes:
        posting: all of it; its `images` are the SHA-256 of the images.
        images: the bytes of those of them that the store may not hold yet, in any order.
        condition: if it does not hold, nothing is changed.
    """

    posting: Posting
    images: Sequence[bytes] = ()
    condition: Condition = ANYHOW


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of some of a stored posting, made of it as it is when its turn comes: no other change is lost by it.

    Attributes:
        posting_id: of the posting.
        change: what is to be stored in its place, given the stored one; the id stays. What it raises, the store raises.
        images: the bytes of images that the change may name.
        condition: if it does not hold, nothing is changed.
    """

    posting_id: str
    change: Callable[[Posting], Posting]
    images: Sequence[bytes] = ()
    condition: Condition = ANYHOW


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to a request that may be sent again.

    Attributes:
        fingerprint: of the request.
        status: of the answer.
        headers: of the answer, as JSON text.
        body: of the answer.
    """

    fingerprint: bytes
    status: int
    headers: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Removal:
    """A posting to be removed; one that is not there is no error.

    Attributes:
        posting_id: of the posting.
        condition: if it does not hold, nothing is changed.
        when: whether the stored posting is to be removed, else it stays, as it does if it is damaged; None: it is.
    """

    posting_id: str
    condition: Condition = ANYHOW
    when: Callable[[Posting], bool] | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """The outcome of a removal: the posting is not there; `there` is whether it was."""

    there: bool


PutOutcome: TypeAlias = Literal["created", "replaced", "unchanged"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of a put or patch: the posting is stored, and its image.

    Attributes:
        revision: of the stored posting; an older one where nothing had to be changed.
        outcome: what was done.
    """

    revision: int
    outcome: PutOutcome


@dataclass(frozen=True, slots=True)
class PostingChange:
    """A posting as of a revision; `posting` is None where it was deleted."""

    posting_id: str
    revision: int
    posting: Posting | None


@dataclass(frozen=True, slots=True)
class Remark:
    """Who decided, or None, and a note; both are kept with a decision and mean nothing to the matcher."""

    by: str | None = None
    note: str = ""


NO_REMARK = Remark()
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_OF_NOTES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def as_author(text: str) -> str | None:
    """Who decided as it is kept, without blanks around it; None for nothing. Raises ValueError.

    >>> as_author(" Ann "), as_author("")
    ('Ann', None)
    """
    text = text.strip()
    _check_length(text, MAX_AUTHOR_CHARS)
    if _CONTROL.search(text):
        raise ValueError("expected a name, got a control character in it")
    return text or None


def as_note(text: str) -> str:
    """A note as it is kept, its lines ended by a line feed, without blanks around it. Raises ValueError."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    _check_length(text, MAX_NOTE_CHARS)
    if _CONTROL_OF_NOTES.search(text):
        raise ValueError("expected text, got a control character in it")
    return text


def _check_length(text: str, most: int) -> None:
    if len(text) > most:
        raise ValueError(f"expected at most {most} characters, got {len(text)}")


@dataclass(frozen=True, slots=True)
class PairFeedback:
    """A person's decision on two postings, which need not be stored: it outlives them.

    Attributes:
        first, second: their ids, first < second.
        decision: same or different.
        revision: the catalogue's version that it made.
        decided_at: seconds since 1970, UTC.
        by, note: see `Remark`.
    """

    first: str
    second: str
    decision: Decision
    revision: int
    decided_at: float
    by: str | None = None
    note: str = ""

    @property
    def said(self) -> tuple[Decision, str | None, str]:
        """What was said, whenever it was."""
        return self.decision, self.by, self.note


@dataclass(frozen=True, slots=True)
class FeedbackChange:
    """A decision as of a revision; None where it was withdrawn. The rest is as in `PairFeedback`, if known."""

    first: str
    second: str
    revision: int
    decision: Decision | None
    decided_at: float | None = None
    by: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A version of a model was activated: it is to serve as soon as it is loaded and all is scored with it.

    Attributes:
        name, version: of the model, such as `matcher` and `2`.
        revision: the catalogue's version that it made.
    """

    name: str
    version: str
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between two versions of a catalogue.

    Attributes:
        version: the later one.
        postings, feedback: each one once, as it is at that version, in ascending order of revisions.
    """

    version: int
    postings: Sequence[PostingChange]
    feedback: Sequence[FeedbackChange]
