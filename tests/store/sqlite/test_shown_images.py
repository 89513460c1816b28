"""Postings of several images: each is found, kept and given up as the first is."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.catalogue.feed import Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Patch, PostingChange, Put
from pricematch.errors import ImageUnavailable, RowDamaged, StoreDamaged
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite import shown_images
from pricematch.store.sqlite.store import DATABASE, LOST_FOUND, Store, open_store
from pricematch.store.verify import accept_loss, verify
from tests.support.stores import check_whole, everything, image_bytes, image_names, name_of, put

A, B, C, D = map(image_bytes, range(4))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of two postings of several images, one of which both show."""
    with closing(open_store(tmp_path / "data", serve=True)) as store:
        store.postings.put([put("a", A, more=[B, C]), put("b", D, more=[B])])
        yield store


def digest(image: bytes) -> bytes:
    return bytes.fromhex(name_of(image))


def faults(folder: Path) -> list[str]:
    return [fault for checked in verify(Settings(data=folder), lambda *_: None) for fault in checked.faults]


def alter(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute(statement)


def test_a_posting_whose_image_is_lost_is_patched(store: Store) -> None:
    """What it shows already need not be there; what is new must be."""
    name = name_of(B)
    (store.images.folder / name[:2] / name[2:]).unlink()
    [kept] = store.postings.change_each([Patch("a", lambda posting: replace(posting, title="kopi"))])
    assert getattr(kept, "outcome", kept) == "replaced"
    with pytest.raises(ImageUnavailable, match="was not given"):
        store.postings.put([Put(Posting("new", name_of(B)))])


def test_images_are_kept_in_their_places(store: Store) -> None:
    """Wherever a posting is read; one that is named again keeps its first place."""
    expected = Posting("a", name_of(A), more_images=(name_of(B), name_of(C)))
    stored = store.postings.get("a")
    assert stored is not None
    assert stored.posting == expected == everything(store)["a"]
    told = store.feed.changes(Position(0)).changes[0]
    assert isinstance(told, PostingChange)
    assert told.posting == expected
    assert [store.images.read(name) for name in expected.images] == [A, B, C]
    assert Posting("x", None).with_images(["1", "2", "1", "3", "2"]).images == ("1", "2", "3")
    assert store.postings.put([put("a", A, more=[B, A, C])])[0].outcome == "unchanged"
    assert store.postings.put([put("a", A, more=[C, B])])[0].outcome == "replaced"


def test_an_image_goes_with_the_last_posting_that_shows_it(store: Store) -> None:
    store.postings.put([put("a", A)])
    assert image_names(store.folder) == {name_of(it) for it in (A, B, D)}
    store.postings.put([put("b", B)])
    assert image_names(store.folder) == {name_of(it) for it in (A, B)}
    store.postings.patch(Patch("b", lambda it: replace(it.with_images([name_of(A), name_of(B)]))))
    store.postings.delete("a")
    check_whole(store)
    store.postings.delete("b")
    assert image_names(store.folder) == set()


def test_images_that_come_and_go_at_once_leave_nothing(store: Store) -> None:
    """In one transaction a posting is put twice, and an image that nobody names is refused."""
    store.postings.put([put("c", A, more=[image_bytes(7), image_bytes(8)]), put("c", image_bytes(8))])
    check_whole(store)
    with pytest.raises(ImageUnavailable, match="is not stored, and was not given"):
        store.postings.put([Put(Posting("d", None).with_images([name_of(A), "0" * 64]))])
    with pytest.raises(ValueError, match="has another digest than the posting says"):
        store.postings.put([Put(Posting("d", name_of(A)), [A, image_bytes(9)])])
    with pytest.raises(StoreDamaged, match="CHECK constraint failed"), store.database.write() as connection:
        connection.execute("UPDATE posting SET more_images = x'00' WHERE posting_id = 'a'")
    check_whole(store)


@pytest.mark.parametrize("seed", range(3))
def test_the_look_up_is_what_the_postings_say(seed: int, store: Store) -> None:
    """After any changes; held against all postings."""
    draw = random.Random(seed)
    for _ in range(60):
        posting_id, images = draw.choice("abcdef"), draw.choices([A, B, C, D], k=draw.randrange(4))
        if draw.random() < 0.2:
            store.postings.delete(posting_id)
        else:
            store.postings.put([put(posting_id, next(iter(images), None), str(draw.random()), more=images[1:])])
        postings = everything(store).values()
        with store.database.read() as connection:
            assert shown_images.look_up_fault(connection) is None
            for image in (A, B, C, D):
                expected = sorted(it.posting_id for it in postings if name_of(image) in it.images)
                assert sorted(shown_images.showing(connection, digest(image), 99)) == expected
                assert shown_images.is_shown(connection, digest(image)) == bool(expected)
            shown = sorted({bytes.fromhex(name) for it in postings for name in it.images})
            assert shown_images.shown_images(connection) == shown
            found = [sorted(shown_images.shown_behind(connection, bytes([prefix]))) for prefix in range(256)]
            assert [image for images in found for image in images] == shown


def test_an_image_is_looked_up_by_indexes(store: Store) -> None:
    with store.database.read() as connection:
        plans = list[str]()
        connection.set_trace_callback(lambda sql: plans.append(sql) if sql.startswith("SELECT") else None)
        shown_images.is_shown(connection, digest(A))
        shown_images.shown_behind(connection, b"\0")
        connection.set_trace_callback(None)
        steps = [row[3] for sql in plans for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert {step.split()[1] for step in steps if step.startswith("SEARCH")} == {"posting", "more_image"}
    assert [step for step in steps if step.startswith(("SCAN posting", "SCAN more_image"))] == []


DAMAGES = {
    "lacking": "DELETE FROM more_image WHERE posting_id = 'a'",
    "beyond": "INSERT INTO more_image VALUES (zeroblob(32), 'a')",
    "other": "UPDATE more_image SET posting_id = 'z' WHERE posting_id = 'b'",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_look_up_that_is_damaged_is_told_and_made_anew(
    damage: str, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """By the next start, which sets no image aside for it; and by going on with a damaged store."""

    def start() -> None:
        open_store(store.folder, serve=True).close()

    store.close()
    for mended in (start, lambda: accept_loss(Settings(data=store.folder))):
        alter(store.folder, DAMAGES[damage])
        [fault] = faults(store.folder)
        assert fault.startswith("the table more_image lacks ")
        assert fault.endswith("; the next start of a service makes it anew")
        mended()
        assert faults(store.folder) == []
        assert not (store.folder / LOST_FOUND).exists() or not any((store.folder / LOST_FOUND).glob("*/*"))
    assert "it was made anew" in caplog.text
    with closing(open_store(store.folder, serve=True)) as again:
        check_whole(again)


def test_a_place_that_a_disk_altered_is_told(store: Store) -> None:
    """The checksum of a posting is of all its images; what is left goes on without it."""
    store.close()
    alter(store.folder, "UPDATE posting SET more_images = substr(more_images, 1, 32) WHERE posting_id = 'a'")
    with closing(open_store(store.folder)) as altered, pytest.raises(RowDamaged, match="the posting 'a' is damaged"):
        altered.postings.get("a")
    with pytest.raises(StoreDamaged, match="the posting 'a' is not as it was written"):
        open_store(store.folder, serve=True)
    accept_loss(Settings(data=store.folder))
    with closing(open_store(store.folder, serve=True)) as again:
        assert everything(again).keys() == {"b"}
        check_whole(again)
        assert {path.parent.name + path.name for path in (store.folder / LOST_FOUND).glob("*/*")} == {
            name_of(A),
            name_of(C),
        }
        again.postings.put([put("a", A, more=[B, C])])
        check_whole(again)


def test_a_missing_image_behind_the_first_is_told(store: Store, tmp_path: Path) -> None:
    """By `verify` and by a backup, with who shows it; putting the posting again heals it."""
    store.images.remove(digest(C))
    [fault] = faults(store.folder)
    assert fault.endswith("; the posting 'a' shows it")
    with pytest.raises(StoreDamaged, match="put the postings that show it again, or delete them: a"):
        backup(Settings(data=store.folder), tmp_path / "backup.tar", lambda *_: None)
    store.postings.put([put("a", A, more=[B, C])])
    assert faults(store.folder) == []


def test_a_restore_brings_all_images(store: Store, tmp_path: Path) -> None:
    """Into an empty folder, and over postings that have changed since."""
    was = everything(store)
    backup(Settings(data=store.folder), tmp_path / "backup.tar", lambda *_: None)
    restore(Settings(data=tmp_path / "new"), tmp_path / "backup.tar", lambda *_: None)
    store.postings.put([put("a", B, more=[image_bytes(9)]), put("c", image_bytes(8), more=[A])])
    restore(Settings(data=store.folder), tmp_path / "backup.tar", lambda *_: None)
    for folder in (store.folder, tmp_path / "new"):
        with closing(open_store(folder)) as restored:
            assert everything(restored) == was
            check_whole(restored)
        assert faults(folder) == []
