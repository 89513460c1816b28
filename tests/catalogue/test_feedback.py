"""Feedback: decisions on pairs, must-link chains, contradictions and corrected label groups."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, shortest_path

from pricematch.catalogue.feedback import NO_FEEDBACK, DisjointSets, Feedback, among, contradictions, corrected_labels
from pricematch.catalogue.records import Decision, FeedbackChange

IDS = "abcde"
PAIRS = [(one, other) for one, other in product(IDS, IDS) if one < other]
SAID = st.sampled_from(["same", "different", None])
CHANGES = st.lists(st.tuples(st.sampled_from(PAIRS), SAID), max_size=20)


def after(changes: list[tuple[tuple[str, str], Decision | None]]) -> tuple[Feedback, dict[tuple[str, str], Decision]]:
    """The feedback after changes applied one by one, and the same as a dictionary."""
    feedback, expected = NO_FEEDBACK, dict[tuple[str, str], Decision]()
    for revision, ((first, second), said) in enumerate(changes):
        feedback = feedback.changed([FeedbackChange(first, second, revision, said)])
        expected.pop((first, second), None)
        if said is not None:
            expected[first, second] = said
    return feedback, expected


@given(CHANGES)
def test_feedback_equals_a_dictionary_after_the_same_changes(
    changes: list[tuple[tuple[str, str], Decision | None]],
) -> None:
    """Feedback lists the decisions that a dictionary holds after the same changes."""
    feedback, expected = after(changes)
    assert list(feedback) == sorted((*pair, said) for pair, said in expected.items())
    assert len(feedback) == len(expected)
    for one in IDS:
        of_one = {other: said for pair, said in expected.items() for other in pair if one in pair and other != one}
        assert dict(feedback.of(one)) == of_one


@given(CHANGES)
def test_changes_applied_together_equal_one_by_one(
    changes: list[tuple[tuple[str, str], Decision | None]],
) -> None:
    """The size of batches does not matter."""
    together = NO_FEEDBACK.changed(FeedbackChange(*pair, 1, said) for pair, said in changes)
    assert list(together) == list(after(changes)[0])


def test_feedback_is_immutable() -> None:
    """A change leaves the feedback before it as it was."""
    before = NO_FEEDBACK.changed([FeedbackChange("a", "b", 1, "same")])
    after_it = before.changed([FeedbackChange("a", "b", 2, None), FeedbackChange("a", "c", 3, "different")])
    assert list(before) == [("a", "b", "same")]
    assert list(after_it) == [("a", "c", "different")]
    assert list(NO_FEEDBACK) == []


def said(*given: tuple[str, str, Decision | None]) -> Feedback:
    return NO_FEEDBACK.changed(FeedbackChange(one, other, 1, decision) for one, other, decision in given)


def drawn(draw: random.Random, count: int, share: float) -> Feedback:
    pairs = [pair for pair in combinations([f"p{row:02}" for row in range(count)], 2) if draw.random() < share]
    decisions: list[Decision] = ["same", "same", "different"]
    return said(*((one, other, draw.choice(decisions)) for one, other in pairs))


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    edges = np.array(list(pairs), np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return [int(label) for label in connected_components(graph, directed=False)[1]]


def test_the_last_decision_on_a_pair_holds() -> None:
    """A decision is of both postings, and a later one replaces it."""
    feedback = said(("a", "b", "same"), ("b", "c", "different"))
    assert dict(feedback.of("b")) == {"a": "same", "c": "different"}
    assert dict(feedback.of("nobody")) == {}
    assert list(feedback) == [("a", "b", "same"), ("b", "c", "different")]
    changed = feedback.changed([FeedbackChange("a", "b", 2, "different"), FeedbackChange("b", "c", 3, None)])
    assert list(changed) == [("a", "b", "different")]
    assert len(changed) == 1
    assert dict(changed.of("c")) == {}
    assert len(feedback) == 2


@pytest.mark.parametrize("seed", range(5))
def test_disjoint_sets_are_connected_components(seed: int) -> None:
    """The sets are those of SciPy's connected_components."""
    draw, sets = random.Random(seed), DisjointSets[int]()
    pairs = [(draw.randrange(60), draw.randrange(60)) for _ in range(40)]
    for one, other in pairs:
        sets.join(one, other)
    labels = components(60, pairs)
    for one, other in combinations(range(60), 2):
        assert (sets.find(one) == sets.find(other)) is (labels[one] == labels[other])


