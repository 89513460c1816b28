"""The real server over the tiny matcher, as a process: `python -m tests.support.tiny_service FOLDER`.

The folder is how a test talks to it: while there is a file `hold-start` it does not get ready; while there is a file
`hold` a picture is not encoded, and `held` appears; `encoded` gets a line with the size of every batch; `settings.json`
holds its settings. It prints its port.
"""

import json
import logging
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from pricematch.api import server
from pricematch.api.state import Ready
from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.batch_observer import BatchObserver
from pricematch.encoding.batching import Batcher
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels
from pricematch.progress import Progress
from pricematch.settings import Settings
from tests.api.conftest import live
from tests.support.fakes import MIN_SIDE, SIDE, MeanColourEncoder, tiny_encoder, tiny_images, tiny_matcher


class HeldEncoder(MeanColourEncoder):
    """Waits while there is a file `hold`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def encode(self, pixels: Pixels) -> Embeddings:
        while (self._folder / "hold").exists():
            (self._folder / "held").touch()
            time.sleep(0.01)
        with (self._folder / "encoded").open("a") as file:
            file.write(f"{len(pixels)}\n")
        return super().encode(pixels)


@dataclass(frozen=True)
class InMemory:
    """A catalogue that is kept in memory, in place of `pricematch.serving.running.Running`."""

    ready: Callable[[], Ready]
    batcher: Batcher

    def trouble(self) -> str | None:
        """Of the encoder."""
        return self.batcher.trouble()

    def encoders(self) -> list[int]:
        """None: it encodes in this process."""
        return []

    def close(self) -> None:
        """Stop encoding."""
        self.batcher.close()


def main(folder: Path) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    listen = server._listen

    def listen_and_tell(settings: Settings) -> socket.socket:
        listener = listen(settings)
        print(listener.getsockname()[1], flush=True)
        return listener

    def start(settings: Settings, progress: Progress, observer: BatchObserver) -> InMemory:
        progress("Loading models", 0, 1)
        while (folder / "hold-start").exists():
            time.sleep(0.01)
        batcher = Batcher(hang_seconds=settings.request_seconds, observer=observer)
        decoder = PillowDecoder(SIDE, settings.max_pixels, MIN_SIDE)
        embedder = batcher.over(tiny_encoder(HeldEncoder(folder), decoder).embedder)
        return InMemory(live(tiny_matcher(embedder=embedder), tiny_images()), batcher)

    settings = Settings(port=0, **json.loads((folder / "settings.json").read_text()))
    with patch.multiple(server, _listen=listen_and_tell, start_catalogue=start):
        server.serve(settings, lambda *_: None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
