"""Matches and clusters: nothing of what is sent is stored."""

from collections.abc import Sequence
from typing import Any, Literal

from pricematch.client.bodies import Image, form
from pricematch.client.calls import Call, as_result, in_path, verb
from pricematch.client.results.clusters import Clusters, Method
from pricematch.client.results.matches import EachMatches, Matches


class MatchVerbs:
    """Which postings are the same product?"""

    @verb
    def match(
        self,
        image: Image | None = None,
        title: str = "",
        *,
        limit: int = 10,
        target: str | None = None,
        min_probability: float | None = None,
        min_similarity: float | None = None,
        encoder: str | None = None,
        with_metadata: bool = False,
        cursor: str = "",
    ) -> Call[Matches]:
        """Postings that are the same product as an image, a title, or both, the surest first."""
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, cursor)
        content = {"json": {"title": title}} if image is None else form({"title": title or None}, {"image": [image]})
        return Call(method="POST", path="/match", read=as_result(Matches), query=query, content=content)

    @verb
    def match_each(
        self,
        images: Sequence[Image],
        *,
        limit: int = 10,
        target: str | None = None,
        min_probability: float | None = None,
        min_similarity: float | None = None,
        encoder: str | None = None,
        with_metadata: bool = False,
    ) -> Call[EachMatches]:
        """The same of each of several images, which are encoded together."""
        if not images:
            raise ValueError("expected an image at least, got none")
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, "")
        content = form({}, {"images": images})
        return Call(method="POST", path="/match", read=as_result(EachMatches), query=query, content=content)

    @verb
    def matches_of(
        self,
        posting_id: str,
        *,
        limit: int = 10,
        target: str | None = None,
        min_probability: float | None = None,
        min_similarity: float | None = None,
        encoder: str | None = None,
        with_metadata: bool = False,
        cursor: str = "",
    ) -> Call[Matches]:
        """Postings that are the same product as a stored one, the surest first, itself excluded."""
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, cursor)
        path = f"/postings/{in_path(posting_id, 'a posting_id')}/matches"
        return Call(method="GET", path=path, read=as_result(Matches), query=query)

    @verb
    def cluster(
        self,
        posting_ids: Sequence[str] | Literal["all"] = (),
        images: Sequence[Image] = (),
        *,
        method: Method | None = None,
        eps: float | None = None,
        min_samples: int | None = None,
        encoder: str | None = None,
        target: str | None = None,
        min_probability: float | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> Call[Clusters]:
        """Which of stored postings and images belong together; a page, whose `next_offset` leads to the next one."""
        given = {
            "posting_ids": posting_ids if isinstance(posting_ids, str) else list(posting_ids),
            "method": method,
            "eps": eps,
            "min_samples": min_samples,
            "encoder": encoder,
            "target": target,
            "min_probability": min_probability,
            "offset": offset or None,
            "limit": limit,
        }
        fields = {name: value for name, value in given.items() if value is not None}
        texts = {name: value if isinstance(value, list) else str(value) for name, value in fields.items()}
        content = form(texts, {"images": images}) if images else {"json": fields}
        return Call(method="POST", path="/cluster", read=as_result(Clusters), content=content)


def _query(
    limit: int,
    target: str | None,
    min_probability: float | None,
    min_similarity: float | None,
    encoder: str | None,
    with_metadata: bool,  # noqa: FBT001
    cursor: str,
) -> dict[str, Any]:
    return {
        "limit": limit,
        "target": target,
        "min_probability": min_probability,
        "min_similarity": min_similarity,
        "encoder": encoder,
        "metadata": with_metadata or None,
        "cursor": cursor or None,
    }
