"""The feed of changes: in order, each once, nothing skipped, and lost history is told."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.feed import EVERY_KIND, LASTING, Change, ChangeKind, FeedPage, Position, position_of
from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import FeedbackChange, ModelChange, PostingChange, Remark
from pricematch.errors import HistoryLost, VersionUnknown
from pricematch.progress import silent
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite.checksums import row_checksum
from pricematch.store.sqlite.feed import statement
from pricematch.store.sqlite.migrations import MIGRATIONS
from pricematch.store.sqlite.store import DATABASE, Store, open_store
from pricematch.store.verify import accept_loss
from tests.support.feeds import Replica
from tests.support.products import partition, parts
from tests.support.stores import everything, image_bytes, put

PRODUCTS: frozenset[ChangeKind] = frozenset({"product"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "data")) as store:
        yield store


def paged(store: Store, limit: int, kinds: frozenset[ChangeKind] = EVERY_KIND) -> list[FeedPage]:
    """All pages, from nothing on."""
    found, position = list[FeedPage](), Position(0)
    while True:
        found.append(store.feed.changes(position, limit, kinds))
        assert found[-1].since.revision == position.revision
        position = found[-1].next
        if not found[-1].more:
            return found


def short(change: Change) -> tuple[Any, ...]:
    """A change in few words."""
    if isinstance(change, PostingChange):
        return change.revision, change.posting_id, change.posting and change.posting.title
    if isinstance(change, FeedbackChange):
        return change.revision, change.first + change.second, change.decision
    if isinstance(change, ProductEvent):
        return change.revision, f"p{change.number}", change.kind
    return change.revision, change.name, change.version


def test_all_kinds_of_changes_are_told_in_one_order(store: Store) -> None:
    """A posting and a pair once, as they are now; what is gone as gone; every event; the last choice of a model."""
    store.postings.put([put("a", image_bytes(1), "one"), put("b"), put("c")])
    store.feedback.decide("a", "b", "same")
    partition(store.products, ["ab", "c"])
    store.models.activate("cnn", "1")
    store.postings.put([put("a", image_bytes(1), "two")])
    store.postings.delete("c")
    store.feedback.decide("b", "c", "different")
    store.feedback.withdraw("b", "c")
    partition(store.products, ["ab"])
    store.models.activate("cnn", "2")
    page = store.feed.changes(Position(0))
    assert [short(change) for change in page.changes] == [
        (2, "b", ""),
        (4, "ab", "same"),
        (5, "p1", "created"),
        (6, "p2", "created"),
        (8, "a", "two"),
        (9, "c", None),
        (11, "bc", None),
        (12, "p2", "removed"),
        (13, "cnn", "2"),
    ]
    assert (page.version, page.next, page.more) == (13, Position(13), False)
    [decided] = [it for it in page.changes if isinstance(it, FeedbackChange) and it.decision]
    assert decided.decided_at is not None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_have_every_change_once(store: Store, limit: int) -> None:
    """Whatever their size; the position behind the last one is the version."""
    changed(store, random.Random(limit), 60)
    whole = store.feed.changes(Position(0)).changes
    found = paged(store, limit)
    assert [change for page in found for change in page.changes] == whole
    assert {len(page.changes) for page in found[:-1]} <= {limit}
    assert found[-1].next == Position(store.postings.version())
    assert store.feed.changes(found[-1].next, limit).changes == ()


def changed(store: Store, draw: random.Random, steps: int) -> None:
    """Change a store at random."""
    for _ in range(steps):
        one, other = draw.sample("abcdefgh", 2)
        what = draw.random()
        if what < 0.35:
            store.postings.put([put(one, None, str(draw.random()))])
        elif what < 0.5:
            store.postings.delete(one)
        elif what < 0.6:
            remark = Remark(draw.choice((None, "Ann")), draw.choice(("", "é")))
            store.feedback.decide(one, other, draw.choice(("same", "different")), remark)
        elif what < 0.7:
            store.feedback.withdraw(one, other)
        elif what < 0.9:
            letters = draw.sample("abcdefgh", 5)
            partition(store.products, [letters[:3], letters[3:]])
        elif what < 0.95:
            store.models.activate("cnn", draw.choice("12"))
        else:
            store.postings.renew()


@pytest.mark.parametrize("seed", range(5))
def test_a_replica_that_reads_while_others_write_has_what_is_stored(seed: int, tmp_path: Path) -> None:
    """From nothing on, by pages of any size."""
    draw, replica = random.Random(seed), Replica()
    for _ in range(6):
        with closing(open_store(tmp_path, serve=True)) as store:
            for _ in range(8):
                changed(store, draw, draw.randrange(6))
                replica.read(store.feed, limit=draw.randrange(1, 5), pages=draw.randrange(3))
    with closing(open_store(tmp_path)) as store:
        replica.read(store.feed, limit=3)
        replica.check(store)


def test_renewals_move_the_position_on(store: Store) -> None:
    """They have no change."""
    store.postings.put([put("a")])
    for _ in range(3):
        store.postings.renew()
    page = store.feed.changes(Position(1))
    assert (page.changes, page.next, page.more) == ([], Position(4), False)


def test_nothing_is_told_beyond_the_version_that_is_named(store: Store) -> None:
    """What changed again behind it is left for later."""
    store.postings.put([put("a"), put("b"), put("c")])
    store.postings.put([put("b", None, "again")])
    page = store.feed.changes(Position(0), 10, upto=3)
    assert [short(it)[:2] for it in page.changes] == [(1, "a"), (3, "c")]
    assert (page.next, page.more) == (Position(3, 4), False)
    rest = store.feed.changes(page.next)
    assert [short(it) for it in rest.changes] == [(4, "b", "again")]
    assert rest.next == Position(4)
    ahead = store.feed.changes(Position(3), upto=2)
    assert (ahead.changes, ahead.next) == ((), Position(3))


@pytest.mark.parametrize("kinds", [{"posting"}, {"feedback"}, {"product", "model"}, EVERY_KIND])
def test_no_page_sorts_what_it_reads(store: Store, kinds: set[ChangeKind]) -> None:
    """Indexes have the order, so that a page of a thousand out of a million reads a thousand."""
    with store.database.read() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement(frozenset(kinds))}", (0, 9, 9)).fetchall()
    steps = [str(step[-1]) for step in plan]
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP"))], steps
    assert [step for step in steps if step.startswith("SEARCH")]
    assert all("revision>?" in step or "rowid>?" in step for step in steps if step.startswith("SEARCH")), steps


def test_a_page_of_huge_products_is_shorter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.store.sqlite.feed._MOST_IDS", 4)
    partition(store.products, [("a", "b", "c"), ("d", "e", "f"), ("g",)])
    found = paged(store, 10)
    assert [len(page.changes) for page in found] == [2, 1]


# --- what is lost ------------------------------------------------------------------------------------------------


@pytest.fixture
def forgetful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of eleven versions that remembers three deletions, so that its floor is 8."""
    monkeypatch.setattr("pricematch.store.sqlite.store.KEPT_DELETIONS", 3)
    with closing(open_store(tmp_path / "data")) as store:
        for number in range(6):
            store.postings.put([put(f"{number}")])
        for number in range(5):
            store.postings.delete(f"{number}")
        assert len(store.feed.changes(Position(0)).changes) == 6
    with closing(open_store(tmp_path / "data", serve=True)) as store:
        yield store


