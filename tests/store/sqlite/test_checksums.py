"""Rows that a disk altered, where SQLite sees nothing wrong."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.feed import Position
from pricematch.catalogue.feedback_batches import PairDecision
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.records import Condition, Remark
from pricematch.errors import ConditionFailed, RowDamaged, RowProblem, StoreDamaged
from pricematch.settings import Settings
from pricematch.store.backup import backup
from pricematch.store.sqlite.checksums import COLUMNS, row_checksum
from pricematch.store.sqlite.store import Store, open_store
from pricematch.store.verify import verify
from tests.support.products import partition
from tests.support.stores import everything, image_bytes, put

HERE = Path(__file__).parent
DIGEST = hashlib.sha256(image_bytes(0)).digest()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([put(f"{number}", image_bytes(number), f"title {number}") for number in range(3)])
        store.feedback.decide("0", "1", "same")
        store.computed.keep_hashes("phash", [DIGEST], ["0" * 16])
        store.computed.keep_embeddings("cae", [DIGEST], np.array([[1, 0]], np.float32))
        store.models.activate("cae", "1")
        store.webhooks.keep("https://shop.example/", Position(3))
        store.fields.declare(Field("size", "number"), 9)
        partition(store.products, ["0", "12"])
        store.jobs.change(store.jobs.create("import", "{}", "0" * 32), [RowProblem(2, "title", "too long")])
        store.feedback.decide_each([PairDecision("0", "2", "same")], Remark("Ann"))
        yield store


def alter(store: Store, statement: str) -> None:
    with closing(sqlite3.connect(store.database.path)) as connection, connection:
        assert connection.execute(statement).rowcount


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), "e4a6a0577479b2b4"),
        ((None, "", b""), "f7e4ec024cddc683"),
        (("a", 1, 0.1, "é\udcff", b"\0"), "8c7a596a550491da"),
    ],
)
def test_checksums_never_change(values: tuple[Any, ...], expected: str) -> None:
    """Fault F14: what one version wrote, the next one checks."""
    assert row_checksum(values).hex() == expected


def test_values_of_a_row_are_told_apart() -> None:
    """Fault F14: what stands in one column is not taken for a part of the next."""
    rows = [("ab", "c"), ("a", "bc"), ("abc", None), ("abc", ""), ("a", "2:bc"), (None, "abc")]
    assert len({row_checksum(row) for row in rows}) == len(rows)


ALTERATIONS: dict[str, tuple[str, Callable[[Store], object]]] = {
    "the posting '1'": ("UPDATE posting SET title = 'Title 1' WHERE posting_id = '1'", lambda s: s.postings.get("1")),
    "the posting '2'": ("UPDATE posting SET image = NULL WHERE posting_id = '2'", lambda s: s.postings.page("", 9)),
    "the posting '0'": (
        "UPDATE posting SET label_group = 'x' WHERE posting_id = '0'",
        lambda s: s.feed.changes(Position(0)),
    ),
    "the verdict '0' and '1'": (
        "UPDATE verdict SET decision = 'different' WHERE second = '1'",
        lambda s: s.feedback.all_feedback(),
    ),
    "the verdict '0' and '2'": (
        "UPDATE verdict SET note = 'x' WHERE second = '2'",
        lambda s: s.feedback.all_feedback(),
    ),
    "the verdict batch 1": ("UPDATE verdict_batch SET decided_by = 'Bob'", lambda s: s.feedback.batches(None, 9)),
    "the choice of a model 'cae'": ("UPDATE active_model SET version = '2'", lambda s: s.models.active()),
    "the declared field 'size'": ("UPDATE field SET type = 'text'", lambda s: s.fields.fields()),
    f"the job '{'0' * 32}'": ("UPDATE job SET done = 5", lambda s: s.jobs.unfinished("import")),
    "the job problem 1": ("UPDATE job_problem SET message = 'too song'", lambda s: s.jobs.problems("0" * 32, 0, 9)),
    "the product 2": ("UPDATE product SET doubt = 0.5 WHERE number = 2", lambda s: s.products.page("size", None, 9)),
    "the product 1": ("UPDATE product SET into_number = 2 WHERE number = 1", lambda s: s.products.product(1)),
    "the product member '1'": (
        "UPDATE product_member SET number = 1 WHERE posting_id = '1'",
        lambda s: (s.products.members(), s.products.members_of(1)),
    ),
    "the product event 6": (
        "UPDATE product_event SET joined = '[]' WHERE number = 1",
        lambda s: s.products.events_of(1, None, 9),
    ),
    "the key of embeddings 'cae'": (
        "UPDATE computed_key SET dimension = 3 WHERE key = 'cae'",
        lambda s: s.computed.embeddings("cae", [DIGEST]),
    ),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_row_is_told_and_never_given(name: str, store: Store, tmp_path: Path) -> None:
    """Fault F14: by its name, when it is read, at a start, by a backup and by `verify`."""
    statement, read = ALTERATIONS[name]
    read(store)
    alter(store, statement)
    with pytest.raises(RowDamaged, match=f"^{name} is damaged on the disk; put it again, delete it, or restore"):
        read(store)
    told = f"{name} is not as it was written"
    with pytest.raises(StoreDamaged, match=told):
        open_store(store.folder, serve=True)
    with pytest.raises(StoreDamaged, match=told):
        backup(Settings(data=store.folder), tmp_path / "backup", lambda *_: None)
    assert not (tmp_path / "backup").exists()
    found = {checked.what: checked.faults for checked in verify(Settings(data=store.folder), lambda *_: None)}
    assert [what.removeprefix("rows of ") in COLUMNS for what, faults in found.items() if faults == [told]] == [True]


@pytest.mark.parametrize(("posting_id", "altered"), [("priced", '{"price":12.4}'), ("priced", None), ("0", '{"a":1}')])
def test_altered_metadata_is_told(posting_id: str, altered: str | None, store: Store) -> None:
    """Also where all of it is lost, and where there was none."""
    store.postings.put([put("priced", metadata=Metadata({"price": 12.5}))])
    with closing(sqlite3.connect(store.database.path)) as connection, connection:
        connection.execute("UPDATE posting SET metadata = ? WHERE posting_id = ?", (altered, posting_id))
    for read in (store.postings.get, lambda _: store.postings.page("", 9), lambda _: store.feed.changes(Position(0))):
        with pytest.raises(RowDamaged, match=f"the posting '{posting_id}' is damaged"):
            read(posting_id)


def test_an_altered_hash_or_embedding_is_computed_again(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F14: they are left out and logged, also one that is a unit vector still."""
    alter(store, "UPDATE hash SET value = '0000000000000001'")
    alter(store, "UPDATE embedding SET value = X'000000000000803F'")
    assert store.computed.hashes("phash", [DIGEST]) == {}
    assert store.computed.embeddings("cae", [DIGEST]) == {}
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "1 hashes of phash are damaged",
        "1 embeddings of cae are damaged",
    ]
    open_store(store.folder, serve=True).close()


