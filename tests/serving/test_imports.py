"""Imports that are cancelled, stopped, killed and hindered."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.job_records import Counts, Job
from pricematch.errors import DeadlineExceeded, ModelOutputError, Overloaded, StoreFull
from pricematch.serving.imports import KIND
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.row_imports import AT_ONCE
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.settings import Settings
from pricematch.store.sqlite.store import Store, open_store
from tests.support.fakes import image_bytes
from tests.support.files import csv_of, zip_of
from tests.support.served import served, titles_and_hashes
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ROWS = 5 * AT_ONCE + 7
Offer = Sequence[Offered]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Over a few titles, and a matcher of titles."""
    return titles_and_hashes(tmp_path, follow_seconds=0.02)


def rows(count: int = ROWS, title: str = "title") -> bytes:
    """A file of so many postings."""
    return csv_of(*((f"n{row:05}", "", f"{title} {row}") for row in range(count)))


def queue(store: Store, content: bytes, images: bytes | None = None) -> Job:
    """An import that waits, as an earlier process took it."""
    job = store.jobs.create(KIND, json.dumps({"images": images is not None, "folder": None}))
    folder = store.folder / "jobs" / job.job_id
    folder.mkdir(parents=True)
    (folder / "postings").write_bytes(content)
    if images is not None:
        (folder / "images").write_bytes(images)
    return job


def now(running: ServedCatalogue, job: Job) -> Job:
    """How a job is."""
    found = running.store.jobs.job(job.job_id)
    assert found is not None
    return found


def left_behind(settings: Settings) -> list[str]:
    """Folders of jobs that are still there."""
    return sorted(path.name for path in (settings.data / "jobs").iterdir())


