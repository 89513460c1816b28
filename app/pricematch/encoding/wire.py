"""Frames between the service and a process that encodes: a JSON object and bytes; nothing is unpickled."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

_LENGTHS = struct.Struct("!IQ")


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
    first, *others = parts or (b"",)
    # at once: a head by itself would wake the other end for nothing
    writer.writelines((_LENGTHS.pack(len(head), sum(map(len, parts))), head, first))
    for part in others:
        await writer.drain()
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
