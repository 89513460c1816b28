"""/verdicts: people's feedback on pairs of postings; /review: pairs for them to decide."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from pricematch.api.bodies import described
from pricematch.api.content import JSON, read_json
from pricematch.api.dependencies import READ, WRITE, LinksDep, OtherId, PostingId, ReadyService, Writer, while_connected
from pricematch.api.links import Links
from pricematch.api.problems import responses
from pricematch.api.schemas.fields import finite
from pricematch.api.schemas.filters import filter_in
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.api.schemas.postings import PostingOut, posting_fields
from pricematch.api.schemas.verdicts import (
    ReviewOut,
    ReviewQuery,
    StoredVerdictOut,
    UnsureOut,
    VerdictIn,
    VerdictsOut,
    VerdictsQuery,
    WithdrawnOut,
    contradictions_out,
    verdict_out,
)
from pricematch.catalogue.records import MAX_AUTHOR_CHARS, MAX_NOTE_CHARS, Remark
from pricematch.formats.feedback_files import to_csv
from pricematch.matching.queries import Evidence
from pricematch.matching.review import Unsure
from pricematch.serving.match_records import evidence_fields
from pricematch.serving.results import FeedbackResult
from pricematch.serving.snapshot import Snapshot

router = APIRouter(tags=["verdicts"])
_BODY_BYTES = 12 * (MAX_AUTHOR_CHARS + MAX_NOTE_CHARS)
"""Of author and note, each character escaped twice as \\u…."""


@router.put(
    "/verdicts/{posting_id}/{other_id}",
    operation_id="putVerdict",
    dependencies=[WRITE],
    openapi_extra=described({JSON: VerdictIn.model_json_schema()}),
    responses=responses(400, 404, 413, 415, 422, 429, 500, 503, 507)
    | {201: {"model": StoredVerdictOut, "description": "New."}},
)
async def decide(
    posting_id: PostingId, other_id: OtherId, request: Request, service: ReadyService, key: Writer, response: Response
) -> StoredVerdictOut:
    """Say whether two postings are the same product; in whichever order they are given, it is one verdict."""
    if posting_id == other_id:
        fault = {"type": "value_error", "loc": ("path", "other_id"), "msg": "expected another posting, got the same"}
        raise RequestValidationError([fault])
    given = await read_json(request, VerdictIn, _BODY_BYTES)
    found = await service.decide(posting_id, other_id, given.verdict, Remark(given.by or key, given.note))
    response.status_code = 201 if found.new else 200
    return _stored(found)


@router.get(
    "/verdicts/{posting_id}/{other_id}",
    operation_id="getVerdict",
    dependencies=[READ],
    responses=responses(404, 422, 500, 503),
)
async def verdict(posting_id: PostingId, other_id: OtherId, service: ReadyService) -> StoredVerdictOut:
    """The verdict on two postings, in whichever order they are given."""
    return _stored(await service.feedback_on(posting_id, other_id))


@router.delete(
    "/verdicts/{posting_id}/{other_id}",
    operation_id="deleteVerdict",
    dependencies=[WRITE],
    responses=responses(422, 500, 503, 507),
)
async def withdraw(posting_id: PostingId, other_id: OtherId, service: ReadyService) -> WithdrawnOut:
    """Take a verdict back; one that is not there is no error."""
    there, version = await service.withdraw(posting_id, other_id)
    return WithdrawnOut(catalogue_version=version, withdrawn=there)


@router.get("/verdicts", operation_id="listVerdicts", dependencies=[READ], responses=responses(422, 500, 503))
async def verdicts(service: ReadyService, query: Annotated[VerdictsQuery, Query()]) -> VerdictsOut:
    """The verdicts page by page, and where people contradict each other."""
    found = await service.feedback(query.chosen, query.sort, query.place(), query.offset, query.limit)
    return VerdictsOut(
        catalogue_version=found.version,
        total=found.total,
        verdicts=[verdict_out(verdict) for verdict in found.feedback],
        next_cursor=query.cursor_of(found.feedback[-1]) if found.more else None,
        next_offset=query.offset + query.limit if found.more and not query.cursor else None,
        total_contradictions=len(found.contradictions),
        contradictions=contradictions_out(found.contradictions),
    )


@router.get(
    "/verdicts.csv",
    operation_id="exportVerdicts",
    dependencies=[READ],
    response_class=Response,
    responses=responses(500, 503)
    | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "All verdicts."}},
)
async def export(service: ReadyService) -> Response:
    """All verdicts as CSV, as `train matcher` and `evaluate` take them."""
    return Response(to_csv(await service.all_feedback()), media_type="text/csv")


@router.get(
    "/review",
    operation_id="listPairsToReview",
    dependencies=[READ],
    responses=responses(409, 422, 429, 500, 503, 504),
    tags=["verdicts"],
)
async def pairs_to_review(
    request: Request, service: ReadyService, links: LinksDep, query: Annotated[ReviewQuery, Query()]
) -> ReviewOut:
    """The pairs whose verdict would teach most, in turn near the threshold and anywhere above 0.05, one a crowd."""
    condition = filter_in(query.filter, service.settings)
    found = await while_connected(request, service.review(query.target, query.limit, condition))
    return ReviewOut(
        catalogue_version=found.snapshot.version,
        matcher=found.snapshot.matcher.trained("a review").label,
        threshold=finite(found.decision.threshold),
        probabilities=found.decision.probabilities,
        pairs=[_unsure_out(pair, found.snapshot, links) for pair in found.pairs],
    )


def _stored(found: FeedbackResult) -> StoredVerdictOut:
    return StoredVerdictOut(
        catalogue_version=found.version,
        contradictions=contradictions_out(found.contradictions),
        **verdict_out(found.feedback).model_dump(),
    )


def _unsure_out(pair: Unsure, snapshot: Snapshot, links: Links) -> UnsureOut:
    postings = [snapshot.matcher.catalogue.posting(it) for it in (pair.first, pair.second)]
    first, second = (PostingOut(**posting_fields(it, links, snapshot.product_of(it.posting_id))) for it in postings)
    why = pair.explanation
    return UnsureOut(
        first=first,
        second=second,
        probability=pair.probability,
        level=why.match_type,
        evidence=EvidenceOut(**evidence_fields(Evidence(why.signals, why.reasons))),
    )
