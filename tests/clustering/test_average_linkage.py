"""Average linkage against the definition, worked out pair by pair, and what it promises."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.clustering.average_linkage import Linkage, average_linkage, cohesion, cohesive_clusters
from tests.support.vectors import EIGHTHS, Pair, Partition, arrays, every_pair, likely_pairs, parts

THRESHOLDS = st.integers(1, 8).map(lambda eighth: eighth / 8) | st.floats(0.01, 1)


def linked(
    count: int, probabilities: Mapping[Pair, float], lowest: float, ranks: Sequence[int] | None = None
) -> Linkage:
    return average_linkage(*arrays(probabilities), np.array(range(count) if ranks is None else ranks, np.intp), lowest)


def partition(
    count: int, probabilities: Mapping[Pair, float], threshold: float, ranks: Sequence[int] | None = None
) -> Partition:
    return parts(linked(count, probabilities, threshold, ranks).labels(threshold))


def exact(probability: float) -> Fraction:
    """A probability as it is added up: rounded to multiples of 2⁻³⁰."""
    return Fraction(round(probability * 2**30), 2**30)


def average(one: frozenset[int], other: frozenset[int], probabilities: Mapping[Pair, float]) -> Fraction:
    """Of all pairs between two clusters; what is not listed is 0."""
    pairs = [(min(a, b), max(a, b)) for a in one for b in other]
    return sum((exact(probabilities.get(pair, 0.0)) for pair in pairs), Fraction()) / len(pairs)


def naive_linkage(count: int, probabilities: Mapping[Pair, float], threshold: float, ranks: Sequence[int]) -> Partition:
    """All pairs of clusters are looked at before every merge."""
    clusters = [frozenset([row]) for row in range(count)]

    def order(pair: tuple[frozenset[int], frozenset[int]]) -> tuple[float, list[int]]:
        # averages are compared as float64, the nearest to the exact quotient
        return -float(average(*pair, probabilities)), sorted(max(ranks[row] for row in part) for part in pair)

    while len(clusters) > 1:
        best = min(combinations(clusters, 2), key=order)
        if average(*best, probabilities) < exact(threshold):
            break
        clusters = [part for part in clusters if part not in best] + [best[0] | best[1]]
    return frozenset(clusters)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[int, dict[Pair, float], list[int]]:
    count, probabilities = draw(likely_pairs())
    return count, probabilities, draw(st.permutations(range(count)))


@given(shuffled(), THRESHOLDS)
def test_it_merges_the_highest_average_until_the_threshold(
    pairs: tuple[int, dict[Pair, float], list[int]], threshold: float
) -> None:
    """Until no two clusters reach the threshold."""
    count, probabilities, ranks = pairs
    assert partition(count, probabilities, threshold, ranks) == naive_linkage(count, probabilities, threshold, ranks)


@pytest.mark.parametrize("ties", [False, True])
def test_larger_graphs_are_merged_by_the_definition_too(ties: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        pairs = [pair for pair in combinations(range(24), 2) if rng.random() < 0.5]
        values = rng.integers(2, 7, len(pairs)) / 8 if ties else rng.random(len(pairs))
        probabilities = dict(zip(pairs, values.tolist(), strict=True))
        ranks = rng.permutation(24).tolist()
        for threshold in (0.1, 0.25, 0.5):
            expected = naive_linkage(24, probabilities, threshold, ranks)
            assert partition(24, probabilities, threshold, ranks) == expected


@given(shuffled(), THRESHOLDS, st.randoms(use_true_random=False))
def test_order_and_direction_change_nothing(
    pairs: tuple[int, dict[Pair, float], list[int]], threshold: float, random: Random
) -> None:
    """The order of postings and pairs, and the direction of a pair."""
    count, probabilities, ranks = pairs
    moved = list(range(count))
    random.shuffle(moved)
    items = [((moved[a], moved[b]), value) for (a, b), value in probabilities.items()]
    random.shuffle(items)
    turned = {(pair if row % 2 else pair[::-1]): value for row, (pair, value) in enumerate(items)}
    ranks_moved = [0] * count
    for row, place in enumerate(moved):
        ranks_moved[place] = ranks[row]
    expected = {frozenset(moved[row] for row in part) for part in partition(count, probabilities, threshold, ranks)}
    assert partition(count, turned, threshold, ranks_moved) == expected


@given(likely_pairs(), THRESHOLDS, THRESHOLDS)
def test_cutting_late_is_stopping_early(pairs: tuple[int, dict[Pair, float]], one: float, other: float) -> None:
    count, probabilities = pairs
    lowest, threshold = sorted([one, other])
    linkage = linked(count, probabilities, lowest)
    assert (np.diff(linkage.averages) <= 0).all()
    assert parts(linkage.labels(threshold)) == partition(count, probabilities, threshold)


@given(likely_pairs(), THRESHOLDS)
def test_no_cluster_is_below_and_no_two_reach_the_threshold(
    pairs: tuple[int, dict[Pair, float]], threshold: float
) -> None:
    count, probabilities = pairs
    clusters = partition(count, probabilities, threshold)
    for part in clusters:
        inner = [exact(probabilities.get(pair, 0.0)) for pair in combinations(sorted(part), 2)]
        assert not inner or sum(inner) / len(inner) >= exact(threshold)
    for one, other in combinations(clusters, 2):
        assert average(one, other, probabilities) < exact(threshold)


def test_two_cliques_joined_by_one_strong_edge_stay_apart() -> None:
    left, right = range(4), range(4, 8)
    probabilities = every_pair(left, right, probability=0.9) | {(3, 4): 0.89}
    # one pair of sixteen: their average is 0.89 / 16
    assert partition(8, probabilities, 0.06) == {frozenset(left), frozenset(right)}
    assert partition(8, probabilities, 0.05) == {frozenset(range(8))}


def test_not_even_the_surest_edge_of_all_holds_two_cliques_together() -> None:
    left, right = range(4), range(4, 8)
    probabilities = every_pair(left, right, probability=0.8) | {(3, 4): 1.0}
    # 3 and 4 are joined first; then each is 0.4 from the others of its clique, which join without it
    assert partition(8, probabilities, 0.5) == {frozenset([0, 1, 2]), frozenset([3, 4]), frozenset([5, 6, 7])}


def test_a_chain_does_not_become_one_cluster() -> None:
    links = {(row, row + 1): 0.6 + row / 1000 for row in range(31)}
    sizes = {len(part) for part in partition(32, links, 0.35)}
    # two pairs of a chain average a quarter of one edge, 0.15; a posting beside a pair half of one, 0.3
    assert sizes == {2}


def naive_worth(clusters: Partition, probabilities: Mapping[Pair, float], threshold: float) -> float:
    """What correlation clustering makes as large as it can."""
    return sum(probabilities.get(pair, 0.0) - threshold for part in clusters for pair in combinations(sorted(part), 2))


def every_partition(rows: Sequence[int]) -> Iterator[list[list[int]]]:
    if not rows:
        yield []
        return
    for rest in every_partition(rows[1:]):
        yield [[rows[0]], *rest]
        for place, part in enumerate(rest):
            yield [*rest[:place], [rows[0], *part], *rest[place + 1 :]]


def test_most_random_graphs_are_clustered_optimally() -> None:
    """Graphs of seven nodes; the rest are near the optimum."""
    rng, threshold, shares = np.random.default_rng(0), 0.35, []
    partitions = [frozenset(map(frozenset, found)) for found in every_partition(range(7))]
    assert len(partitions) == 877  # the seventh Bell number
    for _ in range(30):
        # two products of which one is often taken for the other
        product = rng.integers(0, 2, 7)
        noise = rng.normal(0, 0.25, (7, 7))
        probabilities = {
            (a, b): float(np.clip((0.7 if product[a] == product[b] else 0.15) + noise[a, b], 0, 1))
            for a, b in combinations(range(7), 2)
        }
        best = max(naive_worth(clusters, probabilities, threshold) for clusters in partitions)
        found = naive_worth(partition(7, probabilities, threshold), probabilities, threshold)
        shares.append(found / best)
    assert sum(share > 1 - 1e-9 for share in shares) >= 24
    assert min(shares) > 0.8


@given(likely_pairs(), THRESHOLDS)
def test_it_is_never_worth_less_than_leaving_all_alone(pairs: tuple[int, dict[Pair, float]], threshold: float) -> None:
    count, probabilities = pairs
    assert naive_worth(partition(count, probabilities, threshold), probabilities, threshold) >= -1e-7


def test_clusters_are_numbered_by_their_first_posting() -> None:
    linkage = linked(6, {(1, 5): 0.9, (2, 4): 0.95, (0, 3): 0.3}, 0.5)
    assert linkage.labels(0.5).tolist() == [-1, 0, 1, -1, 1, 0]
    assert linked(0, {}, 0.5).labels(0.5).tolist() == []
    assert linked(3, {}, 0.5).labels(0.5).tolist() == [-1, -1, -1]


@given(st.lists(EIGHTHS, min_size=1, max_size=8))
def test_a_pair_at_exactly_the_threshold_is_joined(eighths: list[float]) -> None:
    for threshold in (0.1, 0.3, 0.7):  # none is a whole number of 2⁻³⁰
        assert partition(2, {(0, 1): threshold}, threshold) == {frozenset([0, 1])}
    for eighth in eighths:
        if eighth > 0:
            assert partition(2, {(0, 1): eighth}, eighth) == {frozenset([0, 1])}


def test_a_threshold_below_what_was_merged_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a threshold of at least"):
        linked(2, {(0, 1): 0.9}, 0.5).labels(0.4)
    for lowest in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="above 0, up to 1"):
            linked(2, {(0, 1): 0.9}, lowest)


# --- what people decided -----------------------------------------------------------------------------------------


def naive_decided(
    count: int, probabilities: Mapping[Pair, float], threshold: float, decided: Mapping[Pair, int]
) -> Partition:
    """Those who belong together are one from the beginning; nobody is joined with whom they do not belong."""
    clusters = [frozenset([row]) for row in range(count)]
    for (one, other), said in decided.items():
        if said > 0:
            both = [part for part in clusters if one in part or other in part]
            clusters = [part for part in clusters if part not in both] + [frozenset().union(*both)]

    def apart(one: frozenset[int], other: frozenset[int]) -> bool:
        return any(said < 0 and len({*pair} & one) == len({*pair} & other) == 1 for pair, said in decided.items())

    while True:
        free: list[tuple[frozenset[int], frozenset[int]]]
        free = [pair for pair in combinations(clusters, 2) if not apart(*pair)]
        free.sort(key=lambda pair: (-float(average(pair[0], pair[1], probabilities)), sorted(map(max, pair))))
        if not free or average(free[0][0], free[0][1], probabilities) < exact(threshold):
            return frozenset(clusters)
        clusters = [part for part in clusters if part not in free[0]] + [free[0][0] | free[0][1]]


@pytest.mark.parametrize("seed", range(30))
def test_feedback_overrules_probabilities(seed: int) -> None:
    """Must-links are together and cannot-links apart, whatever the probabilities."""
    draw = Random(seed)
    pairs = [pair for pair in combinations(range(10), 2) if draw.random() < 0.6]
    probabilities = {pair: draw.random() for pair in pairs}
    decided = {pair: draw.choice([1, -1]) for pair in pairs if draw.random() < 0.12}
    together = naive_decided(10, {}, 1.0, {pair: said for pair, said in decided.items() if said > 0})
    group = {row: part for part in together for row in part}
    decided = {pair: said for pair, said in decided.items() if said > 0 or group[pair[0]] is not group[pair[1]]}
    said = np.array([decided.get(pair, 0) for pair in probabilities], np.int8)
    found = average_linkage(*arrays(probabilities), np.arange(10), 0.4, said).labels(0.4)
    assert parts(found) == naive_decided(10, probabilities, 0.4, decided)


def test_without_a_word_nothing_is_different() -> None:
    probabilities = {(0, 1): 0.9, (1, 2): 0.8, (2, 3): 0.95}
    nothing = np.zeros(3, np.int8)
    with_nothing = average_linkage(*arrays(probabilities), np.arange(4), 0.3, nothing)
    assert parts(with_nothing.labels(0.3)) == partition(4, probabilities, 0.3)


def test_feedback_moves_whole_clusters() -> None:
    """Must-links bring their clusters with them; one cannot-link keeps clusters apart."""
    probabilities = {(0, 1): 0.9, (2, 3): 0.9, (1, 2): 0.001, (0, 2): 0.9, (1, 3): 0.9, (0, 3): 0.9}
    together = average_linkage(*arrays(probabilities), np.arange(4), 0.5, np.array([0, 0, 1, 0, 0, 0], np.int8))
    assert together.labels(0.5).tolist() == [0, 0, 0, 0]
    apart = average_linkage(*arrays(probabilities), np.arange(4), 0.5, np.array([0, 0, -1, 0, 0, 0], np.int8))
    labels = apart.labels(0.5)
    assert labels[1] != labels[2]


@given(likely_pairs(), st.floats(0.05, 1))
def test_cohesion_is_the_mean_probability_within(pairs: tuple[int, dict[Pair, float]], threshold: float) -> None:
    """Of all pairs within a cluster; it is at least the threshold."""
    count, probabilities = pairs
    found = cohesive_clusters(*arrays(probabilities), np.arange(count), threshold)
    assert len(found.cohesion) == len(found.assignment.members)
    for members, value in zip(found.assignment.members, found.cohesion, strict=True):
        inner = [probabilities.get(pair, 0.0) for pair in combinations(members.tolist(), 2)]
        assert value == pytest.approx(sum(inner) / len(inner), abs=1e-8)
        assert threshold - 1e-9 <= value <= 1


@given(likely_pairs(), st.floats(0.05, 1))
def test_clusters_are_those_of_average_linkage(pairs: tuple[int, dict[Pair, float]], threshold: float) -> None:
    count, probabilities = pairs
    found = cohesive_clusters(*arrays(probabilities), np.arange(count), threshold).assignment
    labels = average_linkage(*arrays(probabilities), np.arange(count), threshold).labels(threshold)
    assert found.labels.tolist() == labels.tolist()
    for number, members in enumerate(found.members):
        assert len(members) >= 2
        assert members.tolist() == np.flatnonzero(labels == number).tolist()
    assert found.noise == count - sum(map(len, found.members))


def test_a_pair_that_is_no_candidate_lowers_the_cohesion() -> None:
    whole = every_pair(range(4), probability=0.9)
    assert cohesion(np.zeros(4, np.intp), *arrays(whole)).tolist() == pytest.approx([0.9])
    del whole[0, 3]
    assert cohesion(np.zeros(4, np.intp), *arrays(whole)).tolist() == pytest.approx([0.9 * 5 / 6])


def test_without_clusters_there_is_no_cohesion() -> None:
    assert cohesion(np.array([-1, -1]), *arrays({(0, 1): 0.9})).tolist() == []
    assert cohesive_clusters(*arrays({}), np.arange(0), 0.5).cohesion.tolist() == []


def test_a_threshold_that_no_probability_reaches_leaves_everybody_alone() -> None:
    lines, rows = np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    found = cohesive_clusters(lines, rows, np.ones(3), np.arange(3), np.inf)
    assert found.assignment.labels.tolist() == [-1, -1, -1]
    assert len(found.cohesion) == 0
