"""Backups of a store in use, and what they make of a store when they are restored."""

import io
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import unit_rows
from pricematch.catalogue.feed import Position
from pricematch.catalogue.feedback_batches import PairDecision
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange, Patch, PostingChange, Remark
from pricematch.errors import SettingsError, StoreDamaged, StoreError, StoreFull, StoreInUse, StoreNewer
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite import checks
from pricematch.store.sqlite import schema as sqlite_schema
from pricematch.store.sqlite.changes import VERSIONED
from pricematch.store.sqlite.migrations import MIGRATIONS
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.store import DATABASE, INCOMING, Store, open_store
from tests.support.cli import Run
from tests.support.stores import check_whole, everything, image_bytes, name_of, put

pytestmark = pytest.mark.slow

EMBEDDINGS = unit_rows(np.random.default_rng(3).standard_normal((20, 8)), 8)
ANN = Remark("Ann", "another size")
DIGESTS = [bytes.fromhex(name_of(image_bytes(number))) for number in range(20)]


def quiet(*_: object) -> None:
    """Nobody looks."""


def of(folder: Path) -> Settings:
    return Settings(data=folder)


SIZE = Field("size", "number", evidence=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with 60 postings, some without an image or metadata, embeddings, hashes, verdicts and a job."""
    with closing(open_store(tmp_path / "data", serve=True)) as store:
        store.postings.put(
            [
                put(
                    f"{row:02}",
                    image_bytes(row % 20) if row % 7 else None,
                    f"title {row}",
                    metadata=Metadata({"row": row} if row % 2 else {}),
                )
                for row in range(60)
            ]
        )
        store.computed.keep_embeddings("cae", DIGESTS, EMBEDDINGS)
        store.computed.keep_hashes("phash", DIGESTS, [f"{row:016x}" for row in range(20)])
        store.feedback.decide("01", "02", "same")
        store.feedback.decide("03", "gone", "different", ANN)
        store.jobs.create("import", "{}")
        store.models.activate("cae", "2")
        store.fields.declare(SIZE, 9)
        yield store


@pytest.fixture
def taken(store: Store, tmp_path: Path) -> Path:
    backup(of(store.folder), tmp_path / "backup.tar", quiet)
    return tmp_path / "backup.tar"


def contents(store: Store) -> tuple[dict[str, Posting], set[object]]:
    feedback = store.feedback.all_feedback()
    return everything(store), {(each.first, each.second, each.said, each.decided_at) for each in feedback}


def test_a_backup_restored_elsewhere_is_the_store_it_was_taken_of(store: Store, taken: Path, tmp_path: Path) -> None:
    restored = restore(of(tmp_path / "new"), taken, quiet)
    assert (restored.replaced.postings_written, restored.replaced.postings_deleted) == (60, 0)
    assert restored.set_aside is None
    with closing(open_store(tmp_path / "new", serve=True)) as new:
        assert contents(new) == contents(store)
        check_whole(new)
        found = new.computed.embeddings("cae", DIGESTS)
        assert all(np.array_equal(found[digest], row) for digest, row in zip(DIGESTS, EMBEDDINGS, strict=True))
        assert new.computed.hashes("phash", DIGESTS) == store.computed.hashes("phash", DIGESTS)
        assert new.postings.version() == store.postings.version() + 62, "later than any revision of either"
        assert new.jobs.jobs() == []
        assert new.models.active() == {}
        assert new.fields.fields() == [SIZE]


def test_a_batch_is_undone_in_a_store_that_was_restored(store: Store, tmp_path: Path) -> None:
    """Its decisions have other revisions there; batches of before the restore are forgotten."""
    before = contents(store)
    batch = store.feedback.decide_each([PairDecision("02", "01", "different"), PairDecision("04", "05", "same")], ANN)
    backup(of(store.folder), tmp_path / "backup.tar", quiet)
    with closing(open_store(tmp_path / "new")) as new:
        new.postings.put([put("x")])
        new.feedback.decide_each([PairDecision("x", "y", "same")], ANN)
    restore(of(tmp_path / "new"), tmp_path / "backup.tar", quiet)
    with closing(open_store(tmp_path / "new", serve=True)) as new:
        assert new.feedback.batches(None, 9) == [batch]
        undone = new.feedback.undo(batch.batch_id)
        assert (undone.restored, undone.kept) == (2, 0)
        assert contents(new) == before


def test_a_running_service_follows_a_restore(store: Store, taken: Path) -> None:
    was = contents(store)
    job, version_then = store.jobs.jobs(), store.postings.version()
    store.postings.delete("05")
    store.postings.put([put("06", image_bytes(99), "new"), put("new", image_bytes(98)), put("07", image_bytes(97))])
    store.postings.put([put("07", None, "title 7", metadata=Metadata({"row": 7}))])  # as it was
    store.feedback.withdraw("01", "02")
    store.feedback.decide("10", "11", "same")
    store.fields.undeclare("size")
    store.fields.declare(Field("seller", "text"), 9)
    before = store.postings.version()
    untouched = store.postings.get("08")
    restored = restore(of(store.folder), taken, quiet)
    assert contents(store) == was
    assert store.fields.fields() == [SIZE]
    check_whole(store)
    page = store.feed.changes(Position(before))
    postings = [it for it in page.changes if isinstance(it, PostingChange)]
    feedback = [it for it in page.changes if isinstance(it, FeedbackChange)]
    assert {change.posting_id: change.posting for change in postings} == {
        "05": was[0]["05"],
        "06": was[0]["06"],
        "new": None,
    }
    assert {(change.first, change.second): change.decision for change in feedback} == {
        ("01", "02"): "same",
        ("10", "11"): None,
    }
    assert page.version == before + 5
    assert (restored.replaced.postings_written, restored.replaced.postings_deleted) == (2, 1)
    assert (restored.replaced.verdicts_written, restored.replaced.verdicts_withdrawn) == (1, 1)
    assert store.postings.get("08") == untouched
    assert store.jobs.jobs() == job
    assert version_then < before


def test_a_restore_brings_metadata_back(store: Store, taken: Path) -> None:
    """Of a posting that is otherwise as it was, too; one that has it still is left alone."""
    was = contents(store)
    store.postings.patch(Patch("01", lambda posting: replace(posting, metadata=Metadata({"row": 2}))))
    store.postings.patch(Patch("02", lambda posting: replace(posting, metadata=Metadata({"row": 2}))))
    assert contents(store) != was
    assert restore(of(store.folder), taken, quiet).replaced.postings_written == 2
    assert contents(store) == was


def test_a_backup_during_changes_lacks_no_image(store: Store, tmp_path: Path) -> None:
    """Though postings come and go while it is taken."""
    done = threading.Event()

    def churn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            store.postings.put([put(f"{number % 60:02}", image_bytes(number % 500), str(number))])
            store.postings.delete(f"{number * 7 % 60:02}")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for number in range(8):
            backup(of(store.folder), tmp_path / f"{number}.tar", quiet)
    finally:
        done.set()
        worker.join()
    check_whole(store)
    for number in range(8):
        restore(of(tmp_path / f"{number}"), tmp_path / f"{number}.tar", quiet)
        with closing(open_store(tmp_path / f"{number}")) as restored:
            check_whole(restored)
            assert restored.postings.count() > 0


def test_most_postings_may_be_deleted_during_a_backup(store: Store, tmp_path: Path) -> None:
    """Their images are set aside behind it, and the next start does not take the database for incomplete."""

    def delete_most(what: str, done: int, total: int) -> None:
        if "images" in what and done == 0:
            for row in range(55):
                store.postings.delete(f"{row:02}")

    backup(of(store.folder), tmp_path / "backup.tar", delete_most)
    assert store.postings.count() == 5
    check_whole(store)
    restored = restore(of(tmp_path / "new"), tmp_path / "backup.tar", quiet)
    assert restored.replaced.postings_written == 60


def test_restores_while_a_service_changes_things_leave_whole_stores(store: Store, taken: Path) -> None:
    done = threading.Event()

    def churn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            store.postings.put([put(f"{number % 60:02}", image_bytes(number % 500), str(number))])
            store.postings.delete(f"{number * 7 % 60:02}")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(8):
            restore(of(store.folder), taken, quiet)
    finally:
        done.set()
        worker.join()
    restore(of(store.folder), taken, quiet)
    check_whole(store)


def test_a_change_during_the_check_of_a_restore_is_no_damage(
    store: Store, taken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that comes between two of its reads: the database is not moved aside, nor taken for damaged."""
    was = contents(store)

    def tables_behind_a_change() -> Iterator[str]:
        store.postings.put([put("new", image_bytes(99))])
        yield from VERSIONED

    monkeypatch.setattr(checks, "VERSIONED", tables_behind_a_change())
    restored = restore(of(store.folder), taken, quiet)
    assert restored.set_aside is None
    assert restored.replaced.postings_deleted == 1
    assert contents(store) == was
    check_whole(store)


def test_a_damaged_database_is_moved_aside(store: Store, taken: Path, tmp_path: Path) -> None:
    was = contents(store)
    store.postings.put([put("later", image_bytes(77))])
    store.close()
    path = store.folder / DATABASE
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(StoreDamaged, match="restore FILE"):
        open_store(store.folder, serve=True)
    restored = restore(of(store.folder), taken, quiet)
    assert restored.set_aside is not None
    assert restored.set_aside.stat().st_size == 50_000
    with closing(open_store(store.folder, serve=True)) as again:
        assert contents(again) == was
        check_whole(again)


def test_a_damaged_database_that_is_being_served_stays_where_it_is(store: Store, taken: Path) -> None:
    with (store.folder / DATABASE).open("r+b") as file:
        file.write(bytes(4096))
    with pytest.raises(StoreInUse, match="served by another process"):
        restore(of(store.folder), taken, quiet)


def test_images_without_a_database_and_a_database_without_images_are_restored(store: Store, taken: Path) -> None:
    was = contents(store)
    store.close()
    (store.folder / DATABASE).unlink()
    restore(of(store.folder), taken, quiet)
    shutil.rmtree(store.folder / "images")
    restore(of(store.folder), taken, quiet)
    with closing(open_store(store.folder, serve=True)) as again:
        assert contents(again) == was
        check_whole(again)


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    taken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE third (x);"))
    for module in ("sqlite.schema", "sqlite.store", "sqlite.backup", "backup_file"):
        monkeypatch.setattr(f"pricematch.store.{module}.SCHEMA", SCHEMA + 1)
    restore(of(tmp_path / "new"), taken, quiet)
    with closing(open_store(tmp_path / "new")) as new:
        assert new.postings.count() == 60


def test_a_posting_with_a_bad_image_stops_the_backup(store: Store, tmp_path: Path) -> None:
    """An image that is missing or altered; the error names the posting."""
    path = store.images.path(DIGESTS[3])
    for damage in (lambda: path.write_bytes(b"other"), path.unlink):
        damage()
        with pytest.raises(StoreDamaged, match="put the postings that show it again, or delete them: 03, 23, 43"):
            backup(of(store.folder), tmp_path / "out" / "backup.tar", quiet)
        assert list((tmp_path / "out").iterdir()) == []


def test_a_backup_is_written_whole_or_not_at_all(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never over the store."""
    with pytest.raises(SettingsError, match="it is read here, and would be lost"):
        backup(of(store.folder), store.folder / DATABASE, quiet)
    with pytest.raises(SettingsError, match="no store in"):
        backup(of(tmp_path / "nowhere"), tmp_path / "backup.tar", quiet)

    def interrupt(what: str, done: int, total: int) -> None:
        if "images" in what and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(of(store.folder), tmp_path / "out" / "backup.tar", interrupt)
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr("pricematch.store.backup.copy_database", full)
    with pytest.raises(StoreFull, match=r"no room left in .*out"):
        backup(of(store.folder), tmp_path / "out" / "backup.tar", quiet)


def full(*_: object) -> None:
    raise StoreFull("there is no room left")


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def rewrite(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]) -> None:
    """The same backup, with members changed."""
    changed = members(path)
    change(changed)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in changed:
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def say(**said: object) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]:
    """Changes the manifest."""

    def change(content: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        content[0] = content[0][0], json.dumps(json.loads(content[0][1]) | said).encode()

    return change


def rename(row: int, name: str) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]:
    return lambda content: setattr(content[row][0], "name", name)


def relink(content: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    content[2][0].type, content[2][0].linkname = tarfile.SYMTYPE, "/etc/passwd"
    content[2][0].size = 0


def in_database(*statements: str) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]:
    """Changes the database, and the manifest so that it fits."""

    def change(content: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        import hashlib
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(content[1][1])
            with closing(sqlite3.connect(file.name, isolation_level=None)) as connection:
                for statement in statements:
                    connection.execute(statement)
            database = Path(file.name).read_bytes()
        content[1] = content[1][0], database
        say(database_digest=hashlib.sha256(database).hexdigest())(content)

    return change


WRONG: dict[str, tuple[Callable[[list[tuple[tarfile.TarInfo, bytes]]], object], str]] = {
    "no manifest": (lambda content: content.pop(0), "expected backup.json, got 'pricematch.sqlite3'"),
    "manifest is no JSON": (lambda content: content.__setitem__(0, (content[0][0], b"{")), "is no JSON"),
    "manifest is a list": (lambda content: content.__setitem__(0, (content[0][0], b"[]")), "what it should"),
    "manifest is deep": (lambda content: content.__setitem__(0, (content[0][0], b"[" * 60_000)), "is no JSON"),
    "manifest is huge": (lambda content: content.__setitem__(0, (content[0][0], b" " * 70_000)), "expected backup"),
    "a count that is text": (say(pictures="20"), "what it should"),
    "a count that is not so": (say(pictures=21), "20 images, and its manifest says 21"),
    "something more": (say(more=1), "what it should"),
    "no database": (lambda content: content.pop(1), "expected pricematch.sqlite3, got 'images"),
    "other database": (lambda content: content.__setitem__(1, (content[1][0], b"x")), "another digest"),
    "an image missing": (lambda content: content.pop(5), "not those that its postings show"),
    "the last image missing": (lambda content: (content.pop(), say(pictures=19)(content)), "lacks an image"),
    "an image changed": (
        lambda content: content.__setitem__(5, (content[5][0], b"x")),
        "another digest than its name",
    ),
    "images out of order": (lambda content: content.insert(3, content.pop(4)), "not those|not in order"),
    "an image twice": (lambda content: content.insert(4, content[3]), "not in order|not those"),
    "a path that leads out": (rename(4, "../../etc/passwd"), "expected an image, got '../../etc"),
    "an absolute path": (rename(4, "/etc/passwd"), "expected an image, got"),
    "another file": (rename(4, "images/README"), "expected an image, got"),
    "a link": (relink, "expected a file, got"),
    "a trigger": (in_database("CREATE TRIGGER t AFTER INSERT ON posting BEGIN DELETE FROM posting; END"), "its tables"),
    "another schema": (in_database("CREATE TABLE more (x)"), "its tables"),
    "another version": (in_database("PRAGMA user_version = 0"), "its tables"),
    "an id that is none": (
        in_database("UPDATE posting SET posting_id = '../x' WHERE posting_id = '01'"),
        "'../x' cannot",
    ),
    "an impossible verdict": (
        in_database("PRAGMA ignore_check_constraints = 1", "UPDATE verdict SET decision = 'perhaps'"),
        "CHECK constraint failed",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_altered_backup_is_refused_before_changes(wrong: str, store: Store, taken: Path, tmp_path: Path) -> None:
    change, reason = WRONG[wrong]
    rewrite(taken, change)
    store.postings.delete("09")
    before, version = contents(store), store.postings.version()
    with pytest.raises(StoreDamaged, match=reason) as caught:
        restore(of(store.folder), taken, quiet)
    assert "nothing was changed" in str(caught.value)
    assert contents(store) == before
    assert store.postings.version() == version
    check_whole(store)


@pytest.mark.parametrize(("said", "known"), [({"format": 2}, 1), ({"schema": 99}, SCHEMA)])
def test_a_backup_of_a_newer_pricematch_is_refused(said: dict[str, int], known: int, store: Store, taken: Path) -> None:
    rewrite(taken, say(**said))
    with pytest.raises(StoreNewer, match=f"this pricematch knows {known}"):
        restore(of(store.folder), taken, quiet)
    assert not list((store.folder / INCOMING).iterdir())


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.3, 0.7, 0.99, 0.9999])
def test_a_backup_that_was_cut_off_is_refused_before_anything_changes(share: float, store: Store, taken: Path) -> None:
    whole = taken.read_bytes()
    taken.write_bytes(whole[: int(len(whole) * share)])
    before = contents(store)
    with pytest.raises(StoreDamaged, match="is no whole backup"):
        restore(of(store.folder), taken, quiet)
    assert contents(store) == before


def test_a_flipped_byte_is_refused_or_harmless(store: Store, taken: Path, tmp_path: Path) -> None:
    whole, was = taken.read_bytes(), contents(store)
    refused = 0
    places = np.random.default_rng(8).integers(0, len(whole), 60)
    for number, place in enumerate(places.tolist()):
        taken.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            restore(of(tmp_path / f"{number}"), taken, quiet)
        except StoreError:
            refused += 1
            continue
        with closing(open_store(tmp_path / f"{number}")) as restored:
            assert contents(restored) == was
            check_whole(restored)
    assert refused > 20


def test_a_backup_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "absent", "No such file"), (tmp_path, "it is no file")):
        with pytest.raises(SettingsError, match=rf"cannot read .* \({reason}"):
            restore(of(tmp_path / "data"), path, quiet)
    assert not (tmp_path / "data").exists()


def test_the_commands_say_what_they_did(store: Store, tmp_path: Path, run: Run) -> None:
    ran = run("backup", str(tmp_path / "b.tar"), "--data", str(store.folder))
    assert ran.code == 0, ran.err
    assert "60" in ran.out
    store.postings.delete("01")
    ran = run("restore", str(tmp_path / "b.tar"), "--data", str(store.folder))
    assert ran.code == 0, ran.err
    assert "60 postings, 2 verdicts and 0 products" in " ".join(ran.out.split())
    assert store.postings.get("01") is not None
    ran = run("restore", str(store.folder / DATABASE), "--data", str(store.folder))
    assert ran.code == 1
    assert ran.one_line().startswith("pricematch: ")
    ran = run("backup", str(tmp_path / "b.tar"), "--data", str(tmp_path / "nowhere"))
    assert ran.code == 2
    assert "no store" in ran.one_line()
