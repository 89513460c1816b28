"""The feed of a store: its changes in the order in which they were made, a page after the other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import FeedbackChange, ModelChange, PostingChange

ChangeKind: TypeAlias = Literal["posting", "feedback", "product", "model"]
"""What changed: a posting, feedback on a pair, a product's members, the version of a model that is to serve."""
EVERY_KIND: frozenset[ChangeKind] = frozenset({"posting", "feedback", "product", "model"})
LASTING: frozenset[ChangeKind] = frozenset({"posting", "feedback"})
"""Kinds of which each thing is told once, as it is now; that it is gone is remembered, but not for ever."""
Change: TypeAlias = PostingChange | FeedbackChange | ProductEvent | ModelChange
STORE_CHARS = 8
"""Of a store's identity, in a position."""
_POSITION = re.compile(rf"([0-9]{{1,18}})(?::([0-9]{{1,18}}))?(?:@([0-9a-f]{{{STORE_CHARS}}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """How far somebody has read the feed.

    Attributes:
        revision: all changes up to this revision were told; 0 for somebody who has nothing.
        began: where a reading that began with nothing has not come up to it yet, the version it began at, else 0. What
            was gone by then was never told, so that its end need not be known.
        store: the first `STORE_CHARS` of the identity of the store that it is of; "" where that is not known, as of a
            plain version. It makes no position another one.
    """

    revision: int
    began: int = 0
    store: str = field(default="", compare=False)

    def at(self, revision: int) -> "Position":
        """The position of the same reading at a later revision."""
        return Position(revision, self.began if revision < self.began else 0, self.store)

    def beginning(self, version: int, identity: str) -> "Position":
        """The same position in a store of this identity; it begins at a version where it has nothing yet."""
        return Position(self.revision, self.began if self.revision else version, identity[:STORE_CHARS])

    def is_of(self, identity: str) -> bool:
        """Whether it can be of a store of this identity; one that does not say which it is of may be of any."""
        return self.store in {"", identity[:STORE_CHARS]}

    @property
    def knows_gone(self) -> int:
        """The version up to which it needs to know of nothing that is gone."""
        return max(self.revision, self.began)

    def __str__(self) -> str:
        began, store = f":{self.began}" if self.began else "", f"@{self.store}" if self.store else ""
        return f"{self.revision}{began}{store}"


def position_of(text: str) -> Position | None:
    """The inverse of `str` of a position; None for any other text.

    >>> [str(position_of(text)) for text in ("7", "7:12", "7@0a1b2c3d", "7:12@0a1b2c3d")]
    ['7', '7:12', '7@0a1b2c3d', '7:12@0a1b2c3d']
    >>> [position_of(text) for text in ("7:7", "-1", "7:", "٣", "7@", "7@0A1B2C3D")]
    [None, None, None, None, None, None]
    """
    if (found := _POSITION.fullmatch(text)) is None:
        return None
    revision, began = int(found[1]), int(found[2] or 0)
    return None if found[2] is not None and not 0 < revision < began else Position(revision, began, found[3] or "")


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Changes behind a position.

    A posting and feedback come once, as they are now, at the revision of their last change; of products every event
    comes, of models the version that was activated last.

    Attributes:
        version: of the catalogue, when it was read.
        since: the position.
        changes: in ascending order of their revisions, no two of which are equal.
        next: where the next page begins. All changes up to there were told, also where it had none.
        more: whether the next page has changes already.
    """

    version: int
    since: Position
    changes: Sequence[Change]
    next: Position
    more: bool
