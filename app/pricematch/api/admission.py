"""Turns away at once what could only wait."""

from threading import Lock

from starlette.types import ASGIApp, Receive, Scope, Send

from pricematch.api.problems import RETRY_SOON, answer, problem_of
from pricematch.errors import Overloaded

_BRINGS_A_BODY = ("POST", "PUT")


class Admission:
    """How many requests are worked on or wait to be. Safe to use from several threads.

    Args:
        most: that many at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._lock = Lock()

    def check(self) -> None:
        """Raises Overloaded if nobody is let in now."""
        if self._inside >= self._most:
            raise Overloaded(f"{self._most} requests are being answered; try again soon")

    def enter(self, *, again: bool) -> None:
        """Let a request in; raises Overloaded if it cannot be, unless it was inside before."""
        with self._lock:
            if not again:
                self.check()
            self._inside += 1

    def leave(self) -> None:
        """One that was let in is done."""
        with self._lock:
            self._inside -= 1


class TurnAway:
    """ASGI middleware: while nobody is let in, what brings a body is answered 429 before a byte of it is read.

    What is merely read, above all health, is answered as ever; what has to be worked for asks `Admission` itself.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429, or pass the request on."""
        if scope["type"] == "http" and scope["method"] in _BRINGS_A_BODY:
            try:
                self._admission.check()
            except Overloaded as error:
                await answer(problem_of(error), RETRY_SOON)(scope, receive, send)
                return
        await self._app(scope, receive, send)
