"""Stores that keep everything in dictionaries, the oracle of those that keep it for good."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.feed import EVERY_KIND, Change, ChangeKind, FeedPage, Position
from pricematch.catalogue.feedback_batches import (
    BatchCounts,
    FeedbackBatch,
    FeedbackFilter,
    FeedbackPlace,
    FeedbackSort,
    PairDecision,
)
from pricematch.catalogue.fields import Field
from pricematch.catalogue.job_records import Job
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import (
    ANYHOW,
    NO_REMARK,
    Condition,
    Decision,
    FeedbackChange,
    Kept,
    KeptAnswer,
    ModelChange,
    PairFeedback,
    Patch,
    PostingChange,
    Put,
    Remark,
    Removal,
    Removed,
    Stored,
)
from pricematch.errors import (
    BatchNotFound,
    ConditionFailed,
    FieldInvalid,
    HistoryLost,
    ImageUnavailable,
    LimitExceeded,
    PostingNotFound,
    RowProblem,
    VersionUnknown,
)
from pricematch.store.ports import ChangeOutcome

P = ParamSpec("P")
T = TypeVar("T")


def _alone(
    method: Callable[Concatenate["MemoryStore", P], T],
) -> Callable[Concatenate["MemoryStore", P], T]:
    """The method, one thread at a time."""

    @wraps(method)
    def alone(self: "MemoryStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            return method(self, *args, **kwargs)

    return alone


IDENTITY = "5" * 32
"""Of every store in memory."""


@dataclass
class MemoryStore:
    """Implements all stores of `pricematch.store.ports`, and `ImageSource`; safe to use from several threads.

    Decisions are made at the version of the catalogue, in seconds since 1970.
    """

    postings: dict[str, PostingChange] = field(default_factory=dict)
    said: dict[tuple[str, str], FeedbackChange] = field(default_factory=dict)
    feedback: dict[tuple[str, str], PairFeedback] = field(default_factory=dict)
    kept_batches: dict[str, tuple[FeedbackBatch, dict[tuple[str, str], tuple[PairFeedback, PairFeedback | None]]]] = (
        field(default_factory=dict)
    )
    images: dict[str, bytes] = field(default_factory=dict)
    vectors: dict[tuple[str, bytes], NDArray[np.float32]] = field(default_factory=dict)
    hashed: dict[tuple[str, bytes], str] = field(default_factory=dict)
    events: list[ProductEvent] = field(default_factory=list)
    chosen: dict[str, ModelChange] = field(default_factory=dict)
    told: dict[str, Position] = field(default_factory=dict)
    kept_jobs: dict[str, Job] = field(default_factory=dict)
    kept_problems: dict[str, list[RowProblem]] = field(default_factory=dict)
    answers: dict[bytes, KeptAnswer] = field(default_factory=dict)
    declared: dict[str, Field] = field(default_factory=dict)
    latest: int = 0
    lock: RLock = field(default_factory=RLock, repr=False)

    @classmethod
    def holding(cls, postings: Sequence[Posting]) -> "MemoryStore":
        """A store of some postings, whose images are elsewhere."""
        store = cls()
        for posting in postings:
            store._change(posting.posting_id, posting)
        return store

    @_alone
    def fields(self) -> Sequence[Field]:
        return [self.declared[name] for name in sorted(self.declared)]

    @_alone
    def declare(self, field: Field, most: int) -> bool:
        new = field.name not in self.declared
        if new and len(self.declared) >= most:
            raise LimitExceeded(f"expected at most {most} declared fields, got one more")
        self.declared[field.name] = field
        return new

    def answer(self, key: bytes) -> KeptAnswer | None:
        return self.answers.get(key)

    def keep_answer(self, key: bytes, answer: KeptAnswer) -> None:
        self.answers[key] = answer

    @_alone
    def undeclare(self, name: str) -> bool:
        return self.declared.pop(name, None) is not None

    def version(self) -> int:
        return self.latest

    @_alone
    def renew(self) -> int:
        self.latest += 1
        return self.latest

    @_alone
    def count(self) -> int:
        return sum(change.posting is not None for change in self.postings.values())

    def get(self, posting_id: str) -> Stored | None:
        change = self.postings.get(posting_id)
        return None if change is None or change.posting is None else Stored(change.posting, change.revision)

    @_alone
    def page(self, after: str, limit: int) -> Sequence[Stored]:
        there = (self.get(posting_id) for posting_id in sorted(self.postings) if posting_id > after)
        return [stored for stored in there if stored is not None][:limit]

    @_alone
    def put(self, puts: Sequence[Put]) -> Sequence[Kept]:
        for put in puts:
            self._check(put.posting.posting_id, put.condition)
            given = {hashlib.sha256(image).hexdigest() for image in put.images}
            if lacking := {*put.posting.images} - given - self.images.keys():
                raise ImageUnavailable(f"no image {min(lacking)}")
        return [self._put(put) for put in puts]

    @_alone
    def patch(self, patch: Patch) -> tuple[Posting, Kept]:
        if (stored := self.get(patch.posting_id)) is None:
            raise PostingNotFound(patch.posting_id)
        self._check(patch.posting_id, patch.condition)
        posting = patch.change(stored.posting)
        [kept] = self.put([Put(posting, patch.images)])
        return posting, kept

    @_alone
    def change_each(self, changes: Sequence[Put | Patch | Removal]) -> Sequence[ChangeOutcome]:
        return [self._outcome(change) for change in changes]

    def _outcome(self, change: Put | Patch | Removal) -> ChangeOutcome:
        try:
            if isinstance(change, Put):
                return self.put([change])[0]
            if isinstance(change, Patch):
                return self.patch(change)[1]
            stored = self.get(change.posting_id)
            if stored is not None and change.when is not None and not change.when(stored.posting):
                self._check(change.posting_id, change.condition)
                return Removed(there=False)
            return Removed(self.delete(change.posting_id, change.condition))
        except (ConditionFailed, PostingNotFound, FieldInvalid, ImageUnavailable) as error:
            return error

    @_alone
    def delete(self, posting_id: str, condition: Condition = ANYHOW) -> bool:
        self._check(posting_id, condition)
        there = self.get(posting_id) is not None
        if there:
            self._change(posting_id, None)
        return there

    @_alone
    def changes(
        self,
        since: Position,
        limit: int | None = None,
        kinds: frozenset[ChangeKind] = EVERY_KIND,
        upto: int | None = None,
    ) -> FeedPage:
        end = self.latest if upto is None else min(upto, self.latest)
        if not since.is_of(IDENTITY):
            raise HistoryLost("the position is one of another store", end)
        if since.knows_gone > self.latest:
            raise VersionUnknown(since.knows_gone, self.latest)
        since = since.beginning(self.latest, IDENTITY)
        every: Mapping[ChangeKind, Iterable[Change]] = {
            "posting": self.postings.values(),
            "feedback": self.said.values(),
            "product": self.events,
            "model": self.chosen.values(),
        }
        found = [it for kind in kinds for it in every[kind] if since.revision < it.revision <= end]
        found.sort(key=lambda change: change.revision)
        changes, more = found[:limit], limit is not None and len(found) > limit
        last = changes[-1].revision if more else max(end, since.revision)
        return FeedPage(self.latest, since, changes, since.at(last), more)

    @_alone
    def activate(self, name: str, version: str) -> None:
        if name not in self.chosen or self.chosen[name].version != version:
            self.chosen[name] = ModelChange(name, version, self.renew())

    def position(self, url: str) -> Position | None:
        return self.told.get(url)

    def keep(self, url: str, position: Position) -> None:
        self.told[url] = position

    def read(self, name: str) -> bytes:
        try:
            return self.images[name]
        except KeyError:
            raise ImageUnavailable(f"{name!r} is not there") from None

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        return {digest: self.vectors[key, digest] for digest in digests if (key, digest) in self.vectors}

    def keep_embeddings(self, key: str, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        self.vectors.update({(key, digest): vector for digest, vector in zip(digests, embeddings, strict=True)})

    def hashes(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, str]:
        return {digest: self.hashed[key, digest] for digest in digests if (key, digest) in self.hashed}

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        self.hashed.update({(key, digest): said for digest, said in zip(digests, hashes, strict=True)})

    def feedback_on(self, one: str, other: str) -> PairFeedback | None:
        return self.feedback.get((min(one, other), max(one, other)))

    def all_feedback(self) -> Sequence[PairFeedback]:
        return [self.feedback[pair] for pair in sorted(self.feedback)]

    @_alone
    def feedback_page(
        self, chosen: FeedbackFilter, sort: FeedbackSort, after: FeedbackPlace | None, offset: int, limit: int
    ) -> tuple[int, Sequence[PairFeedback]]:
        found = [
            it
            for it in self.all_feedback()
            if chosen.by in (None, it.by)
            and chosen.posting_id in (None, it.first, it.second)
            and chosen.decision in (None, it.decision)
        ]
        total = len(found)
        if sort == "time":
            found = sorted(found, key=_place, reverse=True)
            found = [it for it in found if after is None or _place(it) < after]
        else:
            found = [it for it in found if after is None or (it.first, it.second) > after[1:]]
        return total, found[offset : offset + limit]

    @_alone
    def decide(self, one: str, other: str, decision: Decision, remark: Remark = NO_REMARK) -> tuple[PairFeedback, bool]:
        if one == other:
            raise ValueError("expected two postings")
        before = self.feedback_on(one, other)
        if before is not None and before.said == (decision, remark.by, remark.note):
            return before, False
        return self._say(one, other, (decision, remark, self.latest + 1.0)), before is None

    @_alone
    def withdraw(self, one: str, other: str) -> bool:
        there = self.feedback_on(one, other) is not None
        if there:
            self._unsay(one, other)
        return there

    @_alone
    def decide_each(
        self, decisions: Sequence[PairDecision], remark: Remark, expected: int | None = None, *, undecided: bool = False
    ) -> FeedbackBatch:
        if expected not in (None, self.latest):
            raise ConditionFailed("another version")
        chosen = [it for it in decisions if not undecided or it.pair not in self.feedback]
        before = {it.pair: self.feedback.get(it.pair) for it in chosen}
        told = [(it, before[it.pair]) for it in chosen]
        new = sum(was is None for _, was in told)
        unchanged = sum(was is not None and was.decision == it.decision for it, was in told)
        counts, now = BatchCounts(new, len(told) - new - unchanged, unchanged), self.latest + 1.0
        batch = FeedbackBatch(uuid.uuid4().hex, len(self.kept_batches) + 1, remark.by, remark.note, now, counts)
        pairs = {
            it.pair: (self._say(*it.pair, (it.decision, remark, now)), was)
            for it, was in told
            if was is None or was.decision != it.decision
        }
        self.kept_batches[batch.batch_id] = batch, pairs
        return batch

    @_alone
    def undo(self, batch_id: str) -> FeedbackBatch:
        if batch_id not in self.kept_batches:
            raise BatchNotFound(batch_id)
        batch, pairs = self.kept_batches[batch_id]
        if batch.undone_at is None:
            as_left = {pair: was for pair, (now, was) in pairs.items() if _same(self.feedback.get(pair), now)}
            for pair, was in sorted(as_left.items()):
                if was is None:
                    self._unsay(*pair)
                else:
                    self._say(*pair, (was.decision, Remark(was.by, was.note), was.decided_at))
            kept = len(pairs) - len(as_left)
            batch = replace(batch, undone_at=time.time(), restored=len(as_left), kept=kept)
            self.kept_batches[batch_id] = batch, pairs
        return batch

    def batch(self, batch_id: str) -> FeedbackBatch | None:
        return self.kept_batches[batch_id][0] if batch_id in self.kept_batches else None

    def batches(self, before: int | None, limit: int) -> Sequence[FeedbackBatch]:
        found = [batch for batch, _ in reversed(self.kept_batches.values())]
        return [it for it in found if before is None or it.number < before][:limit]

    def create(self, kind: str, spec: str, job_id: str | None = None) -> Job:
        now = time.time()
        job = Job(job_id or uuid.uuid4().hex, kind, spec, "queued", 0, None, False, None, now, now)
        self.kept_jobs[job.job_id], self.kept_problems[job.job_id] = job, []
        return job

    def job(self, job_id: str) -> Job | None:
        return self.kept_jobs.get(job_id)

    def jobs(self) -> Sequence[Job]:
        return list(reversed(self.kept_jobs.values()))

    def unfinished(self, kind: str) -> Sequence[Job]:
        return [job for job in self.kept_jobs.values() if job.kind == kind and job.state in {"queued", "running"}]

    def change(self, job: Job, problems: Sequence[RowProblem] = ()) -> Job:
        cancelling = self.kept_jobs[job.job_id].cancelling
        if self.kept_jobs[job.job_id].state not in {"queued", "running"}:
            return self.kept_jobs[job.job_id]
        self.kept_jobs[job.job_id] = replace(job, cancelling=cancelling, changed_at=time.time())
        self.kept_problems[job.job_id] += problems
        return self.kept_jobs[job.job_id]

    def cancel(self, job_id: str) -> Job | None:
        job = self.kept_jobs.get(job_id)
        if job is not None and job.state in {"queued", "running"}:
            job = replace(job, cancelling=True, state="cancelled" if job.state == "queued" else job.state)
            self.kept_jobs[job_id] = job
        return job

    def problems(self, job_id: str, after: int, limit: int) -> Sequence[RowProblem]:
        return self.kept_problems.get(job_id, [])[after : after + limit]

    def remove(self, job_id: str) -> bool:
        job = self.kept_jobs.get(job_id)
        if job is None or job.state in {"queued", "running"}:
            return False
        del self.kept_jobs[job_id], self.kept_problems[job_id]
        return True

    def _check(self, posting_id: str, condition: Condition) -> None:
        stored = self.get(posting_id)
        known = condition.revisions is None or (stored is not None and stored.revision in condition.revisions)
        if not known or (condition.exists is not None and condition.exists != (stored is not None)):
            raise ConditionFailed(f"posting {posting_id!r} is not as it was to be")

    def _put(self, put: Put) -> Kept:
        before = self.get(put.posting.posting_id)
        self.images |= {hashlib.sha256(image).hexdigest(): image for image in put.images}
        if before is not None and before.posting == put.posting:
            return Kept(before.revision, "unchanged")
        return Kept(self._change(put.posting.posting_id, put.posting), "created" if before is None else "replaced")

    def _change(self, posting_id: str, posting: Posting | None) -> int:
        self.latest += 1
        self.postings[posting_id] = PostingChange(posting_id, self.latest, posting)
        return self.latest

    def _say(self, one: str, other: str, what: tuple[Decision, Remark, float]) -> PairFeedback:
        self.latest += 1
        (decision, remark, at), pair = what, (min(one, other), max(one, other))
        self.said[pair] = FeedbackChange(*pair, self.latest, decision)
        self.feedback[pair] = PairFeedback(*pair, decision, self.latest, at, remark.by, remark.note)
        return self.feedback[pair]

    def _unsay(self, one: str, other: str) -> None:
        self.latest += 1
        pair = (min(one, other), max(one, other))
        self.said[pair] = FeedbackChange(*pair, self.latest, None)
        del self.feedback[pair]


def _place(it: PairFeedback) -> FeedbackPlace:
    return it.decided_at, it.first, it.second


def _same(one: PairFeedback | None, other: PairFeedback) -> bool:
    return one is not None and (one.said, one.decided_at) == (other.said, other.decided_at)
