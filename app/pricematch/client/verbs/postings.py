"""Postings: read, put, patch and delete them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Final, Literal

import httpx2

from pricematch.client.bodies import Filter, Images, as_json, each_image, form, image_fields, present
from pricematch.client.calls import (
    Call,
    Content,
    Items,
    Listing,
    as_result,
    ask,
    in_path,
    listing,
    once,
    pages,
    verb,
    work,
)
from pricematch.client.reading import read
from pricematch.client.results.postings import (
    Changed,
    ChangedEach,
    Posting,
    Postings,
    Removed,
    RemovedMatching,
    StoredPosting,
)

_PAGE = 100
_CREATED = 201
_MOST_ITEMS = 256
_MUCH = 4 * 1024 * 1024
"""Characters of images in a request of many changes, after which the next one begins."""


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""What a patch leaves as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosting:
    """A posting to be put: title, image or both; `image` may be several, the main one first."""

    posting_id: str
    title: str = ""
    image: Images | None = None
    label_group: str | None = None
    image_phash: str | None = None
    metadata: Mapping[str, Any] | None = None


class PostingVerbs:
    """The catalogue."""

    @listing
    def postings(self, *, filter: Filter | None = None, page_size: int = _PAGE) -> Listing[Posting]:
        """The stored postings in the order of their ids; with a filter those that it holds of."""
        narrowed = as_json(filter)
        return pages(
            lambda cursor: Call(
                method="GET",
                path="/postings",
                read=as_result(Postings),
                query={"filter": narrowed, "cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.postings,
            lambda page: page.next_cursor,
        )

    @verb
    def posting(self, posting_id: str) -> Call[StoredPosting]:
        """A stored posting."""
        return Call(method="GET", path=_path(posting_id), read=_stored)

    @verb
    def image(self, posting_id: str, *, place: int = 1, side: Literal[64, 128, 256, 512] | None = None) -> Call[bytes]:
        """A stored posting's image, one of several by its place from 1.

        With `side` a thumbnail whose longer side has so many pixels, a JPEG.
        """
        return Call(
            method="GET",
            path=f"{_path(posting_id)}/image",
            read=lambda response: response.content,
            query={"place": None if place == 1 else place, "side": side},
            headers={"Accept": "*/*"},
        )

    @verb
    def put(
        self,
        posting_id: str,
        title: str = "",
        image: Images | None = None,
        *,
        label_group: str | None = None,
        image_phash: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> Call[StoredPosting]:
        """Store a posting, all of it, in place of the one with its id; of several images the main one comes first.

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

    @verb
    def patch(
        self,
        posting_id: str,
        *,
        title: str | _Keep | None = KEEP,
        image: Images | _Keep | None = KEEP,
        label_group: str | _Keep | None = KEEP,
        image_phash: str | _Keep | None = KEEP,
        metadata: Mapping[str, Any] | _Keep | None = KEEP,
        if_match: str | None = None,
    ) -> Call[StoredPosting]:
        """Change some of a stored posting; what is left out stays, and None removes it. `image` replaces all images.

        `metadata` is merged: fields that it names are set, or removed by None, and others stay.
        """
        given = {"title": title, "label_group": label_group, "image_phash": image_phash, "metadata": metadata}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not KEEP}
        if not isinstance(image, _Keep):
            changes.update({"image": None} if image is None else image_fields(image))
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

    @listing
    def put_many(self, postings: Iterable[NewPosting]) -> Listing[Changed]:
        """Put postings, many in a request; what became of each comes in their order, and a bad one fails alone."""
        return _changed_each(_put_item(it) for it in postings)

    @listing
    def patch_many(self, patches: Iterable[tuple[str, Mapping[str, Any]]]) -> Listing[Changed]:
        """Change some of postings, by their ids and JSON Merge Patches, as `put_many` puts them."""
        items = ({**patch, "op": "patch", "posting_id": posting_id} for posting_id, patch in patches)
        return _changed_each(items)

    @listing
    def delete_many(self, posting_ids: Iterable[str]) -> Listing[Changed]:
        """Remove postings, as `put_many` puts them."""
        return _changed_each({"op": "delete", "posting_id": it} for it in posting_ids)

    @verb
    def delete_matching(self, filter: Filter, *, dry_run: bool = False) -> Call[RemovedMatching]:
        """Remove the postings that a filter holds of, or count them."""
        query = {"filter": as_json(filter), "dry_run": dry_run or None}
        return Call(method="DELETE", path="/postings", read=as_result(RemovedMatching), query=query, repeatable=False)


def _path(posting_id: str) -> str:
    return f"/postings/{in_path(posting_id, 'a posting_id')}"


def _conditions(if_match: str | None, if_none_match: str | None = None) -> dict[str, str]:
    given = {"If-Match": if_match, "If-None-Match": if_none_match}
    return {name: value for name, value in given.items() if value is not None}


def _put(it: NewPosting, conditions: Mapping[str, str]) -> Call[StoredPosting]:
    """With a condition it is not made again: the first may have been stored, and the second refused for that."""
    content: Content
    sent, _ = each_image(it.image)
    if sent:
        content = form({**_fields(it), "metadata": as_json(it.metadata)}, {"image": sent})
    else:
        content = {"json": present(_fields(it)) | image_fields(it.image)}
    return Call(
        method="PUT",
        path=_path(it.posting_id),
        read=_stored,
        headers=conditions,
        content=content,
        repeatable=not conditions,
    )


def _fields(it: NewPosting) -> dict[str, Any]:
    return {
        "title": it.title or None,
        "label_group": it.label_group,
        "image_phash": it.image_phash,
        "metadata": it.metadata,
    }


def _put_item(it: NewPosting) -> dict[str, Any]:
    return {"op": "put", "posting_id": it.posting_id, **present(_fields(it)), **image_fields(it.image)}


def _changed_each(items: Iterator[Mapping[str, Any]]) -> Listing[Changed]:
    """What becomes of each change, some of which are sent together."""
    first = 0
    while chunk := (yield from work(partial(_chunk, items))):
        found = yield from ask(
            Call(
                method="POST",
                path="/postings:batch",
                read=as_result(ChangedEach),
                content={"json": {"items": chunk}},
                headers=once(),
            )
        )
        yield Items([replace(it, index=first + it.index) for it in found.items])
        first += len(chunk)


def _chunk(items: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The next changes of one request."""
    found, size = list[Mapping[str, Any]](), 0
    while len(found) < _MOST_ITEMS and size < _MUCH and (item := next(items, None)) is not None:
        found.append(item)
        size += len("".join(item.get("image") or ""))
    return found


def _stored(response: httpx2.Response) -> StoredPosting:
    posting = read(StoredPosting, response.json())
    return replace(posting, etag=response.headers.get("etag"), created=response.status_code == _CREATED)
