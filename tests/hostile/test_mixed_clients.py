"""Good, bad and aborted requests at once, against the real server."""

import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pricematch.settings import KIB, MIB, Settings
from tests.support.fakes import COLOURS, marked_bytes
from tests.support.http_bytes import FORM, HEALTH, POST, file, form
from tests.support.odd_images import png_header, webp_header
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

CLIENTS = 32
PICTURES = [marked_bytes(colour) for colour in COLOURS]
MOST_THREADS = Settings().max_in_flight + 60
"""Those that requests are worked on in, and those that look things up."""
BAD: Mapping[int, tuple[bytes, ...]] = {
    413: (png_header(50_000, 50_000), webp_header(16_383, 16_383), bytes(3 * MIB)),
    415: (b"%PDF-1.4", b"<svg/>", b"PK\3\4" + bytes(100)),
    422: (b"", PICTURES[0][:40], b"\xff\xd8\xff" + bytes(100), png_header(1, 1)),
}

BROKEN = [bytes(1000), HEALTH + b"X: y\r\n" * 100_000 + b"\r\n", POST + b"Content-Length: -1\r\n\r\n"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service with its default limits, but for small bodies."""
    with running(tmp_path_factory.mktemp("service"), max_body_bytes=2 * MIB, access_log=False, workers=2) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        yield service


class Client:
    """One client, which asks whatever its luck says.

    Attributes:
        done: how often each kind was asked and answered as it must be.
    """

    def __init__(self, service: TinyService, number: int) -> None:
        self._service, self._number = service, number
        self._luck = random.Random(number)
        self.done: Counter[str] = Counter()

    def run(self, count: int) -> "Counter[str]":
        """Ask so many times."""
        kinds: list[Callable[[], None]] = [self.match, self.match, self.put, self.bad, self.aborted, self.broken]
        for _ in range(count):
            kind = self._luck.choice(kinds)
            kind()
            self.done[kind.__name__] += 1
        return self.done

    def match(self) -> None:
        """An image like one of the catalogue finds that before the others there."""
        row = self._luck.randrange(len(COLOURS))
        status, answer = self._asked("POST", "/match?limit=50", PICTURES[row], "image/png")
        assert status == 200
        found = [match["posting_id"] for match in answer["matches"]]
        assert next(posting_id for posting_id in found if posting_id.startswith("p")) == f"p{row}"

    def put(self) -> None:
        """What is put is there, is found, and is gone once it is deleted."""
        posting_id, colour = f"x{self._number}", self._luck.choice(COLOURS)
        path = f"/postings/{posting_id}"
        status, _ = self._asked("PUT", path, marked_bytes(colour), "image/png")
        assert status in {200, 201}
        status, answer = self._asked("GET", f"{path}/matches?limit=50")
        assert status == 200
        assert f"p{COLOURS.index(colour)}" in [match["posting_id"] for match in answer["matches"]]
        assert self._asked("DELETE", path)[0] == 200
        assert self._asked("GET", path)[0] == 404

    def bad(self) -> None:
        """What cannot be an image is refused as such."""
        expected = self._luck.choice(list(BAD))
        status, answer = self._asked("POST", "/match", self._luck.choice(BAD[expected]), "image/png")
        assert (status, answer["status"]) == (expected, expected)

    def aborted(self) -> None:
        """A request that is given up half-way, or before its answer."""
        whole = form([file("image", PICTURES[0])])
        head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(whole)}\r\n\r\n"
        request = head.encode() + whole
        with suppress(ConnectionError), self._service.connect() as connection:
            connection.sendall(request[: self._luck.randrange(1, len(request) + 1)])

    def broken(self) -> None:
        """Bytes that are no HTTP are refused."""
        request = self._luck.choice(BROKEN)
        answer = self._service.send(request)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))

    def _asked(self, method: str, path: str, body: bytes | None = None, media_type: str = "") -> tuple[int, Any]:
        """Status and answer; whoever is told to come again does."""
        headers = {"Content-Type": media_type} if media_type else {}
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=SAFETY_SECONDS)
            try:
                with suppress(ConnectionError):  # it need not read all of what is too large
                    connection.request(method, path, body, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
            except ConnectionResetError:
                assert body is not None  # the refusal of what is too large was lost with the connection
                assert len(body) > 2 * MIB
                return 413, {"status": 413}
            finally:
                connection.close()
            if response.status != http.HTTPStatus.TOO_MANY_REQUESTS:
                return response.status, answer
            assert float(response.headers["retry-after"]) > 0
            time.sleep(0.05)


def figures(service: TinyService) -> tuple[float, int, int]:
    """Resident bytes, open files and threads of the server."""
    process = Path(f"/proc/{service.process.pid}")
    memory = int((process / "statm").read_text().split()[1]) * 4 * KIB
    return memory, len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))


@pytest.mark.process
@pytest.mark.parametrize("requests", [10, pytest.param(300, marks=pytest.mark.long)])
def test_fault_37_many_clients_at_once_are_answered_right(service: TinyService, requests: int) -> None:
    """While 32 clients send good, bad and broken requests, each is answered as it must be, and health in between."""
    with ThreadPoolExecutor(CLIENTS) as pool:  # once for what is made with the first requests
        list(pool.map(lambda number: Client(service, number).run(3), range(CLIENTS)))
    before = figures(service)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(Client(service, number).run, requests) for number in range(CLIENTS)]
        while True:
            assert service.ask("GET", "/healthz").status == 200
            if all(client.done() for client in clients):
                break
            time.sleep(0.01)
        done = sum((client.result() for client in clients), Counter())
    assert set(done) == {"match", "put", "bad", "aborted", "broken"}
    eventually(lambda: figures(service)[1] <= before[1] + 2)
    memory, _, threads = figures(service)
    assert memory - before[0] < 64 * MIB
    assert threads < MOST_THREADS
    assert "Traceback" not in service.log()
    service.assert_well()
