"""A store does what dictionaries and a list of changes do, over long random streams."""

import random
from pathlib import Path

import pytest

from app.adapters.sqlite_store import Store, open_store
from app.matching.stored import Changes, Decision
from tests.adapters.store_oracle import Oracle
from tests.adapters.written_store import check_whole, everything, picture, put

IDS = [f"{letter}{number}" for letter in "aZ_" for number in range(4)]
STEPS = 400


def told(changes: Changes) -> Changes:
    """The same, in plain lists."""
    return Changes(changes.version, list(changes.postings), list(changes.verdicts))


def step(draw: random.Random, store: Store, oracle: Oracle) -> None:
    """Do the same thing to both, and compare what they answer."""
    one, other = draw.sample(IDS, 2)
    what = draw.random()
    if what < 0.5:
        puts = [
            put(posting_id, draw.choice([None, picture(draw.randrange(6))]), draw.choice(["", "red shoe", "nul\0 é"]))
            for posting_id in draw.choices(IDS, k=draw.choice([1, 1, 1, 4]))
        ]
        kept = store.postings.put(puts)
        assert [(each.revision, each.outcome) for each in kept] == [oracle.put(each.posting) for each in puts]
    elif what < 0.7:
        assert store.postings.delete(one) == oracle.delete(one)
    elif what < 0.9:
        decision: Decision = "same" if draw.random() < 0.5 else "different"
        verdict, new = store.verdicts.decide(one, other, decision)
        assert (verdict.revision, new) == oracle.decide(one, other, decision)
        assert (verdict.first, verdict.second, verdict.decision) == (*sorted((one, other)), decision)
    else:
        assert store.verdicts.withdraw(one, other) == oracle.withdraw(one, other)


def compare(store: Store, oracle: Oracle) -> None:
    """Everything both can tell is the same."""
    assert store.postings.version() == oracle.version
    assert store.postings.count() == len(oracle.postings)
    assert list(everything(store)) == sorted(oracle.postings)
    for posting_id in IDS:
        stored = store.postings.get(posting_id)
        assert (None if stored is None else (stored.posting, stored.revision)) == oracle.postings.get(posting_id)
    verdicts = {(each.first, each.second): (each.decision, each.revision) for each in store.verdicts.verdicts()}
    assert verdicts == oracle.verdicts
    assert list(verdicts) == sorted(verdicts)
    check_whole(store)


@pytest.mark.parametrize("seed", range(4))
def test_a_store_answers_as_dictionaries_and_a_log_do_whatever_is_done_to_it(seed: int, tmp_path: Path) -> None:
    draw, oracle = random.Random(seed), Oracle()
    store = open_store(tmp_path, serve=True)
    for number in range(STEPS):
        step(draw, store, oracle)
        since = draw.randint(0, oracle.version)
        assert told(store.postings.changes(since)) == oracle.changes(since)
        if number % 40 == 0:
            compare(store, oracle)
        if number % 100 == 99:
            store.close()
            store = open_store(tmp_path, serve=True)
    compare(store, oracle)
    for since in range(oracle.version + 1):
        assert told(store.postings.changes(since)) == oracle.changes(since)
    store.close()
