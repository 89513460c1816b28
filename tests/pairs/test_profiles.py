"""Pair features of new postings, against a catalogue that really holds them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.candidate_pairs import TOP_K
from pricematch.pairs.feature_names import SIGNALS
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.profiles import Profiles
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.search import sparse
from tests.support.catalogues import drawn

OF_IMAGES = ("hash", "image")
WEIGHTED = {"shared_weight", "apart_low", "apart_high", "shared_of_shorter", "shared_of_longer", "rarest_shared"}
"""What depends on how many titles of the catalogue hold a word; so do the retrievers of titles."""


def split(
    count: int, new: int, seed: int, signals: Sequence[str]
) -> tuple[PairFeatureExtractor, PairFeatureExtractor, Profiles]:
    """A catalogue, the same without its `new` last postings, and the profiles of these."""
    whole = drawn(count, seed)
    stored = PairFeatureExtractor(whole.select(np.arange(count - new)), signals)
    profiles, _, _ = stored.profiles(ParsedFeatures.of(whole.select(np.arange(count - new, count))))
    return PairFeatureExtractor(whole, signals), stored, profiles


def every_pair(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count, 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("new", [2, 7, 40])
def test_new_postings_have_the_features_of_stored_ones(seed: int, new: int) -> None:
    """But for what weighs words by how many titles hold them."""
    full, stored, profiles = split(60, new, seed, SIGNALS)
    profiles, _, _ = stored.among(profiles)
    left, right = every_pair(new)
    asked = dict(zip(stored.names, stored.features(profiles, left, right).T, strict=True))
    first = len(stored)
    held = dict(zip(full.names, full.features(full.own, first + left, first + right).T, strict=True))
    for name, values in asked.items():
        if name not in WEIGHTED and not name.startswith(("words_", "grams_", "blend_")):
            np.testing.assert_allclose(values, held[name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_candidates_among_new_postings_are_those_of_stored_ones(seed: int) -> None:
    """And a few that tie with the last of the top k."""
    full, stored, profiles = split(TOP_K + 70, 40, seed, OF_IMAGES)
    _, left, right = stored.among(profiles)
    found = set(zip((left + len(stored)).tolist(), (right + len(stored)).tolist(), strict=True))
    every = set(zip(*(ends.tolist() for ends in full.candidates), strict=True))
    held = {pair for pair in every if pair[0] >= len(stored)}
    assert held <= found  # beyond them only what ties with the last that is proposed
    assert len(found - held) <= len(held) / 50
    assert len(held) < 40 * 39 / 2
    assert (left < right).all()
    assert (np.diff(left.astype(np.int64) * 40 + right) > 0).all()


def test_both_orders_of_a_pair_are_equal() -> None:
    """Left and right may be exchanged."""
    _, stored, profiles = split(60, 20, 0, SIGNALS)
    profiles, _, _ = stored.among(profiles)
    left, right = every_pair(20)
    one, other = (stored.features(profiles, *ends) for ends in ((left, right), (right, left)))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=2e-6)


def test_repeats_count_new_and_stored_postings() -> None:
    """Equal hashes and titles, each posting itself included."""
    stored = PairFeatureExtractor(Features.of(["kopi", "kopi", "teh"], ["0" * 16, None, "f" * 16]), ("hash", "title"))
    new = Features.of(["kopi", "kopi", "gula", ""], ["0" * 16, "0" * 16, "f" * 16, None])
    profiles, _, _ = stored.among(stored.profiles(ParsedFeatures.of(new))[0])
    found = dict(zip(stored.names, stored.features(profiles, *every_pair(4)).T, strict=True))
    pairs = list(zip(*(ends.tolist() for ends in every_pair(4)), strict=True))
    told = {name: dict(zip(pairs, found[name].tolist(), strict=True)) for name in found}
    assert (told["hash_repeats_low"][0, 1], told["hash_repeats_high"][0, 1]) == (3, 3)  # one stored, two new
    assert (told["hash_repeats_low"][0, 2], told["hash_repeats_high"][0, 2]) == (2, 3)
    assert (told["title_repeats_low"][0, 1], told["title_repeats_high"][0, 1]) == (4, 4)  # two stored, two new
    assert (told["title_repeats_low"][1, 2], told["title_repeats_high"][1, 2]) == (1, 4)
    assert np.isnan(told["hash_repeats_low"][0, 3])
    assert np.isnan(told["title_repeats_low"][0, 3])
    assert set(found["catalogue_size"].tolist()) == {np.float32(np.log(7))}


def test_new_postings_are_neighbours_of_each_other() -> None:
    """They count in ranks and repeats once they know each other."""
    stored = PairFeatureExtractor(Features.of(["", "kopi"], [f"{7:016x}", "0" * 16]), ("hash", "title"))
    new = Features.of(["kopi", "teh", "teh", "kopi"], [f"{value:016x}" for value in (0, 1, 3, 0)])
    profiles, _, _ = stored.profiles(ParsedFeatures.of(new))
    pairs = np.array([0, 0]), np.array([0, 1])
    for seen, ranks, repeats in ((profiles, [0, 1], [2, 2]), (stored.among(profiles)[0], [0, 4], [3, 3])):
        found = dict(zip(stored.names, stored.features(seen, *pairs, stored.own).T, strict=True))
        # three bits from the first stored one: nearer are the second, and where they are known all the others
        assert [found["hash_rank_low"][0], found["hash_rank_high"][0]] == ranks
        # equal to the second stored one: it and the last new one, where that is known
        for name in ("hash_repeats", "title_repeats"):
            assert [found[f"{name}_low"][1], found[f"{name}_high"][1]] == repeats


def test_one_alone_keeps_its_features() -> None:
    """Knowing only itself changes nothing."""
    _, stored, profiles = split(60, 1, 0, SIGNALS)
    together, left, _ = stored.among(profiles)
    pairs = np.zeros(59, np.intp), np.arange(59)
    assert len(left) == 0
    np.testing.assert_array_equal(
        stored.features(together, *pairs, stored.own), stored.features(profiles, *pairs, stored.own)
    )


@pytest.mark.parametrize("signals", [("hash",), ("title",), ("image",), SIGNALS])
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("new", [0, 1, 2])
def test_tiny_batches_have_features(signals: Sequence[str], count: int, new: int) -> None:
    """No posting, one or two of either kind are no special case."""
    stored = PairFeatureExtractor(drawn(count, lacking=0), signals)
    postings: Features = drawn(new, seed=4, lacking=0)
    profiles, left, right = stored.among(stored.profiles(ParsedFeatures.of(postings))[0])
    assert len(left) == len(right) <= max(0, new - 1)
    assert stored.features(profiles, left, right).shape == (len(left), len(stored.names))


@pytest.mark.parametrize("new", [1, 5])
def test_features_of_runs_are_those_of_single_pairs(new: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that learned from the pairs of many postings is asked about those of one."""
    whole = drawn(60, 4, lacking=0.4)
    stored = PairFeatureExtractor(whole.select(np.arange(50)), SIGNALS)
    profiles, left, right = stored.profiles(ParsedFeatures.of(whole.select(np.arange(50, 50 + new))))
    of_runs = stored.features(profiles, left, right, stored.own)
    monkeypatch.setattr(sparse, "_FEW_RUNS", 0)
    np.testing.assert_allclose(of_runs, stored.features(profiles, left, right, stored.own), atol=1.1e-6)
