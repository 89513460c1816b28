"""The client of a service over HTTP: `Client`, and `AsyncClient` for asyncio. docs/client.md shows how it is used.

It imports nothing of the service.
"""

from pricematch.client.bodies import ImageUrl
from pricematch.client.clients import AsyncClient, Client
from pricematch.client.errors import (
    ConditionFailed,
    Conflict,
    ConnectionFailed,
    DeadlineExceeded,
    Forbidden,
    Gone,
    HistoryLost,
    ImageRefused,
    InvalidRequest,
    JobFailed,
    NotFound,
    Overloaded,
    PricematchClientError,
    PricematchHTTPError,
    ServiceFailed,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from pricematch.client.verbs.matches import Unstored
from pricematch.client.verbs.postings import NewPosting

__all__ = [
    "AsyncClient",
    "Client",
    "ConditionFailed",
    "Conflict",
    "ConnectionFailed",
    "DeadlineExceeded",
    "Forbidden",
    "Gone",
    "HistoryLost",
    "ImageRefused",
    "ImageUrl",
    "InvalidRequest",
    "JobFailed",
    "NewPosting",
    "NotFound",
    "Overloaded",
    "PricematchClientError",
    "PricematchHTTPError",
    "ServiceFailed",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unstored",
]
