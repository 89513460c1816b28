"""Values of evidence fields and the features of pairs, against sets and plain arithmetic."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.evidence import (
    MAX_TEXTS,
    EvidenceFields,
    EvidenceValues,
    evidence_features,
    evidence_names,
    in_order,
    read_evidence_field,
)
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.errors import FilterInvalid

PRICE, BRAND = Field("price", "number", evidence=True), Field("brand.name", "text", evidence=True)
FIELDS = (BRAND, PRICE)
SCALARS = st.one_of(
    st.sampled_from(["acme", "ACME", " Acme ", "ＡＣＭＥ", "lg", "1", "", "Straße", "STRASSE"]),
    st.sampled_from([0, 1, 2, 2.5, -1, 1e6, True, False]),
)
VALUES = st.one_of(st.none(), SCALARS, st.lists(SCALARS, max_size=4))
METADATA = st.builds(lambda price, brand: Metadata({"price": price, "brand": {"name": brand}}), VALUES, VALUES)


def values_of(one: Metadata, other: Metadata, fields: tuple[Field, ...] = FIELDS) -> EvidenceValues:
    found = EvidenceFields.every(fields).values([one, other])
    assert found is not None
    return found


def features_of(one: Metadata, other: Metadata) -> dict[str, float]:
    values = values_of(one, other)
    [row] = evidence_features(values, values, np.array([0]), np.array([1])).tolist()
    return dict(zip(evidence_names(FIELDS), row, strict=True))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def numbers(metadata: Metadata) -> list[float]:
    return [float(it) for it in listed(metadata.as_json()["price"]) if type(it) in (int, float)]


def texts(metadata: Metadata) -> set[str]:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str):
            return str(int(value)) if value == int(value) else str(value)
        return value.translate({ord(wide): ord("A") + ord(wide) - 0xFF21 for wide in "ＡＣＭＥ"}).strip().casefold()

    return {text(it) for it in listed(metadata.as_json()["brand"]["name"])} - {""}


@given(METADATA, METADATA)
def test_features_are_those_of_sets_and_arithmetic(one: Metadata, other: Metadata) -> None:
    found = features_of(one, other)
    a, b = numbers(one), numbers(other)
    expected = {"ratio": math.nan, "equal": math.nan, "shared": math.nan}
    if a and b:
        low, high = sorted([min(a), min(b)])
        expected["equal"] = float(low == high)
        if low > 0:
            expected["ratio"] = math.log(high / low)
    mine, others = texts(one), texts(other)
    if mine and others:
        expected["shared"] = len(mine & others) / len(mine | others)
    assert list(found.values()) == pytest.approx([*(expected[it] for it in ("shared", "ratio", "equal"))], nan_ok=True)
    swapped = features_of(other, one)
    assert np.array_equal([*found.values()], [*swapped.values()], equal_nan=True)


def test_other_types_are_nothing_where_a_field_is_of_numbers() -> None:
    """A text is no price; a number and a truth value are texts like others."""
    found = values_of(Metadata({"price": "12", "brand": {"name": 501}}), Metadata({"price": True, "brand": {}}))
    assert found.known.tolist() == [[True, False], [False, False]]
    assert EvidenceFields.every(FIELDS).same(
        Metadata({"brand": {"name": "501"}}), Metadata({"brand": {"name": 501}, "price": "12", "seller": "x"})
    )


def test_of_many_texts_some_are_compared_whatever_their_order() -> None:
    names = [f"brand {number}" for number in range(3 * MAX_TEXTS)]
    one, other = (Metadata({"brand": {"name": it}}) for it in (names, names[::-1]))
    assert features_of(one, other)["field_0_shared"] == 1
    assert EvidenceFields.every(FIELDS).same(one, other)


def test_values_are_selected_joined_and_taken_away() -> None:
    values = values_of(Metadata({"price": 5}), Metadata({"price": 7, "brand": {"name": "lg"}}))
    both = values.select(np.array([1])).joined(values)
    assert both.numbers[:, 1].tolist() == [7, 5, 7]
    assert both.known[:, 0].tolist() == [True, False, True]
    less = both.without(np.array([0]))
    assert less.known.tolist() == [[False, False], [False, True], [True, True]]
    assert both.known[0].all()


def test_fields_that_are_not_known_have_nothing() -> None:
    """Others of the same name and another type are others."""
    values = values_of(Metadata({"price": 5}), Metadata({"price": 7}))
    found = values.of([Field("price", "text", evidence=True), PRICE, Field("colour", "text", evidence=True)])
    assert found.known.tolist() == [[False, True, False]] * 2
    assert found.numbers[:, 1].tolist() == [5, 7]


def test_what_is_not_declared_is_not_read() -> None:
    declared = [Field("price", "number"), BRAND, Field("colour", "text", evidence=True)]
    fields = EvidenceFields.declared(FIELDS, declared)
    assert fields.read == {BRAND}
    assert fields.same(Metadata({"price": 1}), Metadata({"price": 2}))
    assert not fields.same(Metadata({"brand": {"name": "a"}}), Metadata({"brand": {"name": "b"}}))
    assert EvidenceFields().values([Metadata({"price": 1})]) is None


@pytest.mark.parametrize(
    "text", ["price", "price:date", ":number", "a..b:text", "$label_group:text", "$posting_id:text"]
)
def test_what_names_no_field_is_refused(text: str) -> None:
    with pytest.raises(FilterInvalid, match="evidence"):
        read_evidence_field(text)


def test_fields_are_read_by_name_and_type_each_once() -> None:
    read = [read_evidence_field(text) for text in ("price:number", "a:b:text")]
    assert in_order(read) == (Field("a:b", "text", evidence=True), PRICE)
    with pytest.raises(FilterInvalid, match="each field once, got price twice"):
        in_order([*read, read_evidence_field("price:text")])
