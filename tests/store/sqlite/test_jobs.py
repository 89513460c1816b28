"""Jobs in SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.catalogue.job_records import Counts
from pricematch.errors import RowProblem
from pricematch.store.sqlite import jobs as sqlite_jobs
from pricematch.store.sqlite.store import DATABASE, Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def test_a_job_begins_queued_and_survives_the_process(store: Store) -> None:
    job = store.jobs.create("import", '{"file": "x.csv"}')
    assert (job.state, job.done, job.total, job.cancelling, job.reason) == ("queued", 0, None, False, None)
    assert len(bytes.fromhex(job.job_id)) == 16
    store.close()
    with closing(open_store(store.folder)) as again:
        assert again.jobs.job(job.job_id) == job
        assert again.jobs.job("other") is None


def test_jobs_are_listed_newest_first(store: Store) -> None:
    ids = [store.jobs.create("import", "{}").job_id for _ in range(3)]
    assert [job.job_id for job in store.jobs.jobs()] == ids[::-1]


def test_progress_and_problems_are_kept_in_the_order_they_come(store: Store) -> None:
    job = store.jobs.create("import", "{}")
    problems = [RowProblem(9 - number, None if number % 2 else "image", f"message {number}") for number in range(7)]
    running = store.jobs.change(replace(job, state="running", done=3, total=9), problems[:3])
    assert (running.state, running.done, running.total) == ("running", 3, 9)
    assert running.changed_at >= job.changed_at
    done = store.jobs.change(replace(running, state="failed", done=9, reason="why"), problems[3:])
    assert store.jobs.job(job.job_id) == done
    assert done.reason == "why"
    assert store.jobs.problems(job.job_id, 0, 100) == problems
    assert store.jobs.problems(job.job_id, 2, 3) == problems[2:5]
    assert store.jobs.problems("other", 0, 100) == []


def test_a_queued_job_is_cancelled_at_once(store: Store) -> None:
    """Its worker cannot change that."""
    job = store.jobs.create("import", "{}")
    cancelled = store.jobs.cancel(job.job_id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelling) == ("cancelled", True)
    assert store.jobs.change(replace(job, state="running"), [RowProblem(1, None, "late")]) == cancelled
    assert store.jobs.problems(job.job_id, 0, 9) == []


def test_the_worker_of_a_running_job_learns_of_the_stop(store: Store) -> None:
    job = store.jobs.change(replace(store.jobs.create("import", "{}"), state="running"))
    asked = store.jobs.cancel(job.job_id)
    assert asked is not None
    assert (asked.state, asked.cancelling) == ("running", True)
    assert store.jobs.change(replace(job, done=5)).cancelling
    ended = store.jobs.change(replace(job, state="done"))
    assert store.jobs.cancel(job.job_id) == ended


def test_a_job_that_is_not_kept_cannot_be_changed_or_cancelled(store: Store) -> None:
    job = store.jobs.create("import", "{}")
    with pytest.raises(LookupError, match="no job has the id 'x'"):
        store.jobs.change(replace(job, job_id="x"))
    assert store.jobs.cancel("x") is None


def test_old_ended_jobs_are_forgotten_open_ones_never(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their problems go with them."""
    monkeypatch.setattr(sqlite_jobs, "KEPT_JOBS", 2)
    jobs = [store.jobs.create("import", "{}") for _ in range(5)]
    for job in jobs[1:]:
        store.jobs.change(replace(job, state="done"), [RowProblem(1, None, "x")])
    last = store.jobs.create("import", "{}")
    kept = [job.job_id for job in store.jobs.jobs()]
    assert kept == [last.job_id, jobs[4].job_id, jobs[3].job_id, jobs[0].job_id]
    assert store.jobs.problems(jobs[1].job_id, 0, 9) == []


def test_counts_and_problems_of_items_are_kept(store: Store) -> None:
    job = store.jobs.create("import", "{}")
    problem = RowProblem(3, "image", "expected an image, got none", "p3")
    changed = store.jobs.change(replace(job, counts=Counts(1, 2, 3, 4)), [problem])
    assert changed.counts == Counts(created=1, replaced=2, unchanged=3, failed=4)
    assert store.jobs.job(job.job_id) == changed
    assert store.jobs.problems(job.job_id, 0, 9) == [problem]


def test_a_job_takes_the_id_it_is_given(store: Store) -> None:
    assert store.jobs.create("import", "{}", "a" * 32).job_id == "a" * 32


def test_unfinished_jobs_come_oldest_first(store: Store) -> None:
    jobs = [store.jobs.create(kind, "{}") for kind in ("import", "seed", "import", "import")]
    store.jobs.change(replace(jobs[0], state="done"))
    running = store.jobs.change(replace(jobs[2], state="running"))
    assert store.jobs.unfinished("import") == [running, jobs[3]]


def test_only_an_ended_job_is_removed(store: Store) -> None:
    job = store.jobs.create("import", "{}")
    assert not store.jobs.remove(job.job_id)
    store.jobs.change(replace(job, state="done"), [RowProblem(1, None, "x")])
    assert store.jobs.remove(job.job_id)
    assert not store.jobs.remove(job.job_id)
    assert store.jobs.job(job.job_id) is None
    with store.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM job_problem").fetchone() == (0,)


def test_a_job_of_the_first_schema_is_kept_with_nothing_counted(tmp_path: Path) -> None:
    first = Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(first)
        connection.execute("INSERT INTO job VALUES (1, 'a', 'seed', '{}', 'done', 7, 7, 0, NULL, 1.0, 2.0)")
        connection.execute("INSERT INTO job_problem VALUES (1, 1, 5, 'image', 'x')")
        connection.execute("PRAGMA application_id = 1349668195")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    (tmp_path / "images").mkdir()
    with closing(open_store(tmp_path)) as store:
        [job] = store.jobs.jobs()
        assert (job.job_id, job.done, job.counts) == ("a", 7, Counts())
        assert store.jobs.problems("a", 0, 9) == [RowProblem(5, "image", "x")]
