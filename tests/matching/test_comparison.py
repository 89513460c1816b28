"""Comparison of two postings: the probability of a pair is that which it has among the matches."""

from itertools import permutations

import numpy as np
import pytest

from pricematch.catalogue.evidence import EvidenceFields
from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.matching.comparison import compare
from pricematch.matching.index import MatchIndex
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query
from tests.support.matchers import hashed, matcher_over, scored_search

pytestmark = pytest.mark.slow

WORDS = ["kopi", "susu", "teh", "gula", "manis", "hitam", "200 ml", "1 kg"]


def titled(count: int, seed: int = 0) -> list[Posting]:
    """Postings `p0`, `p1` … of two to four words."""
    random = np.random.default_rng(seed)
    titles = [" ".join(random.choice(WORDS, random.integers(2, 5), replace=False)) for _ in range(count)]
    return [Posting(f"p{row}", None, title) for row, title in enumerate(titles)]


def matcher_of(postings: list[Posting]) -> Matcher:
    search = scored_search(postings)
    return matcher_over(search.catalogue, {}, {}, search)


def probability(matcher: Matcher, left: Query | str, right: Query | str) -> float:
    found = compare(matcher, left, right, Options()).probability
    assert found is not None
    return found


def test_stored_postings_are_as_probable_as_their_matches() -> None:
    """In either order; those that are no candidates are scored, too."""
    matcher = matcher_of(titled(120))
    candidates = 0
    for left, right in permutations([f"p{row}" for row in range(40)], 2):
        found = matcher.match_posting(left, Options(limit=50, min_probability=0)).matches
        expected = {match.posting_id: match.probability for match in found}
        together = probability(matcher, left, right)
        assert together == probability(matcher, right, left)
        if right in expected:
            candidates += 1
            assert together == pytest.approx(expected[right], abs=1e-9)
    assert candidates > 100


def test_a_query_is_as_probable_as_its_matches() -> None:
    matcher = matcher_of(titled(120))
    for title in ("kopi susu 200 ml", "teh gula", "hitam manis kopi"):
        query = Query(title)
        for match in matcher.match(query, Options(limit=50, min_probability=0)).matches:
            assert match.probability == pytest.approx(probability(matcher, query, match.posting_id))
            assert match.probability == pytest.approx(probability(matcher, match.posting_id, query))


@pytest.mark.parametrize("posting_title", ["kopi gula batu", titled(60)[7].title])
def test_two_queries_are_compared_as_if_the_catalogue_had_the_first(posting_title: str) -> None:
    """Whether it has one that is equal already or not."""
    postings = titled(60)
    matcher, grown = matcher_of(postings), matcher_of(postings)
    left, right = posting_title, "kopi susu gula"
    grown = grown.changed([Posting("new", None, left)], [], [[]])
    assert probability(matcher, Query(left), Query(right)) == pytest.approx(probability(grown, "new", Query(right)))


def test_nothing_changes() -> None:
    matcher = matcher_of(titled(30))
    before = matcher.match(Query("kopi"), Options(limit=50, min_probability=0)).matches
    compare(matcher, Query("kopi baru"), Query("kopi lama"), Options())
    after = matcher.match(Query("kopi"), Options(limit=50, min_probability=0)).matches
    assert list(before) == list(after)


def test_what_has_nothing_in_common_has_no_probability() -> None:
    matcher = matcher_of([*hashed(3, 9), Posting("words", None, "kopi susu"), Posting("none", None, "")])
    for left, right in (("p0", "words"), ("none", "p1"), ("none", "words")):
        found = compare(matcher, left, right, Options())
        assert (found.probability, found.evidence, found.match_type, found.is_match) == (None,) * 4


def test_a_posting_is_itself() -> None:
    matcher = matcher_of([*hashed(3), Posting("words", None, "kopi susu")])
    assert [probability(matcher, it, it) for it in ("p0", "words")] == [1, 1]


def test_one_more_row_is_scored_as_its_candidates_are() -> None:
    """One that is a candidate anyway is one once."""
    search = scored_search(titled(40))
    index: MatchIndex = search.index
    features = Features.of(["kopi susu gula"], [None])
    plain = index.query(features)
    for row in range(index.span):
        found = index.query_with(features, row)
        assert (found.pairs.right == row).sum() == 1
        known = np.flatnonzero(plain.pairs.right == row)
        place = np.flatnonzero(found.pairs.right == row)
        if len(known):
            assert found.pairs.probabilities[place] == pytest.approx(plain.pairs.probabilities[known])


def test_evidence_is_compared() -> None:
    """Of stored postings, and of a query with its metadata; equal ones are sure with equal evidence alone."""
    price = Field("price", "number", evidence=True)
    prices = {"a": 5, "b": 5, "c": 9}
    postings = [
        Posting(name, None, f"kopi susu {name}x", metadata=Metadata({"price": it})) for name, it in prices.items()
    ]
    search = scored_search(postings, ("title",), evidence=EvidenceFields.every([price]))
    matcher = matcher_over(search.catalogue, {}, {}, search)
    assert probability(matcher, "a", "b") > probability(matcher, "a", "c") > 0
    equal = [Query("kopi susu ax", metadata=Metadata(it)) for it in ({"price": 5}, {"price": 6}, {})]
    assert [probability(matcher, it, "a") == 1 for it in equal] == [True, False, False]
    assert probability(matcher, equal[1], equal[1]) == 1
