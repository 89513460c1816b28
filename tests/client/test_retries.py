"""What is asked again, after how long, and what is raised in the end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pricematch.client import (
    ConnectionFailed,
    DeadlineExceeded,
    Forbidden,
    Gone,
    HistoryLost,
    ImageRefused,
    InvalidRequest,
    NewPosting,
    NotFound,
    Overloaded,
    PricematchClientError,
    PricematchHTTPError,
    ServiceFailed,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from tests.support.clients import Asked, Scripted, problem

REMOVED = httpx2.Response(200, json={"catalogue_version": 7, "posting_id": "a", "removed": True})
LOST = httpx2.ReadError("the connection broke")


def delete(client: Any) -> Any:
    return client.delete("a")


@pytest.mark.parametrize(
    "trouble",
    [problem(429), problem(502), problem(503), problem(504), LOST, httpx2.ConnectTimeout("slow")],
    ids=["429", "502", "503", "504", "broken", "slow"],
)
def test_trouble_that_passes_is_waited_for(trouble: Any, asked: Asked, pauses: list[float]) -> None:
    """Longer each time."""
    transport = Scripted(trouble, trouble, trouble, REMOVED)
    assert asked.of(transport, delete).removed
    assert len(transport.sent) == 4
    assert [low <= pause <= 2 * low for low, pause in zip((0.125, 0.25, 0.5), pauses, strict=True)] == [True] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 413, 415, 422, 500, 507])
def test_what_another_attempt_would_not_change_is_raised_at_once(
    status: int, asked: Asked, pauses: list[float]
) -> None:
    transport = Scripted(problem(status, "odd"))
    with pytest.raises(PricematchHTTPError, match=rf"^{status} odd: expected it later$") as raised:
        asked.of(transport, delete)
    assert (raised.value.status, raised.value.type, raised.value.detail) == (status, "odd", "expected it later")
    assert (len(transport.sent), pauses) == (1, [])


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts_have_an_end(attempts: int, asked: Asked, pauses: list[float]) -> None:
    transport = Scripted(problem(503, "not-ready"))
    with pytest.raises(Unavailable):
        asked.of(transport, delete, attempts=attempts)
    assert (len(transport.sent), len(pauses)) == (attempts, attempts - 1)
    with pytest.raises(ConnectionFailed, match="DELETE http://testserver/v1/postings/a: ReadError: the conn") as raised:
        asked.of(Scripted(LOST), delete, attempts=attempts)
    assert isinstance(raised.value.__cause__, httpx2.ReadError)


def test_the_service_says_how_long_to_wait(asked: Asked, pauses: list[float]) -> None:
    """In seconds or as a date; what it says wrongly is passed over."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    answers = [problem(429, Retry_After=value) for value in ("9", date, "soon", "-4", "inf")]
    assert asked.of(Scripted(*answers, REMOVED), delete, attempts=6).removed
    assert pauses[0] == 9
    assert 30 < pauses[1] <= 41
    assert max(pauses[2:]) <= 8


def test_nobody_waits_longer_than_there_is_patience(asked: Asked, pauses: list[float]) -> None:
    transport = Scripted(problem(429, Retry_After="100"))
    with pytest.raises(Overloaded) as raised:
        asked.of(transport, delete, patience=99)
    assert raised.value.retry_after == 100
    assert (len(transport.sent), pauses) == (1, [])


def file_of(tmp_path: Path) -> Path:
    path = tmp_path / "postings.csv"
    path.write_bytes(b"posting_id,title\na,kopi\n")
    return path


ONCE: dict[str, Callable[[Any], Any]] = {
    "the end of a job, which a second time forgets it": lambda client: client.end_job("a"),
    "a patch": lambda client: client.patch("a", title="b"),
    "a posting that must be absent": lambda client: client.put("a", "b", if_absent=True),
    "a posting that must be as it was": lambda client: client.put("a", "b", if_match='"1"'),
    "the removal of one that must be as it was": lambda client: client.delete("a", if_match='"1"'),
    "the removal of many, which tells how many": lambda client: client.delete_matching("shop=a"),
}
KEYED: dict[str, Callable[[Any, Path], Any]] = {
    "an import": lambda client, path: client.import_postings(file_of(path)),
    "a training": lambda client, _: client.train(),
    "a batch": lambda client, _: client.decide_batch([("a", "b", "same")]),
    "many postings": lambda client, _: client.put_many([NewPosting(posting_id="a", title="b")]),
    "patches": lambda client, _: client.patch_many([("a", {"title": "b"})]),
}
AGAIN: dict[str, Callable[[Any], Any]] = {
    "a query": lambda client: client.match(b"image"),
    "a cluster": lambda client: client.cluster("all"),
    "a posting": lambda client: client.put("a", "b"),
    "a verdict": lambda client: client.decide("a", "b", "same"),
    "a preview": lambda client: client.preview_batch([("a", "b", "same")]),
    "the undoing of a batch": lambda client: client.undo_batch("a"),
}


