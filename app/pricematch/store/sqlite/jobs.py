"""Jobs in SQLite."""

import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple

from pricematch.catalogue.job_records import Counts, Job
from pricematch.errors import RowProblem
from pricematch.store.sqlite.checksums import Row, insertion, opened, row_checksum, sealed, selected
from pricematch.store.sqlite.database import Database

_COLUMNS = selected("job")
_ENDED = "state IN ('done', 'failed', 'cancelled')"
KEPT_JOBS = 1000
"""Jobs that have ended are kept until so many newer ones have."""


class SqliteJobs:
    """Implements `service_ports.JobStore`; a job that has ended never changes again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, kind: str, spec: str, job_id: str | None = None) -> Job:
        """See the port."""
        now = time.time()
        job = Job(job_id or secrets.token_hex(16), kind, spec, "queued", 0, None, False, None, now, now)  # noqa: FBT003
        values = (job.job_id, kind, spec, job.state, job.done, None, 0, None, now, now, 0, 0, 0, 0, None)
        with self._database.write() as connection:
            connection.execute(insertion("job"), sealed(*values))
            connection.execute(
                "DELETE FROM job WHERE number IN (SELECT number FROM job "
                f"WHERE {_ENDED} ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (KEPT_JOBS,),
            )
        return job

    def job(self, job_id: str) -> Job | None:
        """See the port."""
        with self._database.read() as connection:
            return _find(connection, job_id)

    def jobs(self) -> Sequence[Job]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM job ORDER BY number DESC")
            return [_job(row) for row in rows]

    def unfinished(self, kind: str) -> Sequence[Job]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM job WHERE kind = ? AND NOT {_ENDED} ORDER BY number", (kind,)
            )
            return [_job(row) for row in rows]

    def change(self, job: Job, problems: Sequence[RowProblem] = ()) -> Job:
        """See the port; raises LookupError for a job that is not kept."""
        with self._database.write() as connection:
            stored = _find(connection, job.job_id)
            if stored is None:
                raise LookupError(f"no job has the id {job.job_id!r}")
            if stored.ended:
                return stored
            connection.execute(
                "UPDATE job SET state = ?, done = ?, total = ?, reason = ?, changed_at = ?, "
                "created = ?, replaced = ?, unchanged = ?, failed = ?, result = ? WHERE job_id = ?",
                (job.state, job.done, job.total, job.reason, time.time(), *astuple(job.counts), job.result, job.job_id),
            )
            _seal(connection, job.job_id)
            (number,) = connection.execute("SELECT number FROM job WHERE job_id = ?", (job.job_id,)).fetchone()
            rows = [sealed(number, *astuple(problem)) for problem in problems]
            connection.executemany(insertion("job_problem"), rows)
            return _find(connection, job.job_id) or stored

    def cancel(self, job_id: str) -> Job | None:
        """See the port."""
        with self._database.write() as connection:
            if _find(connection, job_id) is None:
                return None
            connection.execute(
                "UPDATE job SET cancelling = 1, changed_at = ?, "
                "state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END "
                f"WHERE job_id = ? AND NOT {_ENDED}",
                (time.time(), job_id),
            )
            _seal(connection, job_id)
            return _find(connection, job_id)

    def problems(self, job_id: str, after: int, limit: int) -> Sequence[RowProblem]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {selected('job_problem')} FROM job_problem "
                "WHERE job = (SELECT number FROM job WHERE job_id = ?) ORDER BY number LIMIT ? OFFSET ?",
                (job_id, limit, after),
            )
            return [RowProblem(*opened("job_problem", row)[1:]) for row in rows]

    def remove(self, job_id: str) -> bool:
        """See the port."""
        with self._database.write() as connection:
            return connection.execute(f"DELETE FROM job WHERE job_id = ? AND {_ENDED}", (job_id,)).rowcount > 0


def _find(connection: sqlite3.Connection, job_id: str) -> Job | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM job WHERE job_id = ?",
        (job_id,),
    ).fetchone()
    return None if row is None else _job(row)


def _seal(connection: sqlite3.Connection, job_id: str) -> None:
    """Give a job that was changed its checksum."""
    *values, _ = connection.execute(f"SELECT {_COLUMNS} FROM job WHERE job_id = ?", (job_id,)).fetchone()
    connection.execute("UPDATE job SET checksum = ? WHERE job_id = ?", (row_checksum(values), job_id))


def _job(row: Row) -> Job:
    values = opened("job", row)
    job_id, kind, spec, state, done, total, cancelling, reason, created_at, changed_at, *counts, result = values
    times, outcome = (created_at, changed_at), (Counts(*counts), result)
    return Job(job_id, kind, spec, state, done, total, bool(cancelling), reason, *times, *outcome)
