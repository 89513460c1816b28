"""A store is its owner's alone, whatever the umask, also one that was open to others."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import open_store
from tests.support.stores import image_bytes, put


@pytest.fixture(params=[0o000, 0o022, 0o077], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What is not for its owner alone."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    wanted = {path: 0o700 if stat.S_ISDIR(mode) else 0o600 for path, mode in modes.items()}
    return [f"{path.name} {mode:o}" for path, mode in modes.items() if stat.S_IMODE(mode) != wanted[path]]


def test_everything_in_a_store_is_its_owners_alone(tmp_path: Path) -> None:
    """Fault F9: folders 0700, files 0600, also of the log, of jobs, and of a backup."""
    data = tmp_path / "data"
    with closing(open_store(data, serve=True)) as store:
        store.postings.put([put("a", image_bytes(1))])
        files = JobFiles(data / "jobs")
        files.open(files.new(), "postings").close()
        assert (data / "pricematch.sqlite3-wal").exists()
        assert (data / "pricematch.sqlite3-shm").exists()
        assert open_to_others(data) == []
    backup(Settings(data=data), tmp_path / "backup", lambda *_: None)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    restore(Settings(data=tmp_path / "again"), tmp_path / "backup", lambda *_: None)
    assert open_to_others(tmp_path / "again") == []


def test_a_store_that_was_open_to_others_is_closed_to_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fault F9: it is told once; files that are not the store's, and what links lead to, are left alone."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    with closing(open_store(data)) as store:
        store.postings.put([put("a", image_bytes(1))])
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for path in (elsewhere, data / "notes"):
        path.write_text("")
        path.chmod(0o644)
    (data / "images" / "link").symlink_to(elsewhere)
    for _ in range(2):
        open_store(data, serve=True).close()
    (data / "images" / "link").unlink()
    assert caplog.text.count("was open to other users of this machine; now it is its owner's alone") == 1
    assert open_to_others(data) == ["notes 100644"]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644


def test_a_store_that_cannot_be_closed_to_others_is_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault F9: the folder may be another user's, as a volume's is."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    open_store(tmp_path / "data").close()
    (tmp_path / "data").chmod(0o777)
    monkeypatch.setattr("pathlib.Path.chmod", refused)
    open_store(tmp_path / "data", serve=True).close()
    assert "is open to other users of this machine, and stays so (Operation not permitted)" in caplog.text
