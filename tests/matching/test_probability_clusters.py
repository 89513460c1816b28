"""Clusters around some postings are those of the whole catalogue."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Decision, FeedbackChange
from pricematch.clustering.assignment import Assignment
from pricematch.matching.probability import ProbabilitySearch
from tests.support.matchers import hashed, scored_search

pytestmark = pytest.mark.slow

THRESHOLDS = (0.5, 0.9, 63 / 64, 1.0)
DECISIONS: Sequence[Decision] = ("same", "different")


def after(search: ProbabilitySearch, put: Sequence[Posting], removed: Sequence[str]) -> ProbabilitySearch:
    catalogue = search.catalogue.changed(put, removed)
    features = Features.of([it.title for it in put], [it.image_phash for it in put])
    return search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features)


def drawn_search(drawn: random.Random) -> ProbabilitySearch:
    """Postings that were scored together, others that came, went or changed since, and feedback on some."""
    names = [f"p{number}" for number in range(30)]
    search = scored_search(hashed(*(drawn.choice([None, *range(0, 65, 3)]) for _ in range(14))), ("hash",))
    for _ in range(4):
        hashes = hashed(*(drawn.choice([None, *range(0, 65, 2)]) for _ in range(4)))
        put = [replace(it, posting_id=name) for it, name in zip(hashes, drawn.sample(names, 4), strict=True)]
        search = after(search, put, drawn.sample(names, 3))
    there = sorted(search.catalogue.posting_ids)
    decided = {tuple(sorted(drawn.sample(there, 2))) for _ in range(drawn.choice([0, 1, 6]))}
    changes = [FeedbackChange(one, other, 1, drawn.choice(DECISIONS)) for one, other in sorted(decided)]
    return search.with_feedback(NO_FEEDBACK.changed(changes))


def parts(rows: NDArray[np.integer], found: Assignment) -> set[frozenset[int]]:
    """Clusters as sets of rows, those of one posting among them."""
    clusters = {frozenset(rows[members].tolist()) for members in found.members}
    return clusters | {frozenset([row]) for row in rows[found.labels < 0].tolist()}


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("seed", range(25))
def test_clusters_around_a_posting_are_those_of_the_catalogue(seed: int, threshold: float) -> None:
    """Each with its cohesion; no cluster reaches beyond the postings around it."""
    search = drawn_search(random.Random(seed))
    rows = search.catalogue.by_id
    whole = search.clusters.all(threshold)
    every = parts(rows, whole.assignment)
    cohesion = {
        frozenset(rows[members].tolist()): value
        for members, value in zip(whole.assignment.members, whole.cohesion, strict=True)
    }
    for row in rows:
        around, found = search.clusters.around(np.array([row]), threshold)
        assert row in around
        assert parts(around, found.assignment) <= every
        for members, value in zip(found.assignment.members, found.cohesion, strict=True):
            assert cohesion[frozenset(around[members].tolist())] == value


def test_around_no_posting_there_is_nothing() -> None:
    search = scored_search(hashed(0, 1), ("hash",))
    rows, found = search.clusters.around(np.empty(0, np.intp), 0.5)
    assert (len(rows), len(found.assignment.members)) == (0, 0)


def test_what_is_far_is_not_looked_at() -> None:
    search = scored_search(hashed(0, 1, 40, 41), ("hash",))
    rows, found = search.clusters.around(np.array([1]), 0.9)
    assert (rows.tolist(), len(found.assignment.members)) == ([0, 1], 1)
