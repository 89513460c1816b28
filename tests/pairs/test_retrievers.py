"""Searches of each space against comparing with every posting."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.pairs.retrievers import IMAGE_SPACES, MAX_DISTANCE, HashSpace, ImageSpace, ParsedFeatures, Space
from pricematch.pairs.title_retrievers import BlendSpace, TitleSpace
from pricematch.titles.normalise import parse_titles
from pricematch.titles.vectors import grams, words
from tests.support.drawn import drawn

NAMES = ("hash", "image", "colours", "words", "grams", "blend")
CATALOGUE, OTHERS = drawn(60), drawn(25, seed=1)


def space(name: str, postings: Features) -> Space[Any]:
    match name:
        case "hash":
            return HashSpace(postings)
        case "image" | "colours":
            return ImageSpace(name, postings)
        case "blend":
            return BlendSpace(TitleSpace("grams", parse_titles(postings.titles), grams), HashSpace(postings))
        case _:
            return TitleSpace(name, parse_titles(postings.titles), grams if name == "grams" else words)


def every_similarity(name: str, asked: Features, *, own: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each of some postings with each of the catalogue's, [m, n]; −inf where a space proposes none."""
    searched = space(name, CATALOGUE)
    described = searched.own if own else searched.describe(ParsedFeatures.of(asked))
    lines, rows = np.indices((len(asked), len(CATALOGUE))).reshape(2, -1)
    found = searched.similarities(described, searched.own, lines, rows).reshape(len(asked), -1).astype(np.float64)
    least = {"hash": 1 - MAX_DISTANCE / 64 - 1e-9, "image": -2.0, "colours": -2.0}.get(name, 1e-9)
    return np.where(found >= least, found, -np.inf)  # NaN is not at least anything


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_nearest_of_new_postings_are_those_of_a_sort(name: str, count: int) -> None:
    searched = space(name, CATALOGUE)
    found = searched.nearest_to(searched.describe(ParsedFeatures.of(OTHERS)), count)
    expected = -np.sort(-every_similarity(name, OTHERS, own=False), axis=1)[:, :count]
    padded = np.full((len(OTHERS), count), -np.inf)
    padded[:, : expected.shape[1]] = expected
    np.testing.assert_allclose(found.similarities, padded, atol=2e-6)
    assert ((found.rows >= 0) == np.isfinite(padded)).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_nearest_of_the_catalogues_own_are_others(name: str, count: int) -> None:
    found = space(name, CATALOGUE).nearest(count)
    every = every_similarity(name, CATALOGUE, own=True)
    np.fill_diagonal(every, -np.inf)
    expected = np.full((len(CATALOGUE), count), -np.inf)
    kept = -np.sort(-every, axis=1)[:, :count]
    expected[:, : kept.shape[1]] = kept
    np.testing.assert_allclose(found.similarities, expected, atol=2e-6)
    assert not (found.rows == np.arange(len(CATALOGUE))[:, np.newaxis]).any()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "blend"])  # a new blend has its equal in it
def test_a_posting_of_the_catalogue_that_is_asked_as_new_finds_its_equals_first(name: str) -> None:
    searched = space(name, CATALOGUE)
    found = searched.nearest_to(searched.describe(ParsedFeatures.of(CATALOGUE)), 1)
    lacks = np.isnan(searched.similarities(searched.own, searched.own, *[np.arange(len(CATALOGUE))] * 2))
    assert lacks.any()
    assert (found.similarities[~lacks, 0] >= 1 - 2e-6).all()
    assert (found.rows[lacks] < 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_catalogue_of_next_to_nothing_is_searched(name: str, count: int) -> None:
    searched = space(name, drawn(count, lacking=0))
    assert searched.nearest(5).rows.shape == (count, 5)
    assert searched.nearest_to(searched.describe(ParsedFeatures.of(OTHERS)), 5).rows.shape == (len(OTHERS), 5)
    assert searched.nearest_to(
        searched.describe(ParsedFeatures.of(OTHERS.select(np.empty(0, np.intp)))), 5
    ).rows.shape == (0, 5)


def test_the_spaces_of_pictures_take_embeddings_of_their_name() -> None:
    image, colours = (replace(drawn(1), embeddings={name: np.ones((1, 1), np.float32)}) for name in IMAGE_SPACES)
    with pytest.raises(ValueError, match=r"expected postings with embeddings called image, got \['colours'\]"):
        ImageSpace("image", colours)
    with pytest.raises(ValueError, match="called colours"):
        ImageSpace("colours", image)
