"""Agreement of facts in a few numbers, worked out by hand."""

import numpy as np

from pricematch.titles.fact_summary import GROUPS, MEASURED, SUMMARY, summarise
from pricematch.titles.facts import TitleFacts, compare


def summary(left: str, right: str) -> dict[str, float]:
    zero = np.zeros(1, np.intp)
    values = summarise(compare(TitleFacts.of([left]), zero, TitleFacts.of([right]), zero))
    assert values.shape == (1, len(SUMMARY))
    return {name: float(value) for name, value in zip(SUMMARY, values[0], strict=True) if value}


def test_titles_that_state_nothing_have_zeros() -> None:
    assert summary("sapu", "ijuk") == {}


def test_agreement_in_a_volume_is_counted_once_a_fact_once_a_kind_and_once_a_measure() -> None:
    assert summary("sabun 100 ml", "sabun 0,1 L") == {
        "volume_conflict": -1,
        "facts_shared": 1,
        "kinds_agreeing": 1,
        "measures_agreeing": 1,
    }


def test_a_clash_counts_the_facts_of_both_sides() -> None:
    assert summary("sabun 100 ml", "sabun 200 ml") == {
        "volume_conflict": 1,
        "facts_contradicting": 2,
        "kinds_clashing": 1,
        "measures_clashing": 1,
    }


def test_agreement_in_part_is_half_a_conflict() -> None:
    assert summary("krim 80gr/200gr", "krim 200gr") == {
        "mass_conflict": 0.5,
        "facts_shared": 1,
        "facts_contradicting": 1,
        "kinds_agreeing": 1,
        "measures_agreeing": 1,
    }


def test_what_only_one_states_is_unanswered() -> None:
    assert summary("tisu 100 g pria", "tisu") == {"facts_unanswered": 2}


def test_a_pack_of_several_is_half_a_conflict_with_a_title_that_states_none_and_a_single_one_is_none() -> None:
    assert summary("tisu isi 3", "tisu") == {"count_conflict": 0.5, "facts_unanswered": 1}
    assert summary("tisu 1 pcs", "tisu") == {"facts_unanswered": 1}


def test_chocolate_clashes_with_flavours_and_brown_with_colours_though_both_are_coklat() -> None:
    # what it is of the other kind stays unanswered
    clash = {"tint_conflict": 1, "facts_contradicting": 2, "facts_unanswered": 1, "kinds_clashing": 1}
    assert summary("susu coklat", "susu stroberi") == summary("sepatu coklat", "sepatu hitam") == clash


def test_kinds_of_one_group_are_added_up() -> None:
    # red clashes with blue, strawberry with lemon; neither is a measure
    assert summary("permen merah stroberi", "permen biru lemon") == {
        "tint_conflict": 2,
        "facts_contradicting": 4,
        "kinds_clashing": 2,
    }


def test_no_pairs_have_no_lines() -> None:
    none, nobody = TitleFacts.of([]), np.empty(0, np.intp)
    assert summarise(compare(none, nobody, none, nobody)).shape == (0, len(SUMMARY))


def test_measures_are_groups_and_no_kind_is_in_two() -> None:
    assert set(MEASURED) <= set(GROUPS)
    kinds = [kind for group in GROUPS.values() for kind in group]
    assert len(kinds) == len(set(kinds))
