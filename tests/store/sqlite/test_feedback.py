"""Verdicts in SQLite."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.store.sqlite.store import Store, open_store
from tests.support.stores import put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def test_a_decision_is_found_in_either_order(store: Store) -> None:
    before = time.time()
    verdict, new = store.feedback.decide("b", "a", "same")
    assert (verdict.first, verdict.second, verdict.decision, verdict.revision, new) == ("a", "b", "same", 1, True)
    assert before <= verdict.decided_at <= time.time()
    assert store.feedback.feedback_on("a", "b") == store.feedback.feedback_on("b", "a") == verdict
    assert store.feedback.feedback_on("a", "c") is None


def test_the_same_decision_stays_another_replaces_it(store: Store) -> None:
    first, _ = store.feedback.decide("a", "b", "same")
    assert store.feedback.decide("b", "a", "same") == (first, False)
    assert store.postings.version() == 1
    second, new = store.feedback.decide("a", "b", "different")
    assert (second.decision, second.revision, new) == ("different", 2, False)
    assert store.feedback.all_feedback() == [second]


def test_a_posting_and_itself_get_no_decision(store: Store) -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        store.feedback.decide("a", "a", "same")


def test_a_decision_outlives_its_postings(store: Store) -> None:
    store.postings.put([put("a"), put("b")])
    store.feedback.decide("a", "b", "same")
    store.postings.delete("a")
    assert store.feedback.feedback_on("a", "b") is not None
    assert store.feedback.withdraw("b", "a")
    assert not store.feedback.withdraw("a", "b")
    assert store.feedback.feedback_on("a", "b") is None
    assert store.postings.version() == 5
