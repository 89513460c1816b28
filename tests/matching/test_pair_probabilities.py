"""Probabilities of pairs, and pairs of given probabilities."""

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.pair_probabilities import pair_probabilities, undecided_pairs
from pricematch.matching.probability import ProbabilitySearch
from tests.support.matchers import scored_search


@pytest.fixture(params=range(5))
def search(request: pytest.FixtureRequest) -> ProbabilitySearch:
    """Forty hashes, some of them equal, and postings without one; every third is gone."""
    draw = random.Random(request.param)
    postings = [
        Posting(f"p{place:02}", None, "", f"{(1 << draw.randint(0, 12)) - 1:016x}" if place % 7 else None)
        for place in range(40)
    ]
    found = scored_search(postings, ["hash"])
    catalogue = found.catalogue.changed([], [it.posting_id for it in postings[::3]])
    return found.placed(catalogue, np.arange(0), Features.of([], []))


def known(search: ProbabilitySearch) -> dict[tuple[str, str], float]:
    """By pair, its lower id first, of all candidates."""
    pairs, ids = search.pairs, search.catalogue.ids_of
    each = zip(ids(pairs.left), ids(pairs.right), pairs.probabilities.tolist(), strict=True)
    return {(min(one, other), max(one, other)): value for one, other, value in each}


def test_a_pair_has_the_probability_of_the_candidates(search: ProbabilitySearch) -> None:
    """In whichever order it is named; 0 where it is none, or one is gone."""
    expected = known(search)
    assert len(expected) > 20
    ids = [f"p{place:02}" for place in range(40)] + ["nobody"]
    pairs = [pair[::-1] if place % 2 else pair for place, pair in enumerate(combinations(ids, 2))]
    found = pair_probabilities(search, pairs)
    assert found.tolist() == [expected.get((min(pair), max(pair)), 0.0) for pair in pairs]
    assert pair_probabilities(search, []).tolist() == []


def test_undecided_pairs_are_those_between_two_probabilities(search: ProbabilitySearch) -> None:
    """Both included, whatever the others are."""
    expected = known(search)
    values = sorted(expected.values())
    least, most = values[len(values) // 4], values[-len(values) // 4]
    chosen = sorted(pair for pair, value in expected.items() if least <= value <= most)
    assert undecided_pairs(search, least, most) == chosen
    decided = NO_FEEDBACK.changed([FeedbackChange(*chosen[0], 1, "different"), FeedbackChange("a", "b", 2, "same")])
    assert undecided_pairs(replace(search, feedback=decided), least, most) == chosen[1:]
