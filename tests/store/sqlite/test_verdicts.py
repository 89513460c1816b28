"""Verdicts in SQLite."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.store.sqlite.store import Store, open_store
from tests.support.written_store import put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def test_a_verdict_is_found_in_either_order_and_says_when_it_was_made(store: Store) -> None:
    before = time.time()
    verdict, new = store.verdicts.decide("b", "a", "same")
    assert (verdict.first, verdict.second, verdict.decision, verdict.revision, new) == ("a", "b", "same", 1, True)
    assert before <= verdict.decided_at <= time.time()
    assert store.verdicts.verdict("a", "b") == store.verdicts.verdict("b", "a") == verdict
    assert store.verdicts.verdict("a", "c") is None


def test_a_verdict_said_again_stays_and_another_one_takes_its_place(store: Store) -> None:
    first, _ = store.verdicts.decide("a", "b", "same")
    assert store.verdicts.decide("b", "a", "same") == (first, False)
    assert store.postings.version() == 1
    second, new = store.verdicts.decide("a", "b", "different")
    assert (second.decision, second.revision, new) == ("different", 2, False)
    assert store.verdicts.verdicts() == [second]


def test_a_posting_and_itself_get_no_verdict(store: Store) -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        store.verdicts.decide("a", "a", "same")


def test_a_verdict_outlives_its_postings_and_is_gone_when_it_is_withdrawn(store: Store) -> None:
    store.postings.put([put("a"), put("b")])
    store.verdicts.decide("a", "b", "same")
    store.postings.delete("a")
    assert store.verdicts.verdict("a", "b") is not None
    assert store.verdicts.withdraw("b", "a")
    assert not store.verdicts.withdraw("a", "b")
    assert store.verdicts.verdict("a", "b") is None
    assert store.postings.version() == 5
