"""Every non-2xx answer, as RFC 9457 problem details. The only place where errors meet HTTP numbers."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pricematch import errors
from pricematch.api.logs import current

_MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:pricematch:problem:"
_log = logging.getLogger("pricematch")

_OF_ERROR: Mapping[type[errors.PricematchError], tuple[int, str]] = {
    errors.RequestRunning: (409, "request-running"),
    errors.KeyReused: (422, "idempotency-key-reused"),
    errors.ImageNotFetched: (422, "image-not-fetched"),
    errors.ImageEmpty: (422, "image-empty"),
    errors.ImageCorrupt: (422, "image-corrupt"),
    errors.ImageTooSmall: (422, "image-too-small"),
    errors.ImageTooComplex: (422, "image-too-complex"),
    errors.ImageTooLarge: (413, "image-too-large"),
    errors.ImageTypeUnsupported: (415, "image-type"),
    errors.ImageUnavailable: (404, "image-unavailable"),
    errors.PostingNotFound: (404, "posting-not-found"),
    errors.FeedbackNotFound: (404, "verdict-not-found"),
    errors.BatchNotFound: (404, "batch-not-found"),
    errors.JobNotFound: (404, "job-not-found"),
    errors.ProductNotFound: (404, "product-not-found"),
    errors.ProductGone: (410, "product-gone"),
    errors.ProductsUnknown: (503, "products-unknown"),
    errors.HistoryLost: (410, "history-lost"),
    errors.VersionUnknown: (422, "version-unknown"),
    errors.ImportRefused: (422, "import-refused"),
    errors.CatalogueError: (422, "import-refused"),
    errors.LimitExceeded: (413, "too-many-items"),
    errors.MatcherNeeded: (409, "matcher-needed"),
    errors.EncoderNeeded: (409, "encoder-needed"),
    errors.EncoderUnknown: (422, "encoder-unknown"),
    errors.LabelsNeeded: (409, "labels-needed"),
    errors.SignalNeeded: (422, "signal-needed"),
    errors.TargetUnknown: (422, "target-unknown"),
    errors.FilterInvalid: (422, "filter-invalid"),
    errors.FieldNotDeclared: (422, "field-not-declared"),
    errors.FieldNotFound: (404, "field-not-found"),
    errors.ModelOutputError: (500, "model-output"),
    errors.ArtefactError: (422, "model-unusable"),
    errors.NotReady: (503, "not-ready"),
    errors.NamespaceNotFound: (404, "namespace-not-found"),
    errors.NamespacesFull: (409, "namespaces-full"),
    errors.ConditionFailed: (412, "condition-failed"),
    errors.Overloaded: (429, "overloaded"),
    errors.DeadlineExceeded: (504, "deadline-exceeded"),
    errors.StoreFull: (507, "storage-full"),
    errors.StoreUnavailable: (503, "storage-unavailable"),
    errors.StoreDamaged: (500, "storage-damaged"),
    errors.RowDamaged: (500, "storage-damaged"),
    errors.Unauthenticated: (401, "unauthenticated"),
    errors.Forbidden: (403, "forbidden"),
    errors.RateExceeded: (429, "rate-exceeded"),
}
_PUBLIC_DETAILS: Mapping[type[errors.PricematchError], str] = {
    errors.ArtefactError: "expected a version that was exported and is whole; the log says what was found",
    errors.StoreFull: "the disk of the service is full: nothing was changed, and what is stored is answered on",
    errors.StoreUnavailable: "the store cannot be used now: nothing was changed; its log says why",
    errors.StoreDamaged: "the store of the service is damaged; its log says what to do",
}
"""For errors whose own sentence names folders of the server."""
_OF_STATUS: Mapping[int, str] = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    413: "body-too-large",
    415: "media-type",
}
_INVALID = "invalid-request"
_RETRY_LATER = {"Retry-After": "5"}
RETRY_SOON = {"Retry-After": "1"}
"""Many short requests are soon answered."""
_RETRY = {503: _RETRY_LATER, 429: RETRY_SOON}
_LOCATION_CHARACTERS = 100
_CLIENT_GONE = 499


class Fault(BaseModel):
    """One thing wrong with a request."""

    location: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 50"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=[_TYPE_PREFIX + "image-empty"], description="Stable name of the kind of problem.")
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["expected an image, got no bytes"])
    errors: list[Fault] | None = Field(
        default=None,
        exclude_if=lambda errors: errors is None,
        description="What is wrong where; with `invalid-request` only.",
    )
    start_at: int | None = Field(
        default=None,
        exclude_if=lambda start_at: start_at is None,
        description="The version from which on changes are known; with `history-lost` only.",
    )


def problem_of(error: errors.PricematchError) -> Problem:
    """The problem that stands for a domain error."""
    if isinstance(error, errors.ItemsRefused):
        return invalid_request([Fault(location=f"body.{place}", message=message) for place, message in error.faults])
    if isinstance(error, errors.FieldInvalid):
        return invalid_request([Fault(location=f"body.{error.field}", message=error.reason)])
    status, slug = _OF_ERROR.get(type(error), (500, "internal-error"))
    if isinstance(error, errors.HistoryLost):
        how = f"read /postings, /verdicts and /products anew, and then the changes since {error.start_at}"
        return _problem(status, slug, f"{error}; {how}").model_copy(update={"start_at": error.start_at})
    return _problem(status, slug, _PUBLIC_DETAILS.get(type(error), str(error)))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these statuses answer with a problem."""
    content = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Let the application answer every error with a problem."""
    app.exception_handler(errors.PricematchError)(_on_domain_error)
    app.exception_handler(RequestValidationError)(_on_invalid_request)
    app.exception_handler(HTTPException)(_on_http_exception)
    app.exception_handler(ClientDisconnect)(_on_client_gone)
    app.exception_handler(errors.ClientGone)(_on_client_gone)
    app.exception_handler(Exception)(_on_bug)


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that carries a problem."""
    content = problem.model_dump()
    current().problem = problem.type.removeprefix(_TYPE_PREFIX)
    return JSONResponse(content, problem.status, dict(headers or {}), media_type=_MEDIA_TYPE)


