"""Pairs for a person to decide: a plain oracle, and what must never be asked."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from app.matching.judge import Judge
from app.matching.postings import Posting
from app.matching.review import Unsure, review
from app.matching.stored import VerdictChange
from tests.matching.judged import tiny_judge

WORDS = ["kopi", "susu", "teh", "manis", "coklat", "gula"]


def shop(seed: int, count: int = 30) -> Judge:
    """A matcher of titles over random ones, in random order."""
    random = np.random.default_rng(seed)
    titles = [" ".join(random.choice(WORDS, random.integers(1, 5))) for _ in range(count)]
    numbers = random.permutation(count)
    return tiny_judge([Posting(f"p{number:02}", None, title) for number, title in zip(numbers, titles, strict=True)])


def log_odds(probability: float) -> float:
    held = min(max(probability, 1e-6), 1 - 1e-6)
    return log(held / (1 - held))


def asked_one_by_one(judge: Judge, threshold: float, limit: int) -> list[tuple[str, str, float]]:
    """The same by looking at every pair there is."""
    ids = [judge.catalogue[row].posting_id for row in range(judge.catalogue.span)]
    ordered = sorted(ids)
    labels = judge.clusters.all(threshold).assignment.labels
    crowd = {
        id_: (label if label >= 0 else f"alone {id_}") for id_, label in zip(ordered, labels.tolist(), strict=True)
    }
    pairs = []
    for row, one in enumerate(ids):
        rows, probabilities = judge.judged.of_row(row)
        for other_row, probability in zip(rows.tolist(), probabilities.tolist(), strict=True):
            if one < ids[other_row]:
                pairs.append((abs(log_odds(probability) - log_odds(threshold)), one, ids[other_row], probability))
    found, crowds = list[tuple[str, str, float]](), set[object]()
    for _, one, other, probability in sorted(pairs):
        if len(found) < limit and not {crowd[one], crowd[other]} & crowds and other not in judge.verdicts.of(one):
            found.append((one, other, probability))
            crowds |= {crowd[one], crowd[other]}
    return found


def told(found: list[Unsure]) -> list[tuple[str, str, float]]:
    return [(it.first, it.second, it.probability) for it in found]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("probability", [0.3, 0.6, 0.9])
def test_the_nearest_pairs_one_a_crowd_are_those_that_a_look_at_every_pair_finds(seed: int, probability: float) -> None:
    judge = shop(seed)
    for limit in (1, 3, 100):
        found = told(review(judge, judge.bar(None, probability), limit))
        expected = asked_one_by_one(judge, probability, limit)
        assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
        assert [pair[2] for pair in found] == pytest.approx([pair[2] for pair in expected])


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_that_somebody_decided_is_not_asked_again(seed: int) -> None:
    judge, decided = shop(seed), set[tuple[str, str]]()
    for revision in range(5):
        found = told(review(judge, judge.bar(None, 0.6), 1))
        if not found:
            break
        [(one, other, _)] = found
        assert (one, other) not in decided
        decided.add((one, other))
        change = VerdictChange(one, other, revision, "different")
        judge = replace(judge, verdicts=judge.verdicts.changed([change]))
    assert len(decided) >= 2


def test_at_a_threshold_of_one_the_surest_pair_is_asked_first() -> None:
    judge = shop(1)
    [best] = review(judge, judge.bar(None, 1.0), 1)
    assert best.probability == max(judge.judged.of_row(row)[1].max(initial=0) for row in range(judge.catalogue.span))


def test_a_catalogue_of_one_has_nothing_to_ask() -> None:
    judge = tiny_judge([Posting("a", None, "kopi")])
    assert review(judge, judge.bar(None, 0.5), 10) == []
