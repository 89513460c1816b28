"""Entity tags, and conditions of reads and changes, as RFC 9110 has them."""

import re

from pricematch.catalogue.records import ANYHOW, Condition

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_LIST = re.compile(rf"{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")
_STRONG = re.compile(r'"([1-9][0-9]{0,17})(?:\.p[1-9][0-9]*)?"')


def etag(revision: int, product: str | None) -> str:
    """The entity tag of a posting and the id of its product, which may change while the posting stays.

    >>> etag(12, "p7"), etag(12, None)
    ('"12.p7"', '"12"')
    """
    return f'"{revision}"' if product is None else f'"{revision}.{product}"'


def condition(if_match: str | None, if_none_match: str | None) -> Condition:
    """The condition of a change on the stored posting; tags that are none match nothing.

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


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether a client that reads knows what has this tag already; a header that is none is ignored."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in [tag.removeprefix("W/") for tag in _TAG.findall(if_none_match)]


def _revisions(tags: str) -> frozenset[int]:
    """Those of strong tags, whatever product these name; weak ones never match."""
    if not _LIST.fullmatch(tags.strip()):
        raise ValueError(f'expected If-Match: * or tags such as "7", got {tags[:80]!r}')
    return frozenset(int(found[1]) for tag in _TAG.findall(tags) if (found := _STRONG.fullmatch(tag)))