def invalid_request(faults: Sequence[Fault]) -> Problem:
    """The problem of a request with faults; their locations are shortened, since unknown names are the client's."""
    shown = [Fault(location=_shortened(it.location), message=it.message) for it in faults[: errors.SHOWN_PROBLEMS]]
    detail = "; ".join(f"{fault.location}: {fault.message}" for fault in shown[:5])
    return _problem(422, _INVALID, detail, shown)


def faults_of(error: RequestValidationError) -> list[Fault]:
    """What is wrong with a request, and where."""
    return [Fault(location=".".join(map(str, fault["loc"])), message=fault["msg"]) for fault in error.errors()]


def unexpected(kind: str, name: str, known: Collection[str]) -> str:
    """What is wrong with a name that is none of those known: which these are, and the nearest of them."""
    if not known:
        return f"expected no {kind}"
    folded = {it.casefold(): it for it in sorted(known)}
    near = get_close_matches(name[:_LOCATION_CHARACTERS].casefold(), folded, n=1)
    hint = f"; did you mean {folded[near[0]]}?" if near else ""
    return f"expected no {kind} but {', '.join(folded.values())}{hint}"


def malformed(detail: str) -> Problem:
    """The problem of a request whose head is ambiguous or too long."""
    return _problem(400, _OF_STATUS[400], detail)


def _problem(status: int, slug: str, detail: str, faults: Sequence[Fault] | None = None) -> Problem:
    return Problem(
        type=_TYPE_PREFIX + slug,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=None if faults is None else list(faults),
    )


def _shortened(location: str) -> str:
    return location if len(location) <= _LOCATION_CHARACTERS else location[: _LOCATION_CHARACTERS - 1] + "…"


async def _on_domain_error(_: Request, error: errors.PricematchError) -> JSONResponse:
    problem = problem_of(error)
    if type(error) in _PUBLIC_DETAILS or problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: %s", problem.type, error)
    return answer(problem, _headers(error, problem.status))


def _headers(error: Exception, status: int) -> Mapping[str, str]:
    """Headers that tell a client what to do next."""
    if isinstance(error, errors.RateExceeded):
        return {"Retry-After": str(math.ceil(error.retry_after))}
    if isinstance(error, errors.RequestRunning):
        return RETRY_SOON
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return _RETRY.get(status, {})


async def _on_invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
    return answer(invalid_request(faults_of(error)))


async def _on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    slug = _OF_STATUS.get(error.status_code, "http-error")
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
        path = request.scope["path"][:200].replace("\0", "%2F")  # which `EveryRoute` has put there
        detail = f"nothing is served at {path!r}; {root}/docs shows what is"
    return answer(_problem(error.status_code, slug, detail), error.headers)


async def _on_client_gone(_: Request, __: Exception) -> Response:
    """A response for the log alone; without it every aborted upload would be logged as a bug."""
    return Response(status_code=_CLIENT_GONE)


async def _on_bug(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 — the server logs it with its traceback
    return answer(_problem(500, "internal-error", "the service failed; its log says why"))
