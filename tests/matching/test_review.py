"""Pairs for a person to decide."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.review import Unsure, review
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
    return log(held / (1 - held))


def asked_one_by_one(search: ProbabilitySearch, threshold: float, limit: int) -> list[tuple[str, str, float]]:
    """The same by looking at every pair there is; of equal titles the posting of the lowest id stands for all."""
    ids = [search.catalogue[row].posting_id for row in range(search.catalogue.span)]
    ordered = sorted(ids)
    labels = search.clusters.all(threshold).assignment.labels
    crowd = {
        id_: (label if label >= 0 else f"alone {id_}") for id_, label in zip(ordered, labels.tolist(), strict=True)
    }
    pairs = []
    standing = {search.catalogue.posting(it).title: it for it in reversed(ordered)}.values()
    every = search.pairs
    for left, right, probability in zip(every.left, every.right, every.probabilities.tolist(), strict=True):
        one, other = sorted((ids[left], ids[right]))
        if one in standing and other in standing:
            pairs.append((abs(log_odds(probability) - log_odds(threshold)), one, other, probability))
    found, crowds = list[tuple[str, str, float]](), set[object]()
    for _, one, other, probability in sorted(pairs):
        if len(found) < limit and not {crowd[one], crowd[other]} & crowds and other not in search.feedback.of(one):
            found.append((one, other, probability))
            crowds |= {crowd[one], crowd[other]}
    return found


def told(found: list[Unsure]) -> list[tuple[str, str, float]]:
    return [(it.first, it.second, it.probability) for it in found]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("probability", [0.3, 0.6, 0.9])
def test_the_nearest_pairs_are_those_of_a_naive_search(seed: int, probability: float) -> None:
    search = shop(seed)
    for limit in (1, 3, 100):
        found = told(review(search, search.rule(None, probability), limit))
        expected = asked_one_by_one(search, probability, limit)
        assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
        assert [pair[2] for pair in found] == pytest.approx([pair[2] for pair in expected])
