"""A data folder that cannot be written to is one sentence and an exit code, whichever verb it is for.

Tests may run as root, whom the permissions of a folder do not stop: the folder is to be below a file, or the file
system refuses to be written to.
"""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.progress import silent
from pricematch.settings import Settings
from pricematch.store.backup import backup
from pricematch.store.sqlite.store import open_store
from tests.support.cli import Run

WRITING = {
    "import": ["import", "{files}/postings.csv"],
    "import of images": ["import", "{files}/postings.csv", "--images", "{files}"],
    "restore": ["restore", "{files}/b.tar"],
    "verdicts import": ["verdicts", "import", "{files}/verdicts.csv"],
    "fields declare": ["fields", "declare", "price", "--type", "number"],
    "show matches": ["show", "matches", "a", "--catalogue", "{files}/postings.csv", "--models", "{files}/models"],
    "serve": ["serve", "--catalogue", "{files}/postings.csv", "--models", "{files}/models", "--port", "0"],
}
"""Verbs that write to a data folder, or into a store that they make there."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What verbs read, and a store of one posting."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "postings.csv").write_text("posting_id,image,title\na,,kopi susu\n")
    (folder / "verdicts.csv").write_text("posting_id,other_posting_id,verdict\na,b,same\n")
    with closing(open_store(folder / "stored")) as store:
        store.postings.put([Put(Posting("a", None, "kopi susu"))])
    backup(Settings(data=folder / "stored"), folder / "b.tar", silent)
    return folder


def told(run: Run, files: Path, verb: str, data: Path) -> str:
    """The sentence on stderr, which names the folder, once nothing else was said."""
    ran = run(*(part.format(files=files) for part in WRITING[verb]), "--data", str(data))
    assert ran.code in {1, 2}, (ran.out, ran.err)
    assert "Traceback" not in ran.err
    line = ran.err.splitlines()[-1]
    assert line.startswith("pricematch: ") or '"message"' in line, ran.err
    assert str(data) in line
    return line


@pytest.mark.parametrize("verb", WRITING)
def test_a_folder_below_a_file(run: Run, files: Path, verb: str) -> None:
    """Nothing is made there."""
    (files / "file").write_text("text")
    told(run, files, verb, files / "file" / "data")
    assert (files / "file").read_text() == "text"


def refuses(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """Let the file system of a folder be read-only: what would make or change something there fails."""
    calls: dict[str, Any] = {name: getattr(os, name) for name in ("open", "mkdir")}

    def error(path: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def is_there(path: object) -> bool:
        return isinstance(path, str | Path) and Path(path).is_relative_to(data)

    def opened(path: Any, flags: int, *others: Any, **named: Any) -> int:
        if is_there(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            error(path)
        descriptor: int = calls["open"](path, flags, *others, **named)
        return descriptor

    def made(path: Any, *others: Any, **named: Any) -> None:
        if is_there(path) and not Path(path).exists():
            error(path)
        calls["mkdir"](path, *others, **named)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "mkdir", made)


@pytest.mark.parametrize("verb", [it for it in WRITING if it != "fields declare"])
def test_a_new_folder_on_a_read_only_file_system(
    run: Run, files: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(monkeypatch, files / "data")
    assert "Read-only file system" in told(run, files, verb, files / "data")
    assert not (files / "data").exists()


@pytest.mark.parametrize("verb", [it for it in WRITING if it not in {"serve", "show matches"}])
def test_a_store_on_a_read_only_file_system(run: Run, files: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored stays as it is."""
    refuses(monkeypatch, files / "stored")
    told(run, files, verb, files / "stored")
    with closing(sqlite3.connect(files / "stored" / "pricematch.sqlite3")) as connection:
        assert connection.execute("SELECT posting_id, title FROM posting").fetchall() == [("a", "kopi susu")]
        assert connection.execute("SELECT count(*) FROM verdict").fetchone() == (0,)
