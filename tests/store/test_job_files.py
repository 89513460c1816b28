"""Files of jobs."""

from pathlib import Path

import pytest

from pricematch.errors import StoreFull, StoreUnavailable
from pricematch.store.job_files import JobFiles
from tests.support.stores import fill_up


def test_files_are_where_they_are_said_to_be_until_they_are_removed(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "data" / "jobs")
    (tmp_path / "data").mkdir()
    folder = files.new()
    with folder.open("postings") as file:
        assert file.write(b"one") + file.write(b" two") == 7
    folder.sync()
    assert files.path(folder.job_id, "postings").read_bytes() == b"one two"
    assert len(bytes.fromhex(folder.job_id)) == 16
    files.remove(folder.job_id)
    files.remove(folder.job_id)
    assert list((tmp_path / "data" / "jobs").iterdir()) == []


def test_only_the_folders_of_some_jobs_are_left_by_a_sweep(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "jobs")
    files.sweep({"none"})
    kept, other = files.new(), files.new()
    files.sweep({kept.job_id})
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [kept.job_id]
    assert not other.path.exists()


def test_a_file_is_made_once(tmp_path: Path) -> None:
    folder = JobFiles(tmp_path / "jobs").new()
    folder.open("postings").close()
    with pytest.raises(StoreUnavailable, match="File exists"):
        folder.open("postings")


def test_where_no_folder_can_be_made_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file")
    with pytest.raises(StoreUnavailable):
        JobFiles(tmp_path / "jobs").new()


def test_fault_34_a_full_disk_is_told_while_a_file_is_written(small_disk: Path) -> None:
    small_disk.mkdir()
    folder = JobFiles(small_disk / "jobs").new()
    with folder.open("images") as file:
        fill_up(small_disk.parent / "ballast")
        with pytest.raises(StoreFull, match="there is no room left"):
            file.write(bytes(1 << 16))
