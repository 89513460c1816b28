"""Measures of two titles that are each other's, rounded, and plain ounces that are volumes."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.comparison import compare, read_together
from pricematch.titles.normalise import parse_title
from tests.support.compared_titles import attributes_of, compared, kind


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("16 oz", "454 g"),
        ("16 oz", "453 g"),
        ("16 oz", "450 g"),
        ("16 oz", "453.592 g"),
        ("454 g", "453.592 g"),
        ("1 lb", "16 oz"),
        ("2.2 lb", "1 kg"),
        ("5 lb", "2.27 kg"),
        ("½ lb", "227 g"),
        ("17.6 oz", "500 g"),
        ("12 fl oz", "355 ml"),
        ("12 fl oz", "354 ml"),
        ("3.4 fl oz", "100 ml"),
        ("1 fl oz", "30 ml"),
        ("1 gal", "3.78 l"),
        ('5.5"', "14 cm"),
        ("1 inch", "2.54 cm"),
        ("1 inch", "25 mm"),
        ('24"', "60 cm"),
        ("5'10\"", "178 cm"),
        ("8x10 inch", "20x25 cm"),
        ("8.5 x 11 in", "21.6 x 27.9 cm"),
        ("5' x 8'", "150 x 240 cm"),
        ("365 days", "1 year"),
        ("52 weeks", "12 months"),
        ("16-oz can", "454 g can"),
        ("16 oz (454 g)", "454 g"),
        ("3.4 fl oz / 100 ml", "100 ml"),
        ("3.4 fl oz / 100 ml", "3.4 fl oz"),
        ("500 g 16 oz", "500 g 454 g"),
        ("12 oz", "355 ml"),
        ("12 ounces", "0,35 l"),
        ("12 oz", "12 fl oz"),
        ("12 oz", "12 oz (355 ml)"),
        ("12 oz", "340 g"),
        ("8oz/12oz", "237 ml / 355 ml"),
        ("100 sq ft", "9.29 m²"),
    ],
)
def test_rounded_measures_are_shared(left: str, right: str) -> None:
    """One of ounces or inches equals the metric one that is it rounded, or of which it is (fault C4)."""
    for found in (compared(left, right), compared(right, left)):
        assert found.shared.any()
        assert not found.contradicting.any()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("500 g", "501 g"),
        ("500 g", "500.4 g"),
        ("454 g", "453 g"),
        ("1 lb", "500 g"),
        ("15.9 oz", "454 g"),
        ("17.3 oz", "500 g"),
        ("12 fl oz", "330 ml"),
        ("1 gal", "4 l"),
        ('5.5"', "13 cm"),
        ('6.5"', '6.52"'),
        ("5'", '5"'),
        ("8x10 inch", "20x30 cm"),
        ("365 days", "366 days"),
        ("11 months", "365 days"),
        ("12 oz", "355 g"),
        ("100 sq ft", "10 m²"),
        ("45°", "90°"),
    ],
)
def test_other_measures_contradict(left: str, right: str) -> None:
    """Within one system amounts must be equal, between two the rounding is of what is written (fault C4)."""
    assert compared(left, right).contradicting.sum() == 2
    assert not compared(left, right).shared.any()


def test_ounces_that_are_another_volume_stay_a_mass() -> None:
    """Plain ounces contradict no volume, and are none beside other plain ounces (fault C4)."""
    found = compared("12 oz", "500 ml")
    assert kind(found, 0, "mass") == kind(found, 0, "volume") == (0, 0, 1)
    one, other = parse_title("12 oz"), parse_title("16 oz 355 ml")
    assert read_together(one, other) == (one.attributes, other.attributes)
    found = compared("12 oz", "16 oz 355 ml")
    assert (kind(found, 0, "mass"), kind(found, 0, "volume")) == ((0, 2, 0), (0, 0, 1))


def test_ounces_of_many_titles_are_their_own() -> None:
    """Of titles with and without ounces, also joined, each pair is what it is alone (fault C4)."""
    titles = ["kopi", "8 oz", "355 ml", "12 oz", "237 ml"]
    joined = attributes_of(titles[:2]).joined(attributes_of(titles[2:3])).joined(attributes_of(titles[3:]))
    left, right = (part.ravel() for part in np.meshgrid(np.arange(len(titles)), np.arange(len(titles))))
    found = compare(joined, left, joined, right)
    alone = [compared(titles[one], titles[other]) for one, other in zip(left, right, strict=True)]
    for part in ("shared", "contradicting", "unanswered"):
        np.testing.assert_array_equal(getattr(found, part), np.concatenate([getattr(it, part) for it in alone]))


@given(
    *[
        st.lists(
            st.sampled_from(
                ["16 oz", "454 g", "450 g", "1 kg", "2.2 lb", "6 in.", "15 cm", "3 pcs", "473 ml", "16 fl oz", "8 oz"]
            )
        )
    ]
    * 2
)
def test_rounded_measures_agree_as_single_ones_do(left: Sequence[str], right: Sequence[str]) -> None:
    """Comparing many pairs finds what comparing attribute by attribute does."""
    one, other = read_together(*(parse_title(", ".join(titles)) for titles in (left, right)))
    found = compare(
        attributes_of([", ".join(left)]), np.zeros(1, np.intp), attributes_of([", ".join(right)]), np.zeros(1, np.intp)
    )
    for name in ("mass", "volume", "length", "count"):
        ours, theirs = [it for it in one if it.kind == name], [it for it in other if it.kind == name]
        agreeing = sum(it.agrees(theirs) for it in ours), sum(it.agrees(ours) for it in theirs)
        assert kind(found, 0, name)[0] == min(agreeing)