class Gate:
    """Holds `Intake.put_each` before each batch until it is let through.

    Attributes:
        offered: batches that came, those held included.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offered: list[list[str]] = []
        self._let = threading.Semaphore(0)
        put_each = Intake.put_each

        def held(intake: Intake, offered: Offer) -> Any:
            self.offered.append([it.posting.posting_id for it in offered])
            self._let.acquire()
            return put_each(intake, offered)

        monkeypatch.setattr(Intake, "put_each", held)

    def let(self, batches: int) -> None:
        """Let so many through."""
        for _ in range(batches):
            self._let.release()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def filled(settings: Settings, content: bytes, images: bytes | None = None) -> Job:
    """The import that waits in a store which was filled from its catalogue."""
    with served(settings):
        pass
    with closing(open_store(settings.data)) as store:
        return queue(store, content, images)


def test_a_waiting_import_is_run_by_the_next_service(settings: Settings) -> None:
    """Its files are deleted afterwards."""
    job = filled(settings, rows())
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        assert (now(running, job).total, now(running, job).counts) == (ROWS, Counts(created=ROWS))
        assert running.snapshots.current.matcher.catalogue.posting("n00000").title == "title 0"
        eventually(lambda: left_behind(settings) == [])


def test_progress_is_stored_batch_by_batch(settings: Settings, gate: Gate) -> None:
    job = filled(settings, rows())
    with served(settings) as running:
        for batch in range(3):
            eventually(lambda batch=batch: len(gate.offered) == batch + 1)  # type: ignore[misc]
            assert (now(running, job).state, now(running, job).total) == ("running", ROWS)
            assert (now(running, job).done, now(running, job).counts.created) == (batch * AT_ONCE, batch * AT_ONCE)
            gate.let(1)
        gate.let(10)
        eventually(lambda: now(running, job).state == "done")


def test_a_running_import_is_cancelled_after_its_batch(settings: Settings, gate: Gate) -> None:
    job = filled(settings, rows())
    with served(settings) as running:
        imports = running.uploads
        gate.let(1)
        eventually(lambda: len(gate.offered) == 2)
        asked, removed = imports.end_job(job.job_id)
        assert (asked.state, asked.cancelling, removed) == ("running", True, False)
        gate.let(1)
        eventually(lambda: now(running, job).state == "cancelled")
        assert now(running, job).done == 2 * AT_ONCE
        assert running.store.postings.get(f"n{2 * AT_ONCE - 1:05}") is not None
        assert running.store.postings.get(f"n{2 * AT_ONCE:05}") is None
        eventually(lambda: left_behind(settings) == [])
        assert imports.end_job(job.job_id)[1]


def test_a_cancelled_import_stores_no_more_after_a_kill(settings: Settings, gate: Gate) -> None:
    job = filled(settings, rows())
    with closing(open_store(settings.data)) as store:
        store.jobs.change(replace(job, state="running", done=AT_ONCE, total=ROWS))
        store.jobs.cancel(job.job_id)
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "cancelled")
        assert (now(running, job).done, gate.offered) == (AT_ONCE, [])
        eventually(lambda: left_behind(settings) == [])


def test_one_that_is_cancelled_while_it_waits_stores_nothing(settings: Settings, gate: Gate) -> None:
    first = filled(settings, rows(AT_ONCE))
    with served(settings) as running:
        eventually(lambda: len(gate.offered) == 1)
        with closing(open_store(settings.data)) as store:
            second = queue(store, rows(1, "other"))
        assert running.uploads.end_job(second.job_id)[0].state == "cancelled"
        assert left_behind(settings) == [first.job_id]
        gate.let(10)
        eventually(lambda: now(running, first).state == "done")
        assert len(gate.offered) == 1


def test_an_import_goes_on_after_a_restart(settings: Settings, gate: Gate) -> None:
    """A service that stops ends after a batch, and none is put twice."""
    job = filled(settings, rows())
    with served(settings) as running:
        gate.let(2)
        eventually(lambda: len(gate.offered) == 3)
        threading.Timer(0.1, gate.let, [1]).start()
    with closing(open_store(settings.data)) as store:
        stopped = store.jobs.job(job.job_id)
        assert stopped is not None
        assert (stopped.state, stopped.done) == ("running", 3 * AT_ONCE)
    gate.let(10)
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        assert now(running, job).counts == Counts(created=ROWS)
    put = [posting_id for batch in gate.offered for posting_id in batch]
    assert put == [f"n{row:05}" for row in range(ROWS)]  # none twice


def test_bad_rows_behind_a_restart_are_reported_once(settings: Settings, gate: Gate) -> None:
    bad = b"..,,x\n"
    job = filled(settings, rows(AT_ONCE - 1) + bad + rows(AT_ONCE)[len(b"posting_id,image,title\n") :] + bad)
    gate.let(1)
    with served(settings):
        eventually(lambda: len(gate.offered) == 2)
        threading.Timer(0.05, gate.let, [1]).start()
    gate.let(10)
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        found = running.store.jobs.problems(job.job_id, 0, 1000)
        assert len({problem.row for problem in found}) == len(found) == now(running, job).counts.failed


@pytest.mark.parametrize("error", [StoreFull("no room"), Overloaded("too many wait"), DeadlineExceeded("too long")])
def test_fault_34_an_import_waits_for_store_and_encoder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """While one of them takes nothing; then it goes on."""
    job, left, put_each = filled(settings, rows()), [3], Intake.put_each

    def full(intake: Intake, offered: Offer) -> Any:
        left[0] -= 1
        if left[0] in {0, 1}:
            raise error
        return put_each(intake, offered)

    monkeypatch.setattr(Intake, "put_each", full)
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        assert now(running, job).counts == Counts(created=ROWS)
    assert caplog.text.count(f"imports wait: {error}") == 2


def test_one_poisonous_image_fails_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put_each = Intake.put_each

    def poisoned(intake: Intake, offered: Offer) -> Any:
        if any(it.posting.posting_id == "bad" for it in offered):
            raise ModelOutputError("expected finite embeddings, got NaN")
        return put_each(intake, offered)

    monkeypatch.setattr(Intake, "put_each", poisoned)
    content = csv_of(("a", "1.png", ""), ("bad", "1.png", ""), ("c", "1.png", ""))
    job = filled(settings, content, zip_of({"1.png": image_bytes("teal")}))
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        assert now(running, job).counts == Counts(created=2, failed=1)
        [problem] = running.store.jobs.problems(job.job_id, 0, 9)
        assert (problem.row, problem.posting_id, problem.column) == (3, "bad", "image")
        assert "expected finite embeddings" in problem.message


def test_an_import_without_its_files_fails_with_a_reason(settings: Settings) -> None:
    """The next one is taken."""
    gone = filled(settings, rows())
    (settings.data / "jobs" / gone.job_id / "postings").unlink()
    with closing(open_store(settings.data)) as store:
        broken = queue(store, rows(1), b"PK no ZIP")
        good = queue(store, rows(1))
    with served(settings) as running:
        eventually(lambda: now(running, good).state == "done")
        assert [now(running, job).state for job in (gone, broken)] == ["failed", "failed"]
        assert now(running, gone).reason == "postings: cannot be read (No such file or directory)"
        assert "images: cannot be read as a ZIP file" in str(now(running, broken).reason)
        eventually(lambda: left_behind(settings) == [])


def test_a_bug_fails_its_import_and_no_other(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.serving.imports.RowImport", None)
    job = filled(settings, rows(1))
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "failed")
        assert now(running, job).reason == "the service failed; its log says why"
        assert str(settings.data) not in str(now(running, job).reason)


def test_half_sent_files_of_a_killed_process_are_removed(settings: Settings) -> None:
    job = filled(settings, rows())
    (settings.data / "jobs" / ("0" * 32)).mkdir()
    (settings.data / "jobs" / ("0" * 32) / "images").write_bytes(b"half")
    with served(settings) as running:
        assert "0" * 32 not in left_behind(settings)
        eventually(lambda: now(running, job).state == "done")


_SERVE = """
import sys, time
from pricematch.serving.startup import start
from pricematch.settings import Settings
from tests.support.served import Loaded
start(Settings.model_validate_json(sys.argv[1]), Loaded(), lambda *_: None)
print("serving", flush=True)
time.sleep(60)
"""


@pytest.mark.process
@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.long)])
def test_fault_33_an_import_survives_kills(settings: Settings, kills: int) -> None:
    """Killed at random moments, an import goes on until every row is there."""
    count, random_ = 16 * AT_ONCE, random.Random(5)
    job = filled(settings, rows(count))
    for _ in range(kills):
        command = [sys.executable, "-c", _SERVE, settings.model_dump_json(exclude_unset=True)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "serving\n"
            time.sleep(random_.uniform(0, 0.4))
            process.kill()
    with served(settings) as running:
        eventually(lambda: now(running, job).state == "done")
        ended = now(running, job)
        assert (ended.done, ended.counts.failed) == (count, 0)
        assert ended.counts.created + ended.counts.unchanged == count
        assert ended.counts.unchanged <= kills * AT_ONCE  # the batch that was stored and not told, once a kill
        assert running.store.postings.count() == count + 4
        assert running.snapshots.current.matcher.catalogue.posting(f"n{count - 1:05}").title == f"title {count - 1}"
