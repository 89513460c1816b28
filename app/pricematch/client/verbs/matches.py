"""Matches and clusters: nothing of what is sent is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pricematch.client.bodies import Filter, Image, Images, as_json, each_image, form, image_fields, present
from pricematch.client.calls import Call, as_result, in_path, verb
from pricematch.client.results.clusters import Clusters, Method
from pricematch.client.results.matches import Comparison, EachMatches, Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstored:
    """A posting that is not stored: title, image or both; `image` may be several.

    A matcher compares what is evidence of its metadata.
    """

    title: str = ""
    image: Images | None = None
    metadata: Mapping[str, Any] | None = None


class MatchVerbs:
    """Which postings are the same product?"""

    @verb
    def match(
        self,
        image: Images | None = None,
        title: str = "",
        *,
        limit: int = 10,
        target: str | None = None,
        min_probability: float | None = None,
        min_similarity: float | None = None,
        encoder: str | None = None,
        with_metadata: bool = False,
        filter: Filter | None = None,
        exclude: str | Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        cursor: str = "",
    ) -> Call[Matches]:
        """Postings that are the same product as an image, a title, or both, the surest first.

        Several images are those of one posting, of which the nearest counts; `match_each` matches them one by one.
        Of those that the filter holds of, and that share with `metadata`, the query's own, no value of a field to
        `exclude`. `with_metadata` asks for that of the matches.
        """
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, cursor)
        narrowing = _narrowing(filter, exclude, metadata)
        sent, _ = each_image(image)
        if sent:
            content = form({"title": title or None, **_texts(narrowing)}, {"image": sent})
        else:
            content = {"json": {"title": title, **narrowing, **image_fields(image)}}
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
        filter: Filter | None = None,
        exclude: str | Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[EachMatches]:
        """The same of each of several images, which are encoded together."""
        if not images:
            raise ValueError("expected an image at least, got none")
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, "")
        content = form(_texts(_narrowing(filter, exclude, metadata)), {"images": images})
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
        filter: Filter | None = None,
        exclude: str | Sequence[str] = (),
        cursor: str = "",
    ) -> Call[Matches]:
        """Postings that are the same product as a stored one, the surest first, itself excluded.

        Of those that the filter holds of, and that share with it no value of a field to `exclude`; `product` among
        these leaves out postings of its own product.
        """
        query = _query(limit, target, min_probability, min_similarity, encoder, with_metadata, cursor)
        query |= _texts(_narrowing(filter, exclude, None))
        path = f"/postings/{in_path(posting_id, 'a posting_id')}/matches"
        return Call(method="GET", path=path, read=as_result(Matches), query=query)

    @verb
    def compare(
        self,
        left: str | Unstored,
        right: str | Unstored,
        *,
        target: str | None = None,
        min_probability: float | None = None,
        min_similarity: float | None = None,
        encoder: str | None = None,
    ) -> Call[Comparison]:
        """How probable it is that two postings are the same product, and why; each is stored, by its id, or not."""
        given = {
            "left": _side(left),
            "right": _side(right),
            "target": target,
            "min_probability": min_probability,
            "min_similarity": min_similarity,
            "encoder": encoder,
        }
        return Call(method="POST", path="/compare", read=as_result(Comparison), content={"json": present(given)})

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
        filter: Filter | None = None,
        metadata: Sequence[Mapping[str, Any]] = (),
        cursor: str = "",
        limit: int | None = None,
    ) -> Call[Clusters]:
        """Which of stored postings and images belong together; a page, whose `next_cursor` leads to the next one.

        `metadata` are those of the images, each its own, of which method `matcher` compares what is evidence.
        """
        given = {
            "posting_ids": posting_ids if isinstance(posting_ids, str) else list(posting_ids),
            "method": method,
            "eps": eps,
            "min_samples": min_samples,
            "encoder": encoder,
            "target": target,
            "min_probability": min_probability,
            "filter": filter,
            "metadata": list(metadata) or None,
            "cursor": cursor or None,
            "limit": limit,
        }
        fields = present(given)
        texts = {
            name: list(map(_text, value)) if isinstance(value, list) else _text(value) for name, value in fields.items()
        }
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


def _narrowing(
    filter: Filter | None,
    exclude: str | Sequence[str],
    metadata: Mapping[str, Any] | None,
) -> dict[str, Any]:
    names = exclude if isinstance(exclude, str) else ",".join(exclude)
    return present({"filter": filter, "exclude": names or None, "metadata": metadata})


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in fields.items()}


def _text(value: Any) -> str:
    return as_json(value) or "" if isinstance(value, Mapping) else str(value)


def _side(side: str | Unstored) -> dict[str, Any]:
    if isinstance(side, str):
        return {"posting_id": side}
    return {**present({"title": side.title or None, "metadata": side.metadata}), **image_fields(side.image)}