def test_an_altered_pair_of_a_batch_is_told_and_undoes_nothing(store: Store) -> None:
    """Fault F14: all of the batch or nothing is undone."""
    [batch] = store.feedback.batches(None, 9)
    alter(store, "UPDATE verdict_batch_item SET before_decision = 'different'")
    with pytest.raises(RowDamaged, match=r"^the verdict batch item 1 and '0' and '2' is"):
        store.feedback.undo(batch.batch_id)
    assert len(store.feedback.all_feedback()) == 2
    assert store.feedback.batch(batch.batch_id) == batch


def test_text_that_is_not_utf_8_is_told_by_its_row(store: Store) -> None:
    """Fault F14: it is named, too, and the others are read."""
    alter(store, "UPDATE posting SET title = CAST(X'ff' AS TEXT) WHERE posting_id = '1'")
    with pytest.raises(RowDamaged, match="the posting '1' is damaged"):
        store.postings.get("1")
    assert store.postings.get("0") is not None


def test_a_damaged_posting_may_be_put_again_or_deleted(store: Store) -> None:
    """Fault F14: either heals it, unless it is to be as somebody has seen it."""
    alter(store, "UPDATE posting SET title = 'Title' WHERE posting_id IN ('0', '1')")
    seen = Condition(revisions=frozenset({1}))
    with pytest.raises(RowDamaged):
        store.postings.put([put("0", image_bytes(0), "seen", seen)])
    with pytest.raises(ConditionFailed):
        store.postings.put([put("0", image_bytes(0), "new", Condition(exists=False))])
    [kept] = store.postings.put([put("0", image_bytes(0), "title 0")])
    assert kept.outcome == "replaced"
    assert store.postings.delete("1")
    assert everything(store).keys() == {"0", "2"}


def test_a_damaged_verdict_may_be_decided_again_or_withdrawn(store: Store) -> None:
    """Fault F14: either heals it."""
    store.feedback.decide("1", "2", "same")
    alter(store, "UPDATE verdict SET decided_at = 1.5")
    _, first = store.feedback.decide("0", "1", "same")
    assert not first
    assert store.feedback.withdraw("2", "1")
    assert store.feedback.withdraw("2", "0")
    assert [it.decision for it in store.feedback.all_feedback()] == ["same"]
