"""Routes that are called without FastAPI's `solve_dependencies` do what it would have done."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from inspect import Parameter, Signature
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import AfterValidator, BaseModel, Field
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pricematch.api.access import READ, WRITE
from pricematch.api.direct_routes import DirectRoute, Straight
from pricematch.api.schemas.matches import MatchQuery
from tests.api.conftest import make_app

BOTH = (APIRoute, DirectRoute)


def app_of(endpoint: Callable[..., Any], kind: type[APIRoute], *needs: Any) -> FastAPI:
    """An application with one route of a kind; what guards it tells which key it was shown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"app": SimpleNamespace(guard=SimpleNamespace(admit=lambda *shown: told.append(shown)))}

    told: list[Any] = []
    app, router = FastAPI(lifespan=lifespan), APIRouter(route_class=kind)
    router.post("/{item}", dependencies=list(needs))(endpoint)
    app.include_router(router)
    app.state.told = told
    return app


class Wide(BaseModel):
    """A query that takes what it does not know."""

    model_config = {"extra": "allow"}

    name: str | None = None
    colour: Literal["red", "blue"] = "red"
    count: Annotated[int, Field(ge=1)] | None = None


async def narrow(asked: Annotated[MatchQuery, Query()]) -> Response:
    return JSONResponse(repr(asked))


async def wide(asked: Annotated[Wide, Query()]) -> Response:
    return JSONResponse(repr((asked, asked.model_extra)))


@pytest.mark.parametrize("endpoint", [narrow, wide])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "limit=3",
        "limit=3&limit=4",
        "limit=3&limit=none",
        "limit=0&min_similarity=inf&min_probability=7",
        "limit=&target=",
        "target=f1",
        "target=f1&min_probability=0.5",
        "target=best",
        "nothing",
        "b=1&a=2&b=3&limit=x&c=",
        "encoder=%ff&limit=+5",
        "name=x&name=y&colour=green&count=0",
        "min_probability=NaN",
        "limit[]=1;limit=2",
    ],
)
def test_a_query_is_read_and_refused_as_fastapi_does(endpoint: Callable[..., Any], query: str) -> None:
    usual, direct = (TestClient(app_of(endpoint, kind)).post(f"/1?{query}") for kind in BOTH)
    assert (direct.status_code, direct.json()) == (usual.status_code, usual.json())


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer k")],
        [("Authorization", "bEARER k")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer  k  ")],
        [("Authorization", "Bearer k x")],
        [("Authorization", "Bearer\tk")],
        [("Authorization", " Bearer k")],
        [("Authorization", "Basic k"), ("X-API-Key", "h")],
        [("Authorization", "Bearer k"), ("X-API-Key", "h")],
        [("Authorization", "Bearer k"), ("Authorization", "Bearer l")],
        [("Authorization", "k")],
        [("Authorization", ""), ("X-API-Key", "")],
        [("X-API-Key", "h"), ("X-API-Key", "i")],
        [("x-api-key", " h ")],
        [("Authorization", b"Bearer \xe9\xff")],
    ],
    ids=repr,
)
def test_a_key_is_found_where_fastapi_finds_it(headers: list[tuple[str, Any]]) -> None:
    async def endpoint() -> Response:
        return Response()

    shown = []
    for kind in BOTH:
        app = app_of(endpoint, kind, READ)
        with TestClient(app) as client:
            assert client.post("/1", headers=headers).status_code == 200
        shown.append(app.state.told)
    assert shown[0] == shown[1]
    assert len(shown[0]) == 1


def test_what_is_needed_is_called_once_in_its_order_and_before_the_query_is_looked_at() -> None:
    called: list[str] = []

    async def first(request: Request) -> str:
        called.append("first")
        return request.method

    async def second(method: Annotated[str, Depends(first)]) -> str:
        called.append("second")
        return method * 2

    async def guard(_: Annotated[str, Depends(first)]) -> None:
        called.append("guard")

    async def endpoint(
        asked: Annotated[MatchQuery, Query()],
        doubled: Annotated[str, Depends(second)],
        method: Annotated[str, Depends(first)],
        again: Request,
    ) -> Response:
        return Response(f"{asked.limit} {doubled} {method} {again.method}")

    client = TestClient(app_of(endpoint, DirectRoute, Depends(guard)))
    assert client.post("/1").text == "10 POSTPOST POST POST"
    assert called == ["first", "guard", "second"]
    assert client.post("/1?limit=0").status_code == 422
    assert called == ["first", "guard", "second"] * 2


