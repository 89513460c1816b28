"""What people said of pairs, change by change."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.records import Decision, VerdictChange
from pricematch.catalogue.verdicts import NO_VERDICTS, Verdicts

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
