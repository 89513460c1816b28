"""Pairs for a person to decide."""

from collections import Counter
from dataclasses import replace
from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.review import Unsure, review
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.thresholds import DecisionRule, Thresholds
from tests.support.matchers import scored_search

WORDS = ["kopi", "susu", "teh", "manis", "coklat", "gula"]
RULE = DecisionRule(None, Thresholds(0.9, 0.9))


def posting(posting_id: str, *bits: int) -> Posting:
    """A posting whose hash has these bits: pairs are as probable as the share of bits that are equal."""
    return Posting(posting_id, None, image_phash=f"{sum(1 << bit for bit in bits):016x}")


def pairs(postings: list[Posting], limit: int = 10) -> list[tuple[str, str, float]]:
    search = scored_search(postings, ["hash"])
    return [(it.first, it.second, it.probability) for it in review(search, RULE, limit)]


FAR = tuple(range(32, 64))


def test_the_pair_whose_probability_is_nearest_the_threshold_comes_first() -> None:
    # two pairs far from each other: 6 of 64 bits differ (0.906), and 12 (0.8125)
    found = pairs([posting("a"), posting("b", *range(6)), posting("c", *FAR), posting("d", *FAR, *range(12))])
    assert [(one, other) for one, other, _ in found] == [("a", "b"), ("c", "d")]
    assert found[0][2] == pytest.approx(58 / 64)


def test_of_a_crowd_one_pair_is_reviewed() -> None:
    crowd = [posting(name, bit) for bit, name in enumerate("abcd")]  # 2 bits differ: 0.97, one cluster
    found = pairs([*crowd, posting("y", *FAR), posting("z", *FAR, *range(10))])
    assert len([pair for pair in found if pair[0] in "abcd" and pair[1] in "abcd"]) == 1
    assert ("y", "z") in [pair[:2] for pair in found]


def test_decided_pairs_are_not_reviewed_again() -> None:
    search = scored_search([posting("a"), posting("b", *range(6))], ["hash"])
    assert len(review(search, RULE, 10)) == 1
    decided = replace(search, feedback=NO_FEEDBACK.changed([FeedbackChange("a", "b", 1, "different")]))
    assert review(decided, RULE, 10) == []


def test_the_limit_of_pairs_holds() -> None:
    postings = [posting(f"{row}", *range(row * 7, row * 7 + 7)) for row in range(6)]
    assert len(pairs(postings, 1)) == 1
    assert pairs([]) == []


def test_each_is_explained() -> None:
    search = scored_search([posting("a"), posting("b", *range(6))], ["hash"])
    [pair] = review(search, RULE, 1)
    assert pair.explanation.signals["hash"] == pytest.approx(58 / 64)


def shop(seed: int, count: int = 30) -> ProbabilitySearch:
    """A matcher of titles over random ones, in random order."""
    random = np.random.default_rng(seed)
    titles = [" ".join(random.choice(WORDS, random.integers(1, 5))) for _ in range(count)]
    numbers = random.permutation(count)
    return scored_search([Posting(f"p{number:02}", None, title) for number, title in zip(numbers, titles, strict=True)])


def log_odds(probability: float) -> float:
    held = min(max(probability, 1e-6), 1 - 1e-6)
    return round(log(held / (1 - held)), 9)


Asked = tuple[str, str, float]


