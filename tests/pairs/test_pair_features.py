"""Pair features of a catalogue, against loops over the features of two postings."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.candidate_pairs import TOP_K
from pricematch.pairs.feature_names import SIGNALS, pair_feature_names
from pricematch.pairs.neighbours import RANK_FEATURES
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.title_features import WORDS
from pricematch.titles.comparison import SUMMARY
from pricematch.titles.normalise import parse_title
from tests.support.catalogues import drawn

POSTINGS = drawn(70)
EVERY = ("hash", "title", "image")
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(SIGNALS, size)]


def named(
    extractor: PairFeatureExtractor, left: NDArray[np.integer], right: NDArray[np.integer]
) -> dict[str, NDArray[np.float32]]:
    """The features of pairs of the catalogue by name."""
    found = extractor.features(extractor.own, left, right)
    return dict(zip(extractor.names, found.T, strict=True))


def every_pair(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count, 1)


@pytest.mark.parametrize("signals", SUBSETS)
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_features_have_a_column_for_each_name(signals: Sequence[str], count: int) -> None:
    """Whatever the signals, and however few postings there are."""
    extractor = PairFeatureExtractor(drawn(count), signals)
    left, right = extractor.candidates
    names = pair_feature_names(signals)
    assert len(set(names)) == len(names)
    assert extractor.features(extractor.own, left, right).shape == (len(left), len(names))
    profiles, new_left, new_right = extractor.profiles(ParsedFeatures.of(drawn(3, seed=5)))
    assert extractor.features(profiles, new_left, new_right, extractor.own).shape == (len(new_left), len(names))


@pytest.mark.slow
def test_both_orders_of_a_pair_are_equal() -> None:
    """Left and right may be exchanged."""
    extractor = PairFeatureExtractor(POSTINGS, EVERY)
    left, right = every_pair(len(POSTINGS))
    one, other = named(extractor, left, right), named(extractor, right, left)
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-6, atol=2e-6, err_msg=name)


def test_candidates_are_top_k_neighbours_of_either_end() -> None:
    """By any retriever; each pair once, in ascending order."""
    extractor = PairFeatureExtractor(POSTINGS, EVERY)
    left, right = extractor.candidates
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    proposed = set()
    for retriever in extractor._retrievers.values():
        for line, places in enumerate(retriever.nearest(TOP_K).rows.tolist()):
            proposed |= {(min(line, row), max(line, row)) for row in places if row >= 0}
    assert found == proposed
    assert (np.diff(left.astype(np.int64) * len(POSTINGS) + right) > 0).all()


def naive_ranks(similarity: float, own: list[list[float]], tie: float) -> list[float]:
    """`RANK_FEATURES` of one pair from the similarities of all neighbours of both ends, this pair among them or not."""
    ranks, leads, above = [], [], []
    for neighbours in own:
        nearest = sorted(neighbours, reverse=True)[:100]
        ranks.append(sum(value > similarity + tie for value in nearest))
        others = list(nearest)
        if others and similarity >= others[0] - 2e-6:
            others.pop(0)  # the pair itself
        leads.append(similarity - max([*others, -1.0]))
        above.append(similarity - sum(nearest[:10]) / len(nearest[:10]) if nearest else np.nan)
    return [similarity, min(ranks), max(ranks), min(leads), max(leads), float(np.min(above)), float(np.max(above))]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hash", "words", "grams", "blend", "image"])
def test_rank_features_are_those_of_a_loop(name: str) -> None:
    """Ranks, leads and densities, pair by pair."""
    extractor = PairFeatureExtractor(POSTINGS, EVERY)
    left, right = every_pair(len(POSTINGS))
    found = named(extractor, left, right)
    retriever, count = extractor._retrievers[name], len(POSTINGS)
    grid = np.indices((count, count)).reshape(2, -1)
    similarities = (
        retriever.similarities(retriever.vectors, retriever.vectors, *grid).reshape(count, count).astype(np.float64)
    )
    for pair, (line, row) in enumerate(zip(left, right, strict=True)):
        of_pair = [float(found[f"{name}_{what}"][pair]) for what in RANK_FEATURES]
        if np.isnan(similarities[line, row]):
            assert np.isnan(of_pair).all()
            continue
        own = [[similarities[end, k] for k in range(count) if k != end and similarities[end, k] >= retriever.least]
               for end in (line, row)]  # fmt: skip
        strict, lenient = (naive_ranks(similarities[line, row], own, tie) for tie in (4e-6, -1e-6))
        ranks = slice(1, 3)  # what is nearer by a rounding may count or not
        assert (np.less_equal(strict[ranks], of_pair[ranks]) & np.less_equal(of_pair[ranks], lenient[ranks])).all()
        of_pair[ranks] = strict[ranks]
        np.testing.assert_allclose(of_pair, strict, atol=3e-6)


def test_missing_values_make_features_nan() -> None:
    """Exactly those features that take what an end lacks."""
    extractor = PairFeatureExtractor(POSTINGS, EVERY)
    left, right = every_pair(len(POSTINGS))
    found = named(extractor, left, right)
    has = {
        "hash": POSTINGS.hashes.known,
        "words": np.array([bool(parse_title(title).words) for title in POSTINGS.titles]),
        "image": POSTINGS.embeddings["image"].any(axis=1),
        "bytes": POSTINGS.images != 0,
    }
    lacks = {name: ~(known[left] & known[right]) for name, known in has.items()}
    for name, columns in {
        "hash": ["hash_similarity", "hash_lead_low", "hash_repeats_low", "hash_repeats_high"],
        "words": ["words_similarity", "words_rank_high", "grams_similarity", *WORDS],
        "image": ["image_similarity", "image_rank_low", "image_above_high", "colours_similarity", "colours_lead_low"],
        "bytes": ["same_image"],
    }.items():
        assert lacks[name].any()
        for column in columns:
            np.testing.assert_array_equal(np.isnan(found[column]), lacks[name], err_msg=column)
    assert not np.isnan(np.column_stack([found[name] for name in SUMMARY])).any()


def test_repeats_and_equalities_are_counted() -> None:
    """Of titles, first words, hashes and image keys."""
    postings = Features.of(
        ["Kopi Susu", "kopi  susu", "Kopi", ""],
        ["0" * 15 + "1", "0" * 15 + "1", "0" * 15 + "3", None],
        images=[b"a" * 32, b"a" * 32, b"b" * 32, None],
    )
    found = named(PairFeatureExtractor(postings, ("hash", "title")), *every_pair(4))
    assert found["hash_repeats_low"][:2].tolist() == [2, 1]
    assert found["hash_repeats_high"][:2].tolist() == [2, 2]
    assert found["title_repeats_low"][:2].tolist() == [2, 1]
    assert found["same_title"][:2].tolist() == [1, 0]
    assert found["same_first_word"][:2].tolist() == [1, 1]
    assert found["same_image"][:2].tolist() == [1, 0]
    assert found["characters_high"][:2].tolist() == [10, 9]
    assert (found["catalogue_size"] == np.float32(np.log(4))).all()


WEIGHTED = {"shared_weight", "apart_low", "apart_high", "shared_of_shorter", "shared_of_longer", "rarest_shared"}
"""What depends on how many titles of the catalogue hold a word; so do the retrievers of titles."""


@pytest.mark.parametrize("seed", range(3))
def test_a_new_posting_has_the_features_of_a_stored_one(seed: int) -> None:
    """But for what weighs words by how many titles hold them."""
    whole = drawn(40, seed)
    newest = len(whole) - 1
    stored, full = PairFeatureExtractor(whole.select(np.arange(newest)), EVERY), PairFeatureExtractor(whole, EVERY)
    profiles, left, right = stored.profiles(ParsedFeatures.of(whole.select(np.array([newest]))))
    asked = dict(zip(stored.names, stored.features(profiles, left, right, stored.own).T, strict=True))
    held = named(full, np.full(len(right), newest), right)
    for name, values in asked.items():
        if name not in WEIGHTED and not name.startswith(("words_", "grams_", "blend_")):
            np.testing.assert_allclose(values, held[name], atol=2e-6, err_msg=name)
    assert len(right) > 0


def test_one_more_title_hardly_changes_weights() -> None:
    """Cosines of titles differ by less than 0.01."""
    whole = drawn(400, lacking=0)
    newest = len(whole) - 1
    stored, full = (
        PairFeatureExtractor(whole.select(np.arange(newest)), ("title",)),
        PairFeatureExtractor(whole, ("title",)),
    )
    profiles, left, right = stored.profiles(ParsedFeatures.of(whole.select(np.array([newest]))))
    asked = stored.features(profiles, left, right, stored.own)[:, [stored.names.index("grams_similarity")]]
    held = full.features(full.own, np.full(len(right), newest), right)[:, [stored.names.index("grams_similarity")]]
    np.testing.assert_allclose(asked, held, atol=0.01)


@pytest.mark.parametrize(
    "postings",
    [
        Features.of([""] * 5, [None] * 5),
        Features.of(["kopi"] * 5, ["00000000000000ff"] * 5),
        Features.of(["", "kopi", "teh", "", ""], [None, None, None, "0" * 16, None]),
        Features.of(["k " * 5_000, "kopi" * 2_500, "1" * 10_000, "12ml " * 2_000, "👍" * 10_000], ["f" * 16] * 5),
    ],
    ids=["nothing", "all the same", "little", "long"],
)
def test_odd_catalogues_have_finite_features(postings: Features) -> None:
    """Nothing known, all the same, and titles of ten thousand characters."""
    extractor = PairFeatureExtractor(postings, ("hash", "title"))
    left, right = extractor.candidates
    found = extractor.features(extractor.own, *every_pair(5))
    assert (left < right).all()
    assert not np.isinf(found).any()
    profiles, new_left, new_right = extractor.profiles(ParsedFeatures.of(postings))
    assert not np.isinf(extractor.features(profiles, new_left, new_right, extractor.own)).any()


def test_equal_postings_have_no_lead() -> None:
    """All similarities are 1, and all ranks 0."""
    extractor = PairFeatureExtractor(Features.of(["kopi"] * 4, ["00000000000000ff"] * 4), ("hash", "title"))
    found = named(extractor, *every_pair(4))
    for name in ("hash", "words", "grams"):
        for what, value in zip(RANK_FEATURES, (1, 0, 0, 0, 0, 0, 0), strict=True):
            np.testing.assert_allclose(found[f"{name}_{what}"], value, atol=1e-6)


def test_titles_with_a_word_are_counted() -> None:
    """Each title once; none where titles are no signal."""
    postings = Features.of(["Kopi Kopi", "kopi", "teh"], [None] * 3)
    assert PairFeatureExtractor(postings, ("title",)).word_counts == {"kopi": 2, "teh": 1}
    assert PairFeatureExtractor(postings, ("hash",)).word_counts == {}
