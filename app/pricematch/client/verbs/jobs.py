"""Jobs: imports of many postings, trainings, and how far they are."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from pricematch.client.bodies import Told, Upload, zipped
from pricematch.client.calls import (
    Call,
    Flow,
    Listing,
    Pause,
    as_result,
    ask,
    in_path,
    listing,
    once,
    pages,
    verb,
    work,
)
from pricematch.client.errors import JobFailed
from pricematch.client.results.jobs import EndedJob, Job, Jobs, WholeJob

_PAGE = 100
_CHECKS = 600
"""Seconds that a service may take to check a file before it answers."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class JobVerbs:
    """What goes on behind the requests."""

    @verb
    def import_postings(
        self,
        postings: str | os.PathLike[str],
        images: str | os.PathLike[str] | None = None,
        *,
        folder: str | None = None,
        dry_run: bool = False,
        encoding: str | None = None,
        delimiter: str | None = None,
        told: Told | None = None,
    ) -> Flow[Job]:
        """Send a file of postings, CSV or NDJSON, and begin to import it; `wait` waits for the job.

        Args:
            postings: path of the file, which is sent from the disk.
            images: path of a ZIP file of the images, or of a folder, of which one is made for the time being.
            folder: instead, the folder of the server that they are in.
            dry_run: store nothing; the job says what an import would do.
            encoding: of the file, where it is not to be detected.
            delimiter: likewise.
            told: is called with the bytes that are sent, and how many there are; of one file after the other.
        """
        query = {"dry_run": dry_run or None, "encoding": encoding, "delimiter": delimiter}
        with ExitStack() as open_files:
            paths = {"postings": Path(postings)}
            if images is not None:
                paths["images"] = archive = Path(images)
                if archive.is_dir():
                    paths["images"] = made = yield from work(lambda: zipped(archive))
                    open_files.callback(made.unlink)
            files = [
                (name, (path.name, open_files.enter_context(Upload(path, told or _nobody))))
                for name, path in paths.items()
            ]
            data = {} if folder is None else {"folder": folder}
            return (
                yield from ask(
                    Call(
                        method="POST",
                        path="/postings/import",
                        read=as_result(Job),
                        query=query,
                        content={"data": data, "files": files},
                        headers=once(),
                        waits=_CHECKS,
                    )
                )
            )

    @verb
    def train(
        self,
        *,
        signals: Sequence[Literal["hash", "title", "image"]] | None = None,
        train_share: float = 1.0,
        seed: int = 0,
        force: bool = False,
    ) -> Call[Job]:
        """Begin to train a matcher on the stored label groups and verdicts; needs a key of scope `admin`."""
        given: dict[str, Any] = {"kind": "train-matcher", "train_share": train_share, "seed": seed, "force": force}
        if signals is not None:
            given["signals"] = list(signals)
        return Call(method="POST", path="/jobs", read=as_result(Job), content={"json": given}, headers=once())

    @listing
    def jobs(self, *, page_size: int = _PAGE) -> Listing[Job]:
        """The jobs, the newest first."""
        return pages(
            lambda cursor: Call(
                method="GET",
                path="/jobs",
                read=as_result(Jobs),
                query={"cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.jobs,
            lambda page: page.next_cursor,
        )

    @verb
    def job(self, job_id: str) -> Call[WholeJob]:
        """How far a job is, and which rows could not be stored."""
        return _job(job_id)

    @verb
    def wait(
        self,
        job: str | Job,
        *,
        seconds: float | None = None,
        told: Callable[[WholeJob], None] | None = None,
    ) -> Flow[WholeJob]:
        """Wait until a job is done; it may have rows that failed.

        Args:
            job: it, or its id.
            seconds: after which it raises TimeoutError; the job goes on.
            told: is called with the job whenever it was looked at.

        Raises:
            JobFailed: it has failed as a whole, or was cancelled.
        """
        return _waited(job if isinstance(job, str) else job.job_id, seconds, told)

    @verb
    def end_job(self, job_id: str) -> Call[EndedJob]:
        """Cancel a job, or forget one that has ended; what it has stored stays."""
        return Call(method="DELETE", path=_path(job_id), read=as_result(EndedJob), repeatable=False)


def _waited(
    job_id: str, seconds: float | None, told: Callable[[WholeJob], None] | None
) -> Generator[Any, Any, WholeJob]:
    end = None if seconds is None else time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        job = yield from ask(_job(job_id))
        if told is not None:
            told(job)
        if job.state in ("failed", "cancelled"):
            raise JobFailed(job)
        if job.has_ended:
            return job
        if end is not None and time.monotonic() + pause > end:
            raise TimeoutError(f"job {job_id} is {job.state} after {seconds:g} seconds")
        yield Pause(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _job(job_id: str) -> Call[WholeJob]:
    return Call(method="GET", path=_path(job_id), read=as_result(WholeJob))


def _path(job_id: str) -> str:
    return f"/jobs/{in_path(job_id, 'a job_id')}"


def _nobody(_: int, __: int) -> None:
    """Tell nobody."""
