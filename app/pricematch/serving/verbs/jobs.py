"""Verbs on jobs and models."""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from pricematch.catalogue.job_records import Job
from pricematch.catalogue.records import KeptAnswer
from pricematch.encoding.ports import Runtime
from pricematch.errors import JobNotFound, RowProblem
from pricematch.serving.training_jobs import TrainingOptions
from pricematch.serving.uploads import ImportOptions
from pricematch.serving.verbs.verbs import Verbs


class JobVerbs(Verbs):
    """Import, train, and let models serve."""

    async def kept_answer(self, key: bytes) -> KeptAnswer | None:
        """The answer to a request that was sent before, see `AnswerStore`; raises StoreError."""
        return await self._workers.store(self._ready.answers.answer, key)

    async def keep_answer(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep the answer to a request that may be sent again; raises StoreError."""
        await self._workers.store(self._ready.answers.keep_answer, key, answer)

    async def begin_import(self) -> str:
        """The id of an upload of postings, see `Uploads`; raises Overloaded where too many wait, StoreError."""
        return await self._workers.store(self._ready.uploading().begin)

    def open_import(self, job_id: str, name: str) -> BinaryIO:
        """A file of an upload to write to, `postings` or `images`; it and its `write` raise StoreError."""
        return self._ready.uploading().open(job_id, name)

    async def queue_import(self, job_id: str, folder: str | None, options: ImportOptions) -> Job:
        """Make a job of an upload; see `Uploads.queue`."""
        return await self._workers.store(self._ready.uploading().queue, job_id, folder, options)

    async def discard_import(self, job_id: str) -> None:
        """Delete an upload, unless a job was made of it."""
        await self._workers.store(self._ready.uploading().discard, job_id)

    async def queue_training(self, options: TrainingOptions) -> Job:
        """Make a job that trains a matcher, see `Trainer.queue`; raises LabelsNeeded, Overloaded, StoreError."""
        backend = self._ready

        def queue() -> Job:
            matcher = backend.intake.snapshots.settled().matcher
            return backend.training().queue(options, matcher.catalogue, matcher.feedback)

        return await self._workers.store(queue)

    async def jobs(self) -> Sequence[Job]:
        """The jobs that are kept, the newest first."""
        return await self._workers.store(self._ready.jobs.jobs)

    async def job(self, job_id: str, problems: int) -> tuple[Job, Sequence[RowProblem]]:
        """A job and its first problems; raises JobNotFound."""
        backend = self._ready

        def find() -> tuple[Job, Sequence[RowProblem]]:
            if (found := backend.jobs.job(job_id)) is None:
                raise JobNotFound(job_id)
            return found, backend.jobs.problems(job_id, 0, problems)

        return await self._workers.store(find)

    async def end_job(self, job_id: str) -> tuple[Job, bool]:
        """Cancel a job, or forget one that has ended: as it is or was, and whether it was forgotten."""
        return await self._workers.store(self._ready.uploading().end_job, job_id)

    async def activate(self, name: str, version: str) -> str | None:
        """Let a version of a model serve; the one that was activated before. Raises ArtefactError, StoreError."""
        return await self._workers.store(self._ready.activating(), f"{name}/{version}")

    def manifests(self) -> Sequence[Mapping[str, Any]]:
        """Manifests of the models that answer, as JSON has them; raises NotReady."""
        return self._ready.manifests()

    def runtimes(self) -> Mapping[str, Runtime]:
        """What runs the networks, by name and version, such as `cnn/1`; raises NotReady."""
        return self._ready.runtimes()

    def process_ids(self) -> Sequence[int]:
        """Of the processes that encode and run; raises NotReady."""
        return self._ready.process_ids()
