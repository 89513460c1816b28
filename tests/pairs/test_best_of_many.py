"""Similarities of the best of many pairs of images, as those of one pair."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.layers import Layer, Layered
from pricematch.pairs.best_of_many import BestOfMany, images_held
from pricematch.pairs.feature_names import SCALED
from pricematch.pairs.neighbours import scaled_similarities
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from tests.support.catalogues import drawn
from tests.support.several_images import drawn_several, embedded, images_of


def unrelated(count: int, images: int, seed: int = 0) -> list[NDArray[np.float32]]:
    """Embeddings [images, 16] of postings that have nothing to do with each other."""
    vectors = np.random.default_rng(seed).normal(size=(count, images, 16))
    return [*(vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)]


def vectors_of(features: Features) -> Layered[NDArray[np.float32]]:
    return features.every.made(lambda it: it.embeddings["image"])


@pytest.mark.parametrize("images", [2, 4])
def test_the_best_of_unrelated_pairs_becomes_as_near_as_one(images: int) -> None:
    """As many of them are beyond any similarity as of single pairs."""
    every = np.stack(unrelated(150, images))
    best = BestOfMany.of(vectors_of(embedded([*every])))
    assert best.images == images
    one, other = np.triu_indices(150, 1)
    cosines = np.einsum("iad,jbd->ijab", every, every)[one, other]
    found = best.of_one(cosines.max(axis=(1, 2)), np.array(images**2))
    np.testing.assert_allclose(
        np.quantile(found, [0.1, 0.5, 0.9, 0.99]), np.quantile(cosines, [0.1, 0.5, 0.9, 0.99]), atol=0.03
    )


def test_against_the_shares_of_a_naive_list() -> None:
    """Images of one posting are no pairs; what is mapped has the chance that all of so many pairs are less similar."""
    features = embedded([*unrelated(30, 1), *unrelated(20, 3, 1)])
    best, images = BestOfMany.of(vectors_of(features)), images_of(features)
    every = [(row, it.embeddings["image"][0]) for row, of in enumerate(images) for _, it in of]
    naive = np.sort([a @ b for k, (i, a) in enumerate(every) for j, b in every[:k] if i != j])
    assert best.images == pytest.approx(90 / 50)
    values = np.linspace(-0.2, naive[-2], 40)
    for pairs in (2, 3, 9):
        found = best.of_one(values, np.array(pairs))
        shares = [np.mean(naive < it) for it in values], [np.mean(naive < it) for it in found]
        np.testing.assert_allclose(shares[1], np.power(shares[0], pairs), atol=0.004)


def test_more_similar_stays_more_similar_and_more_pairs_say_less() -> None:
    """Of one pair nothing changes, to the bit, nor what is not known; nothing becomes nearer; 1 stays about 1."""
    best = BestOfMany.of(vectors_of(embedded(unrelated(60, 2))))
    values = np.array([-np.inf, *np.linspace(-1, 1, 300), np.nan])
    before = best.of_one(values, np.array(1))
    np.testing.assert_array_equal(before, values)
    for pairs in (2, 4, 16, 64):
        found = best.of_one(values, np.array(pairs))
        assert (np.diff(found[1:-1]) >= 0).all()
        assert (found[:-1] <= before[:-1] + 1e-12).all()
        assert (found[100:200] < values[100:200]).all()
        assert found[-2] == pytest.approx(1, abs=1e-3)
        assert found[0] == -np.inf
        assert np.isnan(found[-1])
        before = found


@pytest.mark.parametrize(
    "features", [embedded([]), embedded(unrelated(1, 4)), embedded([np.zeros((2, 3), np.float32)] * 5)]
)
def test_where_the_catalogue_says_nothing_similarities_stay(features: Features) -> None:
    """No posting, one alone, or none with an embedding."""
    values = np.array([-0.5, 0.0, 0.7, 1.0])
    np.testing.assert_array_equal(BestOfMany.of(vectors_of(features)).of_one(values, np.array(9)), values)


def test_images_with_an_embedding_are_counted() -> None:
    """Of rows in any order, some twice; a posting without one counts as one."""
    first, second = np.eye(4, 3, dtype=np.float32), np.array([[1, 0, 0], [0, 0, 0]], np.float32)
    vectors = Layered(first, (Layer(np.array([0, 2]), second), Layer(np.array([0]), second[:1])))
    assert images_held(vectors, np.array([3, 0, 2, 1, 0])).tolist() == [1, 3, 1, 1, 3]


def test_images_are_scaled_as_those_of_one_pair() -> None:
    """Each pair by its numbers of images, and the neighbours of each end by its own and the usual number."""
    extractor = PairFeatureExtractor(drawn_several(60, 3), ("image",))
    left, right = np.triu_indices(60, 1)
    vectors = vectors_of(drawn_several(60, 3))
    best, counts = BestOfMany.of(vectors), images_held(vectors, np.arange(60))
    features = extractor.features(extractor.own, left, right)
    crowds = []
    for row in range(60):
        nearest = extractor.own.neighbours.similarities[0, row, :20]
        near = np.maximum(best.of_one(nearest, np.array(counts[row] * best.images)), 0)
        crowds.append(max(near.sum() / 20, 0.02))
    similarity = features[:, extractor.names.index("image_similarity")]
    expected = best.of_one(similarity, counts[left] * counts[right]) / np.sqrt(
        np.array(crowds)[left] * np.array(crowds)[right]
    )
    np.testing.assert_allclose(features[:, extractor.names.index(SCALED)], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_a_query_with_several_images_is_scaled_as_if_the_catalogue_held_it(several: bool) -> None:
    """Nearly: what is usual there is the catalogue's without it. One with one image against single ones is as ever."""
    whole = drawn_several(300, 5, lacking=0) if several else drawn(300, 5)
    stored = PairFeatureExtractor(whole.select(np.arange(299)), ("image",))
    full = PairFeatureExtractor(whole, ("image",))
    query, _, _ = stored.profiles(ParsedFeatures.of(whole.select(np.array([299]))))
    others = np.arange(299)
    asked = stored.features(query, np.zeros(299, np.intp), others, stored.own)[:, -1]
    held = full.features(full.own, np.full(299, 299), others)[:, -1]
    np.testing.assert_allclose(asked, held, atol=0.05 if several else 2e-5)
    if not several:
        ends = stored.own.neighbours, np.zeros(299, np.intp), others
        similarity = stored.features(query, ends[1], others, stored.own)[:, 1]
        plain = scaled_similarities(similarity, 0, query.neighbours, *ends, including=True)
        np.testing.assert_array_equal(asked, plain)


def test_several_images_of_one_end_are_enough() -> None:
    """Of postings that came later too, in a catalogue of single images: whichever end they are."""
    extractor = PairFeatureExtractor(drawn(60, 1, lacking=0), ("image",))
    several, single = drawn_several(20, 2, 1.0, lacking=0), drawn(20, 3, lacking=0)
    many, one = (extractor.profiles(ParsedFeatures.of(it))[0] for it in (several, single))
    best, rows = BestOfMany.of(vectors_of(drawn(60, 1, lacking=0))), np.arange(20)
    for ends in ((many, one), (one, many)):
        features = extractor.features(ends[0], rows, rows, ends[1])
        similarity = features[:, extractor.names.index("image_similarity")]
        of_one = best.of_one(similarity, images_held(many.vectors["image"], rows)).astype(np.float32)
        places = [best.around(it.vectors["image"]) for it in ends]
        neighbours = ends[0].neighbours, ends[1].neighbours
        expected = scaled_similarities(
            of_one, 0, *neighbours, rows, rows, including=True, mapped=(places[0], places[1])
        )
        np.testing.assert_array_equal(features[:, extractor.names.index(SCALED)], expected)
