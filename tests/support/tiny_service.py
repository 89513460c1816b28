"""The real server over the tiny matcher, as a process: `python -m tests.support.tiny_service FOLDER`.

The folder is how a test talks to it: while there is a file `hold-start` it does not get ready; `held_worker` says what
else may be there; `settings.json` holds its settings. It prints its port.
"""

import json
import logging
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pricematch.api import server
from pricematch.encoding import encoding as encoding_module
from pricematch.encoding.encoding import BlockingEncoding
from pricematch.progress import Progress
from pricematch.serving import startup
from pricematch.serving.intake import Intake
from pricematch.settings import Settings
from tests.support.backend import in_memory
from tests.support.fakes import tiny_images, tiny_matcher
from tests.support.held_worker import SPEC
from tests.support.memory_store import MemoryStore


class OneStore:
    """The stores of `pricematch.store.sqlite.store.Store`, all in one."""

    def __init__(self, store: MemoryStore) -> None:
        self.postings = self.feedback = self.jobs = self.models = store


@dataclass(frozen=True)
class InMemory:
    """A catalogue that is kept in memory, in place of `startup.ServedCatalogue`."""

    settings: Settings
    intake: Intake
    store: OneStore
    uploads: None = None

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
        encoding.load([SPEC])
        intake, store = in_memory(tiny_matcher(), tiny_images(), encoding.encode)
        return InMemory(settings, intake, OneStore(store))

    def commands(count: int) -> list[Sequence[str]]:
        return [[sys.executable, "-m", "tests.support.held_worker", str(folder)]] * count

    settings = Settings(port=0, **json.loads((folder / "settings.json").read_text()))
    with (
        patch.object(server, "_listen", listen_and_tell),
        patch.object(startup, "start", start),
        patch.object(encoding_module, "worker_commands", commands),
    ):
        server.serve(settings, lambda *_: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