def test_deletions_of_long_ago_are_a_lost_history(forgetful: Store) -> None:
    """It says from which version on it is known."""
    for since in range(1, 8):
        with pytest.raises(HistoryLost, match=f"since version {since} ") as caught:
            forgetful.feed.changes(Position(since))
        assert caught.value.start_at == 11
        assert forgetful.feed.changes(Position(since), kinds=PRODUCTS).changes == []
    told = [short(change) for change in forgetful.feed.changes(Position(8)).changes]
    assert told == [(9, "2", None), (10, "3", None), (11, "4", None)]


def test_who_has_nothing_needs_no_deletions(forgetful: Store) -> None:
    """Neither for the first page nor for the next, until it has come up to where it began."""
    first = forgetful.feed.changes(Position(0), 1)
    assert [short(it) for it in first.changes] == [(6, "5", "")]
    assert first.next == Position(6, 11)
    rest = forgetful.feed.changes(first.next)
    assert [short(it)[:2] for it in rest.changes] == [(9, "2"), (10, "3"), (11, "4")]
    assert rest.next == Position(11)


def test_a_reading_that_began_too_long_ago_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was told of may be gone, and forgotten."""
    monkeypatch.setattr("pricematch.store.sqlite.store.KEPT_DELETIONS", 0)
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a"), put("b")])
        position = store.feed.changes(Position(0), 1).next
        store.postings.delete("a")
        assert [short(it) for it in store.feed.changes(position).changes] == [(2, "b", ""), (3, "a", None)]
    with closing(open_store(tmp_path, serve=True)) as store:
        store.postings.put([put("c")])
        with pytest.raises(HistoryLost):
            store.feed.changes(position)


def test_forgotten_events_are_a_lost_history_of_products_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also from nothing on: members are what all events make."""
    monkeypatch.setattr("pricematch.store.sqlite.store.KEPT_EVENTS", 1)
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a")])
        partition(store.products, ["a"])
        partition(store.products, ["ab"])
    with closing(open_store(tmp_path, serve=True)) as store:
        for since in (0, 1):
            with pytest.raises(HistoryLost):
                store.feed.changes(Position(since))
            assert len(store.feed.changes(Position(since), kinds=LASTING).changes) == 1 - since
        assert [short(it) for it in store.feed.changes(Position(2)).changes] == [(3, "p1", "changed")]


