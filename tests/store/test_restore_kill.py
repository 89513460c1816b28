"""A restore that is killed leaves what was there, or what the backup holds."""

import multiprocessing
import random
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.settings import Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite.store import open_store
from tests.support.stores import check_whole, everything, image_bytes, put
from tests.support.waiting import SAFETY_SECONDS

LONGEST_SECONDS = 0.15


@pytest.mark.process
@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.long)])
def test_fault_33_a_killed_restore_leaves_the_store_or_the_backup(tmp_path: Path, kills: int) -> None:
    """Killed at any moment, a restore leaves what was there before or all that the backup holds."""
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload(["tests.store.test_restore_kill"])
    made = [written(tmp_path, name, first) for name, first in (("one", 0), ("other", 60))]
    draw, states = random.Random(3), [postings for _, postings in made]
    for number in range(kills):
        receiving, sending = nursery.Pipe(duplex=False)
        files = [file for file, _ in made][:: 1 if number % 2 else -1]
        child = nursery.Process(target=work, args=(tmp_path / "data", files, sending))
        child.start()
        sending.close()
        receiving.poll(SAFETY_SECONDS)  # one was restored whole; the next is on its way
        child.join(draw.uniform(0, LONGEST_SECONDS))
        child.kill()
        child.join()
        with closing(open_store(tmp_path / "data", serve=True)) as store:
            assert everything(store) in states
            check_whole(store)
    assert {len(each) for each in states} == {100}


def written(folder: Path, name: str, first: int) -> tuple[Path, dict[str, Posting]]:
    """A backup, and what it holds; the two have some postings and images in common."""
    with closing(open_store(folder / name)) as store:
        store.postings.put(
            [put(f"{row:03}", image_bytes(row), name if row % 2 else "") for row in range(first, first + 100)]
        )
        backup(Settings(data=folder / name), folder / f"{name}.tar", lambda *_: None)
        return folder / f"{name}.tar", everything(store)


def work(folder: Path, files: Sequence[Path], done: Connection) -> None:
    """Restore one after the other; until killed."""
    while True:
        for file in files:
            restore(Settings(data=folder), file, lambda *_: None)
            done.send_bytes(b".")
