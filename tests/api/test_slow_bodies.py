"""Bodies that do not come."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from pricematch.api.slow_bodies import BodyDeadline
from tests.support.waiting import SAFETY_SECONDS


def run(pauses: list[float], seconds: float, idle_seconds: float, after: float = 0.0) -> list[bytes]:
    """The pieces that an application gets that come after these pauses; then it takes its time, and hears no more."""
    pieces: list[bytes] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while True:
            message = await receive()
            pieces.append(message["body"])
            if not message["more_body"]:
                break
        if after:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), after)

    await_pieces = iter(enumerate(pauses, start=1))

    async def receive() -> Message:
        number, pause = next(await_pieces, (0, 1000.0))
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b"x", "more_body": number < len(pauses)}

    async def send(_: Message) -> None:
        raise AssertionError("nothing is sent")

    call: Callable[..., Awaitable[None]] = BodyDeadline(app, seconds, idle_seconds)
    asyncio.run(call({"type": "http", "path": "/match"}, receive, send))  # type: ignore[arg-type]
    return pieces


def test_a_body_that_comes_in_time_is_passed_on_as_it_comes() -> None:
    assert run([0.0, 0.01, 0.01], SAFETY_SECONDS, SAFETY_SECONDS) == [b"x"] * 3


def test_fault_19_one_that_takes_too_long_between_two_pieces_is_ended() -> None:
    with pytest.raises(HTTPException) as ended:
        run([0.0, SAFETY_SECONDS], SAFETY_SECONDS, 0.05)
    assert ended.value.status_code == 408
    assert ended.value.detail == "expected the body a piece every 0.05 s"
    assert ended.value.headers == {"Connection": "close"}


def test_fault_19_one_that_drips_is_ended_at_the_deadline() -> None:
    with pytest.raises(HTTPException, match=r"expected the body within 0\.2 s"):
        run([0.02] * 1000, 0.2, SAFETY_SECONDS)


def test_once_it_is_whole_there_is_time() -> None:
    assert run([0.0], 0.4, 0.4, after=0.8) == [b"x"]