def test_what_a_dependency_raises_is_answered_in_place_of_faults_of_the_query() -> None:
    async def gone() -> None:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        TestClient(app_of(narrow, DirectRoute, Depends(gone))).post("/1?limit=0")


def test_it_is_described_as_an_ordinary_route_is() -> None:
    usual, direct = (app_of(narrow, kind, WRITE).openapi() for kind in BOTH)
    assert direct == usual
    assert direct["paths"]["/{item}"]["post"]["security"]


def test_the_application_gives_such_routes_no_dependencies_but_their_own() -> None:
    contexts = [it for it in iter_route_contexts(make_app().routes) if isinstance(it.original_route, DirectRoute)]
    assert contexts
    for context in contexts:
        assert isinstance(context.original_route, DirectRoute)
        assert context.dependencies == context.original_route.dependencies, context.path


async def _made(limit: Annotated[int, Query()]) -> int:
    return limit


async def _yielded() -> AsyncGenerator[int]:
    yield 1


async def _nothing() -> int:
    return 1


def _blocking() -> int:
    return 1


class _Several(BaseModel):
    names: list[str] | None = None


class _Renamed(BaseModel):
    name: str = Field(alias="other")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("item", Annotated[str, Path()]),
        ("one", Annotated[int, Query()]),
        ("one", Annotated[str, Header()]),
        ("one", Annotated[str, Body()]),
        ("one", Response),
        ("one", Annotated[_Several, Query()]),
        ("one", Annotated[_Renamed, Query()]),
        ("one", Annotated[Wide, AfterValidator(str), Query()]),
        ("one", Annotated[int, Depends(_made)]),
        ("one", Annotated[int, Depends(_yielded)]),
        ("one", Annotated[int, Depends(_blocking)]),
        ("one", Annotated[int, Depends(_nothing, use_cache=False)]),
    ],
    ids=str,
)
def test_an_endpoint_that_takes_anything_else_is_refused_when_its_route_is_made(name: str, kind: Any) -> None:
    async def endpoint(**_: Any) -> Response:
        return Response()

    endpoint.__signature__ = Signature([Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind)])  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="expected"):
        app_of(endpoint, DirectRoute)


def test_so_is_one_that_takes_two_models_of_the_query() -> None:
    async def endpoint(one: Annotated[MatchQuery, Query()], other: Annotated[Wide, Query()]) -> Response:
        return Response(f"{one} {other}")

    with pytest.raises(TypeError, match="expected one model"):
        app_of(endpoint, DirectRoute)


def test_so_is_one_that_is_no_coroutine_or_answers_with_no_response() -> None:
    async def model() -> Wide:
        return Wide()

    def blocking() -> Response:
        return Response()

    for endpoint in (model, blocking):
        with pytest.raises(TypeError, match="expected"):
            app_of(endpoint, DirectRoute)


@pytest.mark.parametrize(
    ("method", "path", "status", "straight"),
    [
        ("POST", "/match", 415, True),
        ("GET", "/match", 405, False),
        ("POST", "/match/", 404, False),
        ("POST", "//match", 404, False),
        ("GET", "/postings/p0", 200, False),
    ],
)
def test_only_a_request_for_the_very_path_of_a_direct_route_goes_straight_to_it(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int, straight: bool
) -> None:
    app, asked = make_app(), list[str]()
    routers = app.router.middleware_stack
    assert isinstance(routers, Straight)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["type"])
        await router(scope, receive, send)

    router = routers._router
    monkeypatch.setattr(routers, "_router", noting)
    with TestClient(app) as client:
        assert client.request(method, f"http://testserver{path}").status_code == status
    assert asked.count("http") == (not straight)
