"""/verdicts: what people say of pairs of postings; /review: the pairs they should look at."""

import csv
import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.exceptions import RequestValidationError

from pricematch.api.access import READ, WRITE
from pricematch.api.answers import evidence_out, finite, posting_out
from pricematch.api.dependencies import PostingId, ReadyDep, ServiceDep, WorkerDep
from pricematch.api.problems import responses
from pricematch.api.schemas.verdicts import (
    ReviewOut,
    ReviewQuery,
    StoredVerdictOut,
    UnsureOut,
    VerdictIn,
    VerdictsOut,
    WithdrawnOut,
    contradictions_out,
    verdict_out,
)
from pricematch.api.state import Kept, Ready
from pricematch.catalogue.contradictions import Contradiction, contradictions
from pricematch.catalogue.postings import POSTING_ID_PATTERN
from pricematch.catalogue.records import Verdict
from pricematch.errors import VerdictNotFound
from pricematch.matching.review import Unsure, review

router = APIRouter(tags=["verdicts"])
MAX_PAGE = 1000
COLUMNS = ("posting_id", "other_posting_id", "verdict", "decided_at")
OtherId = Annotated[str, Path(pattern=POSTING_ID_PATTERN, description="Id of another posting.")]


@router.put(
    "/verdicts/{posting_id}/{other_id}",
    dependencies=[WRITE],
    responses=responses(400, 404, 415, 422, 429, 500, 503, 507)
    | {201: {"model": StoredVerdictOut, "description": "New."}},
)
async def decide(
    posting_id: PostingId,
    other_id: OtherId,
    said: VerdictIn,
    service: ServiceDep,
    ready: ReadyDep,
    worker: WorkerDep,
    response: Response,
) -> StoredVerdictOut:
    """Say whether two postings are the same product; in whichever order they are given, it is one verdict."""
    if posting_id == other_id:
        fault = {"type": "value_error", "loc": ("path", "other_id"), "msg": "expected another posting, got the same"}
        raise RequestValidationError([fault])
    for asked in (posting_id, other_id):
        ready.matcher.catalogue.row(asked)
    verdict, new = await worker.keep(lambda: ready.stored().intake.decide(posting_id, other_id, said.verdict))
    response.status_code = 201 if new else 200
    now = service.ready()
    return await worker.keep(lambda: _stored(verdict, now))


@router.get("/verdicts/{posting_id}/{other_id}", dependencies=[READ], responses=responses(404, 422, 500, 503))
async def verdict(posting_id: PostingId, other_id: OtherId, ready: ReadyDep, worker: WorkerDep) -> StoredVerdictOut:
    """The verdict on two postings, in whichever order they are given."""
    found = await worker.keep(lambda: ready.stored().verdicts.verdict(posting_id, other_id))
    if found is None:
        raise VerdictNotFound(posting_id, other_id)
    return await worker.keep(lambda: _stored(found, ready))


@router.delete("/verdicts/{posting_id}/{other_id}", dependencies=[WRITE], responses=responses(422, 500, 503, 507))
async def withdraw(posting_id: PostingId, other_id: OtherId, ready: ReadyDep, worker: WorkerDep) -> WithdrawnOut:
    """Take a verdict back; one that is not there is no error."""
    there, version = await worker.keep(lambda: ready.stored().intake.withdraw(posting_id, other_id))
    return WithdrawnOut(catalogue_version=version, withdrawn=there)


@router.get("/verdicts", dependencies=[READ], responses=responses(422, 500, 503))
async def verdicts(
    ready: ReadyDep,
    worker: WorkerDep,
    offset: Annotated[int, Query(ge=0, le=2**31, description="Leave out that many.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Verdicts at most.")] = 100,
) -> VerdictsOut:
    """The verdicts page by page, and where people contradict each other."""
    return await worker.keep(lambda: _page(ready, ready.stored(), offset, limit))


@router.get(
    "/verdicts.csv",
    dependencies=[READ],
    response_class=Response,
    responses=responses(500, 503) | {200: {"content": {"text/csv": {}}, "description": "All verdicts."}},
)
async def export(ready: ReadyDep, worker: WorkerDep) -> Response:
    """All verdicts as CSV, as `train matcher` and `evaluate` take them."""
    return Response(await worker.keep(lambda: _csv(ready.stored().verdicts.verdicts())), media_type="text/csv")


@router.get("/review", dependencies=[READ], responses=responses(409, 422, 429, 500, 503, 504), tags=["verdicts"])
async def pairs_to_review(
    ready: ReadyDep,
    worker: WorkerDep,
    asked: Annotated[ReviewQuery, Query()],
) -> ReviewOut:
    """The pairs whose verdict would teach most: their probability is nearest the threshold, one a crowd."""
    judge = ready.matcher.trained("a review")
    bar = judge.bar(asked.target, None)
    found = await worker.run_alone(lambda: review(judge, bar, asked.limit))
    return ReviewOut(
        catalogue_version=ready.version,
        matcher=judge.label,
        threshold=finite(bar.thresholds.match),
        pairs=[_unsure_out(pair, ready) for pair in found],
    )


def _stored(verdict: Verdict, ready: Ready) -> StoredVerdictOut:
    pair = {verdict.first, verdict.second}
    part = [found for found in contradictions(ready.matcher.verdicts) if _has_part(pair, found)]
    return StoredVerdictOut(
        catalogue_version=ready.version, contradictions=contradictions_out(part), **verdict_out(verdict).model_dump()
    )


def _has_part(pair: set[str], found: Contradiction) -> bool:
    return pair in [{found.first, found.second}, *({one, other} for one, other in pairwise(found.chain))]


def _page(ready: Ready, kept: Kept, offset: int, limit: int) -> VerdictsOut:
    every, end = kept.verdicts.verdicts(), offset + limit
    against = contradictions(ready.matcher.verdicts)
    return VerdictsOut(
        catalogue_version=ready.version,
        total=len(every),
        verdicts=[verdict_out(verdict) for verdict in every[offset:end]],
        next_offset=end if end < len(every) else None,
        total_contradictions=len(against),
        contradictions=contradictions_out(against),
    )


def _csv(verdicts: Sequence[Verdict]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for verdict in map(verdict_out, verdicts):
        writer.writerow([verdict.first, verdict.second, verdict.verdict, verdict.decided_at.isoformat()])
    return file.getvalue()


def _unsure_out(pair: Unsure, ready: Ready) -> UnsureOut:
    first, second = (posting_out(ready.matcher.catalogue.posting(it), ready) for it in (pair.first, pair.second))
    why = pair.explanation
    return UnsureOut(
        first=first, second=second, probability=pair.probability, level=why.level, evidence=evidence_out(why.evidence)
    )
