"""Trainings of the matcher: jobs that run one after the other, each in a process of its own."""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Self

from pydantic import SecretStr

from pricematch.catalogue.feedback import Feedback, corrected_labels
from pricematch.catalogue.job_records import Job
from pricematch.catalogue.labels import is_rounded
from pricematch.catalogue.postings import Catalogue
from pricematch.errors import LabelsNeeded, Overloaded, StoreError
from pricematch.settings import Settings
from pricematch.store.sqlite.store import Store

TRAIN_MATCHER = "train-matcher"
LEAST_GROUPS = 4
"""Label groups that it takes: as many as parts that are held out one after the other."""
# -P: nothing is imported from wherever this was started
COMMAND = (sys.executable, "-P", "-m", "pricematch.serving.training_process")
_ROOT = Path(__file__).parents[2]
_LOOK_SECONDS = 0.2
_PATIENCE = 10
_LEARNING = "Learning"
_HELD_BACK = {"api_keys_file", "webhooks"} | {
    name for name, field in Settings.model_fields.items() if isinstance(field.default, SecretStr)
}
"""Settings that a training has no use for: secrets, and what needs them."""
_log = logging.getLogger("pricematch")


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training, see `pricematch.learning.train_matcher`.

    Without signals it compares by all that postings have something for.
    """

    signals: tuple[str, ...] = ()
    train_share: float = 1.0
    seed: int = 0
    force: bool = False


class Trainer:
    """A thread that runs queued trainings, the oldest first; one that an earlier process began starts again.

    Imports go on meanwhile. A process that is ended from outside costs its job alone.

    Args:
        settings: gives those of the service, with the encoder of images that serves.
        store: has the jobs, and what is learned from.
        before: describes the matcher that serves, for the result.
        on_written: called before a job that wrote a version is done.
        turn: held while one runs, so that of several catalogues one is learned from at a time; None: there is one.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        before: Callable[[], Mapping[str, Any] | None],
        on_written: Callable[[], None],
        turn: "Lock | None" = None,
    ) -> None:
        self._turn = turn or Lock()
        self._settings, self._store, self._before, self._on_written = settings, store, before, on_written
        self._queueing, self._stop, self._wake = Lock(), Event(), Event()
        self._thread = Thread(target=self._work, daemon=True, name="train")
        self._thread.start()

    def queue(self, options: TrainingOptions, catalogue: Catalogue, feedback: Feedback) -> Job:
        """Make a job; from now on it is kept for good.

        Raises:
            LabelsNeeded: there is too little to learn from.
            Overloaded: too many wait or run.
            StoreError: it cannot be kept.
        """
        check_labels(catalogue, feedback)
        with self._queueing:
            waiting, most = len(self._store.jobs.unfinished(TRAIN_MATCHER)), self._settings().max_trainings
            if waiting >= most:
                raise Overloaded(f"expected at most {most} trainings that wait or run, and there are {waiting}")
            job = self._store.jobs.create(TRAIN_MATCHER, json.dumps(asdict(options)))
        self._wake.set()
        return job

    def close(self) -> None:
        """Stop; a training that runs is ended, and starts again with the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            pause = self._settings().follow_seconds
            try:
                for job in self._store.jobs.unfinished(TRAIN_MATCHER):
                    self._run_in_turn(job)
            except StoreError as error:
                _log.error("trainings wait: %s", error)
                pause *= _PATIENCE

    def _run_in_turn(self, job: Job) -> None:
        """Train once no other catalogue is learned from; not where the service stops before. Raises StoreError."""
        while not self._stop.is_set():
            if self._turn.acquire(timeout=_LOOK_SECONDS):
                try:
                    if not self._stop.is_set():
                        self._run(job)
                finally:
                    self._turn.release()
                return

    def _run(self, job: Job) -> None:
        """Train to the end, unless it is cancelled or the service stops; raises StoreError."""
        job = self._store.jobs.change(replace(job, state="running", done=0, total=None))
        if job.state != "running":  # cancelled meanwhile
            return
        if job.cancelling:
            self._store.jobs.change(replace(job, state="cancelled"))
            return
        try:
            with _Process(self._settings(), json.loads(job.spec)) as process:
                job = self._followed(job, process)
        except OSError as error:
            job = replace(job, state="failed", reason=f"no process could be started ({error.strerror})")
        if not self._stop.is_set() or job.state != "running":
            self._store.jobs.change(job)

    def _followed(self, job: Job, process: "_Process") -> Job:
        """The job as its process leaves it: ended, or running where the service stops."""
        while not self._stop.is_set():
            said = process.said(_LOOK_SECONDS)
            if said is None:
                now = self._store.jobs.job(job.job_id)
                if now is None or now.cancelling:
                    return replace(job, state="cancelled")
                if not process.runs:
                    return replace(job, state="failed", reason=process.ended())
            elif "result" in said:
                return self._done(job, said["result"])
            elif "error" in said:
                return replace(job, state="failed", reason=said["error"])
            elif "message" in said:
                _log.log(said["level"], "training %s: %s", job.job_id, said["message"])
            elif "progress" in said and said["progress"][0] == _LEARNING:
                _, done, total = said["progress"]
                job = self._store.jobs.change(replace(job, done=done, total=total))
        return job

    def _done(self, job: Job, result: Mapping[str, Any]) -> Job:
        if result["version"] is not None:
            self._on_written()
        _log.info("training %s: version %s, %s", job.job_id, result["version"], result["summary"])
        return replace(job, state="done", result=json.dumps({**result, "before": self._before()}))


class _Process:
    """The process of a training; it ends with the block."""

    def __init__(self, settings: Settings, options: Mapping[str, Any]) -> None:
        given = settings.model_dump(mode="json", exclude_unset=True, exclude=_HELD_BACK)
        self._process = subprocess.Popen(  # noqa: S603 — the command is ours
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(settings),
            text=True,
            encoding="utf-8",
        )
        self._lines = SimpleQueue[str]()
        self._reader = Thread(target=self._read, daemon=True, name="training")
        self._reader.start()
        with suppress(OSError):  # it has ended already, which is told soon
            self._write(json.dumps({"settings": given, "options": dict(options)}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not read by it is of no use any more
                if pipe is not None:
                    pipe.close()

    @property
    def runs(self) -> bool:
        """Whether there may be more that it says."""
        return self._reader.is_alive() or not self._lines.empty()

    def said(self, seconds: float) -> Mapping[str, Any] | None:
        """What it says next, if that comes soon; what is no JSON is nothing."""
        try:
            found = json.loads(self._lines.get(timeout=seconds))
        except (Empty, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def ended(self) -> str:
        """How it ended without a result."""
        code = self._process.wait()
        if code < 0:
            return f"the process that learns was ended from outside (signal {-code}); perhaps memory was short"
        return "the process that learns failed; the log says why"

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


def check_labels(catalogue: Catalogue, feedback: Feedback) -> None:
    """Raise LabelsNeeded where label groups and feedback are too few to train a matcher."""
    postings = list(catalogue)
    given = [None if it.label_group is None or is_rounded(it.label_group) else it.label_group for it in postings]
    labels = corrected_labels([it.posting_id for it in postings], given, feedback).labels
    sizes: Sequence[int] = [*Counter(label for label in labels if label is not None).values()]
    several = sum(size > 1 for size in sizes)
    if len(sizes) < LEAST_GROUPS or not several:
        raise LabelsNeeded(
            f"expected at least {LEAST_GROUPS} label groups to learn from, some of several postings, got {len(sizes)}, "
            f"{several} of them of several: give postings a label_group, or decide on more pairs"
        )


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of a training: ours, and where our modules are, but for settings that it has no use for.

    What the settings leave out although the environment has it is another namespace's.
    """
    left_out = Settings.model_fields.keys() - settings.model_fields_set
    held_back = {f"PRICEMATCH_{name}".upper() for name in _HELD_BACK | left_out}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in held_back}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))}
