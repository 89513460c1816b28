"""Pairs for a person to decide."""

from dataclasses import replace

import pytest

from app.matching.judge import Bar
from app.matching.postings import Posting
from app.matching.review import review
from app.matching.size_thresholds import Thresholds
from app.matching.stored import VerdictChange
from app.matching.verdicts import NO_VERDICTS
from tests.matching.judged import tiny_judge

BAR = Bar(None, Thresholds(0.9, 0.9))


def posting(posting_id: str, *bits: int) -> Posting:
    """A posting whose hash has these bits: pairs are as probable as the share of bits that are equal."""
    return Posting(posting_id, None, image_phash=f"{sum(1 << bit for bit in bits):016x}")


def pairs(postings: list[Posting], limit: int = 10) -> list[tuple[str, str, float]]:
    judge = tiny_judge(postings, ["hash"])
    return [(it.first, it.second, it.probability) for it in review(judge, BAR, limit)]


FAR = tuple(range(32, 64))


def test_the_pair_whose_probability_is_nearest_the_threshold_comes_first() -> None:
    # two pairs far from each other: 6 of 64 bits differ (0.906), and 12 (0.8125)
    found = pairs([posting("a"), posting("b", *range(6)), posting("c", *FAR), posting("d", *FAR, *range(12))])
    assert [(one, other) for one, other, _ in found] == [("a", "b"), ("c", "d")]
    assert found[0][2] == pytest.approx(58 / 64)


def test_of_a_crowd_one_pair_is_asked() -> None:
    crowd = [posting(name, bit) for bit, name in enumerate("abcd")]  # 2 bits differ: 0.97, one cluster
    found = pairs([*crowd, posting("y", *FAR), posting("z", *FAR, *range(10))])
    assert len([pair for pair in found if pair[0] in "abcd" and pair[1] in "abcd"]) == 1
    assert ("y", "z") in [pair[:2] for pair in found]


def test_what_is_decided_is_not_asked_again() -> None:
    judge = tiny_judge([posting("a"), posting("b", *range(6))], ["hash"])
    assert len(review(judge, BAR, 10)) == 1
    decided = replace(judge, verdicts=NO_VERDICTS.changed([VerdictChange("a", "b", 1, "different")]))
    assert review(decided, BAR, 10) == []


def test_no_more_than_asked_for_come_and_of_nothing_nothing() -> None:
    postings = [posting(f"{row}", *range(row * 7, row * 7 + 7)) for row in range(6)]
    assert len(pairs(postings, 1)) == 1
    assert pairs([]) == []


def test_each_is_explained() -> None:
    judge = tiny_judge([posting("a"), posting("b", *range(6))], ["hash"])
    [pair] = review(judge, BAR, 1)
    assert pair.explanation.evidence.signals["hash"] == pytest.approx(58 / 64)
