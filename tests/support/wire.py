"""Requests that no client library would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

BOUNDARY = "boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(headers: str, content: bytes = b"", boundary: str = BOUNDARY) -> bytes:
    """A part of a form, written by hand."""
    return b"--" + boundary.encode() + b"\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes) -> bytes:
    """A text field."""
    return part(f'Content-Disposition: form-data; name="{name}"', content)


def file(name: str, content: bytes, filename: str = "a.png") -> bytes:
    """A file part."""
    return part(f'Content-Disposition: form-data; name="{name}"; filename="{filename}"', content)


def form(parts: Iterable[bytes]) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--" + BOUNDARY.encode() + b"--\r\n"


@dataclass
class Answer:
    """What the application answered, and how many pieces of the body it took."""

    status: int
    problem: Any
    pieces_read: int


def send_pieces(
    app: ASGIApp, path: str, headers: dict[str, str], pieces: Sequence[bytes], *, aborts: bool = False
) -> Answer:
    """POST a body piece by piece as a server hands it on; `aborts`: the client goes away instead of ending it."""
    return asyncio.run(_send_pieces(app, path, headers, pieces, aborts))


async def _send_pieces(
    app: ASGIApp, path: str, headers: dict[str, str], pieces: Sequence[bytes], aborts: bool
) -> Answer:
    read = 0
    sent: list[Message] = []
    answered = asyncio.Event()

    async def receive() -> Message:
        nonlocal read
        if read >= len(pieces):
            if not aborts:
                await answered.wait()
            return {"type": "http.disconnect"}
        read += 1
        more = aborts or read < len(pieces)
        return {"type": "http.request", "body": pieces[read - 1], "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    async with _lifespan(app) as state:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in {"Host": "x", **headers}.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": dict(state),
        }
        await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return Answer(sent[0]["status"], json.loads(body) if body else None, read)


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """The state of an application that is started, and stopped in the end."""
    state = dict[str, Any]()
    asked, answered = asyncio.Queue[Message](), asyncio.Queue[Message]()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    running = asyncio.ensure_future(app(scope, asked.get, answered.put))
    for step in ("startup", "shutdown"):
        await asked.put({"type": f"lifespan.{step}"})
        assert (await answered.get())["type"] == f"lifespan.{step}.complete"
        if step == "startup":
            yield state
    await running
