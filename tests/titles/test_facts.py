"""Facts of many titles against each other, pair by pair."""

from functools import cache
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles import facts as module
from pricematch.titles.facts import FactAgreement, TitleFacts, compare
from pricematch.titles.statements import KINDS, statements

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


def kind(found: FactAgreement, pair: int, name: str) -> tuple[int, int, int]:
    place = KINDS.index(name)
    return tuple(int(part[pair, place]) for part in (found.shared, found.contradicting, found.unanswered))  # type: ignore[return-value]


def compared(left: str, right: str) -> FactAgreement:
    zero = np.zeros(1, np.intp)
    return compare(TitleFacts.of([left]), zero, TitleFacts.of([right]), zero)


@cache
def naive(left: str, right: str) -> list[list[int]]:
    stated = statements(left), statements(right)
    rows: list[list[int]] = [[], [], []]
    for name in KINDS:
        one, other = ({fact.value for fact in facts if fact.kind == name} for facts in stated)
        apart = len(one ^ other)
        rows[0].append(len(one & other))
        rows[1].append(apart if one and other else 0)
        rows[2].append(0 if one and other else apart)
    return rows


@pytest.mark.parametrize("block", [1, 3, 1 << 18])
@given(left=TITLES, right=TITLES)
def test_pairs_are_compared_as_sets_of_facts_in_blocks_of_any_size(
    left: list[str], right: list[str], block: int
) -> None:
    lines, rows = (part.ravel() for part in np.meshgrid(np.arange(len(left)), np.arange(len(right))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PAIRS", block)
        found = compare(TitleFacts.of(left), lines, TitleFacts.of(right), rows)
        turned = compare(TitleFacts.of(right), rows, TitleFacts.of(left), lines)
    assert len(found) == len(lines)
    for place, (line, row) in enumerate(zip(lines, rows, strict=True)):
        counts = [found.shared[place], found.contradicting[place], found.unanswered[place]]
        assert np.array(counts).tolist() == naive(left[line], right[row])
    np.testing.assert_array_equal(found.shared, turned.shared)
    np.testing.assert_array_equal(found.contradicting, turned.contradicting)
    np.testing.assert_array_equal(found.unanswered, turned.unanswered)
    np.testing.assert_array_equal(found.packed, turned.packed)


def test_two_flavours_of_one_drink_contradict_each_other() -> None:
    found = compared("Susu UHT Strawberry 200ml", "Susu UHT rasa vanila 200 ml")
    assert kind(found, 0, "flavour") == (0, 2, 0)
    assert kind(found, 0, "volume") == (1, 0, 0)


def test_one_hundred_millilitres_contradict_two_hundred() -> None:
    assert kind(compared("Toner 100 ml", "Toner 0,2 liter"), 0, "volume") == (0, 2, 0)


def test_a_pack_of_three_contradicts_a_single_one_and_is_unanswered_by_a_title_without_a_count() -> None:
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
def test_a_pack_of_several_against_a_title_without_pack_size_is_told(left: str, right: str, expected: bool) -> None:
    assert compared(left, right).packed.tolist() == [expected]
    assert compared(right, left).packed.tolist() == [expected]


def test_facts_of_a_title_are_the_same_among_others_selected_and_extended() -> None:
    titles = ["Kopi 100 ml", "", "SM-A515F hitam 8", "isi 3"]
    every = TitleFacts.of(titles)
    for other in (every.select(np.array([0, 1, 2, 3])), TitleFacts.of(titles[:1]).joined(TitleFacts.of(titles[1:]))):
        np.testing.assert_array_equal(other.starts, every.starts)
        np.testing.assert_array_equal(other.facts, every.facts)
        np.testing.assert_array_equal(other.counts, every.counts)
        np.testing.assert_array_equal(other.several, every.several)
    picked, alone = every.select(np.array([2, 2])), TitleFacts.of([titles[2]])
    assert len(picked) == 2
    np.testing.assert_array_equal(picked.facts, np.tile(alone.facts, 2))


def test_no_titles_and_no_pairs_are_no_trouble() -> None:
    none = TitleFacts.of([])
    assert len(none) == 0
    assert len(compare(none, np.empty(0, np.intp), none, np.empty(0, np.intp))) == 0
    assert len(none.select(np.empty(0, np.intp)).joined(TitleFacts.of(["8"]))) == 1


def test_a_title_with_more_facts_than_fit_is_cut_and_still_like_itself() -> None:
    endless = " ".join(f"a{number}" for number in range(1000))
    found = compared(endless, endless)
    assert found.shared.sum() == 255
    assert not found.contradicting.any()
    assert kind(compared(endless, "z9"), 0, "model")[1] > 100


def test_the_keys_of_facts_do_not_depend_on_the_process() -> None:
    # BLAKE2b of "100ml", 8 bytes, its upper 39 bits, behind the number of the kind
    digest = blake2b(b"100ml", digest_size=8).digest()
    assert TitleFacts.of(["100 ml"]).facts.tolist() == [
        KINDS.index("volume") << 39 | int.from_bytes(digest, "big") >> 25
    ]
