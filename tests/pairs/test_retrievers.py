"""Retrievers against comparing with every posting."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.pairs.retrievers import (
    IMAGE_RETRIEVERS,
    MAX_DISTANCE,
    EmbeddingRetriever,
    ExpandedTitleRetriever,
    HashRetriever,
    ParsedFeatures,
    Retrieved,
    Retriever,
    ShadeRetriever,
    TitleRetriever,
    image_retriever,
)
from pricematch.pairs.shades import SHADES, shade_similarities
from pricematch.titles.normalise import parse_titles
from pricematch.titles.vectors import NEIGHBOURS, TfIdf, grams, words
from tests.support.catalogues import drawn

NAMES = ("hash", "image", "colours", "words", "grams", "blend")
CATALOGUE, OTHERS = drawn(60), drawn(25, seed=1)


def retriever_of(name: str, features: Features) -> Retriever[Any]:
    titles = parse_titles(features.titles)
    match name:
        case "hash":
            return HashRetriever(features.hashes)
        case "image" | "colours":
            return EmbeddingRetriever(name, features)
        case "blend":
            plain = TitleRetriever("grams", TfIdf(titles, grams))
            return ExpandedTitleRetriever(plain, HashRetriever(features.hashes))
        case _:
            return TitleRetriever(name, TfIdf(titles, grams if name == "grams" else words))


def transformed(name: str, catalogue: Features, features: Features) -> Any:
    """The vectors of new postings, with what blends build on."""
    parsed, found = ParsedFeatures.of(features), dict[str, Retrieved]()
    for other in ("hash", "grams") if name == "blend" else ():
        retriever = retriever_of(other, catalogue)
        vectors = retriever.transform(parsed, {})
        found[other] = Retrieved(vectors, retriever.nearest_to(vectors, NEIGHBOURS))
    return retriever_of(name, catalogue).transform(parsed, found)


def every_similarity(name: str, features: Features, *, own: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each of some postings with each of the catalogue's, [m, n]; −inf where they are no candidates."""
    retriever = retriever_of(name, CATALOGUE)
    vectors = retriever.vectors if own else transformed(name, CATALOGUE, features)
    left, right = np.indices((len(features), len(CATALOGUE))).reshape(2, -1)
    found = (
        retriever.similarities(vectors, retriever.vectors, left, right).reshape(len(features), -1).astype(np.float64)
    )
    least = {"hash": 1 - MAX_DISTANCE / 64 - 1e-9, "image": -2.0, "colours": -2.0}.get(name, 1e-9)
    return np.where(found >= least, found, -np.inf)  # NaN is not at least anything


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_nearest_of_new_postings_are_those_of_a_sort(name: str, count: int) -> None:
    retriever = retriever_of(name, CATALOGUE)
    found = retriever.nearest_to(transformed(name, CATALOGUE, OTHERS), count)
    expected = -np.sort(-every_similarity(name, OTHERS, own=False), axis=1)[:, :count]
    padded = np.full((len(OTHERS), count), -np.inf)
    padded[:, : expected.shape[1]] = expected
    np.testing.assert_allclose(found.similarities, padded, atol=2e-6)
    assert ((found.rows >= 0) == np.isfinite(padded)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_nearest_of_the_catalogues_own_are_others(name: str, count: int) -> None:
    found = retriever_of(name, CATALOGUE).nearest(count)
    every = every_similarity(name, CATALOGUE, own=True)
    np.fill_diagonal(every, -np.inf)
    expected = np.full((len(CATALOGUE), count), -np.inf)
    kept = -np.sort(-every, axis=1)[:, :count]
    expected[:, : kept.shape[1]] = kept
    np.testing.assert_allclose(found.similarities, expected, atol=2e-6)
    assert not (found.rows == np.arange(len(CATALOGUE))[:, np.newaxis]).any()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "blend"])  # a new blend has its equal in it
def test_a_stored_posting_as_query_finds_its_equals_first(name: str) -> None:
    retriever = retriever_of(name, CATALOGUE)
    found = retriever.nearest_to(transformed(name, CATALOGUE, CATALOGUE), 1)
    lacks = np.isnan(retriever.similarities(retriever.vectors, retriever.vectors, *[np.arange(len(CATALOGUE))] * 2))
    assert lacks.any()
    assert (found.similarities[~lacks, 0] >= 1 - 2e-6).all()
    assert (found.rows[lacks] < 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_catalogue_of_next_to_nothing_is_retriever(name: str, count: int) -> None:
    catalogue = drawn(count, lacking=0)
    retriever = retriever_of(name, catalogue)
    assert retriever.nearest(5).rows.shape == (count, 5)
    assert retriever.nearest_to(transformed(name, catalogue, OTHERS), 5).rows.shape == (len(OTHERS), 5)
    nothing = OTHERS.select(np.empty(0, np.intp))
    assert retriever.nearest_to(transformed(name, catalogue, nothing), 5).rows.shape == (0, 5)


def test_embeddings_lacking_by_name_are_refused() -> None:
    """An encoder's and those of colours are told apart."""
    image, colours = (replace(drawn(1), embeddings={name: np.ones((1, 1), np.float32)}) for name in IMAGE_RETRIEVERS)
    with pytest.raises(ValueError, match=r"expected postings with embeddings called image, got \['colours'\]"):
        EmbeddingRetriever("image", colours)
    with pytest.raises(ValueError, match="called colours"):
        EmbeddingRetriever("colours", image)


def test_shades_are_compared_as_such_and_other_colours_by_cosine() -> None:
    """Matchers that were trained with histograms of another kind go on with them."""
    shades = np.zeros((3, SHADES), np.float32)
    shades[0, SHADES // 11 + 5] = shades[1, 2 * (SHADES // 11) + 5] = 1  # the same colour, a step brighter
    features = drawn(3)
    retriever = image_retriever("colours", replace(features, embeddings={"colours": shades}))
    assert isinstance(retriever, ShadeRetriever)
    ends = np.array([0, 0]), np.array([1, 2])
    found = retriever.similarities(shades, shades, *ends)
    np.testing.assert_allclose(found, [shade_similarities(shades[:1], shades[1:2])[0], np.nan])
    for name, vectors in (("image", shades), ("colours", shades[:, :256])):
        other = image_retriever(name, replace(features, embeddings={name: vectors}))
        np.testing.assert_allclose(other.similarities(vectors, vectors, *ends), [vectors[0] @ vectors[1], np.nan], 1e-5)
