"""Bounds of probabilities: which pairs are identical, what stands above what, and how much a title says."""

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.pairs.bounds import (
    EQUAL,
    LEAST_IDENTICAL,
    NEAR,
    ONLY_TITLES,
    ORDINARY,
    SAME_FILE,
    Bounds,
    allowed,
    ordinary,
)
from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.feature_names import SIGNALS, pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel

NAMES = (*pair_feature_names(SIGNALS), *GRAPH_FEATURES)
NONE = float("nan")
COPY = {"hash_similarity": 1.0, "same_image": 1.0, "same_title": 0.0, "words_similarity": 0.1, "kinds_clashing": 0.0}
TITLED = {"same_title": 1.0, "title_repeats_high": 2.0, "words_similarity": 1.0, "kinds_clashing": 0.0}
KINDS = {
    "the same file": (COPY, SAME_FILE),
    "the same file, one without a title": ({"same_image": 1.0, "count_conflict": 0.5}, SAME_FILE),
    "the same file, contradicting": (COPY | {"kinds_clashing": 1.0}, ORDINARY),
    "the same file, one is a pack": (COPY | {"count_conflict": 0.5}, ORDINARY),
    "equal hashes and titles": ({"hash_similarity": 1.0, "same_image": 0.0} | TITLED, EQUAL),
    "equal hashes, nothing else known": ({"hash_similarity": 1.0}, EQUAL),
    "equal hashes of other bytes": ({"hash_similarity": 1.0, "same_image": 0.0}, ORDINARY),
    "equal hashes, other titles": (COPY | {"same_image": 0.0}, ORDINARY),
    "a rare title, no images": (TITLED, EQUAL),
    "a common title, no images": (TITLED | {"title_repeats_high": 3.0}, ORDINARY),
    "equal titles, other images": (TITLED | {"image_similarity": 0.5}, ORDINARY),
    "near, titles alike": ({"hash_similarity": 0.875, "words_similarity": 0.5, "same_title": 0.0}, NEAR),
    "near, titles unlike": ({"hash_similarity": 0.875, "words_similarity": 0.49, "same_title": 0.0}, ORDINARY),
    "far, titles alike": ({"hash_similarity": 0.86, "words_similarity": 0.9, "same_title": 0.0}, ORDINARY),
    "titles only": ({"same_title": 0.0, "words_similarity": 0.9}, ONLY_TITLES),
    "nothing in common": ({}, ORDINARY),
}
probabilities = st.floats(0, 1)


def row(**features: float) -> NDArray[np.float32]:
    """The features of one pair; what is not named is not known."""
    found = np.full((1, len(NAMES)), np.nan, np.float32)
    for name, value in features.items():
        found[0, NAMES.index(name)] = value
    return found


def bounded(probability: float, features: NDArray[np.float32]) -> float:
    return float(Bounds(NAMES)(np.array([probability]), features)[0])


def of_kind(name: str) -> NDArray[np.float32]:
    weights = {"shared_weight": 9.0, "apart_low": 1.0, "blend_similarity": 0.9, "catalogue_size": log(1000)}
    return row(**weights, **KINDS[name][0])


@pytest.mark.parametrize("name", KINDS)
def test_each_pair_has_its_kind(name: str) -> None:
    assert Bounds(NAMES).kinds(of_kind(name)).tolist() == [KINDS[name][1]]


def test_what_a_model_does_not_compare_no_pair_has() -> None:
    """A matcher of hashes knows no titles, so equal hashes are all that two can have in common."""
    names = pair_feature_names(["hash"])
    features = np.full((2, len(names)), np.nan, np.float32)
    features[:, names.index("hash_similarity")] = 1, 0.9
    assert Bounds(names).kinds(features).tolist() == [EQUAL, ORDINARY]


@given(st.sampled_from([*KINDS]), probabilities, probabilities)
def test_the_order_within_a_kind_stays(name: str, one: float, other: float) -> None:
    """And what was one or zero is still a probability."""
    low, high = sorted([one, other])
    found = bounded(low, of_kind(name)), bounded(high, of_kind(name))
    assert 0 <= found[0] <= found[1] <= 1
    if high - low > 1e-9:
        assert found[0] < found[1]


@given(st.sampled_from([*KINDS]), st.sampled_from([*KINDS]), probabilities, probabilities)
def test_identical_pairs_stand_above_all_others(one: str, other: str, high: float, low: float) -> None:
    """Whatever the model makes of either; and the same file above equal hashes."""
    kinds = KINDS[one][1], KINDS[other][1]
    found = bounded(low, of_kind(one)), bounded(high, of_kind(other))
    if kinds[0] >= EQUAL > kinds[1]:
        assert found[0] >= LEAST_IDENTICAL >= found[1]
    if kinds == (SAME_FILE, EQUAL):
        assert found[0] >= 0.995 >= found[1]


