"""When a request is made again, and after how long."""

import math
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from pricematch.client.calls import Call
from pricematch.client.errors import ConnectionFailed, PricematchHTTPError, UnexpectedAnswer, error_of
from pricematch.client.reading import read
from pricematch.client.results.problems import Problem

_AGAIN = frozenset((429, 502, 503, 504))
_RUNNING = "request-running"
"""The same request, sent before, is still being answered."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0


class Attempts:
    """The attempts at one call.

    Args:
        call: only one that is repeatable is made more than once.
        most: how often, at most.
        seconds: after which it is not made again.
    """

    def __init__(self, call: "Call[object]", most: int, seconds: float) -> None:
        self._left = most - 1 if call.repeatable else 0
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def after_error(self, error: httpx2.TransportError, request: str) -> float:
        """Seconds to wait before the next attempt, since no answer came; raises ConnectionFailed where none is left."""
        pause = self._next(None)
        if pause is None:
            raise ConnectionFailed(f"{request}: {type(error).__name__}: {error}") from error
        return pause

    def after_answer(self, response: httpx2.Response) -> float:
        """Seconds to wait before the next attempt after an answer of no success.

        Raises:
            PricematchHTTPError: no attempt is left, or another would change nothing.
            UnexpectedAnswer: it is none of the service.
        """
        error = error_in(response)
        passes = response.status_code in _AGAIN or error.type == _RUNNING
        pause = self._next(error.retry_after) if passes else None
        if pause is None:
            raise error
        return pause

    def _next(self, least: float | None) -> float | None:
        """The pause before the next attempt, and at least that; None where there is none, or it would come too late."""
        self._left -= 1
        pause = self._pause * random.uniform(0.5, 1)  # noqa: S311 — so that clients do not come at once
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        pause = max(pause, least or 0)
        return pause if self._left >= 0 and time.monotonic() + pause <= self._end else None


def error_in(response: httpx2.Response) -> PricematchHTTPError:
    """The error that an answer of no success tells; raises UnexpectedAnswer where it is no problem of any server."""
    status, wait = response.status_code, _seconds(response.headers)
    if not response.is_error:
        to = response.headers.get("location")
        raise UnexpectedAnswer(f"{response.request.url}: expected an answer, got {status}{f' to {to}' if to else ''}")
    try:
        problem = read(Problem, response.json())
    except ValueError:  # of a proxy
        text = response.text.strip()[:200] or "an empty body"
        problem = Problem(type="", title=response.reason_phrase, status=status, detail=f"{text} ({response.url})")
    return error_of(problem, wait)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Of Retry-After, a number or a date; None where it is absent or neither."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
