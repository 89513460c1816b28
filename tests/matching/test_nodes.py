"""Postings that are equal in all that is compared are one node: one cluster, all of them matches, in any order."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.nodes import Nodes, node_keys
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Options
from pricematch.matching.ranked_matches import match_row
from pricematch.pairs.retriever import ParsedFeatures
from tests.support.matchers import matcher_over, scored_search

HASH = "8f" * 8
NEAR = f"{int(HASH, 16) ^ 3:016x}"
"""Two bits from it."""


def equal(count: int, prefix: str = "p", title: str = "Kopi Susu 200 ml", phash: str | None = HASH) -> list[Posting]:
    return [Posting(f"{prefix}{row:03}", None, title, phash) for row in range(count)]


def features_of(postings: Sequence[Posting]) -> Features:
    return Features.of([posting.title for posting in postings], [posting.image_phash for posting in postings])


def added(search: ProbabilitySearch, put: Sequence[Posting]) -> ProbabilitySearch:
    catalogue = search.catalogue.changed(put, [])
    return search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features_of(put))


def clusters(search: ProbabilitySearch, threshold: float = 0.9) -> set[frozenset[str]]:
    found = search.clusters.all(threshold).assignment
    ids = search.catalogue.ids_of(search.catalogue.by_id)
    return {frozenset(ids[place] for place in members) for members in found.members}


def together(search: ProbabilitySearch, postings: Sequence[Posting]) -> ProbabilitySearch:
    """All scored together."""
    del search
    return scored_search(postings)


def one_by_one(search: ProbabilitySearch, postings: Sequence[Posting]) -> ProbabilitySearch:
    for posting in postings:
        search = added(search, [posting])
    return search


def at_once(search: ProbabilitySearch, postings: Sequence[Posting]) -> ProbabilitySearch:
    return added(search, postings)


def shuffled(search: ProbabilitySearch, postings: Sequence[Posting]) -> ProbabilitySearch:
    drawn = [*postings]
    random.Random(0).shuffle(drawn)
    for first in range(0, len(drawn), 64):
        search = added(search, drawn[first : first + 64])
    return search


KINDS = {
    "image and title": equal(120),
    "title without image": equal(120, phash=None),
    "image without title": equal(120, title=""),
    "titles that read alike": [
        replace(posting, title=title)
        for posting, title in zip(equal(120), ["kopi susu 0,2 l", "KOPI  susu, 200ML"] * 60, strict=True)
    ],
}


@pytest.mark.parametrize("come", [together, one_by_one, at_once, shuffled])
@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_one_cluster_however_they_come(
    kind: str, come: Callable[[ProbabilitySearch, Sequence[Posting]], ProbabilitySearch]
) -> None:
    """More of them than there are candidates; fault C6."""
    search = come(scored_search([Posting("other", None, "teh manis", "0" * 16)]), KINDS[kind])
    assert clusters(search) == {frozenset(posting.posting_id for posting in KINDS[kind])}
    assert search.clusters.all(0.9).cohesion.tolist() == [1]
    found = matcher_over(search.catalogue, {}, {}, search).match_posting("p003", Options(limit=200)).matches
    assert [match.posting_id for match in found] == [it.posting_id for it in KINDS[kind] if it.posting_id != "p003"]
    assert {match.probability for match in found} == {1}


@pytest.mark.parametrize("come", [together, one_by_one, shuffled])
def test_copies_of_two_similar_images_are_one_cluster(
    come: Callable[[ProbabilitySearch, Sequence[Posting]], ProbabilitySearch],
) -> None:
    """Every copy of the one is as near to every copy of the other; fault C6."""
    postings = [*equal(100), *equal(100, "q", phash=NEAR, title="")]
    search = come(scored_search([]), postings)
    assert clusters(search) == {frozenset(posting.posting_id for posting in postings)}
    between = 62 / 64
    expected = (2 * 100 * 99 / 2 + 100 * 100 * between) / (200 * 199 / 2)
    assert search.clusters.all(0.9).cohesion.tolist() == pytest.approx([expected], abs=1e-6)


def test_decisions_count_for_single_copies() -> None:
    """One of two that are different leaves the others; two that are the same are so in every cluster; fault C6."""
    search = scored_search([*equal(60), Posting("other", None, "teh", "0" * 16)])
    changes = [FeedbackChange("p003", "p004", 1, "different"), FeedbackChange("p007", "other", 2, "same")]
    decided = replace(search, feedback=NO_FEEDBACK.changed(changes[:1]))
    [cluster] = clusters(decided)
    assert len(cluster) == 59
    assert len(cluster & {"p003", "p004"}) == 1
    found = matcher_over(search.catalogue, {}, {}, decided).match_posting("p003", Options(limit=100)).matches
    assert {match.posting_id for match in found} == {it.posting_id for it in equal(60)} - {"p003", "p004"}
    linked = replace(search, feedback=NO_FEEDBACK.changed(changes[1:]))
    assert clusters(linked, float("inf")) == {frozenset({"p007", "other"})}


def test_above_one_copies_are_alone() -> None:
    """A threshold that nothing reaches; fault C6."""
    assert clusters(scored_search(equal(60)), float("inf")) == set()


def test_postings_of_which_nothing_is_known_are_no_copies() -> None:
    """Fault C6."""
    search = scored_search(equal(60, title="", phash=None))
    assert clusters(search) == set()
    assert len(match_row(search, 3, search.rule(None, 0)).rows) == 0


def test_some_copies_are_clustered_among_each_other() -> None:
    """Those that are not asked about take no part; fault C6."""
    search = scored_search(equal(60))
    found = search.clusters.among(np.array([4, 9, 2]), 0.9)
    assert found.assignment.labels.tolist() == [0, 0, 0]
    assert found.cohesion.tolist() == [1]


def test_a_copy_that_goes_and_comes_back_is_found() -> None:
    """Also by what came while none of them was there; fault C6."""
    search = scored_search([*equal(1), Posting("other", None, "teh", "0" * 16)])
    gone = search.placed(search.catalogue.changed([], ["p000"]), np.arange(0), features_of([]))
    search = added(added(gone, [Posting("near", None, "", NEAR)]), equal(2))
    found = match_row(search, search.catalogue.row("near"), search.rule(None, 0.9))
    assert search.catalogue.ids_of(found.rows) == ["p000", "p001"]
    assert len(match_row(search, search.catalogue.row("p001"), search.rule(None, 0.9)).rows) == 2


def test_matches_come_in_pages() -> None:
    """All other copies, each once; fault C6."""
    search = scored_search(equal(120))
    matcher, found, first = matcher_over(Catalogue(equal(120)), {}, {}, search), list[str](), 0
    for size in (50, 50, 19):
        page = matcher.match_posting("p000", Options(limit=50, first=first))
        assert len(page.matches) == size
        found += [match.posting_id for match in page.matches]
        first = page.next or 0
    assert first == 0
    assert found == [posting.posting_id for posting in equal(120)[1:]]


def test_equal_keys_are_equal_in_what_signals_compare() -> None:
    """Hashes stand for images where only they are compared, bytes elsewhere; fault C6."""
    features = ParsedFeatures.of(
        Features.of(
            ["kopi", "Kopi!", "kopi", "teh", ""], [HASH] * 4 + [None], images=[b"a" * 32, b"b" * 32, None, None, None]
        )
    )

    def same(*signals: str) -> list[int]:
        return [int(node) for node in Nodes.of(node_keys(features, signals))[0].of_row]

    assert same("hash", "title") == [0, 0, 0, 1, 2]
    assert same("hash") == [0, 0, 0, 0, 1]
    assert same("title", "image") == [0, 1, 2, 3, 4]
    assert same("hash", "image") == [0, 1, 2, 2, 3]  # recoloured images share a hash, and colours tell them apart


def test_a_start_places_many_rows_in_pieces() -> None:
    """Rows behind a piece are there already, and are placed with the next; fault C6."""
    base, more = [Posting("other", None, "teh", "0" * 16)], equal(150)
    search = scored_search(base)
    catalogue = search.catalogue.changed(more, [])
    search = replace(search, catalogue=catalogue)
    for first in range(0, 150, 64):
        piece = more[first : first + 64]
        search = search.placed(catalogue, np.arange(1 + first, 1 + first + len(piece)), features_of(piece))
    assert clusters(search) == {frozenset(posting.posting_id for posting in more)}
    assert search.changes == 150


@pytest.mark.parametrize("count", [60, 120])
def test_many_of_one_title_are_candidates_however_they_come(count: int) -> None:
    """Their images differ, so they are no copies; yet each is a candidate of all others; fault C6."""
    hashes = (f"{row * 0x9E3779B97F4A7C15 % 2**64:016x}" for row in range(count))
    postings = [replace(it, image_phash=phash) for it, phash in zip(equal(count), hashes, strict=True)]
    for search in (scored_search(postings), at_once(scored_search(postings[:70]), postings[70:])):
        assert len(search.pairs) == count * (count - 1) // 2
        assert clusters(search) == {frozenset(posting.posting_id for posting in postings)}
