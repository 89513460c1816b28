"""Postings: read, put, patch and delete them."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from itertools import islice
from typing import Any, Final, Literal

import httpx2

from pricematch.client.bodies import Image, as_json, form, image_bytes
from pricematch.client.calls import (
    Call,
    Content,
    Items,
    Listing,
    Together,
    as_result,
    in_path,
    listing,
    pages,
    verb,
    work,
)
from pricematch.client.reading import read
from pricematch.client.results.postings import Posting, Postings, PutOutcome, Removed, StoredPosting

_PAGE = 100
_CREATED = 201
_CHUNKS = 4
"""Postings that are read before they are put, as a multiple of those that are put at a time."""


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""What a patch leaves as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosting:
    """A posting to be put: title, image or both."""

    posting_id: str
    title: str = ""
    image: Image | None = None
    label_group: str | None = None
    image_phash: str | None = None
    metadata: Mapping[str, Any] | None = None


class PostingVerbs:
    """The catalogue."""

    @listing
    def postings(self, *, page_size: int = _PAGE) -> Listing[Posting]:
        """The stored postings in the order of their ids."""
        return pages(
            lambda cursor: Call(
                method="GET",
                path="/postings",
                read=as_result(Postings),
                query={"cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.postings,
            lambda page: page.next_cursor,
        )

    @verb
    def posting(self, posting_id: str) -> Call[StoredPosting]:
        """A stored posting."""
        return Call(method="GET", path=_path(posting_id), read=_stored)

    @verb
    def image(self, posting_id: str, *, side: Literal[64, 128, 256, 512] | None = None) -> Call[bytes]:
        """A stored posting's image; with `side` a thumbnail whose longer side has so many pixels, a JPEG."""
        return Call(
            method="GET",
            path=f"{_path(posting_id)}/image",
            read=lambda response: response.content,
            query={"side": side},
            headers={"Accept": "*/*"},
        )

    @verb
    def put(
        self,
        posting_id: str,
        title: str = "",
        image: Image | None = None,
        *,
        label_group: str | None = None,
        image_phash: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> Call[StoredPosting]:
        """Store a posting, all of it, in place of the one with its id.

        With `if_match`, an `etag`, that one must be as it was; with `if_absent` there must be none.
        """
        posting = NewPosting(
            posting_id=posting_id,
            title=title,
            image=image,
            label_group=label_group,
            image_phash=image_phash,
            metadata=metadata,
        )
        return _put(posting, _conditions(if_match, "*" if if_absent else None))

    @listing
    def put_many(self, postings: Iterable[NewPosting], *, at_once: int = 8) -> Listing[PutOutcome]:
        """Put postings, so many at a time; their outcomes come in the same order, and one that fails stops no other."""
        left = iter(postings)
        while chunk := list(islice(left, _CHUNKS * at_once)):
            calls = yield from work(partial(_puts, chunk))
            answers = yield Together([it for it in calls if isinstance(it, Call)], at_once)
            each = iter(answers)
            outcomes = [next(each) if isinstance(it, Call) else it for it in calls]
            yield Items([_outcome(it.posting_id, found) for it, found in zip(chunk, outcomes, strict=True)])

    @verb
    def patch(
        self,
        posting_id: str,
        *,
        title: str | _Keep | None = KEEP,
        image: Image | _Keep | None = KEEP,
        label_group: str | _Keep | None = KEEP,
        image_phash: str | _Keep | None = KEEP,
        metadata: Mapping[str, Any] | _Keep | None = KEEP,
        if_match: str | None = None,
    ) -> Call[StoredPosting]:
        """Change some of a stored posting; what is left out stays, and None removes it.

        `metadata` is merged: fields that it names are set, or removed by None, and others stay.
        """
        given = {"title": title, "label_group": label_group, "image_phash": image_phash, "metadata": metadata}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not KEEP}
        if not isinstance(image, _Keep):
            changes["image"] = None if image is None else b64encode(image_bytes(image)).decode()
        return Call(
            method="PATCH",
            path=_path(posting_id),
            read=_stored,
            headers={**_conditions(if_match), "Content-Type": "application/merge-patch+json"},
            content={"json": changes},
            repeatable=False,
        )

    @verb
    def delete(self, posting_id: str, *, if_match: str | None = None) -> Call[Removed]:
        """Remove a stored posting; one that is not there is no error."""
        return Call(
            method="DELETE",
            path=_path(posting_id),
            read=as_result(Removed),
            headers=_conditions(if_match),
            repeatable=if_match is None,
        )


def _path(posting_id: str) -> str:
    return f"/postings/{in_path(posting_id, 'a posting_id')}"


def _conditions(if_match: str | None, if_none_match: str | None = None) -> dict[str, str]:
    given = {"If-Match": if_match, "If-None-Match": if_none_match}
    return {name: value for name, value in given.items() if value is not None}


def _put(it: NewPosting, conditions: Mapping[str, str]) -> Call[StoredPosting]:
    """With a condition it is not made again: the first may have been stored, and the second refused for that."""
    if it.image is None:
        fields = {
            "title": it.title,
            "label_group": it.label_group,
            "image_phash": it.image_phash,
            "metadata": it.metadata,
        }
        content: Content = {"json": {name: value for name, value in fields.items() if value is not None}}
    else:
        texts = {
            "title": it.title or None,
            "label_group": it.label_group,
            "image_phash": it.image_phash,
            "metadata": as_json(it.metadata),
        }
        content = form(texts, {"image": [it.image]})
    return Call(
        method="PUT",
        path=_path(it.posting_id),
        read=_stored,
        headers=conditions,
        content=content,
        repeatable=not conditions,
    )


def _puts(postings: Sequence[NewPosting]) -> list[Call[StoredPosting] | Exception]:
    """The call of each, or why there can be none."""
    found = list[Call[StoredPosting] | Exception]()
    for it in postings:
        try:
            found.append(_put(it, {}))
        except (OSError, ValueError) as error:
            found.append(error)
    return found


def _outcome(posting_id: str, found: StoredPosting | Exception) -> PutOutcome:
    if isinstance(found, Exception):
        return PutOutcome(posting_id=posting_id, error=found)
    return PutOutcome(posting_id=posting_id, posting=found)


def _stored(response: httpx2.Response) -> StoredPosting:
    posting = read(StoredPosting, response.json())
    return replace(posting, etag=response.headers.get("etag"), created=response.status_code == _CREATED)
