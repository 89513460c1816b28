"""Answers 429 at once to what could only wait."""

from starlette.types import ASGIApp, Receive, Scope, Send

from pricematch.api.problems import RETRY_SOON, answer, problem_of
from pricematch.errors import Overloaded
from pricematch.serving.service import Service

_BRINGS_A_BODY = ("POST", "PUT")


class TurnAway:
    """ASGI middleware: while the service has no room, what brings a body is answered 429 before a byte of it is read.

    What is merely read, above all health, is answered as ever; what has to be worked for asks the service itself.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429, or pass the request on."""
        if scope["type"] == "http" and scope["method"] in _BRINGS_A_BODY:
            try:
                self._service.check_room()
            except Overloaded as error:
                await answer(problem_of(error), RETRY_SOON)(scope, receive, send)
                return
        await self._app(scope, receive, send)
