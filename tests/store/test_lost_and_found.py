"""A start deletes no image: what no posting shows is set aside, and a database that may be incomplete is refused."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.errors import StoreDamaged, StoreError
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.image_files import ImageFiles
from pricematch.store.sqlite.store import DATABASE, IMAGES, LOST_FOUND, WITNESS, Store, open_store
from pricematch.store.verify import accept_loss
from pricematch.store.witness import Witness
from tests.support.stores import check_whole, everything, image_bytes, image_names, name_of, put

ROOT = Path(__file__).parents[2]
KILLED = """
import os, sys
from pathlib import Path
from pricematch.store.sqlite.store import open_store
from tests.support.stores import image_bytes, put
store = open_store(Path(sys.argv[1]), serve=True)
for number in range(150):
    store.postings.put([put(f"{number:03}", image_bytes(number))])
store.models.activate("cae", "7")
os._exit(9)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a process that was killed behind 150 changes; the last of them are in the log alone."""
    folder = tmp_path_factory.mktemp("killed") / "data"
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, check=False)
    assert (folder / f"{DATABASE}-wal").stat().st_size
    return folder


@pytest.fixture
def folder(killed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(killed, tmp_path / "data")


def lost(folder: Path) -> set[str]:
    """The images that were set aside."""
    return {"".join(path.parts[-2:]) for path in (folder / LOST_FOUND).glob("??/*")}


def digest_of(number: int) -> bytes:
    return bytes.fromhex(name_of(image_bytes(number)))


def leave_unshown(store: Store, number: int) -> None:
    """An image that no posting shows."""
    path = store.images.path(digest_of(number))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(image_bytes(number))


def change_behind(
    monkeypatch: pytest.MonkeyPatch, images: ImageFiles, method: str, about: bytes, change: Callable[[], object]
) -> None:
    """Have a change follow the first call of a method of the image files that is about a digest or prefix."""
    called, changes = getattr(images, method), iter([change])

    def followed(digest: bytes) -> object:
        found = called(digest)
        if digest == about:
            for each in changes:
                each()
        return found

    monkeypatch.setattr(images, method, followed)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def flip_first(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1  # in the header of the first frame
    path.write_bytes(content)


LOSSES: dict[str, Callable[[Path], object]] = {"missing": Path.unlink, "cut": cut, "altered": flip_first}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_a_database_without_its_log_is_refused(loss: str, folder: Path) -> None:
    """Fault F1: every way of opening is, nothing is deleted, and the sentence says what to do."""
    images = image_names(folder)
    LOSSES[loss](folder / f"{DATABASE}-wal")
    for serve in (True, False, True):
        with pytest.raises(StoreDamaged, match=r"and 151 were acknowledged: .*`pricematch restore FILE --data"):
            open_store(folder, serve=serve)
    assert image_names(folder) == images
    assert not lost(folder)


@pytest.mark.slow
def test_a_loss_that_is_accepted_keeps_every_image(folder: Path) -> None:
    """Fault F1: what no posting shows any more is set aside, and comes back with its postings."""
    images = image_names(folder)
    (folder / f"{DATABASE}-wal").unlink()
    accept_loss(Settings(data=folder))
    with closing(open_store(folder, serve=True)) as store:
        left = everything(store)
        check_whole(store)
        assert image_names(folder) | lost(folder) == images
        assert len(left) < 150
        store.postings.put([put(f"{number:03}", image_bytes(number)) for number in range(150)])
        check_whole(store)


@pytest.mark.slow
def test_a_lost_database_whose_loss_is_accepted_is_begun_anew(folder: Path) -> None:
    """Fault F1: whatever happened to the database, there is a way on, and the images are kept."""
    images = image_names(folder)
    for path in folder.glob(f"{DATABASE}*"):
        path.unlink()
    with pytest.raises(StoreDamaged, match="it holds images, but no postings"):
        open_store(folder, serve=True)
    accept_loss(Settings(data=folder))
    (folder / DATABASE).write_bytes(b"no database" * 1000)
    assert "cannot be mended" in accept_loss(Settings(data=folder))[0]
    with closing(open_store(folder, serve=True)) as store:
        assert store.postings.count() == 0
    assert lost(folder) == images


@pytest.mark.slow
def test_a_backup_takes_the_place_of_an_incomplete_database(folder: Path, tmp_path: Path) -> None:
    """Fault F1: images that the backup shows are there again, whether they were set aside or not."""
    with closing(open_store(folder)) as store:
        expected = everything(store)
    backup(Settings(data=folder), tmp_path / "backup", lambda *_: None)
    with closing(open_store(folder)) as store:
        store.postings.delete("003")
    old = tmp_path / "old"
    shutil.copy(folder / DATABASE, old)
    with closing(open_store(folder)) as store:
        store.postings.delete("004")
    shutil.copy(old, folder / DATABASE)
    with pytest.raises(StoreDamaged, match="files of different times"):
        open_store(folder, serve=True)
    restore(Settings(data=folder), tmp_path / "backup", lambda *_: None)
    with closing(open_store(folder, serve=True)) as store:
        assert everything(store) == expected
        check_whole(store)


@pytest.mark.slow
def test_a_database_of_another_store_is_refused(folder: Path, tmp_path: Path) -> None:
    """Fault F1: also where it has more changes than the witness knows of."""
    with closing(open_store(tmp_path / "other")) as store:
        for number in range(200):
            store.feedback.decide("a", f"b{number}", "same")
    shutil.copy(tmp_path / "other" / DATABASE, folder / DATABASE)
    (folder / f"{DATABASE}-wal").unlink()
    with pytest.raises(StoreDamaged, match="another database than the one that the witness"):
        open_store(folder, serve=True)


@pytest.mark.slow
def test_a_store_without_images_that_lost_its_database_is_refused(tmp_path: Path) -> None:
    """Fault F1: it never begins anew with nothing."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a", None, "title")])
    (tmp_path / DATABASE).unlink()
    with pytest.raises(StoreDamaged, match="it holds witness, but no postings"):
        open_store(tmp_path, serve=True)


