"""How well held-out groups are found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.features import unit_rows
from pricematch.training import group_retrieval
from pricematch.training.group_retrieval import held_out_map


@given(st.lists(st.integers(-1, 3), min_size=2, max_size=12), st.integers(1, 4), st.integers(0, 5))
def test_it_is_the_mean_average_precision_of_the_held_out_rows_among_all(held: list[int], k: int, seed: int) -> None:
    embeddings = unit_rows(np.random.default_rng(seed).normal(size=(len(held), 3)), 3)
    precisions = []
    for row, group in enumerate(held):
        others = [other for other in range(len(held)) if other != row]
        members = [other for other in others if held[other] == group]
        if group < 0 or not members:
            continue
        order = sorted(others, key=lambda other: (-float(embeddings[row] @ embeddings[other]), other))[:k]
        places = [place for place, other in enumerate(order, start=1) if other in members]
        found = sum(number / place for number, place in enumerate(places, start=1))
        precisions.append(found / min(k, len(members)))
    expected = float(np.mean(precisions)) if precisions else 1.0
    assert held_out_map(embeddings, np.array(held), k) == pytest.approx(expected)


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = unit_rows(np.random.default_rng(0).normal(size=(30, 4)), 4)
    held = np.arange(30) % 7 - 1
    whole = held_out_map(embeddings, held, 5)
    monkeypatch.setattr(group_retrieval, "_LINES", 4)
    assert held_out_map(embeddings, held, 5) == whole
