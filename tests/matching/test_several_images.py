"""Matches of postings with several images: stored, changed, asked with, compared, and without evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import EncoderInfo, ImageFeatures
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.comparison import compare
from pricematch.matching.made_features import MadeFeatures
from pricematch.matching.matcher import Matcher
from pricematch.matching.nodes import node_keys
from pricematch.matching.queries import Options, Query
from pricematch.matching.seen_images import SeenImages
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.titles.normalise import parse_titles
from tests.support.catalogues import LOGO, logos, others, word
from tests.support.matchers import scored_search

KEY, DIMENSION = "key", 64
INFO = EncoderInfo(KEY, {"encoder": "1"}, DIMENSION, 0.9)
VECTORS = np.random.default_rng(5).choice([-0.125, 0.125], (40, DIMENSION)).astype(np.float32)
"""Of unit length, with exact cosines."""
ALL = Options(limit=60, min_probability=0.0)
Shown = Mapping[str, tuple[str, Sequence[ImageFeatures | None]]]
"""Title and images by id."""


def image(number: int, phash: str | None = None, vector: NDArray[np.float32] | None = None) -> ImageFeatures:
    """One of forty different images, or its like."""
    digest = bytes([number + 1] * 32)
    found = VECTORS[number % 40] if vector is None else vector
    return ImageFeatures(digest, phash or f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}", {KEY: found})


def postings_of(shown: Shown) -> list[Posting]:
    return [
        Posting(
            posting_id,
            None if not images else f"{place}.0",
            title,
            more_images=tuple(f"{place}.{at}" for at in range(1, len(images))),
        )
        for place, (posting_id, (title, images)) in enumerate(shown.items())
    ]


def matcher_of(shown: Shown, signals: Sequence[str] = ("hash", "title", "image")) -> Matcher:
    """A matcher that is built of all postings together."""
    nothing, catalogue = matcher_without(signals), Catalogue(postings_of(shown))
    images = [of for _, of in shown.values()]
    stock = StockImages.of_shown(
        catalogue, SeenImages.of_images([None] * len(shown), images), parse_titles([it.title for it in catalogue])
    )
    vectors = MadeFeatures(nothing.similarity, {}).layered(KEY, images)
    search = SimilaritySearch.of(INFO, catalogue, vectors.first, stock.no_evidence, vectors.more)
    matcher = replace(nothing, catalogue=catalogue, stock=stock, similarity={KEY: search})
    if matcher.probability is None:
        return matcher
    made = MadeFeatures(matcher.similarity, matcher.retrieved)
    features = made.of_stored(matcher.probability, catalogue, stock, np.arange(len(shown)))
    model, thresholds = matcher.probability.index.model, matcher.probability.thresholds
    return replace(matcher, probability=matcher.probability.build("matcher/1", catalogue, features, model, thresholds))


def matcher_without(signals: Sequence[str]) -> Matcher:
    """A matcher over nothing; without signals similarity decides."""
    catalogue, nothing = Catalogue([]), np.empty((0, DIMENSION), np.float32)
    stock = StockImages.of_shown(catalogue, SeenImages.of_images([], []), [])
    search = SimilaritySearch.of(INFO, catalogue, nothing, stock.no_evidence)
    probability = scored_search([], signals, dict.fromkeys(IMAGE_RETRIEVERS, nothing)) if signals else None
    retrieved = dict.fromkeys(IMAGE_RETRIEVERS, KEY) if "image" in signals else {}
    return Matcher(catalogue, {KEY: search}, {"encoder": KEY}, stock, probability, retrieved)


def changed(matcher: Matcher, shown: Shown, removed: Sequence[str] = ()) -> Matcher:
    return matcher.changed(postings_of(shown), removed, [images for _, images in shown.values()])


def drawn_shown(count: int, seed: int) -> Shown:
    """Postings of a few words with up to four images, of which some are of one colour or cannot be used."""
    rng, kinds = np.random.default_rng(seed), [*range(12)]

    def one() -> ImageFeatures | None:
        number, rest = int(rng.choice(kinds)), rng.random()
        return None if rest < 0.05 else image(number, ONE_COLOUR if rest < 0.1 else None)

    return {
        f"p{row:02}": (word(int(rng.integers(6))), [one() for _ in range(rng.integers(0, 5))]) for row in range(count)
    }


def answers(matcher: Matcher, options: Options = ALL) -> dict[str, list[tuple[object, ...]]]:
    """Of each posting what its matches are, in an order of their own."""
    return {
        posting_id: sorted(
            (it.posting_id, round(it.probability or 0, 6), it.similarity, it.image_pair, it.stock_image, it.one_colour)
            for it in matcher.match_posting(posting_id, options).matches
        )
        for posting_id in matcher.catalogue.posting_ids
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("signals", [("hash", "title", "image"), ("hash",), ()])
def test_a_changed_catalogue_answers_as_one_built_afresh(seed: int, signals: Sequence[str]) -> None:
    """Postings with several images come, change and go."""
    shown, later = dict(drawn_shown(24, seed)), drawn_shown(24, seed + 50)
    options = ALL if signals else Options(limit=60, min_similarity=-1)
    matcher = matcher_of({posting_id: shown[posting_id] for posting_id in [*shown][:12]}, signals)
    matcher = changed(matcher, {posting_id: shown[posting_id] for posting_id in [*shown][12:]})
    turned = {posting_id: later[posting_id] for posting_id in [*shown][8:16]}
    matcher = changed(matcher, turned, ["p01", "p20"])
    now = {**shown, **turned}
    del now["p01"], now["p20"]
    assert answers(matcher, options) == answers(matcher_of(now, signals), options)


def test_a_posting_is_found_by_any_of_its_images() -> None:
    """By a query of any number of them; which two are nearest is said where one of both has several."""
    shown: Shown = {
        "one": ("", [image(0)]),
        "three": ("", [image(1), image(2), image(3)]),
        "none": ("kopi", []),
        "two": ("", [image(4), image(2)]),
    }
    matcher = matcher_of(shown)

    def found(*numbers: int) -> dict[str, tuple[float, tuple[int, int] | None]]:
        images = [image(number) for number in numbers]
        result = matcher.match(Query("", images[0], more_images=tuple(images[1:])), Options(min_probability=0.9))
        return {it.posting_id: (round(it.probability or 0, 3), it.image_pair) for it in result.matches}

    assert found(3) == {"three": (1, (0, 2))}
    assert found(0) == {"one": (1, None)}
    assert found(9, 0) == {"one": (1, (1, 0))}
    assert found(4, 1, 2) == {"two": (1, (0, 0)), "three": (1, (1, 0))}
    [match] = matcher.match_posting("three", Options(min_probability=0.9)).matches
    assert (match.posting_id, match.image_pair, match.similarity) == ("two", (1, 1), 1)
    compared = compare(matcher, Query("", image(7), more_images=(image(3),)), "three", ALL)
    assert (compared.image_pair, round(compared.similarity or 0, 6)) == ((1, 2), 1)
    assert compare(matcher, "one", Query("", image(0)), ALL).image_pair is None


def test_without_embeddings_hashes_say_which_images_are_nearest() -> None:
    shown: Shown = {"two": ("", [image(4), image(2)]), "one": ("", [image(2)])}
    matcher = replace(matcher_of(shown, ("hash",)), similarity={}, named={})
    [match] = matcher.match_posting("one", Options(min_probability=0.9)).matches
    assert (match.posting_id, match.similarity, match.image_pair) == ("two", None, (0, 1))
    [match] = matcher.match(Query("", image(9), more_images=(image(4),)), Options(min_probability=0.9)).matches
    assert (match.posting_id, match.image_pair) == ("two", (1, 0))


@pytest.mark.parametrize("signals", [("hash", "title", "image"), ()])
def test_a_stock_image_is_none_in_any_place(signals: Sequence[str]) -> None:
    """Postings are matched by their others; only of a posting with nothing else is it said, and of a query."""
    logo = image(30, LOGO)
    shown = {
        it.posting_id: (it.title, [image(row), logo] if row % 2 else [logo, image(row)])
        for row, it in enumerate(logos(10))
    }
    shown |= {"like": ("x", [image(3)]), "bare": ("y", [logo]), "both": ("z", [logo, image(31, ONE_COLOUR)])}
    shown |= {it.posting_id: (it.title, []) for it in others(30)}
    matcher = matcher_of(shown, signals)
    [stock] = matcher.stock.each
    assert stock.postings == 12
    options = Options(limit=20) if signals else Options(limit=20, min_similarity=0.9)
    found = matcher.match_posting("like", options)
    assert [(it.posting_id, it.image_pair, it.stock_image) for it in found.matches] == [("logo03", (0, 0), False)]
    found = matcher.match_posting("logo03", options)
    assert [(it.posting_id, it.image_pair) for it in found.matches] == [("like", (0, 0))]
    assert (found.stock, found.one_colour) == (None, False)
    for posting_id, one_colour in (("bare", False), ("both", True)):
        found = matcher.match_posting(posting_id, options)
        assert (list(found.matches), found.stock, found.one_colour) == ([], stock, one_colour)
    found = matcher.match(Query("", logo, more_images=(image(3),)), options)
    assert [it.posting_id for it in found.matches] == ["like", "logo03"]
    assert (found.matches[0].image_pair, found.stock) == ((1, 0), None)
    found = matcher.match(Query("", logo, more_images=(image(31, ONE_COLOUR),)), options)
    assert (list(found.matches), found.stock, found.one_colour) == ([], stock, True)
    marks = {
        it.posting_id: (it.stock_image, it.one_colour)
        for it in matcher.match_posting(
            "like", replace(options, min_probability=0.0 if signals else None, min_similarity=None if signals else -1)
        ).matches
    }
    assert marks.get("both", (True, True)) == (True, True)
    assert marks["logo05"] == (False, False)


def test_images_count_once_where_one_is_shown_twice() -> None:
    """Four postings that show one image twice are no stock image, though there are eight images."""
    for count in (4, 5):
        shown = {it.posting_id: (it.title, [image(30, LOGO)] * 2) for it in logos(count)}
        shown |= {it.posting_id: (it.title, []) for it in others(30)}
        assert [it.postings for it in matcher_of(shown).stock.each] == [5] * (count == 5)


def test_the_same_images_in_another_order_are_one_node() -> None:
    """And one shown twice; another title, one image less, or another one, is another node."""
    shown: Shown = {
        "a": ("kopi", [image(1), image(2)]),
        "b": ("Kopi!", [image(2), image(1), image(2)]),
        "c": ("teh", [image(1), image(2)]),
        "d": ("kopi", [image(1)]),
        "e": ("kopi", [image(1), image(1)]),
        "f": ("kopi", [image(1), image(3)]),
        "g": ("kopi", [None, image(1)]),
    }
    matcher = matcher_of(shown)
    assert matcher.probability is not None
    features = MadeFeatures(matcher.similarity, matcher.retrieved).of_stored(
        matcher.probability, matcher.catalogue, matcher.stock, np.arange(len(shown))
    )
    for signals in (("hash", "title", "image"), ("hash", "title"), ("image", "title")):
        a, b, c, d, e, f, g = node_keys(ParsedFeatures.of(features), signals).tolist()
        assert a == b
        assert d == e == g
        assert len({a, c, d, f}) == 4
    same = matcher.match_posting("a", Options(min_probability=1.0)).matches
    assert [(it.posting_id, it.probability) for it in same] == [("b", 1)]
    found = matcher.match(Query("kopi", image(2), more_images=(image(1),)), Options(min_probability=1.0))
    assert [it.posting_id for it in found.matches] == ["a", "b"]
