"""Entity tags, and changes that hold only if a posting is as the client knows it (RFC 9110, sections 8.8.3, 13.1)."""

import re
from typing import Annotated

from fastapi import Header

from pricematch.catalogue.records import ANYHOW, Condition

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_LIST = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")
_STRONG = re.compile(r'"([1-9][0-9]{0,17})"')
_MAX = 2000

IfMatch = Annotated[
    str | None,
    Header(max_length=_MAX, description="`ETag` that the stored posting must have, or `*`: it must be there."),
]
IfNoneMatch = Annotated[
    str | None, Header(max_length=_MAX, description="`*`: it must not be there. To read: `ETag` that is known already.")
]


def etag(revision: int) -> str:
    """The entity tag of a posting."""
    return f'"{revision}"'


def condition(if_match: str | None, if_none_match: str | None) -> Condition:
    """What a change asks of the stored posting; tags that are none match nothing.

    Raises:
        ValueError: a header is not as RFC 9110 has it.
    """
    if if_match is not None and if_none_match is not None:
        raise ValueError("expected If-Match or If-None-Match, got both")
    if if_match is not None:
        return Condition(exists=True) if if_match.strip() == "*" else Condition(revisions=_revisions(if_match))
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise ValueError(f"expected If-None-Match: *, got {if_none_match[:80]!r}")
        return Condition(exists=False)
    return ANYHOW


def is_known(if_none_match: str | None, revision: int) -> bool:
    """Whether a client that reads knows this revision already; a header that is none is ignored."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag(revision) in [
        tag.removeprefix("W/") for tag in _TAG.findall(if_none_match)
    ]


def _revisions(tags: str) -> frozenset[int]:
    """Those of strong tags; weak ones never match."""
    if not _LIST.fullmatch(tags.strip()):
        raise ValueError(f'expected If-Match: * or tags such as "7", got {tags[:80]!r}')
    return frozenset(int(found[1]) for tag in _TAG.findall(tags) if (found := _STRONG.fullmatch(tag)))
