"""Sentences on two titles: their attributes and the words that tell most."""

from collections.abc import Mapping
from math import log

import pytest

from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.reason_sentences import Sentences, sentences
from pricematch.pairs.title_sentences import FACTS, MOST_WORDS
from pricematch.titles.normalise import parse_title


def of_titles(left: str, right: str, counts: Mapping[str, int], size: float) -> Sentences:
    """Sentences on two postings of which the titles are known, in a catalogue of so many."""
    values = {"catalogue_size": log(size) + 1e-9, **dict.fromkeys(GRAPH_FEATURES, 0.0)}
    [found] = sentences([values], parse_title(left), [parse_title(right)], counts)
    return found


def agreements(left: str, right: str) -> dict[str, str]:
    """What both titles state, by family of facts."""
    found = of_titles(left, right, {}, 1000).supporting
    return {family: found[family] for family in FACTS if family in found}


def differences(left: str, right: str) -> dict[str, str]:
    """Where the titles contradict each other."""
    found = of_titles(left, right, {}, 1000)
    return {family: found.opposing[family] for family in FACTS if family in found.contradicted}


def one_sided(left: str, right: str) -> dict[str, str]:
    """What one title alone states."""
    found = of_titles(left, right, {}, 1000)
    return {family: found.opposing[family] for family in FACTS if family in found.opposing.keys() - found.contradicted}


def word_sentence(left: str, right: str, counts: dict[str, int], size: float, *, speaks_for: bool) -> str | None:
    """A sentence on the words of two titles; words without a count are held by 100 titles."""
    words = [*parse_title(left).words, *parse_title(right).words]
    found = of_titles(left, right, dict.fromkeys(words, 100) | counts, size)
    return (found.supporting if speaks_for else found.opposing).get("title")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Toner 100ml", "Toner 0.2L", ["100 ml against 200 ml"]),
        ("Tisu isi 3", "Tisu 1 pcs", ["pack of 3 against 1"]),
        ("Tisu isi 3", "Tisu", ["pack of 3 against no number"]),
        ("Tisu", "Tisu isi 3", ["no number against pack of 3"]),
        ("Tisu 1 pcs", "Tisu", []),
        ("Galaxy SM-A515F", "Galaxy SM-A715F", ["model SM-A515F against SM-A715F"]),
        ("kaos S/M hitam", "kaos size XL putih", ["black against white", "size S, M against XL"]),
        ("krim 80gr/200gr", "krim 200 gram", []),
        ("krim 80gr/200gr", "krim 200 gram 50 g", ["80 g against 50 g"]),
        ("susu coklat", "susu stroberi", ["brown/chocolate against strawberry"]),
        ("sepatu coklat", "sepatu hitam", ["brown/chocolate against black"]),
        ("case a1 a2 a3 a4 a5", "case z9", ["model A1, A2, A3, A4, … against Z9"]),
        ("case 1 2 3 4 5", "case 9", ["number 1, 2, 3, 4, … against 9"]),
        ("kopi", "teh", []),
    ],
)
def test_differences(left: str, right: str, expected: list[str]) -> None:
    """Each title states what the other does not."""
    assert [*differences(left, right).values()] == expected


def test_agreements_are_written_as_in_the_first_title() -> None:
    """What both state is written as the first title writes it."""
    assert agreements("Galaxy SM-A515F 128GB hitam", "samsung sma515f 128 gb black") == {
        "electric": "both say 128 GB",
        "model": "both say model SM-A515F",
        "tint": "both say black",
    }
    assert agreements("Tisu isi 3", "Tisu 3 pcs") == {"count": "both say pack of 3"}
    assert agreements("sapu", "sapu") == {}


def test_rounded_measures_are_no_difference() -> None:
    """Ounces are the grams that they are rounded (fault C4)."""
    assert agreements("Nuts 16 oz", "Nuts 450 g") == {"mass": "both say 453.6 g"}
    assert differences("Nuts 16 oz", "Nuts 450 g") == one_sided("Nuts 16 oz", "Nuts 450 g") == {}
    assert [*differences("Nuts 16 oz", "Nuts 500 g").values()] == ["453.6 g against 500 g"]


