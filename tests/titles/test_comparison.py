"""Attributes of many titles compared, pair by pair, against sets."""

from functools import cache
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles import comparison as module
from pricematch.titles.comparison import (
    GROUPS,
    MEASURED,
    SUMMARY,
    compare,
    summarise,
)
from pricematch.titles.normalise import KINDS, parse_title
from tests.support.compared_titles import attributes_of, compared, kind

TITLES = st.lists(
    st.lists(
        st.sampled_from(
            ["Kopi", "100 ml", "0,1 L", "200ml", "isi 3", "1pcs", "SM-A515F", "A5s", "hitam", "black", "8", "XL"]
        ),
        max_size=4,
    ).map(" ".join),
    min_size=1,
    max_size=4,
)


@cache
def naive(left: str, right: str) -> list[list[int]]:
    """Shared, contradicting and unanswered attributes by kind, from sets."""
    stated = parse_title(left).attributes, parse_title(right).attributes
    rows: list[list[int]] = [[], [], []]
    for name in KINDS:
        one, other = ({it.value for it in attributes if it.kind == name} for attributes in stated)
        apart = len(one ^ other)
        rows[0].append(len(one & other))
        rows[1].append(apart if one and other else 0)
        rows[2].append(0 if one and other else apart)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 3, 1 << 18])
@given(left=TITLES, right=TITLES)
def test_pairs_are_compared_as_sets(left: list[str], right: list[str], block: int) -> None:
    """Blocks of any size give the counts of set operations, and the order of a pair does not matter."""
    lines, rows = (part.ravel() for part in np.meshgrid(np.arange(len(left)), np.arange(len(right))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PAIRS", block)
        found = compare(attributes_of(left), lines, attributes_of(right), rows)
        turned = compare(attributes_of(right), rows, attributes_of(left), lines)
    assert len(found) == len(lines)
    for place, (line, row) in enumerate(zip(lines, rows, strict=True)):
        counts = [found.shared[place], found.contradicting[place], found.unanswered[place]]
        assert np.array(counts).tolist() == naive(left[line], right[row])
    np.testing.assert_array_equal(found.shared, turned.shared)
    np.testing.assert_array_equal(found.contradicting, turned.contradicting)
    np.testing.assert_array_equal(found.unanswered, turned.unanswered)
    np.testing.assert_array_equal(found.packed, turned.packed)


def test_flavours_contradict_each_other() -> None:
    """Strawberry and vanilla contradict each other, the equal volume does not."""
    found = compared("Susu UHT Strawberry 200ml", "Susu UHT rasa vanila 200 ml")
    assert kind(found, 0, "flavour") == (0, 2, 0)
    assert kind(found, 0, "volume") == (1, 0, 0)


def test_volumes_contradict_each_other() -> None:
    """100 ml and 0,2 liter contradict each other."""
    assert kind(compared("Toner 100 ml", "Toner 0,2 liter"), 0, "volume") == (0, 2, 0)


def test_pack_sizes_contradict_or_stay_unanswered() -> None:
    """A pack of three contradicts a single one; a title without a count leaves it unanswered."""
    assert kind(compared("Sikat gigi isi 3", "Sikat gigi 1 pcs"), 0, "count") == (0, 2, 0)
    assert kind(compared("Sikat gigi isi 3", "Sikat gigi"), 0, "count") == (0, 0, 1)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Tisu isi 3", "Tisu", True),
        ("Tisu", "Tisu 1 box isi 50", True),
        ("Tisu isi 3", "Tisu 1 pcs", False),
        ("Tisu isi 3", "Tisu isi 5", False),
        ("Tisu 1 pcs", "Tisu", False),
        ("Tisu", "Tisu", False),
    ],
)
def test_packs_against_titles_without_size(left: str, right: str, expected: bool) -> None:
    """A pack of several against a title without a pack size is marked, in both directions."""
    assert compared(left, right).packed.tolist() == [expected]
    assert compared(right, left).packed.tolist() == [expected]


def test_attributes_join() -> None:
    """Joining two parts gives the attributes of all titles together."""
    titles = ["Kopi 100 ml", "", "SM-A515F hitam 8", "isi 3"]
    every, joined = attributes_of(titles), attributes_of(titles[:1]).joined(attributes_of(titles[1:]))
    np.testing.assert_array_equal(joined.starts, every.starts)
    np.testing.assert_array_equal(joined.keys, every.keys)
    np.testing.assert_array_equal(joined.counts, every.counts)
    np.testing.assert_array_equal(joined.several, every.several)


