"""Files of jobs."""

from pathlib import Path

import pytest

from pricematch.errors import ImportRefused, StoreFull, StoreUnavailable
from pricematch.store.job_files import JobFiles
from tests.support.stores import fill_up


def test_files_are_there_until_they_are_removed(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "data" / "jobs")
    (tmp_path / "data").mkdir()
    job_id = files.new()
    with files.open(job_id, "postings") as file:
        assert file.write(b"one") + file.write(b" two") == 7
    digests = files.sync(job_id)
    assert list(digests) == ["postings"]
    files.check(job_id, digests)
    assert files.path(job_id, "postings").read_bytes() == b"one two"
    assert len(bytes.fromhex(job_id)) == 16
    files.remove(job_id)
    files.remove(job_id)
    assert list((tmp_path / "data" / "jobs").iterdir()) == []


@pytest.mark.parametrize("content", [b"ond two", b"one", b"", None])
def test_a_file_that_a_disk_altered_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """Fault F1: what was acknowledged is imported as it was sent, or the job says why not."""
    files = JobFiles(tmp_path / "jobs")
    job_id = files.new()
    with files.open(job_id, "postings") as file:
        file.write(b"one two")
    digests = files.sync(job_id)
    path = files.path(job_id, "postings")
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ImportRefused, match="the file 'postings' is missing or damaged on the service's disk"):
        files.check(job_id, digests)


def test_only_the_folders_of_some_jobs_are_left_by_a_sweep(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "jobs")
    files.sweep({"none"})
    kept, other = files.new(), files.new()
    files.sweep({kept})
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [kept]
    assert not (tmp_path / "jobs" / other).exists()


def test_a_file_is_made_once(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "jobs")
    job_id = files.new()
    files.open(job_id, "postings").close()
    with pytest.raises(StoreUnavailable, match="File exists"):
        files.open(job_id, "postings")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file")
    with pytest.raises(StoreUnavailable):
        JobFiles(tmp_path / "jobs").new()


def test_fault_34_a_full_disk_is_an_error_while_writing(small_disk: Path) -> None:
    small_disk.mkdir()
    files = JobFiles(small_disk / "jobs")
    with files.open(files.new(), "images") as file:
        fill_up(small_disk.parent / "ballast")
        with pytest.raises(StoreFull, match="there is no room left"):
            file.write(bytes(1 << 16))