@pytest.mark.parametrize("trouble", [problem(503), LOST], ids=["503", "broken"])
@pytest.mark.parametrize("name", ONCE)
def test_what_might_be_done_twice_is_asked_once(name: str, trouble: Any, asked: Asked, pauses: list[float]) -> None:
    transport = Scripted(trouble)
    with pytest.raises((Unavailable, ConnectionFailed)):
        asked.of(transport, ONCE[name])
    assert (len(transport.sent), pauses) == (1, [])


@pytest.mark.parametrize("name", AGAIN)
def test_what_stores_nothing_or_the_same_is_asked_again_with_the_same_body(
    name: str, asked: Asked, pauses: list[float]
) -> None:
    transport = Scripted(LOST)
    with pytest.raises(ConnectionFailed):
        asked.of(transport, AGAIN[name], attempts=2)
    assert len(pauses) == 1
    first, second = (_without_boundary(it) for it in transport.sent)
    assert first == second


@pytest.mark.parametrize("trouble", [LOST, problem(409, "request-running", Retry_After="1")], ids=["lost", "running"])
@pytest.mark.parametrize("name", KEYED)
def test_what_stores_something_is_asked_again_under_the_same_key(
    name: str, trouble: Any, asked: Asked, pauses: list[float], tmp_path: Path
) -> None:
    """With the same body, also of a file; another request has another key."""
    transport = Scripted(trouble)
    for _ in range(2):
        with pytest.raises(PricematchClientError):
            asked.of(transport, lambda client: KEYED[name](client, tmp_path), attempts=2)
    assert len(pauses) == 2
    first, second, *others = transport.sent
    assert _without_boundary(first) == _without_boundary(second)
    assert len(first.content) == len(second.content) > 0
    keys = [it.headers["idempotency-key"] for it in transport.sent]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert len(others) == 2


def _without_boundary(request: httpx2.Request) -> tuple[str, str, bytes]:
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].encode()
    return request.method, str(request.url), request.content.replace(boundary, b"") if boundary else request.content


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "unauthenticated", Unauthenticated),
        (403, "forbidden", Forbidden),
        (404, "posting-not-found", NotFound),
        (410, "product-gone", Gone),
        (410, "history-lost", HistoryLost),
        (422, "invalid-request", InvalidRequest),
        (413, "image-too-large", ImageRefused),
        (422, "import-refused", InvalidRequest),
        (408, "too-slow", DeadlineExceeded),
        (507, "storage-full", ServiceFailed),
        (500, "internal-error", ServiceFailed),
        (418, "of-a-newer-service", InvalidRequest),
    ],
)
def test_problems_are_errors_of_their_own(status: int, kind: str, error: type[Exception], asked: Asked) -> None:
    with pytest.raises(PricematchHTTPError) as raised:
        asked.of(Scripted(problem(status, kind)), delete)
    assert type(raised.value) is error


def test_what_is_wrong_where_is_told(asked: Asked) -> None:
    fault = {"location": "query.limit", "message": "too many"}
    body = {"type": "urn:pricematch:problem:invalid-request", "title": "x", "status": 422, "detail": "y"}
    with pytest.raises(InvalidRequest) as raised:
        asked.of(Scripted(httpx2.Response(422, json={**body, "errors": [fault], "newer": 1})), delete)
    assert [(it.location, it.message) for it in raised.value.errors] == [("query.limit", "too many")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx2.Response(200, text="<html>"), UnexpectedAnswer),
        (httpx2.Response(200, json=[]), UnexpectedAnswer),
        (httpx2.Response(200, json={"catalogue_version": "7", "posting_id": "a", "removed": True}), UnexpectedAnswer),
        (httpx2.Response(200, json={"catalogue_version": 7, "removed": True}), UnexpectedAnswer),
        (httpx2.Response(301, headers={"Location": "https://elsewhere"}), UnexpectedAnswer),
        (httpx2.Response(502, text="<html>Bad Gateway"), Unavailable),
        (httpx2.Response(404, text="nothing"), NotFound),
        (httpx2.Response(500, content=b""), ServiceFailed),
    ],
    ids=["no JSON", "no object", "another type", "a field lacks", "redirect", "proxy", "another server", "empty"],
)
def test_answers_of_other_servers_are_told_apart(
    answer: httpx2.Response, error: type[Exception], asked: Asked, pauses: list[float]
) -> None:
    with pytest.raises(error, match="testserver"):
        asked.of(Scripted(answer), delete)


def test_what_a_newer_service_adds_is_passed_over(asked: Asked) -> None:
    """Fields, states and kinds of changes."""
    body = {"catalogue_version": 7, "posting_id": "a", "removed": True, "newer": {"a": 1}}
    assert asked.of(Scripted(httpx2.Response(200, json=body)), delete).posting_id == "a"
    change = {"revision": 3, "kind": "price", "change": "set", "price": 3}
    page = {"catalogue_version": 7, "changes": [change], "next_since": "3", "more": False}
    [found] = asked.of(Scripted(httpx2.Response(200, json=page)), lambda client: client.changes()).changes
    assert (found.revision, found.kind, found.change) == (3, "price", "set")
