"""What pairs say of several images, against all pairs of images; new postings as if they were stored."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from tests.support.several_images import best, cosine, drawn_several, equal_bits, images_of, same_key

SIGNALS = ("hash", "title", "image")


def column(extractor: PairFeatureExtractor, features: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return features[:, extractor.names.index(name)]


def every_pair(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    left, right = np.triu_indices(count, 1)
    return left, right


@pytest.mark.parametrize("seed", range(3))
def test_pairs_have_the_similarities_of_their_nearest_images(seed: int) -> None:
    """Of hashes, embeddings and colours, and whether any two images are the same bytes."""
    postings = drawn_several(30, seed)
    extractor, images = PairFeatureExtractor(postings, SIGNALS), images_of(postings)
    left, right = every_pair(30)
    found = extractor.features(extractor.own, left, right)
    asked = {
        "hash_similarity": equal_bits,
        "image_similarity": cosine("image"),
        "colours_similarity": cosine("colours"),
        "same_image": same_key,
    }
    for name, similarity in asked.items():
        pairs = [best(images[one], images[other], similarity) for one, other in zip(left, right, strict=True)]
        expected = [np.nan if pair is None else pair[0] for pair in pairs]
        np.testing.assert_allclose(column(extractor, found, name), expected, atol=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_hashes_repeat_as_often_as_the_commonest_of_a_posting(seed: int) -> None:
    """Postings are counted, not images; of a pair with a hash in common, that hash's postings are."""
    postings = drawn_several(30, seed)
    extractor = PairFeatureExtractor(postings, SIGNALS)
    shown = [{int(it.hashes.values[0]) for _, it in of if it.hashes.known[0]} for of in images_of(postings)]
    counts = Counter(value for values in shown for value in values)
    left, right = every_pair(30)
    found = extractor.features(extractor.own, left, right)
    shared_once = 0
    for place, (one, other) in enumerate(zip(left, right, strict=True)):
        ours, theirs = shown[one], shown[other]
        both = [max((counts[value] for value in values), default=np.nan) for values in (ours, theirs)]
        if ours & theirs:
            both = [max(counts[value] for value in ours & theirs)] * 2
            shared_once += both[0] < max(counts[value] for value in ours)
        if not (ours and theirs):
            both = [np.nan, np.nan]
        low, high = (column(extractor, found, f"hash_repeats_{end}")[place] for end in ("low", "high"))
        np.testing.assert_array_equal([low, high], sorted(both))
    assert shared_once or seed


@pytest.mark.parametrize("seed", range(3))
def test_both_directions_of_a_pair_have_the_same_features(seed: int) -> None:
    extractor = PairFeatureExtractor(drawn_several(30, seed), SIGNALS)
    left, right = every_pair(30)
    one, other = (extractor.features(extractor.own, *ends) for ends in ((left, right), (right, left)))
    np.testing.assert_allclose(one, other, atol=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_new_posting_repeats_what_it_would_if_it_was_stored(seed: int) -> None:
    """And has the same candidates: those with an equal hash of any image among them."""
    every = drawn_several(30, seed)
    stored, new = every.select(np.arange(29)), every.select(np.array([29]))
    whole, part = (PairFeatureExtractor(it, ("hash",)) for it in (every, stored))
    profiles, left, right = part.profiles(ParsedFeatures.of(new))
    found = part.features(profiles, left, right, part.own)
    expected = whole.features(whole.own, np.full(len(right), 29), right)
    for name in ("hash_similarity", "same_image", "hash_repeats_low", "hash_repeats_high"):
        ours, theirs = column(part, found, name), column(whole, expected, name)
        if name.startswith("hash_repeats"):
            equal = column(part, found, "hash_similarity") == 1
            ours, theirs = ours[equal], theirs[equal]
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
    known = np.flatnonzero((whole.candidates[1] == 29) | (whole.candidates[0] == 29))
    ends = np.unique([whole.candidates[0][known], whole.candidates[1][known]])
    assert set(right) <= set(ends) | {29}


def test_gone_postings_repeat_nothing() -> None:
    """A new posting counts those that are there, as in a catalogue that never had the others."""
    every, alive = drawn_several(40, 1, lacking=0), np.random.default_rng(1).random(40) < 0.6
    found = PairFeatureExtractor(every, ("hash",)).profiles(ParsedFeatures.of(every), alive)[0]
    expected = PairFeatureExtractor(every.select(np.flatnonzero(alive)), ("hash",)).profiles(ParsedFeatures.of(every))[
        0
    ]
    assert found.images.hashes is not None
    assert expected.images.hashes is not None
    for one, other in zip(found.images.hashes.layers, expected.images.hashes.layers, strict=True):
        np.testing.assert_array_equal(one.values.repeats, other.values.repeats)
    assert max(layer.values.repeats.max() for layer in found.images.hashes.layers) > 3


def test_postings_with_a_common_second_image_are_all_candidates() -> None:
    """More than retrievers would find: of equally near ones only some would be, by their order."""
    first = drawn_several(70, share=0, lacking=0).every.first
    first = ImageArrays(Hashes((np.arange(70) << 40).astype(np.uint64), np.ones(70, np.bool_)), {}, first.images)
    second = ImageArrays(Hashes(np.full(70, 2**63, np.uint64), np.ones(70, np.bool_)), {}, first.images)
    features = Features.shown([""] * 70, Layered(first, (Layer(np.arange(70), second),)))
    extractor = PairFeatureExtractor(features, ("hash",))
    assert len(extractor.candidates[0]) == 70 * 69 // 2
    new = features.select(np.array([3]))
    assert extractor.profiles(ParsedFeatures.of(new))[2].tolist() == [*range(70)]
