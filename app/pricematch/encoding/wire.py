"""Frames of JSON and bytes, which the service and its worker processes exchange over a socket. Nothing is unpickled."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

_LENGTHS = struct.Struct("!IQ")


class EncoderSpec(BaseModel):
    """Names an encoder and all that its embeddings depend on; whoever has one can load it.

    Attributes:
        models: folder of exported models.
        name, version: the encoder's.
        weights: digests of the models' weights, the first model's first; what is loaded must have these.
        precision: `float32` or `bfloat16`.
        side: pixels a side that pictures are decoded to.
        max_pixels, min_side: limits of pictures.
    """

    model_config = ConfigDict(frozen=True)

    models: Path
    name: str
    version: str
    weights: tuple[str, ...]
    precision: str
    side: int
    max_pixels: int
    min_side: int


def send(connection: socket.socket, message: Mapping[str, Any], *parts: bytes) -> None:
    """Send a frame: a JSON object and bytes; raises OSError."""
    head = json.dumps(message).encode()
    connection.sendall(b"".join((_LENGTHS.pack(len(head), sum(map(len, parts))), head, *parts)))


def receive(connection: socket.socket) -> tuple[Mapping[str, Any], memoryview]:
    """The next frame; raises EOFError if the other end is gone, OSError."""
    head, body = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size))
    message: Mapping[str, Any] = json.loads(bytes(_exactly(connection, head)))
    return message, _exactly(connection, body)


async def write_frame(writer: asyncio.StreamWriter, message: Mapping[str, Any], *parts: bytes) -> None:
    """Send a frame from an event loop; raises OSError."""
    head = json.dumps(message).encode()
    writer.write(_LENGTHS.pack(len(head), sum(map(len, parts))) + head)
    for part in parts:
        writer.write(part)
        await writer.drain()


async def read_frame(reader: asyncio.StreamReader) -> tuple[Mapping[str, Any], bytes]:
    """The next frame in an event loop; raises EOFError if the other end is gone, OSError."""
    head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    message: Mapping[str, Any] = json.loads(await reader.readexactly(head))
    return message, await reader.readexactly(body)


def divided(body: memoryview, sizes: Sequence[int]) -> list[bytes]:
    """Consecutive pieces of these sizes."""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return [bytes(body[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _exactly(connection: socket.socket, size: int) -> memoryview:
    view = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        got = connection.recv_into(view[filled:])
        if got == 0:
            raise EOFError("the other end is gone")
        filled += got
    return view
