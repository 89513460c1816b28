"""Scores by group size, best and worst groups, surest mistakes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.evaluation.breakdown import best_groups, by_group_size, right_shares, surest_mistakes, worst_groups
from pricematch.evaluation.metrics import Scores
from pricematch.evaluation.signals import Pairs, pairs_of
from pricematch.search.candidates import top_k


def scores_with(f1: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Scores:
    return Scores(f1, f1 / 2, f1 / 4)


def groups_of_sizes(*sizes: int) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """Groups 0, 1, 2 … of these sizes, their postings shuffled."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(0).permutation(groups)


def test_every_posting_is_in_the_class_of_its_groups_size() -> None:
    sizes = (1, 1, 2, 3, 4, 5, 9, 10, 19, 20, 50, 51, 60)
    groups = groups_of_sizes(*sizes)
    f1 = np.random.default_rng(1).random(len(groups))
    classes = by_group_size(scores_with(f1), groups)
    bounds = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, 50), (51, None)]
    assert [(part.smallest, part.largest) for part in classes] == bounds
    for part, (smallest, largest) in zip(classes, bounds, strict=True):
        inside = [group for group, size in enumerate(sizes) if smallest <= size <= (largest or size)]
        chosen = np.isin(groups, inside)
        assert (part.groups, part.postings) == (len(inside), chosen.sum())
        assert part.f1 == pytest.approx(f1[chosen].mean())
        assert (part.precision, part.recall) == pytest.approx((part.f1 / 2, part.f1 / 4))


def test_classes_that_do_not_occur_are_left_out() -> None:
    groups = groups_of_sizes(3, 12)
    assert [part.smallest for part in by_group_size(scores_with(np.ones(15)), groups)] == [3, 10]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=8), st.integers(1, 9)
)
def test_groups_are_ordered_by_mean_f1_then_size(drawn: list[tuple[int, float]], count: int) -> None:
    groups = groups_of_sizes(*(size for size, _ in drawn))
    scored = scores_with(np.array([f1 for _, f1 in drawn])[groups])
    worst, best = worst_groups(scored, groups, count), best_groups(scored, groups, count)
    order = sorted(range(len(drawn)), key=lambda group: (drawn[group][1], -drawn[group][0], group))
    assert [found.group for found in worst] == order[:count]
    order = sorted(range(len(drawn)), key=lambda group: (-drawn[group][1], -drawn[group][0], group))
    assert [found.group for found in best] == [group for group in order if drawn[group][0] > 1][:count]
    for found in [*worst, *best]:
        assert found.rows.tolist() == np.flatnonzero(groups == found.group).tolist()
        assert found.f1 == pytest.approx(drawn[found.group][1])


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_the_share_of_right_pairs_never_falls_as_similarity_rises(pairs: list[tuple[float, bool]]) -> None:
    similarities, right = (np.array(column) for column in zip(*pairs, strict=True))
    shares = right_shares(similarities, right)
    order = np.argsort(similarities, kind="stable")
    assert (np.diff(shares[order]) >= -1e-12).all()
    assert shares.sum() == pytest.approx(right.sum())
    for value in set(similarities.tolist()):
        assert len(set(shares[similarities == value].tolist())) == 1


GROUPS = np.array([0, 0, 1, 1, 2, 2, 3])


def pairs_with(**signals: dict[tuple[int, int], float]) -> Pairs:
    candidates = {}
    for signal, proposed in signals.items():
        lines, rows = np.array(list(proposed), np.intp).T
        candidates[signal] = top_k(lines, rows, np.array(list(proposed.values())), len(GROUPS), 49)
    return pairs_of(candidates, len(GROUPS))


def test_the_likeliest_mistake_comes_first() -> None:
    title = {(0, 1): 0.9, (1, 0): 0.9, (2, 4): 0.9, (0, 6): 0.2}  # two of three at 0.9 are right
    image = {(2, 3): 0.99, (3, 2): 0.99, (3, 5): 0.99, (3, 6): 0.99, (4, 2): 0.1}  # two of four at 0.99
    mistakes = surest_mistakes(pairs_with(title=title, image=image), {"title": 0.5, "image": 0.5}, GROUPS, 10)
    assert [(mistake.first, mistake.second) for mistake in mistakes] == [(2, 4), (3, 6)]  # (3, 5): the same two groups
    assert [mistake.right_share for mistake in mistakes] == pytest.approx([2 / 3, 2 / 4])
    assert [dict(mistake.similarities) for mistake in mistakes] == [{"title": 0.9}, {"image": 0.99}]


def test_equally_sure_signals_count_by_their_number() -> None:
    both = {(0, 1): 1.0, (2, 3): 1.0, (0, 2): 1.0, (0, 4): 1.0}
    title = {(0, 1): 1.0, (0, 4): 1.0}
    mistakes = surest_mistakes(pairs_with(hash=both, title=title), {"hash": 1.0, "title": 1.0}, GROUPS, 10)
    assert [(mistake.first, mistake.second) for mistake in mistakes] == [(0, 4), (0, 2)]
    assert dict(mistakes[0].similarities) == {"hash": 1.0, "title": 1.0}


def test_the_surest_signal_decides_before_what_all_of_them_say() -> None:
    # of pairs at 0.9 two of three are right by title; at 0.8 half by hash and half by image, together more than that
    title = {(0, 1): 0.9, (1, 0): 0.9, (2, 4): 0.9}
    both = {(2, 3): 0.8, (3, 6): 0.8}
    pairs = pairs_with(title=title, hash=both, image=both)
    mistakes = surest_mistakes(pairs, {"title": 0.5, "hash": 0.5, "image": 0.5}, GROUPS, 10)
    assert [(mistake.first, mistake.second) for mistake in mistakes] == [(2, 4), (3, 6)]
    assert [mistake.right_share for mistake in mistakes] == pytest.approx([2 / 3, 1 / 2])


def test_only_matches_are_mistakes_and_no_more_than_requested() -> None:
    title = {(0, 1): 1.0, (0, 2): 0.5, (0, 4): 0.5, (0, 6): 0.4}
    pairs = pairs_with(title=title)
    assert [mistake.second for mistake in surest_mistakes(pairs, {"title": 0.5}, GROUPS, 10)] == [2, 4]
    assert [mistake.second for mistake in surest_mistakes(pairs, {"title": 0.4}, GROUPS, 1)] == [2]
    assert surest_mistakes(pairs, {"title": np.inf}, GROUPS, 10) == []


def test_a_mistake_names_the_lower_row_first() -> None:
    [mistake] = surest_mistakes(pairs_with(title={(6, 2): 0.9, (0, 1): 0.9}), {"title": 0.5}, GROUPS, 10)
    assert (mistake.first, mistake.second) == (2, 6)