class Naive:
    """The same by looking at every pair there is; of equal titles the posting of the lowest id stands for all.

    Signals never disagree in a search of titles.
    """

    def __init__(self, search: ProbabilitySearch, threshold: float) -> None:
        ids = [search.catalogue[row].posting_id for row in range(search.catalogue.span)]
        ordered = sorted(ids)
        labels = search.clusters.all(threshold).assignment.labels.tolist()
        self.crowd = {
            id_: str(label) if label >= 0 else f"alone {id_}" for id_, label in zip(ordered, labels, strict=True)
        }
        self.sizes = Counter(self.crowd.values())
        standing = {search.catalogue.posting(it).title: it for it in reversed(ordered)}.values()
        every = search.pairs
        ends = [sorted((ids[left], ids[right])) for left, right in zip(every.left, every.right, strict=True)]
        known = zip(ends, every.probabilities.tolist(), strict=True)
        pairs = [(one, other, p) for (one, other), p in known if one in standing and other in standing]
        self.threshold, self.feedback = log_odds(threshold), search.feedback
        self.lowest = log(0.05 / 0.95)
        highest = max([self.lowest, *(log_odds(p) for _, _, p in pairs)])
        self.width = (highest - self.lowest) / 10 or 1.0
        self.asked = Counter(self.stratum(pair) for pair in pairs if self.decided(pair))
        self.pairs = [pair for pair in pairs if not self.decided(pair)]

    def decided(self, pair: Asked) -> bool:
        return pair[1] in self.feedback.of(pair[0])

    def stratum(self, pair: Asked) -> int:
        """Its number; −1 below all."""
        return min(9, int((log_odds(pair[2]) - self.lowest) / self.width)) if log_odds(pair[2]) >= self.lowest else -1

    def near(self, pair: Asked) -> tuple[float, str, str]:
        joined = sum(self.sizes[crowd] for crowd in {self.crowd[pair[0]], self.crowd[pair[1]]})
        return round(max(abs(log_odds(pair[2]) - self.threshold), 1e-3) / (joined / 2) ** 0.5, 9), pair[0], pair[1]

    def spread(self, pair: Asked) -> tuple[int, int, int, float, str, str]:
        number = self.stratum(pair)
        open_ = [self.asked[self.stratum(other)] for other in self.pairs if self.stratum(other) >= 0]
        more = [it for it in range(10) if self.asked[it] > min(open_)]
        middle = self.lowest + (number + 0.5) * self.width
        apart = min((abs(number - it) for it in more), default=0)
        return self.asked[number], -apart, -number, round(abs(log_odds(pair[2]) - middle), 9), pair[0], pair[1]

    def review(self, limit: int) -> list[Asked]:
        found = list[Asked]()
        while self.pairs and len(found) < limit:
            above = [pair for pair in self.pairs if self.stratum(pair) >= 0]
            spread_turn = (len(self.feedback) + len(found)) % 2 == 1 and above
            taken = min(above, key=self.spread) if spread_turn else min(self.pairs, key=self.near)
            found.append(taken)
            self.asked[self.stratum(taken)] += 1
            crowds = {self.crowd[taken[0]], self.crowd[taken[1]]}
            self.pairs = [pair for pair in self.pairs if not {self.crowd[pair[0]], self.crowd[pair[1]]} & crowds]
        return found


def told(found: list[Unsure]) -> list[tuple[str, str, float]]:
    return [(it.first, it.second, it.probability) for it in found]


