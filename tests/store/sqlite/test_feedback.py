"""Verdicts in SQLite."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.feed import Position
from pricematch.catalogue.feedback_batches import ALL_FEEDBACK, BatchCounts, FeedbackFilter, PairDecision
from pricematch.catalogue.records import FeedbackChange, PairFeedback, Remark
from pricematch.errors import BatchNotFound, ConditionFailed
from pricematch.store.sqlite import feedback_batches
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


def test_another_author_or_note_is_a_new_revision(store: Store) -> None:
    """The same ones are not."""
    store.feedback.decide("a", "b", "same")
    for revision, remark in ((2, Remark("Ann")), (3, Remark("Bob")), (4, Remark("Bob", "one box"))):
        for _ in range(2):
            found, new = store.feedback.decide("b", "a", "same", remark)
            assert (found.by, found.note, found.revision, new) == (remark.by, remark.note, revision, False)
            assert store.feedback.feedback_on("a", "b") == found


def test_feedback_is_listed_by_author_posting_and_decision(store: Store) -> None:
    """In the order of ids, or the latest first."""
    told = (("a", "b", "same", "Ann"), ("a", "c", "different", "Bob"), ("d", "b", "same", "Bob"))
    for one, other, decision, by in told:
        store.feedback.decide(one, other, "same" if decision == "same" else "different", Remark(by))

    def listed(chosen: FeedbackFilter = ALL_FEEDBACK, **given: Any) -> tuple[int, list[str]]:
        asked = {"sort": "ids", "after": None, "offset": 0, "limit": 9} | given
        total, found = store.feedback.feedback_page(chosen, **asked)
        return total, [it.first + it.second for it in found]

    assert listed() == (3, ["ab", "ac", "bd"])
    assert listed(sort="time") == (3, ["bd", "ac", "ab"])
    assert listed(FeedbackFilter(by="Bob"), sort="time") == (2, ["bd", "ac"])
    assert listed(FeedbackFilter(posting_id="b")) == (2, ["ab", "bd"])
    assert listed(FeedbackFilter(by="Bob", decision="same")) == (1, ["bd"])
    assert listed(after=(0.0, "a", "b"), limit=1) == (3, ["ac"])
    assert listed(offset=2) == (3, ["bd"])


def test_a_batch_is_made_whole_and_undone(store: Store) -> None:
    """What was before comes back, with its author, note and time; who decided the same stays its author."""
    agreed, _ = store.feedback.decide("a", "b", "same", Remark("Ann"))
    turned, _ = store.feedback.decide("b", "c", "different", Remark("Ann", "two sizes"))
    batch = store.feedback.decide_each(same("ab", "cb", "ed"), Remark("Bob", "by hand"), store.postings.version())
    assert batch.counts == BatchCounts(new=1, changed=1, unchanged=1)
    assert (batch.by, batch.note) == ("Bob", "by hand")
    assert store.postings.version() == 4
    first, second, third = store.feedback.all_feedback()
    assert first == agreed
    assert (second.decision, second.by, second.note) == ("same", "Bob", "by hand")
    assert second.decided_at == third.decided_at == batch.decided_at
    undone = store.feedback.undo(batch.batch_id)
    assert (undone.restored, undone.kept, undone.counts) == (2, 0, batch.counts)
    first, second = store.feedback.all_feedback()
    assert (first, replace(second, revision=turned.revision)) == (agreed, turned)
    assert [it.decision for it in store.feed.changes(Position(4)).changes if isinstance(it, FeedbackChange)] == [
        "different",
        None,
    ]
    assert store.feedback.undo(batch.batch_id) == undone == store.feedback.batch(batch.batch_id)
    assert store.postings.version() == 6


def test_undoing_keeps_what_was_decided_since(store: Store) -> None:
    """Also the same decision by somebody else, or of another day."""
    batch = store.feedback.decide_each(same("ab", "ac", "ad", "ae"), Remark("Bob"))
    store.feedback.decide("a", "b", "different")
    store.feedback.decide("a", "c", "same", Remark("Ann"))
    store.feedback.withdraw("a", "d")
    undone = store.feedback.undo(batch.batch_id)
    assert (undone.restored, undone.kept) == (1, 3)
    assert [(it.second, it.decision) for it in store.feedback.all_feedback()] == [("b", "different"), ("c", "same")]


def test_a_batch_expects_a_version_or_changes_nothing(store: Store) -> None:
    store.feedback.decide("x", "y", "same")
    with pytest.raises(ConditionFailed, match="expected version 0 of the catalogue, and it is of version 1"):
        store.feedback.decide_each(same("ab"), Remark(), 0)
    assert store.feedback.batches(None, 9) == []
    assert len(store.feedback.all_feedback()) == 1


def test_a_batch_may_leave_out_what_is_decided(store: Store) -> None:
    store.feedback.decide("a", "b", "different")
    assert store.feedback.decide_each(same("ab", "ac"), Remark(), undecided=True).counts == BatchCounts(1, 0, 0)
    assert [it.decision for it in store.feedback.all_feedback()] == ["different", "same"]


def test_the_oldest_batches_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be so many, or so many pairs; the last one always stays."""
    monkeypatch.setattr(feedback_batches, "KEPT_BATCHES", 3)
    monkeypatch.setattr(feedback_batches, "KEPT_ITEMS", 4)
    made = [store.feedback.decide_each(same(f"a{it}"), Remark()) for it in "bcdef"]
    assert store.feedback.batches(None, 9) == made[:1:-1]
    assert store.feedback.batches(made[4].number, 1) == [made[3]]
    with pytest.raises(BatchNotFound):
        store.feedback.undo(made[0].batch_id)
    made = [store.feedback.decide_each(same(*(f"{end}{it}" for it in "pqr")), Remark()) for end in "ab"]
    assert store.feedback.batches(None, 9) == made[1:]
    large = store.feedback.decide_each(same(*(f"c{it}" for it in "pqrstu")), Remark())
    assert store.feedback.batches(None, 9) == [large]
    assert store.feedback.undo(large.batch_id).restored == 6


def test_batches_that_change_nothing_push_none_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few of them are kept."""
    monkeypatch.setattr(feedback_batches, "KEPT_BATCHES", 2)
    monkeypatch.setattr(feedback_batches, "_KEPT_EMPTY", 3)
    made = [store.feedback.decide_each(same(f"a{it}"), Remark()) for it in "bc"]
    for _ in range(9):
        store.feedback.decide_each(same("ab"), Remark())
    assert [it for it in store.feedback.batches(None, 99) if it.counts.new] == made[::-1]
    assert len(store.feedback.batches(None, 99)) == 5
    assert store.feedback.undo(made[0].batch_id).restored == 1


def test_what_comes_from_elsewhere_keeps_its_time_and_author(store: Store) -> None:
    """All of it or nothing; what is there already stays unchanged."""
    store.feedback.decide("a", "b", "same")
    given = [PairFeedback("a", "b", "same", 0, 5.0, "Ann", ""), PairFeedback("a", "c", "different", 0, 6.0, None, "n")]
    assert store.feedback.take(given) == BatchCounts(1, 1, 0)
    assert store.feedback.take(given) == BatchCounts(0, 0, 2)
    assert [replace(it, revision=0) for it in store.feedback.all_feedback()] == given
    version = store.postings.version()

    def broken() -> Iterator[PairFeedback]:
        yield PairFeedback("x", "y", "same", 0, 7.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.feedback.take(broken())
    assert store.postings.version() == version


def same(*pairs: str) -> list[PairDecision]:
    """Decisions on pairs of one-letter ids."""
    return [PairDecision(pair[0], pair[1], "same") for pair in pairs]
