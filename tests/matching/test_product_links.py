"""What holds the postings of a product together, against looking at every pair."""

import random

import numpy as np
import pytest

from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.product_links import Link, product_links
from pricematch.matching.ranked_matches import match_pair
from tests.support.matchers import hashed, scored_search

pytestmark = pytest.mark.slow

HASH = ("hash",)


def probability(search: ProbabilitySearch, one: str, other: str) -> float:
    """Of two stored postings."""
    decision = search.feedback.of(one).get(other)
    if decision is not None:
        return float(decision == "same")
    rows = [search.catalogue.row(it) for it in (one, other)]
    return float(match_pair(search, *rows).probabilities[0])


def parts(ids: list[str], pairs: list[Link]) -> int:
    """How many parts links leave some postings in."""
    of = {it: it for it in ids}
    for pair in pairs:
        of = {it: of[pair.first] if part == of[pair.second] else part for it, part in of.items()}
    return len(set(of.values()))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("step", [2, 13], ids=["few equal", "many equal"])
def test_links_are_those_of_every_pair(seed: int, step: int) -> None:
    drawn = random.Random(seed)
    search = scored_search(hashed(*(drawn.choice([None, *range(0, 40, step)]) for _ in range(12))), HASH)
    decided = [FeedbackChange(f"p{it}", f"p{it + 1}", 1, drawn.choice(["same", "different"])) for it in (2, 6)]
    search = search.with_feedback(NO_FEEDBACK.changed(decided))
    rows = np.array(drawn.sample(range(12), drawn.randint(1, 9)))
    ids, threshold = sorted(search.catalogue.ids_of(rows)), 0.9
    found = product_links(search, rows, threshold)
    pairs = [Link(one, two, probability(search, one, two)) for at, one in enumerate(ids) for two in ids[at + 1 :]]
    means = [np.mean([it.probability for it in pairs if of in (it.first, it.second)]) if pairs else 1 for of in ids]
    near = [it for it in pairs if it.probability >= threshold]
    bridges = [it for it in near if parts(ids, [other for other in near if other != it]) > parts(ids, near)]
    levels = [it.probability for it in pairs if it.probability > 0]
    held = [level for level in levels if parts(ids, [it for it in pairs if it.probability >= level]) == 1]
    assert found.posting_ids == ids
    assert found.probabilities.tolist() == pytest.approx(means)
    assert {(it.first, it.second) for it in found.bridges} == {(it.first, it.second) for it in bridges}
    assert (None if found.weakest is None else found.weakest.probability) == (max(held) if held else None)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_equal_postings_are_the_same_for_sure(count: int) -> None:
    """Of two alone the one pair is a bridge; of more none is."""
    found = product_links(scored_search(hashed(*[5] * count), HASH), np.arange(count), 0.9)
    assert found.probabilities.tolist() == [1.0] * count
    assert found.weakest == Link("p0", "p1", 1.0)
    assert found.bridges == ([Link("p0", "p1", 1.0)] if count == 2 else [])


def test_links_of_many_equal_postings_are_not_looked_at_one_by_one() -> None:
    """A hundred thousand are five thousand million pairs."""
    search = scored_search(hashed(*[5] * 100_000, 6), HASH)
    items, left, _, _ = search.clusters.within(search.catalogue.rows)
    assert (items.max(), len(left)) == (1, 1)
    found = product_links(search, search.catalogue.rows, 0.9)
    assert found.weakest is not None
    assert (found.weakest.first, found.bridges) == ("p0", [])


def test_a_posting_alone_needs_no_link() -> None:
    found = product_links(scored_search(hashed(0, 1), HASH), np.array([1]), 0.5)
    assert (found.posting_ids, found.probabilities.tolist(), found.weakest, found.bridges) == (["p1"], [1.0], None, [])