def test_ounces_are_the_volume_that_the_other_title_states() -> None:
    """Sentences read plain ounces as the comparison does, and show them so (fault C4)."""
    assert agreements("Cola 12 oz", "Cola 355 ml") == {"volume": "both say 354.9 ml"}
    assert differences("Cola 12 oz", "Cola 355 ml") == one_sided("Cola 12 oz", "Cola 355 ml") == {}
    assert one_sided("Cola 12 oz", "Cola 500 ml") == {
        "volume": "only one says 500 ml",
        "mass": "only one says 340.2 g",
    }


def test_one_sided_attributes_of_either_title() -> None:
    """What one title alone states, in either order."""
    assert one_sided("Tisu putih isi 3", "Tisu isi 3") == one_sided("Tisu isi 3", "Tisu putih isi 3")
    assert one_sided("Tisu putih isi 3", "Tisu isi 3") == {"tint": "only one says white"}
    assert one_sided("case a1 hitam", "case a1 b2") == {
        "model": "only one says model B2",
        "tint": "only one says black",
    }
    assert one_sided("sapu", "ember") == {}


def test_the_rarest_words_come_first() -> None:
    """Three words at most, the rarest first; equal titles have a sentence of their own."""
    left = right = "satu dua tiga empat lima"
    counts = {"lima": 20, "empat": 30, "tiga": 40, "dua": 50}
    assert word_sentence(left, "lima empat tiga dua satu", counts, 1000, speaks_for=True) == (
        "titles share the words 'lima', 'empat', 'tiga'"
    )
    assert MOST_WORDS == 3
    assert word_sentence(left, right, counts, 1000, speaks_for=True) == "titles have the same words"


@pytest.mark.parametrize(
    ("size", "count", "rare"),
    [(1000, 5, True), (1000, 6, False), (10_000, 20, True), (10_000, 21, False), (20, 5, True), (19, 5, False)],
)
def test_rare_words_are_called_rare(size: int, count: int, rare: bool) -> None:
    """A word is rare in five titles or one of 500, but never in a quarter of all."""
    expected = f"titles share the {'rare ' if rare else ''}word 'payung'"
    assert word_sentence("payung kecil", "payung besar", {"payung": count}, size, speaks_for=True) == expected


def test_common_words_are_left_out_next_to_rare_ones() -> None:
    """Beside rare words common ones are left out."""
    found = word_sentence("zebra payung kecil", "payung zebra besar", {"zebra": 4}, 10_000, speaks_for=True)
    assert found == "titles share the rare word 'zebra'"


def test_words_of_one_posting_come_last() -> None:
    """They are misspelled more often than they tell products apart."""
    counts = {"pyung": 1, "ember": 0, "batik": 9}
    assert word_sentence("pyung lipat batik meja", "ember", counts, 1000, speaks_for=False) == "titles share no word"
    assert word_sentence("tas pyung lipat batik meja", "tas ember", counts, 1000, speaks_for=False) == (
        "titles differ: 'batik', 'lipat', 'meja' against 'ember'"
    )


def test_attributes_and_letters_are_no_telling_words() -> None:
    """Quantities, variants, codes and single letters are left out."""
    assert word_sentence("a 500 ml SM-5 hitam", "a 500 ml hitam SM-5 9", {}, 1000, speaks_for=True) == (
        "titles share the word 'sm'"
    )
    assert word_sentence("a 500 ml hitam", "hitam 500 ml a", {}, 1000, speaks_for=True) is None
    assert word_sentence("tas hitam", "tas putih 5", {}, 1000, speaks_for=False) is None


@pytest.mark.parametrize("speaks_for", [True, False])
def test_no_sentence_without_words(speaks_for: bool) -> None:
    """A title without a word has no sentence."""
    assert word_sentence("", "payung", {}, 1000, speaks_for=speaks_for) is None
    assert word_sentence("payung", "!!", {}, 1000, speaks_for=speaks_for) is None