def test_a_version_that_is_yet_to_come_is_not_known(store: Store) -> None:
    store.postings.put([put("a")])
    for position in (Position(2), Position(10**9), Position(1, 2)):
        with pytest.raises(VersionUnknown, match="from 0 to 1, got"):
            store.feed.changes(position)


def test_what_a_mended_store_has_given_up_is_a_lost_history(tmp_path: Path) -> None:
    """Rows that were deleted because they were damaged were never told to be gone."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a"), put("b")])
        partition(store.products, ["a", "b"])
        assert store.feed.changes(Position(0), 1).next == Position(1, 4)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE product_event SET joined = '[]' WHERE number = 1")
    accept_loss(Settings(data=tmp_path))
    with closing(open_store(tmp_path)) as store:
        for position in (Position(0), Position(3), Position(1, 4)):
            with pytest.raises(HistoryLost):
                store.feed.changes(position)
        assert [short(it)[1] for it in store.feed.changes(Position(0), kinds=LASTING).changes] == ["a", "b"]


# --- models, backups ---------------------------------------------------------------------------------------------


def test_the_same_choice_again_is_no_change(store: Store) -> None:
    for version in ("1", "1", "2", "2"):
        store.models.activate("cnn", version)
    store.models.activate("matcher", "default")
    found = store.feed.changes(Position(0)).changes
    assert found == [ModelChange("cnn", "2", 2), ModelChange("matcher", "default", 3)]
    assert store.models.active() == {"cnn": "2", "matcher": "default"}


def test_choices_that_an_earlier_version_stored_are_told_as_new(tmp_path: Path) -> None:
    """Each with a revision of its own; one that a disk had altered stays told as damaged."""
    before = next(place for place, text in enumerate(MIGRATIONS) if "active_model_by_revision" in text)
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a")])
        for name in ("cnn", "matcher", "cae"):
            store.models.activate(name, "1")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        rows = connection.execute("SELECT name, version FROM active_model ORDER BY name").fetchall()
        connection.execute("UPDATE catalogue SET version = 1")
        as_before(connection, before)
        for name, version in rows:
            altered = "9" if name == "matcher" else version
            connection.execute(
                "INSERT INTO active_model VALUES (?, ?, ?)", (name, altered, row_checksum((name, version)))
            )
    with closing(open_store(tmp_path)) as store:
        told = store.feed.changes(Position(1), 2).changes
        assert told == [ModelChange("cae", "1", 2), ModelChange("cnn", "1", 3)]
        assert store.postings.version() == 4
    with pytest.raises(Exception, match="the choice of a model 'matcher' is not as it was written"):
        open_store(tmp_path, serve=True)


def as_before(connection: sqlite3.Connection, schema: int) -> None:
    """Take back the migrations behind a schema, as far as choices of models and the posting are concerned."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        for text in MIGRATIONS[:schema]:
            fresh.executescript(text)
        there = {str(name) for (name,) in fresh.execute("SELECT name FROM sqlite_master")}
    for kind, name in connection.execute("SELECT type, name FROM sqlite_master").fetchall():
        if name not in there and kind == "table":
            connection.execute(f"DROP TABLE {name}")
    connection.execute("ALTER TABLE posting DROP COLUMN more_images")
    covered = "SELECT posting_id, image, title, image_phash, label_group, revision, metadata FROM posting"
    for row in connection.execute(covered).fetchall():
        connection.execute("UPDATE posting SET checksum = ? WHERE posting_id = ?", (row_checksum(row), row[0]))
    connection.execute("DROP TABLE active_model")
    connection.execute("CREATE TABLE active_model (name TEXT PRIMARY KEY, version TEXT NOT NULL, checksum BLOB) STRICT")
    connection.execute(f"PRAGMA user_version = {schema}")


