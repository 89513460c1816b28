"""Fault 34: no room, no right to write, errors of the device. What is stored stays, and is read on."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.errors import StoreError, StoreFull, StoreUnavailable
from pricematch.store.sqlite import database as sqlite_database
from pricematch.store.sqlite.store import DATABASE, Store, open_store
from tests.support.stores import check_whole, everything, fill_up, image_bytes, put


def fill(store: Store, size: int) -> int:
    """Put postings until there is no room; how many there was room for."""
    for number in range(10_000):
        try:
            store.postings.put([put(f"{number:05}", image_bytes(number, size) if size else None, "x" * 2000)])
        except StoreFull as full:
            assert "no room left" in str(full)  # noqa: PT017 - the loop ends by it
            return number
    raise AssertionError("there was always room")


@pytest.mark.parametrize("size", [20_000, 0])
def test_fault_34_a_full_disk_refuses_writes_until_there_is_room(size: int, small_disk: Path) -> None:
    """What is stored stays."""
    with closing(open_store(small_disk, serve=True)) as store:
        (ballast := small_disk.parent / "ballast").write_bytes(bytes(200_000))
        stored = fill(store, size)
        before = everything(store)
        assert len(before) == stored > 5
        for _ in range(3):
            with pytest.raises(StoreFull):
                store.postings.put([put("big", image_bytes(1, 900_000))])
        assert everything(store) == before
        ballast.unlink()
        store.postings.put([put("after", image_bytes(99_999, 1000))])
        assert store.postings.delete("00000")
        check_whole(store)
    with closing(open_store(small_disk, serve=True)) as store:
        check_whole(store)
        assert everything(store).keys() == before.keys() - {"00000"} | {"after"}


def test_fault_34_a_full_store_is_served_from_a_full_disk(small_disk: Path) -> None:
    with closing(open_store(small_disk)) as store:
        stored = fill(store, 5000)
    fill_up(small_disk.parent / "ballast")
    with closing(open_store(small_disk, serve=True)) as store:
        assert store.postings.count() == stored


def test_fault_34_no_room_to_open_a_store_is_reported(small_disk: Path) -> None:
    with closing(open_store(small_disk)) as store:
        store.postings.put([put("a", image_bytes(1))])
    fill_up(small_disk.parent / "ballast")
    with pytest.raises(StoreFull, match="no room left in"):
        open_store(small_disk, serve=True)
    (small_disk.parent / "ballast").unlink()
    with closing(open_store(small_disk, serve=True)) as store:
        check_whole(store)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a", image_bytes(1)), put("b", image_bytes(2))])
        yield store


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir", "mkstemp"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EFBIG, StoreFull),
        (errno.EROFS, StoreUnavailable),
        (errno.EACCES, StoreUnavailable),
        (errno.EIO, StoreUnavailable),
    ],
)
def test_fault_34_an_image_that_cannot_be_written_is_refused_with_its_posting(
    call: str, number: int, kind: type[StoreError], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    owner = {"fsync": "os.fsync", "replace": "pathlib.Path.replace", "mkdir": "pathlib.Path.mkdir"}
    before = everything(store)
    with monkeypatch.context() as patch:
        patch.setattr(owner.get(call, "tempfile.mkstemp"), fail)
        with pytest.raises(kind):
            store.postings.put([put("a", image_bytes(3)), put("c", image_bytes(4))])
        assert everything(store) == before
    store.postings.put([put("d", image_bytes(5))])
    check_whole(store)
    assert everything(store).keys() == {"a", "b", "d"}


def test_fault_34_a_full_database_refuses_writes_until_there_is_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, limit = sqlite_database.connect, [0]

    def limited(path: Path, mode: sqlite_database.Mode, wait_seconds: float) -> sqlite3.Connection:
        connection = connect(path, mode, wait_seconds)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + limit[0]}")
        return connection

    monkeypatch.setattr(sqlite_database, "connect", limited)
    with closing(open_store(store.folder)) as full:
        stored = fill(full, 300)
        assert len(everything(full)) == stored + 2
        limit[0] = 1000
        full.postings.put([put("after", image_bytes(3), "x" * 5000)])
        check_whole(full)


def test_fault_34_a_change_that_cannot_be_committed_leaves_no_image_for_good(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is in place when the commit fails; it goes with the next change."""

    def deferred(connection: sqlite3.Connection, *_: object) -> int:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO job_problem VALUES (1, 99, 1, NULL, 'of no job')")
        return 1

    with monkeypatch.context() as patch:
        patch.setattr("pricematch.store.sqlite.postings.write", deferred)
        with pytest.raises(StoreError):
            store.postings.put([put("c", image_bytes(3))])
    assert store.postings.get("c") is None
    store.postings.put([put("b", image_bytes(4))])
    check_whole(store)


def test_fault_34_images_that_cannot_be_deleted_go_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", fail)
        assert store.postings.delete("a")
    assert "images that no posting shows are still there" in caplog.text
    assert store.postings.get("a") is None
    store.postings.put([put("b", image_bytes(4))])
    check_whole(store)
    assert (store.folder / DATABASE).exists()
