"""Retrievers against comparing with every posting."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.pairs.image_retrievers import (
    IMAGE_RETRIEVERS,
    MAX_DISTANCE,
    EmbeddingRetriever,
    HashRetriever,
    ShadeRetriever,
    image_retriever,
)
from pricematch.pairs.retriever import ParsedFeatures, Retrieved, Retriever
from pricematch.pairs.shades import SHADES, shade_similarities
from pricematch.pairs.title_retrievers import ExpandedTitleRetriever, TitleRetriever
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


def retrieved(name: str, catalogue: Features, features: Features, count: int = NEIGHBOURS) -> Retrieved:
    """What a retriever makes of new postings, after those that it builds on."""
    parsed, found = ParsedFeatures.of(features), dict[str, Retrieved]()
    for other in ("hash", "grams") if name == "blend" else ():
        found[other] = retriever_of(other, catalogue).retrieve(parsed, {}, NEIGHBOURS)
    return retriever_of(name, catalogue).retrieve(parsed, found, count)


def every_similarity(name: str, features: Features, *, own: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each of some postings with each of the catalogue's, [m, n]; −inf where they are no candidates."""
    retriever = retriever_of(name, CATALOGUE)
    vectors = retriever.vectors if own else retrieved(name, CATALOGUE, features).vectors
    left, right = np.indices((len(features), len(CATALOGUE))).reshape(2, -1)
    found = (
        retriever.similarities(vectors, retriever.vectors, left, right).reshape(len(features), -1).astype(np.float64)
    )
    least = {"hash": 1 - MAX_DISTANCE / 64 - 1e-9, "image": -2.0, "colours": -2.0}.get(name, 1e-9)
    return np.where(found >= least, found, -np.inf)  # NaN is not at least anything


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_nearest_of_new_postings_are_those_of_a_sort(name: str, count: int) -> None:
    found = retrieved(name, CATALOGUE, OTHERS, count).nearest
    expected = -np.sort(-every_similarity(name, OTHERS, own=False), axis=1)[:, :count]
    padded = np.full((len(OTHERS), count), -np.inf)
    padded[:, : expected.shape[1]] = expected
    np.testing.assert_allclose(found.similarities, padded, atol=2e-6)
    assert ((found.rows >= 0) == np.isfinite(padded)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_few_new_postings_are_treated_as_many_are(name: str) -> None:
    """Their candidates are the same, and similarities that the search has found those of the pairs."""
    retriever, rows = retriever_of(name, CATALOGUE), np.arange(len(CATALOGUE))
    every = retrieved(name, CATALOGUE, OTHERS).nearest
    for place in range(len(OTHERS)):
        one = retrieved(name, CATALOGUE, OTHERS.select(np.array([place])))
        np.testing.assert_array_equal(one.nearest.rows[0], every.rows[place])
        np.testing.assert_allclose(one.nearest.similarities[0], every.similarities[place], atol=2e-6)
        ends = one.vectors, retriever.vectors, np.zeros_like(rows), rows
        np.testing.assert_allclose(
            retriever.similarities(*ends, one.compared), retriever.similarities(*ends), atol=2e-6
        )
        assert (one.compared is None) == (name in {"hash", *IMAGE_RETRIEVERS})


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
    found, rows = retrieved(name, CATALOGUE, CATALOGUE, 1).nearest, np.arange(len(CATALOGUE))
    lacks = np.isnan(retriever.similarities(retriever.vectors, retriever.vectors, rows, rows))
    assert lacks.any()
    assert (found.similarities[~lacks, 0] >= 1 - 2e-6).all()
    assert (found.rows[lacks] < 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_catalogue_of_next_to_nothing_is_retriever(name: str, count: int) -> None:
    catalogue = drawn(count, lacking=0)
    retriever = retriever_of(name, catalogue)
    assert retriever.nearest(5).rows.shape == (count, 5)
    assert retrieved(name, catalogue, OTHERS, 5).nearest.rows.shape == (len(OTHERS), 5)
    nothing = OTHERS.select(np.empty(0, np.intp))
    assert retrieved(name, catalogue, nothing, 5).nearest.rows.shape == (0, 5)


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
