"""TF-IDF of words and grams, against the definition term by term."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.normalise import parse_title, parse_titles
from pricematch.titles.vectors import SINGLE_WEIGHT, TfIdf, words
from pricematch.titles.vectors import grams as grams_of

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
        weights[gram] = (1 + math.log((1 + len(catalogue)) / (1 + held))) * (SINGLE_WEIGHT if held <= 1 else 1)
    length = math.sqrt(sum(weight**2 for weight in weights.values()))
    return {gram: weight / length for gram, weight in weights.items()}


def naive_cosine(catalogue: list[str], left: str, right: str) -> float:
    """The cosine of two titles, of which the second is one of the catalogue."""
    one, other = naive_weights(catalogue, left), naive_weights(catalogue, right)
    held = {gram for title in catalogue for gram in grams(title)}
    return sum(one[gram] * other[gram] for gram in one.keys() & other.keys() & held)


def test_grams() -> None:
    """Grams are words, their numbers, neighbours joined, and three characters in a row."""
    assert list(grams("Teh 2L")) == [
        *["=teh", "=2000ml", "=2000", "=teh2000ml"],  # of words, a quantity being one
        *[" te", "teh", "eh ", " 2 ", " l "],  # of runs of letters and of digits
    ]


def test_noise_is_one_gram_a_word() -> None:
    """A word of noise has no characters, and its neighbours are each other's."""
    assert set(grams("Teh promo botol")) - set(grams("Teh botol")) == {"~promo"}
    assert "=tehbotol" in set(grams("Teh promo botol"))


def test_pure_noise_equals_itself() -> None:
    """A title of nothing but noise has a cosine of 1 to itself."""
    fitted = TfIdf(parse_titles(["promo murah", "teh"]))
    np.testing.assert_allclose(
        (fitted.transform(parse_titles(["Murah! Promo!"])) @ fitted.vectors.T).toarray(), [[1, 0]], atol=1e-6
    )


def test_no_words_no_grams() -> None:
    """A title without words has no grams."""
    assert list(grams("")) == list(grams("!!! 😀")) == []


def test_joined_words_share_a_gram() -> None:
    """Words written apart and together share a gram."""
    assert "=hadalabo" in set(grams("Hada Labo")) & set(grams("hadalabo"))


@pytest.mark.slow
@given(catalogue=TITLES, new=TITLES)
def test_cosines_follow_the_definition(catalogue: list[str], new: list[str]) -> None:
    """Cosines are those of the weights, also of new titles."""
    fitted = TfIdf(parse_titles(catalogue))
    found = (fitted.transform(parse_titles(new)) @ fitted.vectors.T).toarray()
    expected = [[naive_cosine(catalogue, left, right) for right in catalogue] for left in new]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), atol=1e-6)


@pytest.mark.slow
@given(catalogue=TITLES)
def test_transform_of_the_catalogue(catalogue: list[str]) -> None:
    """A title of the catalogue has the row it had, of length 1 or of zeros."""
    fitted = TfIdf(parse_titles(catalogue))
    again = fitted.transform(parse_titles(catalogue))
    np.testing.assert_array_equal(again.toarray(), fitted.vectors.toarray())
    lengths = np.linalg.norm(again.toarray(), axis=1)
    np.testing.assert_allclose(lengths, [1.0 if parse_title(title).words else 0.0 for title in catalogue], atol=1e-6)


def test_unknown_terms_lower_the_cosine() -> None:
    """A term that no title of the catalogue holds makes a new title less similar."""
    fitted = TfIdf(parse_titles(["teh botol", "teh kotak", "teh botol"]))
    found = fitted.transform(parse_titles(["teh botol", "teh botol xyz"]))
    same, longer = (found @ fitted.vectors[:1].T).toarray().ravel()
    assert same > longer > 0
    np.testing.assert_allclose(same, 1, atol=1e-6)


def test_words_as_terms() -> None:
    """Words may be the terms; what the catalogue lacks weighs as what one title holds."""
    fitted = TfIdf(parse_titles(["teh botol", "teh kotak"]), words)
    assert len(fitted) == 3
    weights, total = fitted.weights(fitted.transform(parse_titles(["teh xyz"])))
    once = 1 + math.log(3 / 3)
    never = SINGLE_WEIGHT * (1 + math.log(3))
    np.testing.assert_allclose(weights.data, [once, never], rtol=1e-6)
    np.testing.assert_allclose(total, [once + never], rtol=1e-6)


def test_new_titles_share_unknown_terms() -> None:
    """Titles that come later share the terms that the catalogue lacks, and it shares none of them."""
    fitted = TfIdf(parse_titles(["teh botol", "teh kotak"]))
    found = fitted.transform(parse_titles(["sirup frambozen", "frambozen sirup", "sirup vanila", "teh botol"]))
    cosines = (found @ found.T).toarray()
    assert 0.6 < cosines[0, 1] < 1  # joined neighbours differ
    assert 0.1 < cosines[0, 2] < cosines[0, 1]
    assert cosines[0, 3] == 0
    assert not (found[:3] @ fitted.vectors.T).toarray().any()
    np.testing.assert_allclose(cosines.diagonal(), 1, atol=1e-6)


@pytest.mark.slow
@given(catalogue=TITLES)
def test_single_terms_may_keep_their_weight(catalogue: list[str]) -> None:
    """With a single weight of 1, words weigh as scikit-learn's TF-IDF with binary counts does."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    titles = parse_titles(catalogue)
    found = TfIdf(titles, words, single_weight=1)
    cosine = (found.vectors @ found.vectors.T).toarray()
    if not len(found):
        assert not cosine.any()
        return
    expected = TfidfVectorizer(analyzer=words, binary=True).fit_transform(titles)
    np.testing.assert_allclose(cosine, (expected @ expected.T).toarray(), atol=1e-6)