@pytest.mark.slow
def test_without_a_witness_most_images_unshown_are_refused(folder: Path) -> None:
    """Fault F1: a store of an earlier version that lost its log, or a folder copied without either."""
    images = image_names(folder)
    with closing(open_store(folder)) as store:
        for number in range(80):
            store.postings.delete(f"{number:03}")
        for number in range(80):  # as the images of postings that were in the log
            leave_unshown(store, number)
    (folder / WITNESS).unlink()
    with pytest.raises(StoreDamaged, match="its postings show 70 of its 150 images"):
        open_store(folder, serve=True)
    backup(Settings(data=folder), folder.parent / "backup", lambda *_: None)
    assert image_names(folder) == images
    accept_loss(Settings(data=folder))
    open_store(folder, serve=True).close()
    assert image_names(folder) | lost(folder) == images


def test_a_restore_that_broke_off_is_to_be_run_again(tmp_path: Path) -> None:
    """Fault F1: its images are there without their postings; a start does not come up with nothing."""
    with closing(open_store(tmp_path / "data")) as store:
        for number in range(130):
            leave_unshown(store, number)
    with pytest.raises(StoreDamaged, match=r"its postings show 0 of its 130 images; .*`pricematch restore FILE"):
        open_store(tmp_path / "data", serve=True)
    assert len(image_names(tmp_path / "data")) == 130


def test_the_witness_knows_of_a_change_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Fault F1: of changes by several threads and processes at once, too."""
    witness = Witness(tmp_path / WITNESS)

    def change(number: int) -> bool:
        [kept] = stores[number % 2].postings.put([put(f"{number}")])
        said = witness.read()
        return said is not None and said.changes >= kept.revision

    with closing(open_store(tmp_path)) as one, closing(open_store(tmp_path)) as other, ThreadPoolExecutor(8) as pool:
        stores = (one, other)
        assert all(pool.map(change, range(80)))
    said = witness.read()
    assert said is not None
    assert said.changes == 80


def test_a_lost_witness_is_told_and_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F1: the database may be whole, which nobody can tell."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a", image_bytes(1))])
    for content in (None, b"", b"pricematch witness 1 0 9 0\n"):
        (tmp_path / WITNESS).unlink() if content is None else (tmp_path / WITNESS).write_bytes(content)
        caplog.clear()
        open_store(tmp_path, serve=True).close()
        assert "whether the database lacks changes cannot be told" in caplog.text
    caplog.clear()
    open_store(tmp_path, serve=True).close()
    assert caplog.messages == []


def test_a_witness_that_cannot_be_written_costs_no_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F1: the change is in the database, and acknowledged; the log says that losses would go unnoticed."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a", image_bytes(1))])
        (tmp_path / WITNESS).unlink()
        (tmp_path / WITNESS).mkdir()
        store.postings.put([put("b", image_bytes(2))])
        assert store.postings.count() == 2
        (tmp_path / WITNESS).rmdir()
        store.postings.put([put("c", image_bytes(3))])
    assert caplog.text.count("losses would go unnoticed") == 1
    open_store(tmp_path, serve=True).close()


def test_images_are_taken_back_and_deleted_by_age(tmp_path: Path) -> None:
    """Fault F1: one that a posting shows again comes back, others go after the days of the setting."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put(f"{number}", image_bytes(number)) for number in range(5)])
        for number in (3, 4):
            (tmp_path / "kept").write_bytes(store.images.path(digest_of(number)).read_bytes())
            store.postings.delete(f"{number}")
            path = store.images.path(digest_of(number))
            path.write_bytes((tmp_path / "kept").read_bytes())
            os.utime(path, (0, 0))
        shown = digest_of(1)
        store.images.move(shown, store.unused.lost)
    with closing(open_store(tmp_path, serve=True)) as store:
        check_whole(store)
        assert lost(tmp_path) == {name_of(image_bytes(number)) for number in (3, 4)}
        old = time.time() - 8 * 86400
        os.utime(store.unused.lost.path(digest_of(3)), (old, old))
    open_store(tmp_path, serve=True, lost_found_days=9).close()
    assert len(lost(tmp_path)) == 2
    open_store(tmp_path, serve=True, lost_found_days=7).close()
    assert lost(tmp_path) == {name_of(image_bytes(4))}


