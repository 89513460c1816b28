"""Pairs for a person to decide."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest

from app.matching.judge import Bar
from app.matching.postings import Posting
from app.matching.review import review
from app.matching.size_thresholds import Thresholds
from app.matching.stored import Decision, VerdictChange
from app.matching.verdicts import NO_VERDICTS, Verdicts
from tests.matching.judged import tiny_judge

DECISIONS: Sequence[Decision] = ["same", "different"]
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


def naive_review(postings: list[Posting], threshold: float, said: Verdicts) -> list[tuple[str, str]]:
    """Pair by pair, the nearest first; one where another was asked of either one's crowd is passed over."""
    judge = replace(tiny_judge(postings, ["hash"]), verdicts=said)
    labels = judge.clusters.all(threshold).assignment.labels.tolist()
    ids = [judge.catalogue[row].posting_id for row in judge.catalogue.by_id]
    crowd = {name: name if label < 0 else label for name, label in zip(ids, labels, strict=True)}

    def odds(probability: float) -> float:
        held = min(max(probability, 1e-6), 1 - 1e-6)
        return math.log(held / (1 - held))

    bits = {posting.posting_id: int(str(posting.image_phash), 16) for posting in postings}
    pairs = [(*pair, 1 - (bits[pair[0]] ^ bits[pair[1]]).bit_count() / 64) for pair in combinations(sorted(bits), 2)]
    candidates = {
        frozenset(judge.catalogue[int(row)].posting_id for row in ends)
        for ends in zip(*judge.judged.pairs[:2], strict=True)
    }
    asked, found = set[object](), list[tuple[str, str]]()
    for one, other, _ in sorted(pairs, key=lambda pair: (round(abs(odds(pair[2]) - odds(threshold)), 9), pair[:2])):
        fresh = not {crowd[one], crowd[other]} & asked
        if frozenset([one, other]) in candidates and fresh and other not in said.of(one):
            found.append((one, other))
            asked |= {crowd[one], crowd[other]}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_of_any_catalogue_the_pairs_are_those_that_going_through_all_pairs_finds(seed: int) -> None:
    draw = random.Random(seed)
    centres = [draw.getrandbits(64) for _ in range(4)]
    postings = [
        Posting(
            f"p{row:02}",
            None,
            image_phash=f"{draw.choice(centres) ^ sum(1 << bit for bit in draw.sample(range(64), 5)):016x}",
        )
        for row in range(16)
    ]
    names = [posting.posting_id for posting in postings]
    pairs = [(sorted(draw.sample(names, 2)), draw.choice(DECISIONS)) for _ in range(6)]
    said = NO_VERDICTS.changed(VerdictChange(one, other, 1, decision) for (one, other), decision in pairs)
    judge = replace(tiny_judge(postings, ["hash"]), verdicts=said)
    expected = naive_review(postings, 0.9, said)
    assert expected
    for limit in (1, 3, 100):
        assert [(it.first, it.second) for it in review(judge, BAR, limit)] == expected[:limit]
