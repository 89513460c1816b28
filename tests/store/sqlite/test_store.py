"""Opening a store: schema, damage, who serves it, what is swept up."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pricematch.catalogue.feed import Position
from pricematch.errors import SettingsError, StoreDamaged, StoreError, StoreInUse, StoreNewer, StoreUnavailable
from pricematch.settings import Settings
from pricematch.store.sqlite import schema as sqlite_schema
from pricematch.store.sqlite.migrations import MIGRATIONS
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.store import DATABASE, IMAGES, INCOMING, LOST_FOUND, open_store
from pricematch.store.verify import verify
from tests.support.stores import check_whole, everything, image_bytes, image_names, name_of, put

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FIRST_SCHEMA = Path(__file__).with_name("schema_1.sql")


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The folder of a closed store of 400 postings."""
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([put(f"{number:03}", image_bytes(number % 20), "title " * 9) for number in range(400)])
    return tmp_path / "data"


def statement(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute(sql)


def test_a_store_is_made_only_where_allowed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no store in .*; name its folder with --data"):
        open_store(tmp_path / "a" / "b", create=False)
    assert not (tmp_path / "a").exists()
    with closing(open_store(tmp_path / "a" / "b")) as store:
        assert store.postings.version() == 0
    with closing(open_store(tmp_path / "a" / "b", create=False)) as store:
        assert store.postings.count() == 0


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20?mode=ro&x#é"
    for number in range(2):
        with closing(open_store(folder, serve=True)) as store:
            store.postings.put([put(f"{number}", image_bytes(number))])
            check_whole(store)
            assert store.postings.count() == number + 1


def test_a_sqlite_that_is_too_old_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreUnavailable, match=r"a store takes SQLite 3\.37 or newer, and this Python has 3"):
        open_store(tmp_path)


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match="is a file, not a folder"):
        open_store(tmp_path / "file" / "data")


