"""Signals over parts of a catalogue, and what their similarities are shown as."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.signals import (
    CANDIDATES,
    MEASURES,
    SIGNALS,
    Pairs,
    between,
    formatted,
    meant,
    pairs_of,
    shown,
    signal_candidates,
    threshold_texts,
)
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.search.candidates import NOBODY, Candidates, top_k
from tests.support.catalogues import drawn

FEATURES = ParsedFeatures.of(drawn(30))


@pytest.mark.parametrize("signal", SIGNALS)
def test_candidates_of_a_signal_are_of_the_catalogue(signal: str) -> None:
    """At most 49 other postings each, the best first; a signal that lacks of a posting gives it none."""
    found = signal_candidates(signal, FEATURES)
    assert found.rows.shape == found.similarities.shape == (30, CANDIDATES)
    assert (found.rows != NOBODY).any()
    assert not (found.rows == np.arange(30)[:, np.newaxis]).any()
    assert (np.sort(found.similarities)[:, ::-1] == found.similarities).all()
    lacking = {
        "hash": ~FEATURES.features.hashes.known,
        "title": np.array([not title.words for title in FEATURES.titles]),
        "image": ~FEATURES.features.embeddings["image"].any(axis=1),
    }[signal]
    assert lacking.any()
    assert (found.rows[lacking] == NOBODY).all()
    assert not np.isin(found.rows, np.flatnonzero(lacking)).any()


def test_what_is_no_signal_has_no_candidates() -> None:
    """Names of retrievers that are none of the three signals are refused."""
    with pytest.raises(ValueError, match="expected one of hash, title, image, got grams"):
        signal_candidates("grams", FEATURES)


@pytest.mark.parametrize(
    ("signal", "values"), [("hash", [0, 8, 16, None]), ("title", [0.25, 1.0, None]), ("image", [-1.0, 0.5])]
)
def test_what_is_shown_is_what_is_meant(signal: str, values: list[float | None]) -> None:
    for value in values:
        assert shown(signal, meant(signal, value)) == value


@pytest.mark.parametrize(
    ("signal", "value", "reason"),
    [
        ("hash", 17, "a whole number of bits in 0…16, got 17"),
        ("hash", -1, "a whole number of bits in 0…16, got -1"),
        ("hash", 7.5, "a whole number of bits in 0…16, got 7.5"),
        ("hash", float("nan"), "a whole number of bits in 0…16, got nan"),
        ("title", 1.5, "a cosine in −1…1, got 1.5"),
        ("image", float("nan"), "a cosine in −1…1, got nan"),
        ("image", float("inf"), "a cosine in −1…1, got inf"),
        ("matcher", -0.5, "a probability in 0…1, got -0.5"),
        ("matcher", float("nan"), "a probability in 0…1, got nan"),
    ],
)
def test_a_value_that_no_similarity_has_is_refused(signal: str, value: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        meant(signal, value)


def test_a_threshold_takes_what_is_accepted_and_not_what_is_refused() -> None:
    for signal in MEASURES:
        assert 0.75 < between(signal, 0.875, 0.75) <= 0.875
        assert between(signal, 0.5, 0.5) == 0.5
        assert between(signal, np.inf, 1.0) == np.inf
    assert between("hash", 0.875, 0.75) == 0.875


def test_the_curve_of_hashes_has_every_distance() -> None:
    """Other curves have at most as many points as wanted."""
    similarities = np.array([np.inf, 1.0, 0.875])
    curve = Curve(similarities, np.array([0.1, 0.2, 0.3]), np.zeros(3), np.ones(3))
    hashes = shown_curve("hash", curve, 5)
    assert [shown("hash", similarity) for similarity in hashes.similarities] == list(range(17))
    assert hashes.f1.tolist() == [0.2] * 8 + [0.3] * 9
    assert shown_curve("title", curve, 5).f1.tolist()[-1] == 0.3
    assert len(shown_curve("title", curve, 5)) <= 5


SIMILARITIES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
PROPOSED = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda key: key[0] != key[1]), SIMILARITIES
)
THRESHOLDS = st.sampled_from([0.0, 0.25, 0.4, 0.75, 1.0, np.inf])
POSTINGS = 6


def candidates(proposed: Mapping[tuple[int, int], float], postings: int = POSTINGS, count: int = 49) -> Candidates:
    """Candidates with these similarities by line and row."""
    lines, rows = (np.array([key[place] for key in proposed], np.intp) for place in (0, 1))
    return top_k(lines, rows, np.array(list(proposed.values()), float), postings, count)


def of_two(first: Mapping[tuple[int, int], float], second: Mapping[tuple[int, int], float]) -> Pairs:
    return pairs_of({"first": candidates(first), "second": candidates(second)}, POSTINGS)


@given(PROPOSED, PROPOSED)
def test_each_proposed_pair_is_there_once_with_what_every_signal_says(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float]
) -> None:
    pairs = of_two(first, second)
    keys = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert keys == sorted(set(first) | set(second))
    assert len(pairs) == len(keys)
    for signal, proposed in (("first", first), ("second", second)):
        assert pairs.similarities[signal].tolist() == [proposed.get(key, -np.inf) for key in keys]


@given(PROPOSED, PROPOSED, THRESHOLDS, THRESHOLDS)
def test_a_list_holds_what_any_signal_accepts(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float], one: float, other: float
) -> None:
    pairs = of_two(first, second)
    lists = pairs.lists({"first": one, "second": other})
    assert len(lists) == POSTINGS
    accepted = {key for proposed, t in ((first, one), (second, other)) for key, s in proposed.items() if s >= t}
    assert pairs.accepted({"first": one, "second": other}).sum() == len(accepted)
    for line in range(POSTINGS):
        assert lists[line][0] == line
        assert sorted(lists[line][1:].tolist()) == sorted(row for found, row in accepted if found == line)


@given(PROPOSED, PROPOSED, THRESHOLDS, THRESHOLDS)
def test_margins_of_matches_are_not_negative(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float], one: float, other: float
) -> None:
    pairs = of_two(first, second)
    thresholds = {"first": one, "second": other}
    margins = pairs.margins(thresholds)
    np.testing.assert_array_equal(margins >= 0, pairs.accepted(thresholds))
    assert (margins <= 1).all()
    alone = pairs.margins({"first": one})
    order = np.argsort(pairs.similarities["first"], kind="stable")
    assert (alone[order][1:] >= alone[order][:-1]).all()


def test_matches_are_ordered_by_their_margin() -> None:
    first, second = {(0, 1): 0.9, (0, 2): 1.0}, {(0, 1): 0.5, (0, 3): 0.85, (0, 4): 0.25, (0, 5): 0.1}
    thresholds = {"first": 0.8, "second": 0.25}
    margins = {
        1: 0.1 / 0.2,
        2: 1.0,
        3: 0.6 / 0.75,
        4: 0.0,
        5: -0.15 / 0.75,
    }  # 1 by the first: the second says 0.25 / 0.75
    pairs = of_two(first, second)
    assert pairs.lists(thresholds)[0].tolist() == [0, 2, 3, 1, 4]
    ranking = pairs.ranking(thresholds)
    assert ranking.rows[0, :6].tolist() == [2, 3, 1, 4, 5, -1]
    assert ranking.similarities[0, :5].tolist() == pytest.approx([margins[row] for row in (2, 3, 1, 4, 5)])


def test_a_list_holds_the_best_fifty_with_the_posting_itself() -> None:
    near = {row: 0.5 + row / 1000 for row in range(1, 41)}
    far = {row: row / 1000 for row in range(41, 70)}
    proposed = [candidates({(0, row): value for row, value in part.items()}, 70) for part in (near, far)]
    found = pairs_of(dict(zip(("first", "second"), proposed, strict=True)), 70).lists({"first": 0.5, "second": 0.0})[0]
    assert len(found) == 50
    best = sorted(range(1, 70), key=lambda row: -((near[row] - 0.5) / 0.5 if row in near else far[row]))
    assert found.tolist() == [0, *best[:49]]


def test_pairs_that_are_below_a_threshold_of_one_are_still_ranked() -> None:
    pairs = pairs_of({"title": candidates({(0, 1): 0.2, (0, 2): 0.9, (0, 3): 1.0})}, POSTINGS)
    for threshold in (1.0, np.inf):
        assert pairs.ranking({"title": threshold}).rows[0, :4].tolist() == [3, 2, 1, -1]


def test_no_signals_propose_nothing() -> None:
    pairs = pairs_of({}, 3)
    assert len(pairs) == 0
    assert [found.tolist() for found in map(pairs.lists({}).__getitem__, range(3))] == [[0], [1], [2]]


def test_thresholds_are_reported_in_words() -> None:
    assert threshold_texts({"hash": 0.875}) == ["≤ 8 bits"]
    several = {"hash": np.inf, "title": 0.48712, "image": 0.5}
    assert threshold_texts(several) == ["hash never", "title ≥ 0.4871", "image ≥ 0.5000"]
    assert formatted("hash", 1.0) == "0 bits"
