"""Rows that a filter holds of: by columns, by looking into postings, and by a naive reading of both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filter_json import filter_of_json
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.errors import FieldNotDeclared
from tests.support.filters import FIELDS, json_filters, metadata, naive_holds

DECLARED = [Field(name, "text") for name in FIELDS]


def postings(each: Sequence[Mapping[str, Any]], first: int = 0) -> list[Posting]:
    return [Posting(f"p{first + row}", None, metadata=Metadata(fields)) for row, fields in enumerate(each)]


def found(fields: Fields, given: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    return sorted(catalogue.ids_of(np.flatnonzero(fields.mask(filter_of_json(given), catalogue))))


@given(
    json_filters(),
    st.lists(metadata(), max_size=6),
    st.lists(metadata(), max_size=4),
    st.sets(st.sampled_from(FIELDS)),
    st.data(),
)
def test_a_mask_is_what_holds_of_each_posting(
    given: Mapping[str, Any], first: list[Any], more: list[Any], names: set[str], data: st.DataObject
) -> None:
    """Whichever fields are declared, before and after postings came, went and got other metadata."""
    catalogue = Catalogue(postings(first))
    fields = Fields().declaring([Field(name, "number") for name in sorted(names)], catalogue)
    before = fields
    earlier = {it.posting_id: it.metadata for it in catalogue}

    changed = catalogue.changed(postings(more, first=len(first) // 2), ["p0"])
    fields = fields.changed(np.arange(catalogue.span, changed.span), changed)
    some = data.draw(st.sets(st.sampled_from(changed.rows.tolist()))) if len(changed) else set()
    other = {row: Metadata(data.draw(metadata())) for row in sorted(some)}
    now = changed.with_metadata(other)
    fields = fields.changed(np.array(sorted(some), np.intp), now)

    expected = [it.posting_id for it in now if naive_holds(given, it.metadata.as_json())]
    assert found(fields, given, now) == sorted(expected)
    fresh = Fields().declaring(DECLARED, now)
    assert found(fresh, given, now) == sorted(expected)
    was = [posting_id for posting_id, it in earlier.items() if naive_holds(given, it.as_json())]
    assert found(before, given, catalogue) == sorted(was)


def test_own_fields_of_postings() -> None:
    """Declared or not; ids are looked up."""
    each = [Posting("a", None, "x", label_group="g"), Posting("b", None, "y", label_group="g"), Posting("c", None, "z")]
    catalogue = Catalogue(each)
    declared = [Field("$posting_id", "text"), Field("$label_group", "text")]
    for fields in (Fields(), Fields().declaring(declared, catalogue)):
        assert found(fields, {"$posting_id": {"in": ["a", "c", "nobody", 1]}}, catalogue) == ["a", "c"]
        assert found(fields, {"$posting_id": {"gt": "a"}}, catalogue) == ["b", "c"]
        assert found(fields, {"$label_group": "g"}, catalogue) == ["a", "b"]
        assert found(fields, {"$label_group": {"exists": False}}, catalogue) == ["c"]
    assert found(replace(Fields(), max_scanned=0), {"$posting_id": "b"}, catalogue) == ["b"]


def test_more_postings_than_may_be_are_not_looked_into() -> None:
    """The sentence names the field; what a declared one leaves of them may be few enough."""
    catalogue = Catalogue(postings([{"seller": f"s{row % 5}", "size": row} for row in range(20)]))
    fields = replace(Fields(), max_scanned=19)
    with pytest.raises(FieldNotDeclared, match=r"'size' .* 20 postings .* 19 may .* fields declare size"):
        fields.mask(filter_of_json({"size": 3}), catalogue)
    narrow = replace(Fields().declaring([Field("seller", "text")], catalogue), max_scanned=4)
    for few in ({"size": {"lt": 10}, "seller": "s1"}, {"and": [{"not": {"size": {"gte": 10}}}, {"seller": "s1"}]}):
        assert found(narrow, few, catalogue) == ["p1", "p6"]
    most = {"in": [f"s{row}" for row in range(4)]}
    assert len(found(narrow, {"or": [{"size": 4}, {"seller": most}]}, catalogue)) == 17
    with pytest.raises(FieldNotDeclared, match="16 postings"):
        narrow.mask(filter_of_json({"seller": most, "size": 1}), catalogue)


def test_values_of_each_type_are_counted() -> None:
    catalogue = Catalogue(postings([{"size": 38}, {"size": "L"}, {"size": [38, 39, "L", True]}, {}, {"size": 1}]))
    catalogue = catalogue.changed([], ["p4"])
    column = Fields().declaring([Field("size", "number")], catalogue).columns["size"]
    assert column.counts(catalogue.alive) == (2, 2)


def test_a_row_with_other_metadata_has_its_new_values_alone() -> None:
    """Numbers and texts; the columns of before keep theirs."""
    catalogue = Catalogue(postings([{"size": [38, "L"]}, {"size": 38}, {}]))
    fields = Fields().declaring([Field("size", "number")], catalogue)
    now = catalogue.with_metadata({0: Metadata({"size": "M"}), 2: Metadata({"size": 38})})
    changed = fields.changed(np.array([0, 2]), now)
    for asked, before, after in (
        ({"size": 38}, ["p0", "p1"], ["p1", "p2"]),
        ({"size": "L"}, ["p0"], []),
        ({"size": "M"}, [], ["p0"]),
        ({"size": {"exists": True}}, ["p0", "p1"], ["p0", "p1", "p2"]),
    ):
        assert found(fields, asked, catalogue) == before
        assert found(changed, asked, now) == after
