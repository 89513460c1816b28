"""What is sent in frames arrives whole, or is told to be missing."""

import asyncio
import socket
from threading import Thread

import pytest

from pricematch.encoding.wire import divided, receive, send, write_frame

PARTS = [(), (b"",), (b"one", b"", b"three"), (bytes(3_000_000), b"end"), (b"begin", bytes(3_000_000))]


@pytest.mark.parametrize("parts", PARTS)
def test_what_is_sent_arrives(parts: tuple[bytes, ...]) -> None:
    here, there = socket.socketpair()
    with here, there:
        sending = Thread(target=send, args=(here, {"sizes": [len(part) for part in parts], "é": None}, *parts))
        sending.start()
        said, body = receive(there)
        sending.join()
    assert said == {"sizes": [len(part) for part in parts], "é": None}
    assert divided(body, said["sizes"]) == list(parts)


@pytest.mark.anyio
@pytest.mark.parametrize("parts", PARTS)
async def test_what_an_event_loop_sends_arrives(parts: tuple[bytes, ...]) -> None:
    here, there = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=here)
    with there:
        receiving = asyncio.create_task(asyncio.to_thread(receive, there))
        await write_frame(writer, {"é": None}, *parts)
        said, body = await receiving
    writer.close()
    await writer.wait_closed()
    assert said == {"é": None}
    assert body == b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\2" + bytes(7) + b"\1" + b"{}"])
def test_a_frame_that_breaks_off_is_known(sent: bytes) -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(sent)
        with pytest.raises(EOFError):
            receive(there)
