"""Matches that a filter holds of: the same ones as without it, and what comes in the place of others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import EncoderInfo, ImageFeatures
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.errors import FieldNotDeclared
from pricematch.formats.default_matcher import read_default
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Options, Query, Result
from pricematch.matching.ranked_matches import match_query, match_row
from pricematch.matching.similarity import SimilaritySearch
from pricematch.pairs.thresholds import DecisionRule, Thresholds
from tests.support.catalogues import labelled_postings
from tests.support.fakes import by_similarity
from tests.support.matchers import hashed, matcher_over, scored_search
from tests.support.searches import features_of

pytestmark = pytest.mark.slow

DEFAULT = read_default()
SELLERS = ("acme", "lg", "tokyo")


def sold(postings: Sequence[Posting]) -> list[Posting]:
    """The postings, each of a seller and some at a price."""
    return [
        replace(it, metadata=Metadata({"seller": SELLERS[row % 3]} | ({"price": row} if row % 4 else {})))
        for row, it in enumerate(postings)
    ]


def shop(count: int = 200, seed: int = 1) -> Matcher:
    """Postings by the default model, compared by hashes and titles; some are copies of others, by another seller."""
    postings = labelled_postings(count, seed)
    copies = [replace(it, posting_id=f"copy of {it.posting_id}") for it in postings[::9]]
    every = sold([*postings, *copies])
    catalogue, features = Catalogue(every), features_of(every)
    model, thresholds = DEFAULT.model, DEFAULT.size_thresholds
    empty = {name: np.zeros((len(every), 1), np.float32) for name in ("image", "colours")}
    features = replace(features, embeddings=empty)
    search = ProbabilitySearch.build("matcher/default", catalogue, features, model, thresholds)
    return matcher_over(catalogue, {}, {}, search)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return shop()


def asked(text: str, **options: Any) -> Options:
    return Options(filter=read_filter(text, 4096), **options)


def shown(result: Result) -> list[Any]:
    return [list(result.matches), result.decision, result.next]


def scores(result: Result) -> dict[str, float]:
    return {match.posting_id: match.probability or 0.0 for match in result.matches}


QUERIES = [Query(it.title) for it in labelled_postings(12, 7)]


def test_a_filter_that_holds_of_all_changes_nothing(matcher: Matcher) -> None:
    """To the last bit, whether a query or a stored posting is asked about."""
    for options in (Options(), Options(limit=50, min_probability=0.01), Options(limit=3, first=2)):
        every = replace(options, filter=read_filter("seller=acme|lg|tokyo", 4096))
        for query in QUERIES:
            assert shown(matcher.match(query, every)) == shown(matcher.match(query, options))
        for posting_id in matcher.catalogue.posting_ids[::7]:
            assert shown(matcher.match_posting(posting_id, every)) == shown(matcher.match_posting(posting_id, options))


def test_a_filter_that_holds_of_none_leaves_none(matcher: Matcher) -> None:
    options = asked("seller=nobody", min_probability=0)
    assert not len(matcher.match(QUERIES[0], options).matches)
    assert not len(matcher.match_posting("p0", options).matches)


@pytest.mark.parametrize("text", ["seller=lg", "seller!=lg;price=20..120", "!price", "$posting_id=p3|p5|p100"])
def test_matches_are_those_of_before_that_it_holds_of_and_more(matcher: Matcher, text: str) -> None:
    """All as probable as without it, in descending order; each of the allowed that had no place may come."""
    more, options = 0, asked(text, limit=1000, min_probability=0)
    allowed = matcher.allowed(options.filter)
    assert allowed is not None
    ids = set(matcher.catalogue.ids_of(np.flatnonzero(allowed)))

    def check(plain: Result, found: Result, own: str | None) -> int:
        before, now = scores(plain), scores(found)
        kept = {posting_id: it for posting_id, it in before.items() if posting_id in ids}
        assert now.keys() <= ids - {own}
        assert {posting_id: now[posting_id] for posting_id in kept} == kept
        assert list(now.values()) == sorted(now.values(), reverse=True)
        assert plain.decision == found.decision
        return len(now) - len(kept)

    for query in QUERIES:
        plain = matcher.match(query, replace(options, filter=None))
        more += check(plain, matcher.match(query, options), None)
    for posting_id in matcher.catalogue.posting_ids[::7]:
        plain = matcher.match_posting(posting_id, replace(options, filter=None))
        more += check(plain, matcher.match_posting(posting_id, options), posting_id)
    assert more


def test_what_comes_in_the_place_of_others_is_explained(matcher: Matcher) -> None:
    """A stored posting and the same one as a query get the same signals."""
    options = asked("$posting_id=p3", min_probability=0)
    [stored] = matcher.match_posting("p0", options).matches
    [queried] = matcher.match(Query(matcher.catalogue.posting("p0").title), options).matches
    assert stored.evidence is not None
    assert queried.evidence is not None
    assert all(queried.evidence.signals[name] == stored.evidence.signals[name] for name in ("words", "grams"))
    assert queried.evidence.reasons
    assert stored.evidence.reasons


def test_pages_of_filtered_matches_fit_together(matcher: Matcher) -> None:
    whole = matcher.match_posting("p0", asked("seller=lg", limit=30, min_probability=0))
    pages = [
        match
        for first in range(0, 30, 10)
        for match in matcher.match_posting("p0", asked("seller=lg", limit=10, first=first, min_probability=0)).matches
    ]
    assert pages == list(whole.matches)


def test_copies_of_one_posting_are_let_through_one_by_one() -> None:
    """They are one node, and only those allowed come; the probability is 1."""
    each = sold([Posting(f"p{row}", None, image_phash="0" * 16) for row in range(6)])
    matcher = matcher_over(Catalogue(each), {}, {}, scored_search(each, ("hash",)))
    found = matcher.match_posting("p0", asked("seller=lg"))
    assert scores(found) == {"p1": 1.0, "p4": 1.0}
    assert scores(matcher.match_posting("p0", asked("seller=acme"))) == {"p3": 1.0}


def test_the_fallback_is_for_who_is_alone_in_the_whole_catalogue() -> None:
    """A weaker one that is allowed does not match where a better one that is not would."""
    stored, query = scored_search(hashed(0, 2, 4), ("hash",)), features_of(hashed(0))
    others = scored_search(hashed(None, 2, 4), ("hash",))
    only = np.array([False, False, True])
    anyhow = DecisionRule(None, Thresholds(0, 0))
    high, low = match_row(stored, 0, anyhow).probabilities.tolist()
    assert match_query(others, query, anyhow).probabilities.tolist() == [high, low]
    for threshold, expected in ((high, []), (np.nextafter(high, 1), ["p2"])):
        rule = DecisionRule(None, Thresholds(threshold, low))
        assert stored.catalogue.ids_of(match_row(stored, 0, rule, only).rows) == expected
        assert others.catalogue.ids_of(match_query(others, query, rule, only).rows) == expected
        assert others.catalogue.ids_of(match_query(others, query, rule).rows) == ["p1"]


def test_people_decide_of_what_is_allowed_only() -> None:
    """One that is the same but not allowed is none, and still leaves nobody alone."""
    search = scored_search(hashed(0, 1, 60, 64), ("hash",))
    changes = [FeedbackChange("p0", "p3", 1, "same"), FeedbackChange("p0", "p1", 2, "different")]
    search = search.with_feedback(NO_FEEDBACK.changed(changes))
    rule, span = DecisionRule(None, Thresholds(0.9, 0)), search.catalogue.span
    for names in (["p1", "p2", "p3"], ["p1", "p2"], ["p3"]):
        allowed = np.zeros(span, np.bool_)
        allowed[[search.catalogue.row(name) for name in names]] = True
        found = match_row(search, 0, rule, allowed)
        assert search.catalogue.ids_of(found.rows) == (["p3"] if "p3" in names else [])
        assert found.decided == len(found.rows)


def test_filters_follow_changes_of_the_catalogue() -> None:
    search = scored_search(sold(hashed(0, 1, 2)), ("hash",))
    matcher = matcher_over(search.catalogue, {}, {}, search).with_fields([Field("seller", "text")])
    new = Posting("new", None, image_phash="0" * 16, metadata=Metadata({"seller": "tokyo"}))
    now = matcher.changed([new], ["p1"], [[]])
    assert list(scores(now.match_posting("p0", asked("seller=tokyo", min_probability=0)))) == ["new", "p2"]
    assert list(scores(matcher.match_posting("p0", asked("seller=lg", min_probability=0)))) == ["p1"]
    moved = now.with_metadata({now.catalogue.row("p2"): Metadata({"seller": "acme"})})
    assert list(scores(moved.match_posting("p0", asked("seller=tokyo", min_probability=0)))) == ["new"]
    assert list(scores(moved.match_posting("p0", asked("seller=acme", min_probability=0)))) == ["p2"]


def test_by_similarity_the_nearest_of_those_allowed_come() -> None:
    """Against a naive ranking, of queries and of stored postings."""
    rng = np.random.default_rng(3)
    embeddings = rng.normal(size=(60, 4)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    catalogue = Catalogue(sold([Posting(f"p{row:02}", "image") for row in range(60)]))
    matcher = by_similarity(SimilaritySearch.of(EncoderInfo("k", {"own": "1"}, 4, -1.0), catalogue, embeddings))
    cosines = embeddings.astype(np.float64) @ embeddings.astype(np.float64).T
    for text, allowed in (("seller=lg", range(1, 60, 3)), ("seller=nobody", ()), ("$posting_id=p07", (7,))):
        for row in range(0, 60, 7):
            ranked = sorted((-round(cosines[row, other], 12), f"p{other:02}") for other in allowed if other != row)
            found = matcher.match_posting(f"p{row:02}", asked(text, limit=5))
            assert [match.posting_id for match in found.matches] == [name for _, name in ranked[:5]]
            image = ImageFeatures(b"x" * 32, None, {"k": embeddings[row]})
            queried = matcher.match(Query("", image), asked(text, limit=60)).matches
            every = sorted((-round(cosines[row, other], 12), f"p{other:02}") for other in allowed)
            assert [match.posting_id for match in queried] == [name for _, name in every]
    whole = asked("seller=acme|lg|tokyo", limit=50)
    plain = replace(whole, filter=None)
    assert shown(matcher.match_posting("p00", whole)) == shown(matcher.match_posting("p00", plain))
    decided = matcher.with_feedback(NO_FEEDBACK.changed([FeedbackChange("p00", "p01", 1, "same")]))
    assert decided.match_posting("p00", asked("seller=lg", limit=1)).matches[0].posting_id == "p01"
    other = decided.match_posting("p00", asked("seller=tokyo", limit=50)).matches
    assert "p01" not in [match.posting_id for match in other]


def test_a_filter_that_looks_into_too_much_is_refused(matcher: Matcher) -> None:
    few = replace(matcher, fields=replace(Fields(), max_scanned=10))
    with pytest.raises(FieldNotDeclared):
        few.match(QUERIES[0], asked("seller=lg"))
    with pytest.raises(FieldNotDeclared):
        few.match_posting("p0", asked("seller=lg"))
    declared = few.with_fields([Field("seller", "text")])
    assert shown(declared.match_posting("p0", asked("seller=lg"))) == shown(
        matcher.match_posting("p0", asked("seller=lg"))
    )
