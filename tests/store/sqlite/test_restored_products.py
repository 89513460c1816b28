"""Products of a backup that is restored: their numbers last, and what differs is told by events."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricematch.catalogue.feed import Position
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite.backup import copy_database, opened_copy, replace_contents
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.store import Store, open_store
from tests.support.products import check_products, contents, partition
from tests.support.stores import put

OLDER = Path(__file__).parent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of the postings a to h, some of which have merged: 1 into 2, 3 is `de`, 4 split into 4 and 6."""
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([put(posting_id) for posting_id in "abcdefgh"])
        partition(store.products, ["a", "bc", "de", "fgh"])
        partition(store.products, ["abc", "de", "fg", "h"], {2: 0.25, 3: 0.5})
        yield store


def taken(store: Store, name: str = "backup.tar") -> Path:
    file = store.folder.parent / name
    backup(Settings(data=store.folder), file, lambda *_: None)
    return file


def restored(store: Store, file: Path) -> int:
    """How many products it restored."""
    return restore(Settings(data=store.folder), file, lambda *_: None).replaced.products


def test_an_empty_store_gets_products_with_their_history(store: Store, tmp_path: Path) -> None:
    """Events are made anew in their order, behind all that there was, so that who follows is told."""
    file, was = taken(store), contents(store.products)
    assert [event[4] for event in was["events"] if event[1] == 1] == [(), ("a",)]
    restore(Settings(data=tmp_path / "new"), file, lambda *_: None)
    with closing(open_store(tmp_path / "new", serve=True)) as new:
        is_now, then = contents(new.products), store.postings.version()
        last = new.postings.version()
        later = last - max(event[0] for event in was["events"])
        assert is_now["events"] == [(event[0] + later, *event[1:]) for event in was["events"]]
        assert is_now["products"] == [(*it[:4], it[4] + later) for it in was["products"]]
        assert (is_now["members"], is_now["state"]) == (was["members"], replace(was["state"], revision=1))
        assert len(new.feed.changes(Position(then), kinds=frozenset({"product"})).changes) == len(was["events"])
        check_products(new.products)
        [event] = partition(new.products, ["abc", "de", "fg", "h", "i"])
        assert event.number == 6


def test_a_store_that_went_on_gets_its_products_back(store: Store) -> None:
    """Each that differs has an event; numbers that were given since are not given again."""
    file, was = taken(store), contents(store.products)
    store.postings.put([put("i")])
    partition(store.products, ["abcde", "fh", "gi"])
    untouched = contents(store.products)["events"]
    before = store.products.state()
    assert restored(store, file) == store.products.count() == 4
    check_products(store.products)
    after = contents(store.products)
    assert after["members"] == was["members"]
    events = [event for event in after["events"] if event not in untouched]
    assert sorted(event[1:] for event in events) == [
        (2, "changed", "restore", (), ("d", "e"), 3, None),
        (3, "created", "restore", ("d", "e"), (), 2, None),
        (4, "changed", "restore", ("g",), ("h",), 2, None),
        (5, "created", "restore", ("h",), (), 1, None),
        (6, "removed", "restore", (), ("g", "i"), 0, None),
    ]
    assert min(event[0] for event in events) > max(event[0] for event in untouched)
    assert len([event for event in after["events"] if event in untouched]) == len(untouched)
    state = store.products.state()
    assert state.last_number == 6
    assert state.revision == before.revision + 1
    assert [it and (it.size, it.into, it.doubt) for it in map(store.products.product, (1, 2, 3))] == [
        (0, 2, 0.0),
        (3, None, 0.25),
        (2, None, 0.5),
    ]
    partition(store.products, ["abc", "de", "fg", "h", ("new",)])
    assert store.products.members()["new"] == 7


def test_a_restore_of_what_is_there_has_no_event(store: Store) -> None:
    file, was = taken(store), contents(store.products)
    restored(store, file)
    assert {**contents(store.products), "state": 0} == {**was, "state": 0}


def test_a_redirect_of_the_backup_is_told_as_a_merger(store: Store) -> None:
    """Where a later backup is restored over an earlier one; it may have led to a product that is gone since."""
    earlier = taken(store, "earlier.tar")
    partition(store.products, ["abc", "defg", "h"])
    partition(store.products, ["abc", "h"])
    later, was = taken(store, "later.tar"), contents(store.products)
    assert [it[:3] for it in was["products"]][2:4] == [(3, 0, None), (4, 0, 3)]
    restored(store, earlier)
    check_products(store.products)
    restored(store, later)
    check_products(store.products)
    assert contents(store.products)["members"] == was["members"]
    assert [it[:4] for it in contents(store.products)["products"]] == [it[:4] for it in was["products"]]


