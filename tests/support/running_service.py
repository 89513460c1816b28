"""A service over the tiny matcher that runs as a process of its own: `python -m tests.support.running_service FOLDER`.

The folder is how a test holds it: while there is a file `hold-start` it does not get ready; `tiny_worker` says what
else may be there; `settings.json` holds its settings. It prints its port.
"""

import http.client
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from unittest.mock import patch

from pricematch.api import server
from pricematch.encoding import encoding as encoding_module
from pricematch.encoding.blocking import BlockingEncoding
from pricematch.encoding.encoders import EncoderSpec, NetworkSpec
from pricematch.progress import Progress
from pricematch.serving import startup
from pricematch.serving.intake import Intake
from pricematch.settings import KIB, Settings
from tests.support.applications import in_memory
from tests.support.fakes import MEAN_COLOUR, SIDE, marked_bytes, tiny_images, tiny_matcher
from tests.support.memory_products import MemoryProducts
from tests.support.memory_store import MemoryStore
from tests.support.waiting import SAFETY_SECONDS

RED = marked_bytes("#ff0000")
ROOT = Path(__file__).parents[2]
_SPEC = EncoderSpec(
    MEAN_COLOUR.key,
    SIDE,
    MEAN_COLOUR.dimension,
    MEAN_COLOUR.versions,
    network=NetworkSpec(models=Path(), name="mean-colour", version="1", weights=(), precision="float32"),
)
"""What its worker processes load."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any


class TinyService:
    """A running service, and the folder through which it is held."""

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

    def encoders(self) -> list[int]:
        """Ids of the processes that encode for it."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        found = list[int]()
        for thread in threads:
            with suppress(FileNotFoundError, ProcessLookupError):  # of a thread that has ended meanwhile
                found += map(int, (thread / "children").read_text().split())
        return found

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
    """A service that is started, and killed in the end.

    By default one process encodes, which gets the image of every request, and there is no deadline.
    """
    usual = {"request_seconds": SAFETY_SECONDS, "workers": 1, "max_cached_feature_bytes": 0}
    (folder / "settings.json").write_text(json.dumps(usual | settings))
    for hold in holds:
        (folder / hold).touch()
    command = [sys.executable, "-m", "tests.support.running_service", str(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            yield TinyService(process, folder)
        finally:
            process.kill()


class OneStore:
    """The part of `pricematch.store.sqlite.store.Store` that a service needs; a test puts images into its folder."""

    def __init__(self, store: MemoryStore, folder: Path) -> None:
        self.jobs, self.feed, self.webhooks, self.fields, self.images = store, store, store, store, self
        self.products, self._folder = MemoryProducts(store), folder
        self.answers = store

    def open(self, name: str) -> BinaryIO:
        """The file of an image."""
        return (self._folder / name).open("rb")


@dataclass(frozen=True)
class InMemory:
    """A catalogue that is kept in memory, in place of `served_catalogue.ServedCatalogue`."""

    settings: Settings
    intake: Intake
    store: OneStore
    uploads: None = None
    trainer: None = None

    def manifests(self) -> Sequence[Mapping[str, Any]]:
        """None: nothing was exported."""
        return ()

    def close(self) -> None:
        """Nothing."""


def main(folder: Path) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    listen = server._listen

    def listen_and_tell(settings: Settings) -> socket.socket:
        listener = listen(settings)
        print(listener.getsockname()[1], flush=True)
        return listener

    def start(settings: Settings, encoding: BlockingEncoding, progress: Progress, **_: Any) -> InMemory:
        progress("Loading models", 0, 1)
        while (folder / "hold-start").exists():
            time.sleep(0.01)
            progress("Loading models", 0, 1)
        encoding.load([_SPEC])
        intake, store = in_memory(tiny_matcher(), tiny_images(), encoding.encode)
        return InMemory(settings, intake, OneStore(store, folder))

    def commands(count: int) -> list[Sequence[str]]:
        return [[sys.executable, "-m", "tests.support.tiny_worker", str(folder)]] * count

    settings = Settings(port=0, **json.loads((folder / "settings.json").read_text()))
    with (
        patch.object(server, "_listen", listen_and_tell),
        patch.object(startup, "start", start),
        patch.object(encoding_module, "worker_commands", commands),
    ):
        server.serve(settings, lambda *_: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
