"""What is told of pairs that are easily mistaken, given what each feature adds to their log odds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.explanation import LONGEST_TEXT, MOST_REASONS, Explainer, MatchType, Reason, family_of
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.reason_sentences import NEAR_BITS
from pricematch.search.hamming import similarity_of
from pricematch.titles.normalise import parse_title

SIGNALS = ("hash", "title")
NAMES = (*pair_feature_names(SIGNALS), *GRAPH_FEATURES)
PHOTO, OTHER_PHOTO = "00000000ffffffff", "0f0f0f0ff0f0f0f0"
"""32 of 64 bits differ."""
OTHERS = ["kaos polos hitam", "sepatu lari", "tas ransel sekolah", "botol minum", "kabel data", "lampu meja", "payung"]
UNSEEN: tuple[tuple[str, str | None], ...] = tuple((title, None) for title in OTHERS)
"""Other postings of the catalogue, without photos."""


def explained(
    left: str,
    right: str,
    added: Mapping[str, float],
    photos: tuple[str | None, str | None] = (PHOTO, PHOTO),
    others: Sequence[tuple[str, str | None]] = UNSEEN,
    neighbours: Mapping[str, float] | None = None,
) -> list[tuple[str, float]]:
    """Texts and weights for the first two postings of a catalogue, from what some features add to the log odds."""
    rest = [title for title, _ in others], [photo for _, photo in others]
    extractor = PairFeatureExtractor(Features.of([left, right, *rest[0]], [*photos, *rest[1]]), SIGNALS)
    pair_features = extractor.features(extractor.own, np.array([0]), np.array([1]))[0]
    graph = [(neighbours or {}).get(name, 0) for name in GRAPH_FEATURES]
    contributions = np.array([added.get(name, 0) for name in NAMES])
    assert set(added) <= set(NAMES)
    values = np.concatenate([pair_features, np.array(graph, np.float32)])
    found = reasons(Explainer(NAMES, extractor.word_counts), values, contributions, left, right)
    return [(reason.text, round(reason.weight, 6)) for reason in found]


def reasons(
    explainer: Explainer, values: NDArray[np.float32], contributions: NDArray[np.float64], left: str, right: str
) -> Sequence[Reason]:
    """Reasons for one pair."""
    titles = parse_title(left), parse_title(right)
    [found] = explainer.explain(values[np.newaxis], contributions[np.newaxis], titles[0], [titles[1]])
    return found.reasons


def test_two_flavours_of_one_drink() -> None:
    assert explained(
        "Pocari Sweat strawberry 500 ml",
        "Pocari Sweat melon 0,5 liter",
        {"tint_conflict": -4, "words_similarity": 1, "grams_similarity": 2, "volume_conflict": 0.5},
    ) == [
        ("strawberry against melon", -4),
        ("titles share the rare words 'pocari', 'sweat'", 3),
        ("both say 500 ml", 0.5),
    ]


def test_100_ml_against_200_ml() -> None:
    assert explained("Toner 100ml", "Toner 0.2 L", {"volume_conflict": -2}) == [("100 ml against 200 ml", -2)]


def test_a_pack_of_three_against_a_single_one() -> None:
    assert explained("Tisu isi 3", "Tisu 1 pcs", {"count_conflict": -2}) == [("pack of 3 against 1", -2)]
    assert explained("Tisu isi 3", "Tisu", {"count_conflict": -2}) == [("pack of 3 against no number", -2)]


def test_one_stock_photo_for_different_models() -> None:
    others = [(title, PHOTO if place == 0 else None) for place, title in enumerate(OTHERS)]
    added = {"hash_similarity": 3, "model_conflict": -3, "number_conflict": -1, "hash_repeats_low": -0.5}
    assert explained("Case SM-A515F", "Case SM-A715F", added, others=others) == [
        ("model SM-A515F against SM-A715F", -4),
        ("images have the same hash", 3),
        ("this image is common: 3 postings have its hash", -0.5),
    ]


def test_one_product_with_unlike_photos() -> None:
    found = explained(
        "Cetaphil Gentle Cleanser",
        "cetaphil cleanser gentle promo",
        {"hash_similarity": -1.5, "words_similarity": 5},
        photos=(PHOTO, OTHER_PHOTO),
    )
    assert found == [
        ("titles share the rare words 'cetaphil', 'gentle', 'cleanser'", 5),
        ("images differ: 32 of 64 bits", -1.5),
    ]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0, "images have the same hash"),
        (1, "images are nearly equal: 1 of 64 bits differs"),
        (8, "images are nearly equal: 8 of 64 bits differ"),
        (16, "images are alike: 16 of 64 bits differ"),
    ],
)
def test_similarity_of_images_is_explained_in_bits(bits: int, expected: str) -> None:
    photos = f"{0:016x}", f"{(1 << bits) - 1:016x}"
    assert explained("", "", {"hash_similarity": 1}, photos) == [(expected, 1)]


def test_unlike_images_are_no_reason_for_a_pair() -> None:
    """Even where their features speak for it."""
    assert explained("", "", {"hash_similarity": 1}, (PHOTO, OTHER_PHOTO)) == []


def test_a_missing_image_is_no_reason() -> None:
    assert explained("", "", {"hash_similarity": 2, "hash_lead_low": -5}, (PHOTO, None)) == []


def test_like_images_speak_against_where_others_are_nearer() -> None:
    near, nearer = f"{0b111:016x}", f"{0b1:016x}"
    found = explained("a", "b", {"hash_rank_high": -1}, (f"{0:016x}", near), [("", nearer), ("", nearer)])
    assert found == [("2 other images are nearer", -1)]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Kopi Kapal Api", "KOPI kapal-api", "titles have the same words"),
        ("zebra satu", "zebra dua", "titles share the word 'zebra'"),
        ("payung", "ember", None),
    ],
)
def test_what_titles_share(left: str, right: str, expected: str | None) -> None:
    others = [("zebra kaos", None), ("zebra", None), ("zebra tas", None), ("kaos zebra", None), ("tas", None)]
    found = explained(left, right, {"words_similarity": 1}, (PHOTO, OTHER_PHOTO), others)
    assert found == ([(expected, 1)] if expected else [])


def test_titles_without_a_common_word_may_be_alike() -> None:
    others = [("ember payung", PHOTO), ("payung ember", PHOTO)]
    found = explained("payung", "ember", {"blend_similarity": 1}, others=others)
    assert found == [("postings like these two have titles alike", 1)]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("payung", "ember", "titles share no word"),
        ("kaos batik", "kaos ember", "titles differ: 'batik' against 'ember'"),
        ("kaos", "kaos ember", "only one title has the word 'ember'"),
        ("kaos a 5", "kaos b 6", None),
    ],
)
def test_what_titles_do_not_share(left: str, right: str, expected: str | None) -> None:
    found = explained(left, right, {"words_similarity": -1})
    assert found == ([(expected, -1)] if expected else [])


def test_a_common_title_may_speak_against_a_pair() -> None:
    others = [("case hp", None)] * 10
    assert explained("case hp", "CASE HP", {"title_repeats_high": -1}, others=others) == [
        ("this title is common: 12 postings have it", -1)
    ]
    assert explained("case hp", "tas", {"title_repeats_high": -1}, others=others) == [
        ("one of the titles is common: 11 postings have it", -1)
    ]
    assert explained("case hp", "CASE HP", {"title_repeats_high": 1}, others=others) == []


@pytest.mark.parametrize(
    ("values", "weight", "expected"),
    [
        ({"first": 0.9, "paths": 3.8, "best_high": 0.99}, 1, "about 4 other postings match both"),
        ({"first": 0.9, "paths": 1.2, "best_high": 0.99}, 1, "about 1 other posting matches both"),
        ({"first": 0.9, "paths": 0.1, "best_high": 0.9}, 1, "neither matches another posting better"),
        ({"first": 0.5, "paths": 0.1, "best_high": 0.9}, 1, None),
        ({"first": 0.5, "best_low": 0.8, "best_high": 0.9}, -1, "both match other postings better"),
        ({"first": 0.5, "best_low": 0.5, "best_high": 0.9}, -1, "one of them matches another posting better"),
        (
            {"first": 0.9, "best_low": 0.9, "best_high": 0.9, "sure_high": 8, "paths": 1.3},
            -1,
            "one matches 7 other postings, the other about 1 of them",
        ),
        (
            {"first": 0.9, "best_low": 0.9, "best_high": 0.9, "sure_high": 3, "paths": 0.3},
            -1,
            "one matches 2 other postings, the other none of them",
        ),
        ({"first": 0.9, "best_low": 0.9, "best_high": 0.9, "sure_high": 3, "paths": 2}, -1, None),
    ],
)
def test_what_neighbours_say(values: Mapping[str, float], weight: float, expected: str | None) -> None:
    found = explained("", "", {"first": weight}, neighbours=values)
    assert found == ([(expected, weight)] if expected else [])


def test_facts_in_general_weigh_with_the_shown_ones() -> None:
    added = {"kinds_clashing": -1, "facts_contradicting": -1, "volume_conflict": -1, "mass_conflict": 0.5}
    assert explained("Susu putih 200 ml 100 g", "Susu hitam 250 ml 100 g", added) == [
        ("200 ml against 250 ml", -2),
        ("white against black", -1),
        ("both say 100 g", 0.5),
    ]


def test_a_contradiction_is_shown_though_three_weigh_more() -> None:
    # 0.1 is less than 3 % of all, which any other family must weigh
    added = {"hash_similarity": 3, "words_similarity": 9, "mass_conflict": 0.4, "volume_conflict": -0.1}
    assert explained("Susu 200 ml 1 kg", "Susu 250 ml 1 kg", added) == [
        ("titles share the rare word 'susu'", 9),
        ("images have the same hash", 3),
        ("200 ml against 250 ml", -0.1),
    ]
    told = explained("Susu 200 ml 1 kg", "Susu 250 ml 1 kg", {**added, "volume_conflict": -0.09})
    assert told[-1] == ("both say 1 kg", 0.4)


def test_the_weightiest_is_shown_with_three_contradictions() -> None:
    added = {"words_similarity": 9, "volume_conflict": -3, "mass_conflict": -2, "tint_conflict": -1}
    assert explained("Susu putih 1 l 2 kg", "Susu merah 2 l 1 kg", added) == [
        ("titles share the rare word 'susu'", 9),
        ("1 l against 2 l", -3),
        ("2 kg against 1 kg", -2),
    ]


def test_a_contradiction_comes_before_a_one_sided_fact() -> None:
    assert explained("Susu putih stroberi", "Susu melon", {"tint_conflict": -1}) == [("strawberry against melon", -1)]


def test_a_one_sided_fact_speaks_against_a_pair() -> None:
    assert explained("Susu 200 ml", "Susu", {"facts_unanswered": -1}) == [("only one says 200 ml", -1)]


def test_the_size_of_the_catalogue_is_no_reason() -> None:
    assert explained("a", "b", {"catalogue_size": -3}) == []


def test_light_reasons_are_left_out() -> None:
    """A second reason needs a tenth of the first, a third more."""
    added = {"hash_similarity": 10, "words_similarity": 0.2, "volume_conflict": 0.19}
    first, second = ("images have the same hash", 10), ("titles share the word 'payung'", 0.2)
    assert explained("payung 1 l", "payung 1 l", {**added, "words_similarity": 0}) == [first, ("both say 1 l", 0.19)]
    assert explained("payung 1 l", "payung 1 l biru", added) == [first, second]
    third = {"words_similarity": 0.5, "volume_conflict": 0.9}
    assert len(explained("payung 1 l", "payung 1 l biru", added | third)) == 3
    assert explained("payung 1 l", "payung", {"hash_similarity": 10, "words_similarity": 0.09}) == [first]


def test_long_words_are_cut_and_control_characters_do_not_get_through() -> None:
    [(text, _)] = explained("x" * 200 + " \x1b[31m\u202ebatik", "x" * 200 + " batik\x00", {"words_similarity": 1})
    assert text == f"titles share the rare words '{'x' * 23}…', 'batik'"
    assert len(explained("9" * 300 + "ml", "8" * 300 + "ml", {"volume_conflict": -1})[0][0]) <= LONGEST_TEXT


TITLES = st.text(max_size=60) | st.lists(
    st.sampled_from(["kopi", "teh", "500ml", "1 L", "isi 3", "SM-A515F", "hitam", "putih", "size XL", "9", "\x07"]),
    max_size=6,
).map(" ".join)


@pytest.mark.slow
@given(
    left=TITLES,
    right=TITLES,
    contributions=st.lists(st.floats(-5, 5), min_size=len(NAMES), max_size=len(NAMES)),
    values=st.lists(st.just(np.nan) | st.floats(0, 1, width=32), min_size=len(NAMES), max_size=len(NAMES)),
)
def test_at_most_three_reasons_weightiest_first(
    left: str, right: str, contributions: list[float], values: list[float]
) -> None:
    known = np.array(values, np.float32)
    for name in ("catalogue_size", *GRAPH_FEATURES):
        known[NAMES.index(name)] = np.nan_to_num(known[NAMES.index(name)])
    for start in ("hash_", "same_title", "title_repeats"):  # known or unknown together, as in real evidence
        places = [place for place, name in enumerate(NAMES) if name.startswith(start)]
        known[places] = np.nan if np.isnan(known[places[0]]) else np.nan_to_num(known[places])
    places = [place for place, name in enumerate(NAMES) if name in {"same_title", "title_repeats_high"}]
    known[places] = np.nan_to_num(known[places])
    explainer = Explainer(NAMES, {"kopi": 40, "teh": 3, "hitam": 1})
    found = reasons(explainer, known, np.array(contributions), left, right)
    assert found == reasons(explainer, known, np.array(contributions), left, right)
    assert len(found) <= MOST_REASONS
    weights = [abs(reason.weight) for reason in found]
    assert weights == sorted(weights, reverse=True)
    assert all(reason.weight != 0 for reason in found)
    assert all(reason.text.isprintable() and 0 < len(reason.text) <= LONGEST_TEXT for reason in found)
    assert len({reason.text for reason in found}) == len(found)


def test_every_feature_but_size_belongs_to_a_family() -> None:
    names = (*pair_feature_names(("hash", "title", "image")), *GRAPH_FEATURES)
    assert [name for name in names if family_of(name) is None] == ["catalogue_size"]


def test_embeddings_are_explained_by_rank() -> None:
    """Each encoder has a scale of its own."""

    def told(low: float, high: float, weight: float, similarity: float = 0.931) -> list[str]:
        return of_images("image", similarity, low, high, weight)

    assert told(0, 40, 1) == ["images look alike: similarity 0.93"]
    assert told(0, 40, -1) == ["other images look more alike: similarity 0.93 only"]
    assert told(10, 40, 1) == told(0, 9, -1) == []
    assert told(0, 40, 1, 0.28) == ["few other images look more alike: similarity 0.28"]


@pytest.mark.parametrize(
    ("rank", "weight", "told"),
    [
        (0, 1, ["images have the same colours: similarity 0.90"]),
        (30, 1, []),
        (0, -1, []),
        (30, -1, ["other images have colours more alike: similarity 0.90 only"]),
    ],
)
def test_colours_speak_for_and_against_a_pair(rank: int, weight: int, told: list[str]) -> None:
    assert of_images("colours", 0.9, rank, rank, weight) == told


def of_images(retriever: str, similarity: float, low: float, high: float, weight: float) -> list[str]:
    """Texts for a pair of images of a similarity, low and high rank, that weighs so much."""
    names = (*(f"{retriever}_{what}" for what in ("similarity", "rank_low", "rank_high")), *GRAPH_FEATURES)
    values, weights = np.zeros(len(names), np.float32), np.zeros(len(names))
    values[:3], weights[0] = (similarity, low, high), weight
    return [reason.text for reason in reasons(Explainer(names, {}), values, weights, "", "")]


@pytest.mark.parametrize("bits", [None, 0, 40])
@pytest.mark.parametrize("same_title", [None, 0, 1])
def test_the_same_bytes_are_identical(bits: int | None, same_title: float | None) -> None:
    """Whatever else is known."""
    assert kind(1, bits, same_title) == "identical"


def test_equal_hashes_and_titles_are_identical() -> None:
    """Though the bytes differ or were not read."""
    assert kind(0, 0, 1) == "identical"
    assert kind(None, 0, 1) == "identical"


@pytest.mark.parametrize("same_title", [None, 0])
def test_equal_hashes_alone_are_near(same_title: float | None) -> None:
    """Flat images of all kinds share one hash."""
    assert kind(0, 0, same_title) == "near"


@pytest.mark.parametrize(("bits", "expected"), [(1, "near"), (NEAR_BITS, "near"), (NEAR_BITS + 1, "same_product")])
@pytest.mark.parametrize("same_title", [None, 0, 1])
def test_images_are_near_up_to_some_bits(bits: int, same_title: float | None, expected: MatchType) -> None:
    """Whatever the titles say."""
    assert kind(0, bits, same_title) == expected


@pytest.mark.parametrize("same_image", [None, 0])
def test_equal_titles_alone_are_the_same_product(same_image: float | None) -> None:
    """Where images are unlike, or unknown."""
    assert kind(same_image, None, 1) == "same_product"
    assert kind(same_image, 30, 1) == "same_product"


def kind(same_image: float | None, bits: int | None, same_title: float | None) -> MatchType:
    """The match type of a pair whose hashes differ in some bits; None: unknown, a NaN among the features."""
    similarity = None if bits is None else float(similarity_of(np.array(bits)))
    names = ("same_title", "words_similarity", "hash_similarity", "same_image", "hash_rank_high", *GRAPH_FEATURES)
    known = (same_title, 0, similarity, same_image)
    values = np.zeros((1, len(names)), np.float32)
    values[0, :4] = [np.nan if value is None else value for value in known]
    untitled = parse_title("")
    [found] = Explainer(names, {}).explain(values, np.zeros(values.shape), untitled, [untitled])
    return found.match_type
