"""What a client raises.

PricematchClientError
├── PricematchHTTPError       the service answered with a problem
│   ├── InvalidRequest        400, 413, 415, 422: it cannot be answered as it is
│   │   └── ImageRefused      an image cannot be used
│   ├── Unauthenticated       401: no API key, or one that is not known
│   ├── Forbidden             403: the scope of the key does not cover it
│   ├── NotFound              404: no such posting, job, product, verdict, batch or path
│   ├── Gone                  410: it is not there any more
│   │   └── HistoryLost       changes since then are not known any more
│   ├── Conflict              409: the service holds nothing to answer this with
│   ├── ConditionFailed       412: it is not as the request says it must be
│   ├── Overloaded            429: too many requests
│   ├── Unavailable           503, 502: starting, stopping, or its store cannot be used now
│   ├── DeadlineExceeded      504, 408: it took longer than it may
│   └── ServiceFailed         500, 507: it failed; its log says why
├── ConnectionFailed          no answer came
├── UnexpectedAnswer          an answer that is none of this service
└── JobFailed                 a job that was waited for has failed, or was cancelled
"""

from collections.abc import Sequence

from pricematch.client.results.jobs import WholeJob
from pricematch.client.results.problems import Fault, Problem


class PricematchClientError(Exception):
    """Root of every error of a client."""


class PricematchHTTPError(PricematchClientError):
    """The service answered with a problem (RFC 9457).

    Attributes:
        problem: as it came.
        type: its kind, such as `posting-not-found`; docs/http.md lists them. "" where the answer is of another server.
        status: of HTTP.
        detail: what was expected and what came.
        errors: what is wrong where in the request, with `invalid-request`.
        retry_after: seconds after which the service wants to be asked again, if it says so.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        self.problem, self.retry_after = problem, retry_after
        self.type = problem.type.rpartition(":")[2]
        self.status, self.detail = problem.status, problem.detail
        self.errors: Sequence[Fault] = problem.errors or ()
        super().__init__(f"{self.status} {self.type or problem.title}: {self.detail}")


class InvalidRequest(PricematchHTTPError):
    """The request cannot be answered as it is; `errors` may say what is wrong where."""


class ImageRefused(InvalidRequest):
    """An image of the request cannot be used: it is none, damaged, too small or too large."""


class Unauthenticated(PricematchHTTPError):
    """There is no API key, or one that is not known."""


class Forbidden(PricematchHTTPError):
    """The scope of the API key does not cover this."""


class NotFound(PricematchHTTPError):
    """There is no such posting, job, product, verdict, batch or path."""


class Gone(PricematchHTTPError):
    """It is not there any more."""


class HistoryLost(Gone):
    """Changes since a version are not known any more: read all anew, and then the changes since `start_at`.

    Attributes:
        start_at: the version from which on they are known.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.start_at = problem.start_at or 0


class Conflict(PricematchHTTPError):
    """The service holds nothing to answer this with: no matcher, no encoder, or too few labels."""


class ConditionFailed(PricematchHTTPError):
    """A posting, or the catalogue, is not as the request says it must be."""


class Overloaded(PricematchHTTPError):
    """More requests wait than may, or were made with this key."""


class Unavailable(PricematchHTTPError):
    """The service is starting or stopping, or its store cannot be used now."""


class DeadlineExceeded(PricematchHTTPError):
    """It took longer than it may."""


class ServiceFailed(PricematchHTTPError):
    """The service failed; its log says why."""


class ConnectionFailed(PricematchClientError):
    """No answer came: no connection, one that broke, or none in time. Its cause is httpx2's error."""


class UnexpectedAnswer(PricematchClientError):
    """An answer is none of this service: another server's, perhaps, or no JSON."""


class JobFailed(PricematchClientError):
    """A job that was waited for has failed, or was cancelled.

    Attributes:
        job: as it is now; `reason` says why.
    """

    def __init__(self, job: WholeJob) -> None:
        self.job = job
        super().__init__(f"job {job.job_id} ({job.kind}) is {job.state}: {job.reason or 'no reason was given'}")


_OF_STATUS: dict[int, type[PricematchHTTPError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: DeadlineExceeded,
    409: Conflict,
    410: Gone,
    412: ConditionFailed,
    429: Overloaded,
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
_OF_TYPE: dict[str, type[PricematchHTTPError]] = {"history-lost": HistoryLost}
_OF_TYPE |= dict.fromkeys(
    (
        "image-empty",
        "image-corrupt",
        "image-too-small",
        "image-too-complex",
        "image-too-large",
        "image-type",
        "image-not-fetched",
    ),
    ImageRefused,
)


def error_of(problem: Problem, retry_after: float | None = None) -> PricematchHTTPError:
    """The error that stands for a problem: by its type, or else by its status."""
    kind = problem.type.rpartition(":")[2]
    other = ServiceFailed if problem.status >= 500 else InvalidRequest
    return _OF_TYPE.get(kind, _OF_STATUS.get(problem.status, other))(problem, retry_after)