def test_no_titles_and_no_pairs() -> None:
    """Nothing can be compared with nothing."""
    none = attributes_of([])
    assert len(none) == 0
    assert len(compare(none, np.empty(0, np.intp), none, np.empty(0, np.intp))) == 0
    assert len(none.joined(attributes_of(["8"]))) == 1


def test_endless_titles_are_cut() -> None:
    """A title of more attributes than are compared still equals itself."""
    endless = " ".join(f"a{number}" for number in range(1000))
    found = compared(endless, endless)
    assert found.shared.sum() == 255
    assert not found.contradicting.any()
    assert kind(compared(endless, "z9"), 0, "model")[1] > 100


def test_keys_are_the_same_in_every_process() -> None:
    """A key is 39 bits of BLAKE2b of the value behind the number of the kind."""
    # BLAKE2b of "100ml", 8 bytes, its upper 39 bits, behind the number of the kind
    digest = blake2b(b"100ml", digest_size=8).digest()
    assert attributes_of(["100 ml"]).keys.tolist() == [
        KINDS.index("volume") << 39 | int.from_bytes(digest, "big") >> 25
    ]


def summary(left: str, right: str) -> dict[str, float]:
    """The numbers of one pair that are not 0."""
    zero = np.zeros(1, np.intp)
    values = summarise(compare(attributes_of([left]), zero, attributes_of([right]), zero))
    assert values.shape == (1, len(SUMMARY))
    return {name: float(value) for name, value in zip(SUMMARY, values[0], strict=True) if value}


def test_summary_of_nothing_is_zero() -> None:
    """Titles that state nothing neither agree nor clash."""
    assert summary("sapu", "ijuk") == {}


def test_summary_of_an_agreement() -> None:
    """One agreeing volume counts as attribute, kind and measure, and as −1 conflict."""
    assert summary("sabun 100 ml", "sabun 0,1 L") == {
        "volume_conflict": -1,
        "facts_shared": 1,
        "kinds_agreeing": 1,
        "measures_agreeing": 1,
    }


def test_summary_of_a_clash() -> None:
    """A clash counts the attributes of both titles."""
    assert summary("sabun 100 ml", "sabun 200 ml") == {
        "volume_conflict": 1,
        "facts_contradicting": 2,
        "kinds_clashing": 1,
        "measures_clashing": 1,
    }


def test_agreement_in_part_is_half_a_conflict() -> None:
    """A kind in which two agree in part is half a conflict."""
    assert summary("krim 80gr/200gr", "krim 200gr") == {
        "mass_conflict": 0.5,
        "facts_shared": 1,
        "facts_contradicting": 1,
        "kinds_agreeing": 1,
        "measures_agreeing": 1,
    }


def test_one_sided_attributes_are_unanswered() -> None:
    """What only one title states is counted as unanswered."""
    assert summary("tisu 100 g pria", "tisu") == {"facts_unanswered": 2}


def test_packs_are_half_a_conflict() -> None:
    """A pack of several is half a conflict with a title without a count, a single one is none."""
    assert summary("tisu isi 3", "tisu") == {"count_conflict": 0.5, "facts_unanswered": 1}
    assert summary("tisu 1 pcs", "tisu") == {"facts_unanswered": 1}


def test_coklat_clashes_as_flavour_or_colour() -> None:
    """`coklat` clashes with a flavour as chocolate, with a colour as brown."""
    # what it is of the other kind stays unanswered
    clash = {"tint_conflict": 1, "facts_contradicting": 2, "facts_unanswered": 1, "kinds_clashing": 1}
    assert summary("susu coklat", "susu stroberi") == summary("sepatu coklat", "sepatu hitam") == clash


def test_kinds_of_a_group_are_summed() -> None:
    """Conflicts of two kinds of one group are added up."""
    # red clashes with blue, strawberry with lemon; neither is a measure
    assert summary("permen merah stroberi", "permen biru lemon") == {
        "tint_conflict": 2,
        "facts_contradicting": 4,
        "kinds_clashing": 2,
    }


def test_summary_of_no_pairs() -> None:
    """No pairs have no rows."""
    none, nobody = attributes_of([]), np.empty(0, np.intp)
    assert summarise(compare(none, nobody, none, nobody)).shape == (0, len(SUMMARY))


def test_no_kind_is_in_two_groups() -> None:
    """Measured groups are groups, and no kind belongs to two."""
    assert set(MEASURED) <= set(GROUPS)
    kinds = [kind for group in GROUPS.values() for kind in group]
    assert len(kinds) == len(set(kinds))
