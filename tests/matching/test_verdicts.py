"""What people said of pairs, change by change, and where it cannot all be true."""

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from app.matching.contradictions import Contradiction, among, contradictions
from app.matching.stored import Decision, VerdictChange
from app.matching.verdicts import NO_VERDICTS, Verdicts

IDS = "abcde"
PAIRS = [(one, other) for one, other in product(IDS, IDS) if one < other]
SAID = st.sampled_from(["same", "different", None])
CHANGES = st.lists(st.tuples(st.sampled_from(PAIRS), SAID), max_size=20)


def after(changes: list[tuple[tuple[str, str], Decision | None]]) -> tuple[Verdicts, dict[tuple[str, str], Decision]]:
    """The verdicts after some changes, each taken in by itself, and the same as a dictionary."""
    verdicts, expected = NO_VERDICTS, dict[tuple[str, str], Decision]()
    for revision, ((first, second), said) in enumerate(changes):
        verdicts = verdicts.changed([VerdictChange(first, second, revision, said)])
        expected.pop((first, second), None)
        if said is not None:
            expected[first, second] = said
    return verdicts, expected


def steps(expected: dict[tuple[str, str], Decision]) -> dict[tuple[str, str], int]:
    """How many verdicts lead from one to another at least, over those that say the same (Floyd and Warshall)."""
    far = len(IDS) + 1
    found = {(one, other): 0 if one == other else far for one, other in product(IDS, IDS)}
    for (one, other), said in expected.items():
        if said == "same":
            found[one, other] = found[other, one] = 1
    for over, one, other in product(IDS, IDS, IDS):
        found[one, other] = min(found[one, other], found[one, over] + found[over, other])
    return {pair: count for pair, count in found.items() if count < far}


@given(CHANGES)
def test_verdicts_are_what_a_dictionary_holds_after_the_same_changes(
    changes: list[tuple[tuple[str, str], Decision | None]],
) -> None:
    verdicts, expected = after(changes)
    assert list(verdicts) == sorted((*pair, said) for pair, said in expected.items())
    assert len(verdicts) == len(expected)
    for one in IDS:
        of_one = {other: said for pair, said in expected.items() for other in pair if one in pair and other != one}
        assert dict(verdicts.of(one)) == of_one


@given(CHANGES)
def test_changes_taken_in_together_are_the_same_as_one_by_one(
    changes: list[tuple[tuple[str, str], Decision | None]],
) -> None:
    together = NO_VERDICTS.changed(VerdictChange(*pair, 1, said) for pair, said in changes)
    assert list(together) == list(after(changes)[0])


def test_whoever_holds_the_verdicts_of_before_goes_on_seeing_those() -> None:
    before = NO_VERDICTS.changed([VerdictChange("a", "b", 1, "same")])
    after_it = before.changed([VerdictChange("a", "b", 2, None), VerdictChange("a", "c", 3, "different")])
    assert list(before) == [("a", "b", "same")]
    assert list(after_it) == [("a", "c", "different")]
    assert list(NO_VERDICTS) == []


@given(CHANGES)
def test_every_contradiction_is_found_with_one_of_its_shortest_chains(
    changes: list[tuple[tuple[str, str], Decision | None]],
) -> None:
    verdicts, expected = after(changes)
    reached, found = steps(expected), contradictions(verdicts)
    assert [(it.first, it.second) for it in found] == sorted(
        pair for pair, said in expected.items() if said == "different" and pair in reached
    )
    for it in found:
        assert (it.chain[0], it.chain[-1]) == (it.first, it.second)
        assert all(expected[min(link), max(link)] == "same" for link in pairwise(it.chain))
        assert len(it.chain) - 1 == reached[it.first, it.second]


def test_of_equally_short_chains_the_one_over_lower_ids_is_told() -> None:
    said = [("a", "c", "same"), ("c", "e", "same"), ("a", "b", "same"), ("b", "e", "same"), ("a", "e", "different")]
    verdicts = NO_VERDICTS.changed(VerdictChange(one, other, 1, how) for one, other, how in said)  # type: ignore[arg-type]
    assert contradictions(verdicts) == [Contradiction("a", "e", ["a", "b", "e"])]


def test_those_among_some_postings_have_both_ends_there() -> None:
    found = [Contradiction("a", "c", ["a", "b", "c"]), Contradiction("d", "e", ["d", "a", "e"])]
    assert among(found, {"a", "c", "d"}) == found[:1]
    assert among(found, set("abcde")) == found
    assert among(found, {"a", "b"}) == []
