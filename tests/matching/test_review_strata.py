"""Pairs spread over log odds."""

from itertools import islice

import numpy as np
import pytest

from pricematch.matching.review_strata import LOWEST, STRATA, Strata, ascending

WIDTH = 2.0
HIGHEST = LOWEST + STRATA * WIDTH


def strata(log_odds: list[float], decided: tuple[int, ...] = ()) -> Strata:
    """Strata of pairs (0, 1), (0, 2) … with these log odds, of which some are decided."""
    places = np.arange(len(log_odds))
    return Strata(np.array(log_odds), np.zeros(len(log_odds), np.intp), places + 1, np.isin(places, decided))


def middles(times: int = 1) -> list[float]:
    """The middle of each stratum, so many times over, the last one's upper end among them."""
    return [LOWEST + (number + 0.5) * WIDTH for number in range(STRATA)] * times + [HIGHEST]


def taken(found: Strata, count: int) -> list[int]:
    """The places of the next pairs, each counted."""
    places = list[int]()
    while len(places) < count and (place := found.next(lambda _: True)) is not None:
        found.count(place)
        places.append(place)
    return places


def test_each_stratum_is_asked_once_before_any_is_asked_twice() -> None:
    """Both ends first, then the middle, then what is farthest from all of these."""
    places = taken(strata(middles(3)), 2 * STRATA)
    assert sorted(place % STRATA for place in places[:STRATA]) == list(range(STRATA))
    assert sorted(place % STRATA for place in places[STRATA:]) == list(range(STRATA))
    assert [place % STRATA for place in places[:3]] == [9, 0, 5]


def test_where_verdicts_are_the_next_stratum_is_another() -> None:
    """Asking goes on as if it had not stopped."""
    whole = taken(strata(middles(2)), 8)
    for stopped in range(8):
        assert taken(strata(middles(2), tuple(whole[:stopped])), 8 - stopped) == whole[stopped:]


def test_pairs_below_the_lowest_probability_are_not_asked() -> None:
    assert taken(strata([LOWEST - 0.01, -9.0, LOWEST + 1, LOWEST + 2]), 9) == [3, 2]
    assert taken(strata([-9.0]), 9) == []
    assert taken(strata([]), 9) == []
    below = strata([LOWEST - 1, LOWEST])
    below.count(0)
    assert taken(below, 9) == [1]


def test_within_a_stratum_the_middle_comes_first_then_the_lower_ends() -> None:
    middle = LOWEST + 0.5 * WIDTH
    found = strata([middle + 0.4, middle, middle - 0.1, middle, HIGHEST], decided=(4,))
    assert taken(found, 9) == [1, 3, 2, 0]


def test_what_is_not_free_is_passed_over() -> None:
    found = strata(middles(2))
    assert found.next(lambda place: place == STRATA + 9) == STRATA + 9
    assert found.next(lambda place: place < 0) is None
    assert found.next(lambda _: True) is None


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 6000])
def test_places_come_by_keys_then_ends(count: int) -> None:
    """However many blocks it takes, and however many keys are equal."""
    random = np.random.default_rng(count)
    first, second = random.permutation(2 * count), random.permutation(2 * count)
    places = random.permutation(2 * count)[:count]
    for most in (1, 5, 100_000):
        keys = random.integers(0, most, count).astype(np.float64)
        found = ascending(keys, first, second, places)
        expected = sorted(
            zip(keys.tolist(), first[places].tolist(), second[places].tolist(), places.tolist(), strict=True)
        )
        assert list(islice(found, 10)) + list(found) == [place for *_, place in expected]
