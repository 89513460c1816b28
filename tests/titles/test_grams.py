"""Grams of titles and their weights, against the definition gram by gram."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.grams import ALONE, TitleGrams, words
from pricematch.titles.grams import grams as grams_of
from pricematch.titles.normalise import parse_title, parse_titles

TITLES = st.lists(
    st.lists(st.sampled_from(["Kopi", "KOPI", "teh", "500", "0,5 L", "café", "!", ""]), max_size=3).map(" ".join),
    max_size=4,
)


def grams(title: str) -> list[str]:
    """The grams of a title."""
    return list(grams_of(parse_title(title)))


def naive_weights(catalogue: list[str], title: str) -> dict[str, float]:
    """Each gram's share in a title's vector of unit length."""
    weights = {}
    for gram in set(grams(title)):
        held = sum(gram in set(grams(other)) for other in catalogue)
        weights[gram] = (1 + math.log((1 + len(catalogue)) / (1 + held))) * (ALONE if held <= 1 else 1)
    length = math.sqrt(sum(weight**2 for weight in weights.values()))
    return {gram: weight / length for gram, weight in weights.items()}


def naive_cosine(catalogue: list[str], left: str, right: str) -> float:
    one, other = naive_weights(catalogue, left), naive_weights(catalogue, right)
    held = {gram for title in catalogue for gram in grams(title)}
    return sum(one[gram] * other[gram] for gram in one.keys() & other.keys() & held)


def test_a_title_has_its_words_their_numbers_neighbours_joined_and_three_characters_in_a_row() -> None:
    assert list(grams("Teh 2L")) == [
        *["=teh", "=2000ml", "=2000", "=teh2000ml"],  # of words, a quantity being one
        *[" te", "teh", "eh ", " 2 ", " l "],  # of runs of letters and of digits
    ]


def test_noise_of_sellers_is_one_gram_a_word_and_its_neighbours_are_neighbours() -> None:
    assert set(grams("Teh promo botol")) - set(grams("Teh botol")) == {"~promo"}
    assert "=tehbotol" in set(grams("Teh promo botol"))


def test_a_title_of_nothing_but_noise_is_like_itself() -> None:
    fitted = TitleGrams(parse_titles(["promo murah", "teh"]))
    np.testing.assert_allclose(
        (fitted.weigh(parse_titles(["Murah! Promo!"])) @ fitted.vectors.T).toarray(), [[1, 0]], atol=1e-6
    )


def test_a_title_without_words_has_no_grams() -> None:
    assert list(grams("")) == list(grams("!!! 😀")) == []


def test_words_written_apart_and_together_share_a_gram() -> None:
    assert "=hadalabo" in set(grams("Hada Labo")) & set(grams("hadalabo"))


@given(catalogue=TITLES, new=TITLES)
def test_cosines_are_those_of_the_weights_also_of_new_titles(catalogue: list[str], new: list[str]) -> None:
    fitted = TitleGrams(parse_titles(catalogue))
    found = (fitted.weigh(parse_titles(new)) @ fitted.vectors.T).toarray()
    expected = [[naive_cosine(catalogue, left, right) for right in catalogue] for left in new]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), atol=1e-6)


@given(catalogue=TITLES)
def test_a_title_of_the_catalogue_is_weighed_as_it_was(catalogue: list[str]) -> None:
    fitted = TitleGrams(parse_titles(catalogue))
    again = fitted.weigh(parse_titles(catalogue))
    np.testing.assert_array_equal(again.toarray(), fitted.vectors.toarray())
    lengths = np.linalg.norm(again.toarray(), axis=1)
    np.testing.assert_allclose(lengths, [1.0 if parse_title(title).words else 0.0 for title in catalogue], atol=1e-6)


def test_a_gram_that_nobody_holds_makes_a_new_title_less_alike() -> None:
    fitted = TitleGrams(parse_titles(["teh botol", "teh kotak", "teh botol"]))
    same, longer = (fitted.weigh(parse_titles(["teh botol", "teh botol xyz"])) @ fitted.vectors[:1].T).toarray().ravel()
    assert same > longer > 0
    np.testing.assert_allclose(same, 1, atol=1e-6)


def test_the_terms_may_be_the_words_alone() -> None:
    fitted = TitleGrams(parse_titles(["teh botol", "teh kotak"]), words)
    assert len(fitted) == 3
    weights, total = fitted.weights(parse_titles(["teh xyz"]))
    once = 1 + math.log(3 / 3)
    never = ALONE * (1 + math.log(3))
    np.testing.assert_allclose(weights.data, [once, never], rtol=1e-6)
    np.testing.assert_allclose(total, [once + never], rtol=1e-6)


def test_titles_that_come_later_share_the_grams_that_the_catalogue_lacks_and_it_shares_none_of_them() -> None:
    fitted = TitleGrams(parse_titles(["teh botol", "teh kotak"]))
    found = fitted.weigh(parse_titles(["sirup frambozen", "frambozen sirup", "sirup vanila", "teh botol"]))
    cosines = (found @ found.T).toarray()
    assert 0.6 < cosines[0, 1] < 1  # joined neighbours differ
    assert 0.1 < cosines[0, 2] < cosines[0, 1]
    assert cosines[0, 3] == 0
    assert not (found[:3] @ fitted.vectors.T).toarray().any()
    np.testing.assert_allclose(cosines.diagonal(), 1, atol=1e-6)