def test_products_of_another_store_take_the_place_of_ours(store: Store, tmp_path: Path) -> None:
    """Under their numbers, though these were other products here; our redirects lead on."""
    with closing(open_store(tmp_path / "other" / "data")) as other:
        other.postings.put([put(posting_id) for posting_id in "abxyz"])
        partition(other.products, ["abz", "xy"])
        partition(other.products, ["abxyz"])
        file = taken(other)
    partition(store.products, ["abch", "de", "fg"])
    assert [it and it.into for it in map(store.products.product, range(1, 6))] == [2, None, None, None, 2]
    restored(store, file)
    check_redirects(store)
    assert store.products.members() == dict.fromkeys("abxyz", 1)
    assert store.products.state().last_number == 5
    redirects = [it and it.into for it in map(store.products.product, range(1, 6))]
    assert redirects == [None, 1, None, None, 1]


def check_redirects(store: Store) -> None:
    """No product names one that has merged itself."""
    numbers = range(1, store.products.state().last_number + 1)
    found = {it.number: it for number in numbers if (it := store.products.product(number)) is not None}
    assert all(found[it.into].into is None for it in found.values() if it.into is not None)


@pytest.mark.parametrize("schema", [2, 3])
def test_a_backup_without_products_takes_only_lost_postings_out(schema: int, store: Store, tmp_path: Path) -> None:
    """Of a version that had none; a service is to cluster anew."""
    store.postings.put([put("000")])
    partition(store.products, [("a", "000"), ("b", "c"), "de", "fg", "h"])
    before = store.products.state()
    path = tmp_path / "older.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((OLDER / f"store_{schema}.sql").read_text(encoding="utf-8"))
        connection.executescript(f"PRAGMA application_id = {0x50724D63}; PRAGMA user_version = {schema}")
    with opened_copy(tmp_path / "older.tar", path, schema) as copy, store.database.write() as connection:
        replace_contents(connection, copy)
    check_products(store.products)
    [number] = set(store.products.members().values())
    assert store.products.members() == {"000": number}
    assert store.products.events_of(number, None, 1)[0].left == ("a",)
    assert {store.products.events_of(each, None, 1)[0].kind for each in (3, 4)} == {"removed"}
    assert store.products.state() == replace(before, revision=before.revision + 1)


def test_a_backup_with_a_member_that_is_no_id_is_refused(store: Store, tmp_path: Path) -> None:
    partition(store.products, [("../x",)])
    copy_database(store.database, tmp_path / "copy")
    with (
        pytest.raises(Exception, match=r"'\.\./x' cannot name a posting"),
        opened_copy(tmp_path / "b", tmp_path / "copy", SCHEMA),
    ):
        pass


Drawn = list[dict[str, int]]
PARTITIONS = st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(PARTITIONS, PARTITIONS, PARTITIONS)
def test_restores_between_random_changes_keep_products_whole(first: Drawn, second: Drawn, third: Drawn) -> None:
    """Events make what is stored, and a number that was given is never given again."""
    with TemporaryDirectory() as folder, closing(open_store(Path(folder) / "data")) as store:
        copies, given_numbers = list[tuple[Path, dict[str, int]]](), 0
        for round_number, drawn in enumerate((first, second, third)):
            make(store, drawn)
            copy = Path(folder) / f"copy-{round_number}"
            copy_database(store.database, copy)
            copies.append((copy, dict(store.products.members())))
        for copy, was in (*copies, copies[0]):
            given_numbers = max(given_numbers, store.products.state().last_number)
            with opened_copy(copy, copy, SCHEMA) as connection, store.database.write() as ours:
                replace_contents(ours, connection)
            assert store.products.members() == was
            check_products(store.products)
            assert store.products.state().last_number == given_numbers


def make(store: Store, partitions: Sequence[dict[str, int]]) -> None:
    for drawn in partitions:
        partition(
            store.products,
            [[letter for letter in drawn if drawn[letter] == number] for number in sorted(set(drawn.values()))],
        )