def test_who_follows_a_store_follows_a_restore(store: Store, tmp_path: Path) -> None:
    """Also where it gets products that it never had: their events are told then."""
    with closing(open_store(tmp_path / "other")) as other:
        changed(other, random.Random(7), 40)
        partition(other.products, ["ab", "cd"])
        backup(Settings(data=tmp_path / "other"), tmp_path / "backup", lambda *_: None)
        store.postings.put([put("z"), put("a", None, "mine")])
        replica = Replica()
        replica.read(store.feed)
        restore(Settings(data=tmp_path / "data"), tmp_path / "backup", lambda *_: None)
        replica.read(store.feed, limit=3)
        replica.check(store)
        assert everything(store) == everything(other)
        assert parts(store.products) == parts(other.products)


def test_a_position_of_another_store_is_told(tmp_path: Path) -> None:
    """As of one that was lost and restored, however its version has grown; plain versions are of any."""
    positions = list[Position]()
    for folder in ("one", "other"):
        with closing(open_store(tmp_path / folder)) as store:
            store.postings.put([put("a", image_bytes(1), "x"), put("b", image_bytes(2), "y")])
            page = store.feed.changes(Position(0), 1)
            assert page.more
            positions += [page.next, store.feed.changes(page.next).next]
            assert len({it.store for it in positions[-2:]}) == 1
            for position in positions[-2:]:
                assert position_of(str(position)) == position
                assert store.feed.changes(position).next.store == position.store
    assert len({it.store for it in positions}) == 2
    with closing(open_store(tmp_path / "other")) as store:
        for position in positions[:2]:
            with pytest.raises(HistoryLost, match="another store") as lost:
                store.feed.changes(position)
            assert lost.value.start_at == store.postings.version()
            assert store.feed.changes(Position(position.revision)).next.store == positions[-1].store


def test_a_position_outlasts_a_restore_into_the_same_store_only(tmp_path: Path) -> None:
    """There its changes are told; a store that was made anew of the backup says that history is lost."""
    settings = Settings(data=tmp_path / "data")
    with closing(open_store(settings.data)) as store:
        store.postings.put([put("a", image_bytes(1), "x")])
    backup(settings, tmp_path / "backup", silent)
    with closing(open_store(settings.data)) as store:
        store.postings.put([put("a", image_bytes(1), "changed")])
        position = store.feed.changes(Position(0)).next
    restore(settings, tmp_path / "backup", silent)
    anew = Settings(data=tmp_path / "anew")
    restore(anew, tmp_path / "backup", silent)
    with closing(open_store(settings.data)) as store:
        [change] = store.feed.changes(position).changes
        assert isinstance(change, PostingChange)
        assert change.posting is not None
        assert change.posting.title == "x"
    with closing(open_store(anew.data)) as store:
        for _ in range(5):
            store.postings.renew()
        with pytest.raises(HistoryLost):
            store.feed.changes(position)
