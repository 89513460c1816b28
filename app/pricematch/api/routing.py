"""What holds for every route: the path prefix, HEAD and OPTIONS, and that no query parameter is ignored."""

import re
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.placement import Placement
from pricematch.api.problems import Fault, answer, invalid_request, unexpected
from pricematch.errors import SettingsError

_NOT_ALLOWED = 405
_HEAD = "pricematch.head"
_MAX_FAULTS = 10
_SLASH = re.compile(rb"%2[fF]")


class EveryRoute:
    """ASGI middleware: HEAD is answered as GET without a body, OPTIONS with `Allow`, which is complete for 405 too.

    A query parameter that the route does not declare, or that comes twice, is answered 422 before anything is done.
    A slash that is percent-encoded is part of a parameter of the path, which can have none, and no end of it.

    Args:
        app: what is behind it.
        routes: of the application, as they are when the first request comes.
        placement: tells what of a path is before that of a route.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], placement: Placement) -> None:
        self._app, self._routes, self._placement = app, routes, placement

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 204 or 422, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        placed = scope if path == "*" else {**scope, **self._placement.of(_with_encoded_slashes(scope))}
        if scope["method"] == "OPTIONS" and (allowed := self._allowed(placed)):
            await Response(status_code=204, headers={"Allow": allowed})(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        seen: Scope = {**placed, "method": "GET" if head else scope["method"], _HEAD: head}  # routers write into it

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _NOT_ALLOWED:
                MutableHeaders(scope=message)["Allow"] = self._allowed(placed)
            if message["type"] == "http.response.body" and head:
                message = {**message, "body": b""}
            await send(message)

        if faults := self._faults(seen):
            await answer(invalid_request(faults))(seen, receive, answered)
            return
        try:
            await self._app(seen, receive, answered)
        finally:
            scope.update(route=seen.get("route"))  # telemetry names it

    def _allowed(self, scope: Scope) -> str:
        """The methods that a path takes, as `Allow` has them; of `*` all, "" of a path that is not served."""
        routes = [it for it, _ in self._declared if scope["path"] == "*" or _matched(it, scope) is not Match.NONE]
        found = set[str]().union(*(it.methods or {"GET"} for it in routes))  # files of a mount name no methods
        implied = {"HEAD", "OPTIONS"} if "GET" in found else {"OPTIONS"} if found else set()
        return ", ".join(sorted(found | implied))

    @cached_property
    def _declared(self) -> Sequence[tuple[RouteContext, set[str]]]:
        """Every route, and the names of the query parameters that it declares."""
        return [(it, _parameters(getattr(it, "dependant", None))) for it in iter_route_contexts(self._routes)]

    def _faults(self, scope: Scope) -> list[Fault]:
        """What is wrong with the names of a request's query parameters."""
        sent = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
        if not sent:
            return []
        known = next((known for it, known in self._declared if _matched(it, scope) is Match.FULL), None)
        if known is None:
            return []  # which is answered 404 or 405
        faults = list[Fault]()
        for name in dict.fromkeys(sent):
            if name not in known:
                faults.append(_fault(name, unexpected("parameter", name, known)))
            elif (count := sent.count(name)) > 1:
                faults.append(_fault(name, f"expected it once, got it {count} times"))
            if len(faults) == _MAX_FAULTS:
                break
        return faults


def is_head(scope: Scope) -> bool:
    """Whether a request that a route sees as GET is HEAD, so that a body without an end would be for nobody."""
    return bool(scope.get(_HEAD))


def check_root_path(root_path: str, routes: Sequence[BaseRoute]) -> None:
    """Raise SettingsError where it cannot be told whether a path begins with the root path or is a route's own."""
    first = root_path.split("/")[1:2]
    if first and first[0] in {str(route.path).split("/")[1] for route in iter_route_contexts(routes)}:
        raise SettingsError(f"expected a root_path that begins like none of the service's own, got {root_path!r}")


def _fault(name: str, message: str) -> Fault:
    return Fault(location=f"query.{name}", message=message)


def _with_encoded_slashes(scope: Scope) -> str:
    """The path, with a character that nothing may have in place of slashes that were percent-encoded."""
    path, raw = str(scope["path"]), bytes(scope.get("raw_path") or b"")
    if _SLASH.search(raw) and unquote(raw.decode("latin-1")) == path:
        return unquote(_SLASH.sub(b"%00", raw).decode("latin-1"))
    return path


def _matched(route: RouteContext, scope: Scope) -> Match:
    match: Match = route.matches(scope)[0]
    return match


def _parameters(dependant: Dependant | None) -> set[str]:
    """Names of the query parameters that a route and what it depends on declare; files of a mount declare none."""
    if dependant is None:
        return set()
    own = {field.alias for field in get_flat_params(Dependant(query_params=dependant.query_params))}
    return own.union(*map(_parameters, dependant.dependencies))
