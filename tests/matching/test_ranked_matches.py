"""Matches of one posting by probability: their order, the thresholds of a rule, and why they match."""

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import explain, match_pair, match_query, match_row
from pricematch.pairs.bounds import ordinary
from pricematch.pairs.thresholds import DecisionRule, Thresholds
from tests.support.matchers import THRESHOLDS, hashed, scored_search, tiny_model
from tests.support.searches import after, matches, queried

pytestmark = pytest.mark.slow

HASH = ("hash",)
BIT_APART = float(ordinary(np.array(63 / 64)))
"""The probability of postings whose hashes differ in one bit."""


def test_equal_probabilities_come_by_their_ids() -> None:
    """Whenever the postings came."""
    search = scored_search([Posting("m", None, image_phash="0" * 16), Posting("x", None, image_phash="0" * 16)], HASH)
    search = after(search, [Posting("z", None, image_phash="0" * 16), Posting("a", None, image_phash="0" * 16)])
    search = after(search, [Posting("x", None, image_phash="0" * 16), Posting("c", None, image_phash="0" * 16)])
    assert [name for name, _ in matches(search, "m")] == ["a", "c", "x", "z"]
    assert [name for name, _ in queried(search, Posting("new", None, image_phash="0" * 16))] == [
        "a",
        "c",
        "m",
        "x",
        "z",
    ]


def test_the_fallback_takes_the_best_candidate_alone() -> None:
    """From the fallback threshold on the best one matches where none reaches the other; below it none does."""
    search = scored_search(hashed(0, 4, 8), HASH)
    best, second = matches(search, "p0")[:2]
    assert best[1] > second[1]

    def found(match: float, fallback: float) -> list[str]:
        ranked = match_row(search, search.catalogue.row("p0"), DecisionRule(None, Thresholds(match, fallback)))
        return search.catalogue.ids_of(ranked.rows)

    above = np.nextafter(best[1], 1)
    assert found(above, best[1]) == found(above, second[1]) == [best[0]]
    assert found(above, above) == []
    assert found(second[1], second[1]) == [best[0], second[0]]


def test_added_matches_are_explained_by_their_titles() -> None:
    """Whether the posting, its match, or both were added."""
    search = scored_search([Posting("p0", None, "kopi susu 200 ml"), Posting("p1", None, "kopi hitam", "0" * 16)])
    search = after(search, [Posting("p1", None, "kopi susu 1 l"), Posting("p2", None, "kopi susu 200 ml")])
    for posting_id, other in (("p0", "p2"), ("p2", "p0"), ("p1", "p2")):
        found = match_row(search, search.catalogue.row(posting_id), search.rule(None, 0))
        place = [search.catalogue[row].posting_id for row in found.rows].index(other)
        [explanation] = explain(search, found, np.array([place]))
        words = "titles have the same words" if posting_id != "p1" else "titles share the word 'susu'"
        assert [reason.text for reason in explanation.reasons] == [words]
        assert "hash" not in explanation.signals
        assert (explanation.signals["words"] > 0.99) == (posting_id != "p1")


def test_of_equal_postings_the_one_with_the_same_file_comes_first() -> None:
    """They are one node, whose features are those of one of them; an image that was encoded again is another file."""
    titles = ["kopi susu gula aren", "kopi susu gula aren", "teh manis"]
    postings = [Posting(f"p{row}", "image", title, "0" * 15 + "f") for row, title in enumerate(titles)]
    digests = [bytes([row + 1]) * 32 for row in range(3)]
    features = Features.of(titles, [it.image_phash for it in postings], images=digests)
    signals = ("hash", "title")
    catalogue = Catalogue(postings)
    search = ProbabilitySearch.build("matcher/1", catalogue, features, tiny_model(signals), THRESHOLDS)
    for row in (0, 1, 2):
        one = features.select(np.array([row]))
        for asked in (one, one.without_titles(np.zeros(1, np.intp))):
            found = match_query(search, asked, search.rule(None, 0.5))
            assert found.rows[0] == row
            assert found.probabilities[0] >= 0.995
            [explanation, *_] = explain(search, found, np.arange(len(found.rows)))
            assert explanation.match_type == "identical"
    image = features.select(np.array([1])).without_titles(np.zeros(1, np.intp))
    found = match_query(search, image, search.rule(None, 0.5))
    assert (found.probabilities >= 0.995).tolist() == [True, False, False]


def test_a_pair_has_its_probability() -> None:
    """Whichever end is named first; 0 where it is no candidate."""
    search = after(scored_search(hashed(0, 60), HASH), [Posting("p2", None, image_phash=f"{1:016x}")])
    row = search.catalogue.row
    assert match_pair(search, row("p0"), row("p2")).probabilities.tolist() == pytest.approx([BIT_APART])
    assert match_pair(search, row("p2"), row("p0")).probabilities.tolist() == pytest.approx([BIT_APART])
    assert match_pair(search, row("p2"), row("p1")).probabilities.tolist() == [0]
