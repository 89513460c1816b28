"""Stock images: one image under many different titles is no evidence, alone or beside titles."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features, ImageFeatures, Wanted
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.clustering.assignment import METHODS
from pricematch.matching.cluster_requests import ClusterOptions, cluster, wanted_for_clusters
from pricematch.matching.clusters import Item
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query
from pricematch.matching.stock_images import StockImages
from pricematch.titles.normalise import parse_titles
from tests.support.catalogues import LOGO, logos, others, word
from tests.support.fakes import MEAN_COLOUR, tiny_search
from tests.support.matchers import scored_search

SHOT = "3c" * 8
ALL = Options(limit=50, min_probability=0.0)
KEY = MEAN_COLOUR.key


def sellers(count: int) -> list[Posting]:
    """Many sellers of one product, with its shot, each in their own words."""
    words = ("promo", "ori", "murah", "ready", "cod", "grosir", "resmi", "baru")
    return [Posting(f"seller{row:02}", None, f"Nescafe Gold {words[row % 8]} x{row}", SHOT) for row in range(count)]


def matcher_of(postings: Sequence[Posting], signals: Sequence[str] = ("hash", "title")) -> Matcher:
    """A matcher that looks for stock images, as the service builds it."""
    catalogue, hashes = Catalogue(postings), [posting.image_phash for posting in postings]
    raw = Features.of([posting.title for posting in postings], hashes)
    stock = StockImages.of(catalogue, raw.hashes, raw.images, parse_titles(raw.titles))
    told = [
        replace(posting, image_phash=None if marked else posting.image_phash)
        for posting, marked in zip(postings, stock.marked.tolist(), strict=True)
    ]
    search = replace(scored_search(told, signals), catalogue=catalogue)
    return Matcher(catalogue, {}, {}, stock, search)


def image(phash: str) -> ImageFeatures:
    return ImageFeatures(bytes(32), phash, {})


@pytest.mark.parametrize("count", [10, 43])
def test_an_image_under_many_titles_is_a_stock_image(count: int) -> None:
    """Fault C5."""
    stock = matcher_of([*logos(count), *others(30)]).stock
    [found] = stock.each
    assert (found.postings, found.titles, found.example) == (count, count, "logo00")
    assert str(found) == f"the image of logo00, which {count} postings show under {count} titles"


def test_many_sellers_of_one_product_share_its_shot() -> None:
    """Their titles share a telling word, which other postings lack; fault C5."""
    for catalogue in ([*sellers(43), *others(30)], sellers(43)):
        stock = matcher_of(catalogue).stock
        assert stock.each == []


@pytest.mark.parametrize("titles", [[""] * 30, ["kopi susu"] * 30, ["", "kopi", "teh", "susu", "gula"]])
def test_few_titles_or_none_make_no_stock_image(titles: list[str]) -> None:
    """Fault C5."""
    stock = matcher_of([Posting(f"p{row}", None, title, LOGO) for row, title in enumerate(titles)]).stock
    assert stock.each == []


def test_a_stock_image_alone_finds_nothing_and_is_told() -> None:
    """Fault C5."""
    matcher = matcher_of([*logos(43), *others(30)])
    found = matcher.match(Query("", image(LOGO)), ALL)
    assert list(found.matches) == []
    assert found.stock is not None
    assert found.stock.postings == 43
    assert matcher.match(Query("", image(SHOT)), ALL).stock is None


def test_of_stock_images_the_titles_decide() -> None:
    """The image is missing, neither equal nor different, and no match is identical for it; fault C5."""
    twin = Posting("twin", None, f"{word(7)} {word(107)} black", LOGO)
    shot = Posting("shot", None, f"{word(7)} {word(107)} black", SHOT)
    matcher = matcher_of([*logos(43), twin, shot, *others(30)])
    found = matcher.match_posting("logo07", replace(ALL, min_probability=0.9))
    assert {match.posting_id for match in found.matches} == {"twin", "shot"}
    assert {match.posting_id: match.stock_image for match in found.matches} == {"twin": True, "shot": False}
    assert all(match.evidence is not None and "hash" not in match.evidence.signals for match in found.matches)
    assert all(match.match_type != "identical" for match in found.matches)
    assert found.stock is not None
    asked = matcher.match(Query(f"{word(7)} {word(107)} black", image(LOGO)), replace(ALL, min_probability=0.9))
    assert {match.posting_id for match in asked.matches} == {"logo07", "twin", "shot"}


def answers(matcher: Matcher) -> dict[str, set[tuple[str, str | None]]]:
    """The likely matches of every posting, and how they match."""
    likely = replace(ALL, min_probability=0.9)
    return {
        posting.posting_id: {
            (match.posting_id, match.match_type) for match in matcher.match_posting(posting.posting_id, likely).matches
        }
        for posting in matcher.catalogue
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_catalogue_answers_alike_however_it_came(seed: int) -> None:
    """Postings come in any order, and others go again: stock images are those of a rebuild; fault C5."""
    held, drawn = [*logos(12), *sellers(6), *others(12)], random.Random(seed)
    gone = logos(20, first=12)
    coming = [*held, *gone]
    drawn.shuffle(coming)
    matcher = matcher_of([])
    while coming:
        put, coming = coming[:4], coming[4:]
        matcher = matcher.changed(put, [], [[]] * len(put))
    for posting in gone:
        matcher = matcher.changed([], [posting.posting_id], [])
    anew = matcher_of(sorted(held, key=lambda posting: posting.posting_id))
    assert matcher.stock.each == anew.stock.each
    assert answers(matcher) == answers(anew)


def test_a_logo_becomes_evidence_again_when_its_postings_go() -> None:
    """Fault C5."""
    matcher = matcher_of([*logos(12), *others(12)])
    matcher = matcher.changed([], [posting.posting_id for posting in logos(10)], [])
    assert matcher.stock.each == []
    found = matcher.match(Query("", image(LOGO)), replace(ALL, min_probability=0.9)).matches
    assert {match.posting_id for match in found} == {"logo10", "logo11"}


def by_similarity() -> Matcher:
    """Twelve postings of one logo, a shot, two of one colour and another shot, all equally red, without a matcher."""
    search = tiny_search(["#ff0000"] * 16)
    hashes = [*[LOGO] * 12, SHOT, ONE_COLOUR, ONE_COLOUR, "1" * 16]
    postings = [
        replace(posting, title=f"{word(row)} {word(row + 100)}", image_phash=hashes[row])
        for row, posting in enumerate(search.catalogue)
    ]
    catalogue, features = Catalogue(postings), Features.of([it.title for it in postings], hashes)
    plain = np.array([text == ONE_COLOUR for text in hashes])
    stock = StockImages.of(catalogue, features.hashes, features.images, parse_titles(features.titles), plain)
    search = replace(search, catalogue=catalogue, no_evidence=stock.no_evidence)
    return Matcher(catalogue, {KEY: search}, {"tiny": KEY}, stock)


def red(phash: str) -> ImageFeatures:
    """An image that the encoder takes for any of them."""
    return ImageFeatures(phash.encode().ljust(32), phash, {KEY: tiny_search().embeddings[0]})


def test_without_a_matcher_stock_images_match_nothing() -> None:
    """Where the similarity of images decides, there is nothing else; fault C5."""
    matcher = by_similarity()
    assert matcher.wanted(Options(), image=True, title=False) == Wanted(frozenset({KEY}), phash=True)
    found = matcher.match_posting("p0", Options(limit=50))
    assert list(found.matches) == []
    assert found.stock is not None
    assert list(matcher.match(Query("", red(LOGO)), Options(limit=50)).matches) == []
    near = matcher.match(Query("", red(SHOT)), Options(limit=50, min_similarity=-1.0)).matches
    assert [match.posting_id for match in near] == ["p12", "p15"]
    none = replace(matcher, stock=replace(matcher.stock, found={}))
    assert none.wanted(Options(), image=True, title=False) == Wanted(
        frozenset({KEY})
    )  # a hash takes as long as all else


def test_without_a_matcher_one_colour_matches_nothing() -> None:
    """Neither as a query nor stored, before or after a change, and the result says why; fault C7."""
    matcher = by_similarity()
    changed = matcher.changed([Posting("late", "1" * 64, image_phash=SHOT)], ["p13"], [[red(ONE_COLOUR)]])
    for one, stored in ((matcher, "p13"), (changed, "p14"), (changed, "late")):
        for found in (one.match(Query("", red(ONE_COLOUR)), Options()), one.match_posting(stored, Options())):
            assert (list(found.matches), found.one_colour, found.stock) == ([], True, None)
        shot = one.match_posting("p12", Options(min_similarity=-1.0))
        assert ([match.posting_id for match in shot.matches], shot.one_colour) == (["p15"], False)


def test_images_that_are_no_evidence_are_in_no_cluster() -> None:
    """By similarity; a logo and one colour, stored and sent, have a problem instead; faults C5, C7."""
    matcher = by_similarity()
    ids = [posting.posting_id for posting in matcher.catalogue]
    sent = [red(phash) for phash in (LOGO, ONE_COLOUR, "2" * 16)]
    for method in METHODS:
        options = ClusterOptions(ids, method, 0.005, 2, 100)
        assert wanted_for_clusters(matcher, options) == Wanted(frozenset({KEY}), phash=True)
        batch, _ = cluster(matcher, options, sent)
        assert [batch[place] for place in batch.members[0]] == [
            Item("p12", None, 0),
            Item("p15", None, 0),
            Item(None, 2, 0),
        ]
        assert len(batch.members) == 1
        assert sorted(batch.problems) == [*range(12), 13, 14, 16, 17]
        every, _ = cluster(matcher, replace(options, posting_ids="all"), [])
        assert every.items(0, 99) == [Item("p12", None, 0), Item("p15", None, 0)]


@pytest.mark.parametrize("phash", [LOGO, ONE_COLOUR])
def test_a_title_does_not_help_a_matcher_of_images(phash: str) -> None:
    """Nothing is left to compare: there are no matches, and the result says why; faults C5, C7."""
    found = matcher_of([*logos(43), *others(30)], ["hash"]).match(Query(f"{word(7)} black", image(phash)), ALL)
    assert (list(found.matches), found.one_colour, found.stock is None) == ([], phash == ONE_COLOUR, phash != LOGO)


def test_of_one_colour_the_titles_decide() -> None:
    """And a match tells that its image is of one colour; fault C7."""
    matcher = matcher_of(others(30))
    titled = [Posting(posting_id, "1" * 64, f"{word(7)} {word(107)} black") for posting_id in ("plain", "shown")]
    matcher = matcher.changed(titled, [], [[image(ONE_COLOUR)], [image(SHOT)]])
    found = matcher.match(Query(titled[0].title, image(ONE_COLOUR)), replace(ALL, min_probability=0.9))
    assert found.one_colour
    assert {match.posting_id: match.one_colour for match in found.matches} == {"plain": True, "shown": False}
    stored = matcher.match_posting("plain", replace(ALL, min_probability=0.9))
    assert ([match.posting_id for match in stored.matches], stored.one_colour) == (["shown"], True)