def test_an_image_deleted_during_a_sweep_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose last posting goes after the files were listed is gone; the others are set aside all the same."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put(f"{number}", image_bytes(number)) for number in range(3)])
        store.computed.keep_hashes("phash", [digest_of(3)], ["0" * 16])
        leave_unshown(store, 3)
        change_behind(monkeypatch, store.images, "digests", digest_of(1)[:1], change=lambda: store.postings.delete("1"))
        store.unused.sweep(tolerated=None)
        check_whole(store)
        assert store.computed.hashes("phash", [digest_of(3)]) == {}
        assert store.postings.count() == 2
    assert lost(tmp_path) == {name_of(image_bytes(3))}


def test_an_image_is_not_taken_back_for_a_deleted_posting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that was missing when it was looked for, and that nothing shows any more, stays in `lost+found`."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put(f"{number}", image_bytes(number)) for number in range(3)])
        for number in (1, 2):
            store.images.move(digest_of(number), store.unused.lost)
        change_behind(monkeypatch, store.images, "has", digest_of(1), change=lambda: store.postings.delete("1"))
        store.unused.sweep(tolerated=None)
        check_whole(store)
    assert lost(tmp_path) == {name_of(image_bytes(1))}
    assert caplog.messages == [f"1 images that postings show were taken back from {tmp_path / LOST_FOUND}"]


def test_images_stay_where_nothing_can_be_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F1: a file system's own `lost+found`, which belongs to root, is no reason not to start."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a", image_bytes(1))])
    (tmp_path / LOST_FOUND).write_text("")
    (tmp_path / IMAGES / "00").mkdir()
    (tmp_path / IMAGES / "00" / ("0" * 62)).write_bytes(b"unshown")
    with closing(open_store(tmp_path, serve=True)) as store:
        assert store.postings.count() == 1
    assert "00" * 32 in image_names(tmp_path)
    assert "images that no posting shows are where they were" in caplog.text


def test_a_running_copy_is_refused_or_whole(tmp_path: Path) -> None:
    """Fault F1: files that were copied one after the other while a store was written to."""
    with closing(open_store(tmp_path / "data")) as store:
        for number in range(40):
            store.postings.put([put(f"{number}", image_bytes(number))])
            copy = tmp_path / f"copy{number}"
            copy.mkdir()
            shutil.copytree(tmp_path / "data" / IMAGES, copy / IMAGES)
            for name in sorted(path.name for path in (tmp_path / "data").glob(f"{DATABASE}*")):
                shutil.copy(tmp_path / "data" / name, copy)
                if number % 2:
                    store.postings.put([put(f"while {name} {number}", image_bytes(number))])
            shutil.copy(tmp_path / "data" / WITNESS, copy)
    for number in range(40):
        try:
            with closing(open_store(tmp_path / f"copy{number}", serve=True)) as store:
                found = everything(store)
            assert number % 2 == 0
            assert {f"{each}" for each in range(number + 1)} <= found.keys()
        except StoreError:
            assert number % 2
