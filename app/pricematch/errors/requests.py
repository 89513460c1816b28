"""Requests that are not answered, or not now."""

from pricematch.errors.base import PricematchError


class NotReady(PricematchError):
    """The service cannot answer yet, or no longer."""


class NamespaceNotFound(PricematchError):
    """There is no namespace of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no namespace {name!r}")


class NamespacesFull(PricematchError):
    """There are as many namespaces as there may be."""


class ConditionFailed(PricematchError):
    """A stored posting is not as the request says it must be."""


class RequestRunning(PricematchError):
    """A request with the same idempotency key is being answered."""


class KeyReused(PricematchError):
    """An idempotency key was sent with another request before."""


class Overloaded(PricematchError):
    """More requests wait than may; one that is turned away may come again soon."""


class DeadlineExceeded(PricematchError):
    """Something took longer than it may."""


class ClientGone(PricematchError):
    """Nobody waits for the answer any more."""


class Unauthenticated(PricematchError):
    """A request has no key, or one that is not known."""


class Forbidden(PricematchError):
    """The scope of a request's key does not cover what it asks."""


class RateExceeded(PricematchError):
    """More requests were made with one key than may be.

    Attributes:
        retry_after: seconds after which the next one may be made.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)