@pytest.mark.parametrize("seed", range(20))
def test_contradictions_have_a_shortest_chain(seed: int) -> None:
    """Contradictions are the cannot-links that SciPy finds connected by must-links, with as short a chain."""
    draw = random.Random(seed)
    feedback = drawn(draw, 14, draw.choice([0.1, 0.2, 0.4]))
    names = [f"p{row:02}" for row in range(14)]
    place = {name: row for row, name in enumerate(names)}
    same = [(place[one], place[other]) for one, other, decision in feedback if decision == "same"]
    edges = np.array(same, np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(14, 14))
    lengths = shortest_path(graph, directed=False, unweighted=True)
    expected = [
        (one, other)
        for one, other, decision in feedback
        if decision == "different" and np.isfinite(lengths[place[one], place[other]])
    ]
    found = contradictions(feedback)
    assert [(it.first, it.second) for it in found] == expected
    for it in found:
        assert (it.chain[0], it.chain[-1]) == (it.first, it.second)
        assert len(it.chain) == lengths[place[it.first], place[it.second]] + 1
        assert all(feedback.of(one)[other] == "same" for one, other in zip(it.chain, it.chain[1:], strict=False))


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_chains_of_equal_length_prefer_lower_ids(last: int) -> None:
    """The order of decisions does not change the chain."""
    same: list[tuple[str, str, Decision | None]]
    same = [("a", "c", "same"), ("c", "d", "same"), ("a", "b", "same"), ("b", "d", "same")]
    [found] = contradictions(said(*same[last:], *same[:last], ("a", "d", "different")))
    assert found.chain == ["a", "b", "d"]


def test_chains_may_lead_over_other_postings() -> None:
    """A contradiction among some postings counts though its chain leaves them."""
    found = contradictions(said(("a", "b", "same"), ("b", "c", "same"), ("a", "c", "different")))
    assert [it.chain for it in among(found, {"a", "c"})] == [["a", "b", "c"]]
    assert among(found, {"a", "b"}) == []


def labels(given: Sequence[str | None], feedback: Feedback) -> list[str | None]:
    return list(corrected_labels([f"p{row}" for row in range(len(given))], given, feedback).labels)


def test_must_links_join_label_groups() -> None:
    """A must-link makes one group of two."""
    assert labels(["x", "x", "y", "y", "z"], said(("p1", "p2", "same"))) == ["x", "x", "x", "x", "z"]


def test_the_posting_with_most_cannot_links_leaves() -> None:
    """It takes along what is must-linked to it."""
    feedback = said(("p0", "p2", "different"), ("p1", "p2", "different"), ("p2", "p3", "same"))
    found = labels(["x"] * 5, feedback)
    assert found[0] == found[1] == found[4] == "x"
    assert found[2] == found[3] != "x"


def test_the_higher_id_leaves_a_tie() -> None:
    """Of two postings with as many cannot-links the higher id leaves."""
    assert labels(["x", "x"], said(("p0", "p1", "different")))[0] == "x"


def test_feedback_labels_unlabelled_postings() -> None:
    """A must-link gives its label, a cannot-link a group of its own, and no feedback none."""
    found = labels([None, "x", None, None], said(("p0", "p1", "same"), ("p2", "p0", "different")))
    assert found[:2] == ["x", "x"]
    assert found[2] not in {None, "x"}
    assert found[3] is None


def test_contradicting_cannot_links_are_ignored() -> None:
    """Of a contradiction the must-links are followed, and it is reported."""
    feedback = said(("p0", "p1", "same"), ("p1", "p2", "same"), ("p0", "p2", "different"))
    found = corrected_labels(["p0", "p1", "p2"], ["x", "y", "z"], feedback)
    assert list(found.labels) == ["x", "x", "x"]
    assert found.used == 2
    assert [(it.first, it.second) for it in found.contradicting] == [("p0", "p2")]


@pytest.mark.parametrize("seed", range(20))
def test_labels_agree_with_feedback(seed: int) -> None:
    """Labels follow every decision but contradicting cannot-links, and stay without feedback."""
    draw = random.Random(seed)
    names = [f"p{row:02}" for row in range(14)]
    given = [draw.choice(["x", "y", "z", None]) for _ in names]
    assert list(corrected_labels(names, given, NO_FEEDBACK).labels) == given
    feedback = drawn(draw, 14, 0.15)
    found = corrected_labels(names, given, feedback)
    by_name = dict(zip(names, found.labels, strict=True))
    untrue = {(it.first, it.second) for it in found.contradicting}
    for one, other, decision in feedback:
        if decision == "same" or (one, other) not in untrue:
            assert (by_name[one] == by_name[other]) is (decision == "same")