@given(probabilities)
def test_a_near_pair_stands_no_lower_than_an_ordinary_one(probability: float) -> None:
    """Of the same probability, and above it where both are sure."""
    near, other = (bounded(probability, of_kind(name)) for name in ("near, titles alike", "far, titles alike"))
    assert near >= other
    assert near > other or probability <= 0.975


@given(st.floats(0, 0.975))
def test_the_probability_of_others_stays(probability: float) -> None:
    for name in ("near, titles alike", "far, titles alike", "nothing in common"):
        assert bounded(probability, of_kind(name)) == probability


# --- titles -------------------------------------------------------------------------------------------------------


def titled(shared: float, apart: float, blend: float, postings: int) -> NDArray[np.float32]:
    weights = {"shared_weight": shared, "apart_low": apart, "blend_similarity": blend}
    return row(same_title=0, words_similarity=0.5, catalogue_size=log(postings), **weights)


@given(probabilities, st.integers(2, 10**6), st.data())
def test_a_title_says_no_more_than_its_words(probability: float, postings: int, data: st.DataObject) -> None:
    """One word that k of n titles hold: the odds are e / k at most, however the blended title looks."""
    holding = data.draw(st.integers(1, postings))
    features = titled(1 + log(postings / holding), 0, 1, postings)
    most = exp(1) / (holding + exp(1))
    assert bounded(probability, features) <= min(probability, most) + 1e-5


def test_more_shared_words_say_more() -> None:
    """Up to what the model says, which many rare ones do not lower."""
    found = [bounded(0.9, titled(weight, 3, 0, 1000)) for weight in (0, 4, 8, 12, 24)]
    assert found == sorted(found)
    assert found[0] < 0.002
    assert found[-1] == pytest.approx(0.9, abs=1e-6)


def test_titles_that_postings_like_them_join_are_heard() -> None:
    """Without a common word the blended titles count, by the weight of the shorter one."""
    joined, apart = (bounded(0.9, titled(0, 15, blend, 1000)) for blend in (0.9, 0.1))
    assert joined > 0.89
    assert apart < 0.01


def test_titles_beside_images_are_not_bounded() -> None:
    """The model has more to go by."""
    features = titled(0, 15, 0, 1000)
    features[0, NAMES.index("image_similarity")] = 0.2
    assert bounded(0.9, features) == 0.9


# --- thresholds ---------------------------------------------------------------------------------------------------


@given(probabilities, probabilities)
def test_decisions_on_ordinary_pairs_stay(probability: float, threshold: float) -> None:
    """A threshold is mapped as the probabilities are that it is compared with."""
    mapped = ordinary(np.array([probability, threshold]))
    assert mapped[0] >= mapped[1] or probability < threshold
    if probability < threshold - 1e-9:
        assert mapped[0] < mapped[1]


@given(probabilities)
def test_no_threshold_lets_all_in_or_keeps_identical_pairs_out(threshold: float) -> None:
    assert 0.05 <= allowed(threshold) <= LEAST_IDENTICAL
    assert allowed(inf) == inf


# --- explanation --------------------------------------------------------------------------------------------------


class Says:
    """Implements `pairs.model.Scorer`: always one score, by the first feature that is named."""

    def __init__(self, score: float, feature: str) -> None:
        self._score, self._feature = score, NAMES.index(feature)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.full(len(features), self._score)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros(features.shape)
        found[:, self._feature] = log(self._score / (1 - self._score))
        return found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("first", "second"), [(0.6, 0.01), (0.2, 0.9999), (0.99999, 0.3), (0.4, 0.4)])
def test_what_bounds_change_is_not_told_of_neighbours(name: str, first: float, second: float) -> None:
    """Contributions still add up to the log odds, and neighbours take nothing from identical pairs."""
    model = PairModel(SIGNALS, Says(first, "hash_similarity"), Says(second, "first"), PLAIN)
    features, kind = of_kind(name), KINDS[name][1]
    probability = model.predict_proba(features)
    found = dict(zip(NAMES, model.contributions(features, np.array([first]), probability)[0].tolist(), strict=True))
    assert sum(found.values()) == pytest.approx(log(probability[0] / (1 - probability[0])))
    neighbours = log(second / (1 - second)) - log(first / (1 - first))
    assert found["first"] == pytest.approx(max(neighbours, 0) if kind >= EQUAL else neighbours)
    lifted = found["same_image"] + found["same_title"]
    assert lifted >= 0
    assert not lifted or (kind >= EQUAL and found["catalogue_size"] == 0)


PLAIN = Calibration(PLATT, (0.0,), (0.0,), 1.0)
