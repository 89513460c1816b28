"""A service over the tiny matcher that runs as a process of its own."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pricematch.settings import KIB
from tests.support.fakes import image_bytes
from tests.support.waiting import SAFETY_SECONDS

RED = image_bytes("#ff0000")
ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any


class TinyService:
    """A running `tests.support.tiny_service`, and the folder through which it is held."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder = process, folder
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SAFETY_SECONDS)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), json.loads(response.read()))
        finally:
            connection.close()

    def match(self) -> Answer:
        """Match a red image."""
        return self.ask("POST", "/match", RED, Content_Type="image/png")

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SAFETY_SECONDS)

    def send(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes until the server closes the connection."""
        answer = bytearray()
        with self.connect() as connection, suppress(ConnectionError):
            with suppress(ConnectionError):  # it need not read everything
                connection.sendall(request)
            while piece := connection.recv(64 * KIB):
                answer += piece
        return bytes(answer)

    def log(self) -> str:
        """What it logged up to now."""
        return (self.folder / "log").read_text()

    def assert_well(self) -> None:
        """It is alive, and the next valid request succeeds."""
        answer = self.match()
        assert answer.status == 200
        assert answer.body["matches"][0]["posting_id"] == "p0"
        assert "Traceback" not in self.log()


@contextmanager
def running(folder: Path, *holds: str, **settings: Any) -> Iterator[TinyService]:
    """A service that is started, and killed in the end; its requests have all the time they need unless told."""
    (folder / "settings.json").write_text(json.dumps({"request_seconds": SAFETY_SECONDS, **settings}))
    for hold in holds:
        (folder / hold).touch()
    command = [sys.executable, "-m", "tests.support.tiny_service", str(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            yield TinyService(process, folder)
        finally:
            process.kill()