def decided(search: ProbabilitySearch, *pairs: tuple[str, str]) -> ProbabilitySearch:
    return replace(search, feedback=NO_FEEDBACK.changed([FeedbackChange(*pair, 1, "different") for pair in pairs]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("probability", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("decisions", [0, 3, 8])
def test_pairs_and_their_order_are_those_of_a_naive_search(seed: int, probability: float, decisions: int) -> None:
    search = shop(seed)
    search = decided(search, *(pair[:2] for pair in Naive(search, probability).review(decisions)))
    for limit in (1, 3, 100):
        found = told(review(search, search.rule(None, probability), limit))
        expected = Naive(search, probability).review(limit)
        assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
        assert [pair[2] for pair in found] == pytest.approx([pair[2] for pair in expected])


@pytest.mark.parametrize("seed", range(3))
def test_a_lower_limit_is_a_beginning_whatever_the_order_of_rows(seed: int) -> None:
    search = shop(seed, 60)
    rule, postings = search.rule(None, 0.6), list(search.catalogue)
    every = told(review(search, rule, 100))
    assert len(every) > 4
    assert len({pair[:2] for pair in every}) == len(every)
    for limit in (1, 2, 4):
        shuffled = [postings[row] for row in np.random.default_rng(limit).permutation(len(postings))]
        found = told(review(scored_search(shuffled), rule, limit))
        assert [pair[:2] for pair in found] == [pair[:2] for pair in every[:limit]]


def apart(count: int) -> list[tuple[int, ...]]:
    """Sets of 16 bits that are far from each other: any two, of 64, differ in 16 at least."""
    random = np.random.default_rng(1)
    found = list[tuple[int, ...]]()
    while len(found) < count:
        bits = tuple(random.choice(64, 16, replace=False).tolist())
        if all(len({*bits} ^ {*other}) >= 22 for other in found):
            found.append(bits)
    return found


def two(name: str, bits: tuple[int, ...], differing: int) -> list[Posting]:
    """Two postings that differ in so many bits, `name`0 and `name`1."""
    return [posting(f"{name}0", *bits), posting(f"{name}1", *{*bits} ^ set(range(differing)))]


def test_pairs_near_the_threshold_and_spread_ones_take_turns() -> None:
    """The first is near, the next far away; after one decision it is the other way round."""
    ends = apart(4)
    postings = [
        it
        for name, bits, differing in zip("abcd", ends, (6, 7, 0, 15), strict=True)
        for it in two(name, bits, differing)
    ]
    postings[5] = posting("c1", *ends[2], 63) if 63 not in ends[2] else posting("c1", *{*ends[2]} - {63})
    search = scored_search(postings, ["hash"])
    first, second, *_ = review(search, RULE, 10)
    assert (first.first, second.first) == ("a0", "c0")
    begun = review(decided(search, ("a0", "a1")), RULE, 1)
    assert begun[0].first == "c0"


def test_of_equally_near_pairs_the_one_that_joins_most_comes_first() -> None:
    """Ten bits differ between c0 and its neighbours d, which are a cluster, as do between a0 and a1."""
    one, other = apart(2)
    crowd = [posting(f"d{row}", *({*other} ^ {*range(10)} ^ {60 + row})) for row in range(3)]
    postings = [*two("a", one, 10), posting("c0", *other), *crowd]
    search = scored_search(postings, ["hash"])
    found = review(search, search.rule(None, 0.9), 1)
    assert found[0].first == "c0"


class AgainstHalf:
    """Implements `pairs.model.Scorer` as a model whose similarities above a half are for a pair, others against it."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.nan_to_num(features[:, self._columns[0]].astype(np.float64), nan=0.0)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros(features.shape)
        found[:, self._columns] = np.nan_to_num(features[:, self._columns] - 0.5, nan=0.0)
        return found

    _columns = tuple(pair_feature_names(["hash", "title"]).index(f"{name}_similarity") for name in ("hash", "grams"))


def test_of_equally_near_pairs_the_one_whose_signals_disagree_comes_first() -> None:
    """All hashes differ in six bits; the titles of a are equal, b has none, those of c of different words."""
    titles = ["kopi susu", "kopi susu", "", "", "gula merah", "teh manis"]
    drawn = [it for name, bits in zip("abc", apart(3), strict=True) for it in two(name, bits, 6)]
    search = scored_search([replace(it, title=title) for it, title in zip(drawn, titles, strict=True)])
    same = replace(search.index.base, probabilities=np.full(len(search.index.base), 0.8))
    model = replace(search.index.model, first=AgainstHalf())
    search = replace(search, index=replace(search.index, base=same, model=model))
    found = review(search, search.rule(None, 0.9), 1)
    assert (found[0].first, found[0].second) == ("c0", "c1")


def test_copies_of_decided_postings_are_not_reviewed() -> None:
    """Who decided on a copy has said of the pair what the matcher could learn."""
    search = scored_search([posting("a"), posting("a2"), posting("b", *range(6))], ["hash"])
    assert [(it.first, it.second) for it in review(search, RULE, 10)] == [("a", "b")]
    assert review(decided(search, ("a2", "b")), RULE, 10) == []
    assert len(review(decided(search, ("a", "a2")), RULE, 10)) == 1
