"""A store does what dictionaries do, over long random streams of changes."""

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.records import ANYHOW, Changes, Condition, Decision
from pricematch.errors import ConditionFailed
from pricematch.store.sqlite.store import Store, open_store
from tests.support.memory_store import MemoryStore
from tests.support.stores import check_whole, everything, image_bytes, put

pytestmark = pytest.mark.slow

IDS = [f"{letter}{number}" for letter in "aZ_" for number in range(4)]
STEPS = 400


def told(changes: Changes) -> Changes:
    """The same, in plain lists."""
    return Changes(changes.version, list(changes.postings), list(changes.feedback))


def answer(ask: Callable[..., Any], *asked: object) -> object:
    """What is answered, or that a condition failed."""
    try:
        return ask(*asked)
    except ConditionFailed:
        return ConditionFailed


def step(draw: random.Random, store: Store, oracle: MemoryStore) -> None:
    """Do the same thing to both, and compare what they answer."""
    one, other = draw.sample(IDS, 2)
    revisions = frozenset(draw.choices(range(oracle.version() + 1), k=9)) if draw.random() < 0.5 else None
    condition = Condition(revisions, draw.choice((None, True, False))) if draw.random() < 0.3 else ANYHOW
    what = draw.random()
    if what < 0.1:
        puts = [put(posting_id, drawn_image(draw), drawn_title(draw)) for posting_id in draw.choices(IDS, k=4)]
        assert answer(store.postings.put, puts) == answer(oracle.put, puts)
    elif what < 0.5:
        [single] = puts = [put(one, drawn_image(draw), drawn_title(draw), condition)]
        assert answer(store.postings.put, puts) == answer(oracle.put, [single])
    elif what < 0.7:
        assert answer(store.postings.delete, one, condition) == answer(oracle.delete, one, condition)
    elif what < 0.9:
        decision: Decision = "same" if draw.random() < 0.5 else "different"
        verdict, new = store.feedback.decide(one, other, decision)
        assert (replace(verdict, decided_at=0.0), new) == oracle.decide(one, other, decision)
    else:
        assert store.feedback.withdraw(one, other) == oracle.withdraw(one, other)


def drawn_image(draw: random.Random) -> bytes | None:
    return draw.choice([None, *map(image_bytes, range(6))])


def drawn_title(draw: random.Random) -> str:
    return draw.choice(["", "red shoe", "nul\0 é 😀"])


def compare(store: Store, oracle: MemoryStore) -> None:
    """Everything both can tell is the same."""
    assert store.postings.version() == oracle.version()
    assert store.postings.count() == oracle.count()
    assert store.postings.has_images() == any(posting.image for posting in everything(store).values())
    assert store.postings.page("", 100) == oracle.page("", 100)
    assert store.postings.page("Z2", 3) == oracle.page("Z2", 3)
    assert [store.postings.get(posting_id) for posting_id in IDS] == [oracle.get(posting_id) for posting_id in IDS]
    assert [replace(verdict, decided_at=0.0) for verdict in store.feedback.all_feedback()] == oracle.all_feedback()
    check_whole(store)


@pytest.mark.parametrize("seed", range(2))
def test_a_store_answers_as_dictionaries_do_whatever_is_done_to_it(seed: int, tmp_path: Path) -> None:
    draw, oracle = random.Random(seed), MemoryStore()
    for _ in range(4):
        with closing(open_store(tmp_path, serve=True)) as store:
            for number in range(STEPS // 4):
                step(draw, store, oracle)
                since = draw.randint(0, oracle.version())
                assert told(store.postings.changes(since)) == oracle.changes(since)
                if number % 40 == 0:
                    compare(store, oracle)
            compare(store, oracle)
            for since in range(oracle.version() + 1):
                assert told(store.postings.changes(since)) == oracle.changes(since)
