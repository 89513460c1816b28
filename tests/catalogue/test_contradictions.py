"""What verdicts say, what follows from them, and what cannot all be true."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, shortest_path

from pricematch.catalogue.contradictions import among, contradictions
from pricematch.catalogue.decided_labels import decided_labels
from pricematch.catalogue.disjoint_sets import DisjointSets
from pricematch.catalogue.records import Decision, VerdictChange
from pricematch.catalogue.verdicts import NO_VERDICTS, Verdicts


def said(*given: tuple[str, str, Decision | None]) -> Verdicts:
    return NO_VERDICTS.changed(VerdictChange(one, other, 1, decision) for one, other, decision in given)


def drawn(draw: random.Random, count: int, share: float) -> Verdicts:
    pairs = [pair for pair in combinations([f"p{row:02}" for row in range(count)], 2) if draw.random() < share]
    decisions: list[Decision] = ["same", "same", "different"]
    return said(*((one, other, draw.choice(decisions)) for one, other in pairs))


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    edges = np.array(list(pairs), np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return [int(label) for label in connected_components(graph, directed=False)[1]]


def test_a_verdict_is_of_both_and_the_last_one_holds() -> None:
    verdicts = said(("a", "b", "same"), ("b", "c", "different"))
    assert dict(verdicts.of("b")) == {"a": "same", "c": "different"}
    assert dict(verdicts.of("nobody")) == {}
    assert list(verdicts) == [("a", "b", "same"), ("b", "c", "different")]
    changed = verdicts.changed([VerdictChange("a", "b", 2, "different"), VerdictChange("b", "c", 3, None)])
    assert list(changed) == [("a", "b", "different")]
    assert len(changed) == 1
    assert dict(changed.of("c")) == {}
    assert len(verdicts) == 2


@pytest.mark.parametrize("seed", range(5))
def test_sets_that_are_joined_are_the_connected_components(seed: int) -> None:
    draw, sets = random.Random(seed), DisjointSets[int]()
    pairs = [(draw.randrange(60), draw.randrange(60)) for _ in range(40)]
    for one, other in pairs:
        sets.join(one, other)
    labels = components(60, pairs)
    for one, other in combinations(range(60), 2):
        assert (sets.find(one) == sets.find(other)) is (labels[one] == labels[other])


@pytest.mark.parametrize("seed", range(20))
def test_a_contradiction_is_a_pair_that_differs_and_is_joined_by_a_shortest_chain_of_the_same(seed: int) -> None:
    draw = random.Random(seed)
    verdicts = drawn(draw, 14, draw.choice([0.1, 0.2, 0.4]))
    names = [f"p{row:02}" for row in range(14)]
    place = {name: row for row, name in enumerate(names)}
    same = [(place[one], place[other]) for one, other, decision in verdicts if decision == "same"]
    edges = np.array(same, np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(14, 14))
    lengths = shortest_path(graph, directed=False, unweighted=True)
    expected = [
        (one, other)
        for one, other, decision in verdicts
        if decision == "different" and np.isfinite(lengths[place[one], place[other]])
    ]
    found = contradictions(verdicts)
    assert [(it.first, it.second) for it in found] == expected
    for it in found:
        assert (it.chain[0], it.chain[-1]) == (it.first, it.second)
        assert len(it.chain) == lengths[place[it.first], place[it.second]] + 1
        assert all(verdicts.of(one)[other] == "same" for one, other in zip(it.chain, it.chain[1:], strict=False))


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_of_equally_short_chains_the_one_over_lower_ids_is_told_in_whichever_order_they_were_said(last: int) -> None:
    same: list[tuple[str, str, Decision | None]]
    same = [("a", "c", "same"), ("c", "d", "same"), ("a", "b", "same"), ("b", "d", "same")]
    [found] = contradictions(said(*same[last:], *same[:last], ("a", "d", "different")))
    assert found.chain == ["a", "b", "d"]


def test_contradictions_among_some_may_lead_over_others() -> None:
    found = contradictions(said(("a", "b", "same"), ("b", "c", "same"), ("a", "c", "different")))
    assert [it.chain for it in among(found, {"a", "c"})] == [["a", "b", "c"]]
    assert among(found, {"a", "b"}) == []


# --- labels ------------------------------------------------------------------------------------------------------


def labels(given: Sequence[str | None], verdicts: Verdicts) -> list[str | None]:
    return list(decided_labels([f"p{row}" for row in range(len(given))], given, verdicts).labels)


def test_groups_of_postings_that_are_the_same_are_joined() -> None:
    assert labels(["x", "x", "y", "y", "z"], said(("p1", "p2", "same"))) == ["x", "x", "x", "x", "z"]


def test_of_a_group_the_posting_leaves_that_more_others_differ_from_and_takes_its_likes_along() -> None:
    verdicts = said(("p0", "p2", "different"), ("p1", "p2", "different"), ("p2", "p3", "same"))
    found = labels(["x"] * 5, verdicts)
    assert found[0] == found[1] == found[4] == "x"
    assert found[2] == found[3] != "x"


def test_of_two_alike_the_one_of_the_higher_id_leaves() -> None:
    assert labels(["x", "x"], said(("p0", "p1", "different")))[0] == "x"


def test_a_posting_without_a_label_gets_one_from_what_it_is_the_same_as_and_others_stay_unknown() -> None:
    found = labels([None, "x", None, None], said(("p0", "p1", "same"), ("p2", "p0", "different")))
    assert found[:2] == ["x", "x"]
    assert found[2] not in {None, "x"}
    assert found[3] is None


def test_of_a_contradiction_the_difference_is_not_heeded_and_it_is_told() -> None:
    verdicts = said(("p0", "p1", "same"), ("p1", "p2", "same"), ("p0", "p2", "different"))
    found = decided_labels(["p0", "p1", "p2"], ["x", "y", "z"], verdicts)
    assert list(found.labels) == ["x", "x", "x"]
    assert found.used == 2
    assert [(it.first, it.second) for it in found.contradicting] == [("p0", "p2")]


@pytest.mark.parametrize("seed", range(20))
def test_labels_agree_with_every_verdict_that_is_heeded_and_without_any_stay_as_they_are(seed: int) -> None:
    draw = random.Random(seed)
    names = [f"p{row:02}" for row in range(14)]
    given = [draw.choice(["x", "y", "z", None]) for _ in names]
    assert list(decided_labels(names, given, NO_VERDICTS).labels) == given
    verdicts = drawn(draw, 14, 0.15)
    found = decided_labels(names, given, verdicts)
    by_name = dict(zip(names, found.labels, strict=True))
    untrue = {(it.first, it.second) for it in found.contradicting}
    for one, other, decision in verdicts:
        if decision == "same" or (one, other) not in untrue:
            assert (by_name[one] == by_name[other]) is (decision == "same")