def test_fault_36_a_second_service_on_the_folder_is_refused(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pricematch.store.sqlite.store import open_store; "
    code += "store = open_store(Path(sys.argv[1]), serve=True); print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with pytest.raises(StoreInUse, match=rf"served by another process \(id {first.pid}\); stop that one"):
            open_store(tmp_path, serve=True)
        with closing(open_store(tmp_path)) as beside:
            beside.postings.put([put("a")])
        first.kill()
    with closing(open_store(tmp_path, serve=True)) as second:
        assert second.postings.count() == 1
    with closing(open_store(tmp_path, serve=True)):
        pass  # closing lets go


def test_a_newer_schema_is_refused_and_left_alone(filled: Path) -> None:
    statement(filled, f"PRAGMA user_version = {SCHEMA + 1}")
    before = (filled / DATABASE).read_bytes()
    for serve in (False, True):
        with pytest.raises(
            StoreNewer, match=rf"has version {SCHEMA + 1} .*, and this pricematch knows {SCHEMA}: .*--data"
        ):
            open_store(filled, serve=serve)
    assert (filled / DATABASE).read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    statement(tmp_path, "CREATE TABLE theirs (x)")
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreDamaged, match="none of pricematch"):
        open_store(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == before


def test_the_first_version_of_the_schema_is_unchanged() -> None:
    assert MIGRATIONS[0].strip() == FIRST_SCHEMA.read_text(encoding="utf-8").strip()


NEXT = "CREATE TABLE shop (name TEXT); ALTER TABLE posting ADD COLUMN shop TEXT;"


def test_an_older_schema_is_brought_up_to_date_and_keeps_everything(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (*MIGRATIONS, NEXT, "CREATE TABLE last (x);"))
    for module in ("sqlite.schema", "sqlite.store"):
        monkeypatch.setattr(f"pricematch.store.{module}.SCHEMA", SCHEMA + 2)
    with closing(open_store(filled)) as store:
        assert store.postings.count() == 400
        assert store.feed.changes(Position(0)).version == 400
    with closing(sqlite3.connect(filled / DATABASE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA + 2,)
        assert connection.execute("SELECT count(shop) FROM posting").fetchone() == (0,)


def test_a_migration_that_fails_leaves_the_version_before_it(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("CREATE TABLE next (x);", "CREATE TABLE last (x); INSERT INTO nowhere VALUES (1);")
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (*MIGRATIONS, *broken))
    for module in ("sqlite.schema", "sqlite.store"):
        monkeypatch.setattr(f"pricematch.store.{module}.SCHEMA", SCHEMA + 2)
    with pytest.raises(StoreError):
        open_store(filled)
    with closing(sqlite3.connect(filled / DATABASE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'last'").fetchone() == (0,)


def test_a_served_store_is_not_migrated(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(filled, serve=True)):
        monkeypatch.setattr(sqlite_schema, "MIGRATIONS", (*MIGRATIONS, NEXT))
        for module in ("sqlite.schema", "sqlite.store"):
            monkeypatch.setattr(f"pricematch.store.{module}.SCHEMA", SCHEMA + 1)
        for work in (open_store, lambda folder: verify(Settings(data=folder), lambda *_: None)):
            with pytest.raises(StoreInUse):
                work(filled)


def garble(path: Path, start: int, length: int) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + length] = random.Random(start).randbytes(length)
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no header": lambda path: garble(path, 0, 100),
    "garbage all over": lambda path: garble(path, 0, path.stat().st_size),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2 // 4096 * 4096),
    "cut inside a page": lambda path: os.truncate(path, path.stat().st_size - 1000),
    "cut to a few bytes": lambda path: os.truncate(path, 30),
    "nothing left": lambda path: os.truncate(path, 0),
    "its first page": lambda path: garble(path, 100, 3996),
    "pages in the middle": lambda path: garble(path, path.stat().st_size // 8192 * 4096, 3 * 4096),
    "a page of text": lambda path: path.write_bytes(b"<html>" * 1000),
    "away, with images left": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_recognised_at_the_start(damage: str, filled: Path) -> None:
    """The error names what to do."""
    DAMAGES[damage](filled / DATABASE)
    pictures = image_names(filled)
    with pytest.raises(StoreDamaged) as caught:
        open_store(filled, serve=True)
    assert f"`pricematch restore FILE --data {filled}`" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert image_names(filled) == pictures


@pytest.mark.parametrize("seed", range(20))
def test_garbage_in_the_file_is_only_an_error_of_the_store(seed: int, filled: Path) -> None:
    """Pages that are damaged while the store is open included: it was checked before."""
    draw = random.Random(seed)
    with closing(open_store(filled)) as store:
        store.feedback.decide("001", "002", "same")
        garble(filled / DATABASE, draw.randrange(0, 120_000), draw.choice((1, 20, 5000)))
        for work in (
            lambda: everything(store),
            lambda: store.feed.changes(Position(0)),
            lambda: store.postings.put([put("new", image_bytes(3))]),
            lambda: store.postings.delete("200"),
            store.feedback.all_feedback,
        ):
            with suppress(StoreError):
                work()
    with suppress(StoreError):
        open_store(filled, serve=True).close()


def test_leftovers_of_killed_processes_are_removed(filled: Path) -> None:
    with closing(open_store(filled)) as store:
        kept = everything(store)
        for path in (store.images.path(bytes(32)), store.images.path(b"\x17" * 32)):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"unshown")
        (filled / INCOMING / "half").write_bytes(b"half an image")
    (filled / IMAGES / "README").write_text("not ours")
    with closing(open_store(filled, serve=True)) as store:
        (filled / IMAGES / "README").unlink()
        check_whole(store)
        assert everything(store) == kept


def test_fault_27_missing_images_are_counted_at_the_start(filled: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with closing(open_store(filled)) as store:
        for number in (3, 4):
            store.images.remove(bytes.fromhex(name_of(image_bytes(number))))
        path = store.images.path(bytes(32))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"unshown")
    open_store(filled, serve=True).close()
    assert caplog.messages == [
        f"1 images that no posting shows were moved to {filled / LOST_FOUND}",
        f"2 images that postings show are not in {filled / IMAGES}",
    ]


def test_an_emptied_database_with_images_is_damaged(filled: Path) -> None:
    (filled / DATABASE).unlink()
    statement(filled, "VACUUM")
    pictures = image_names(filled)
    with pytest.raises(StoreDamaged, match="it holds images, but no postings"):
        open_store(filled, serve=True)
    assert image_names(filled) == pictures


def test_a_read_only_store_is_read_and_its_writes_are_unavailable(filled: Path) -> None:
    """Fault 34, simulated: root may write to whatever permissions forbid."""
    code = """
import sys, json, os
from pathlib import Path
from pricematch.store.sqlite.store import open_store
from pricematch.errors import StoreUnavailable
from tests.support.stores import everything, put, image_bytes
folder = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
store = open_store(folder, serve=True)
refused = []
for work in (lambda: store.postings.put([put("new", image_bytes(99))]), lambda: store.postings.delete("001"),
             lambda: store.jobs.create("import", "{}"), lambda: store.feedback.decide("a", "b", "same")):
    try:
        work()
    except StoreUnavailable as error:
        refused.append(str(error))
print(json.dumps([len(everything(store)), len(store.images.read(store.postings.get("001").posting.image)), refused]))
"""
    for path in [*filled.rglob("*"), filled]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for above in list(filled.parents)[:-2]:
        above.chmod(above.stat().st_mode | 0o055)
    try:
        command = [sys.executable, "-c", code, str(filled)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    finally:
        for path in [filled, *filled.rglob("*")]:
            path.chmod(0o755)
    count, size, refused = json.loads(ran.stdout)
    assert (count, size) == (400, 300)
    assert len(refused) == 4
    assert all("read-only" in text or "Permission denied" in text for text in refused)


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pricematch.store.sqlite.store import open_store
from tests.support.stores import put, image_bytes
store = open_store(Path(sys.argv[1]))
for number in range(60):
    store.postings.put([put(f"{sys.argv[2]}-{number}", image_bytes(number))])
    store.postings.put([put("shared", image_bytes(number % 7), sys.argv[2])])
    if number % 3 == 0:
        store.postings.delete(f"{sys.argv[2]}-{number}")
store.close()
"""
    commands = [[sys.executable, "-c", code, str(tmp_path), name] for name in ("one", "other", "third")]
    running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [process.wait() for process in running] == [0, 0, 0]
    with closing(open_store(tmp_path)) as store:
        names = {f"{name}-{number}" for name in ("one", "other", "third") for number in range(60) if number % 3}
        assert set(everything(store)) == names | {"shared"}
        check_whole(store)
        revisions = [change.revision for change in store.feed.changes(Position(0)).changes]
        assert len(set(revisions)) == len(revisions)
        assert store.postings.version() >= 3 * 80


def test_a_store_held_too_long_is_unavailable(filled: Path) -> None:
    with closing(open_store(filled, wait_seconds=0.05)) as store:
        with closing(sqlite3.connect(filled / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="database is locked"):
                store.postings.put([put("new", image_bytes(99))])
            assert store.postings.get("001") is not None
        store.postings.put([put("new", image_bytes(99))])
        check_whole(store)


def test_a_store_that_is_closed_says_so(filled: Path) -> None:
    store = open_store(filled)
    store.close()
    for work in (store.postings.version, lambda: store.postings.delete("001")):
        with pytest.raises(StoreUnavailable, match="is closed"):
            work()


def test_the_version_chosen_last_is_active_and_another_process_sees_it(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, serve=True)) as served, closing(open_store(tmp_path)) as other:
        assert served.models.active() == {}
        other.models.activate("cae", "2")
        other.models.activate("matcher", "1")
        other.models.activate("cae", "1")
        assert served.models.active() == {"cae": "1", "matcher": "1"}
