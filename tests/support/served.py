"""Stores that are served in the test's process, their settings, and encoders that give mean colours."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures, Wanted, unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Kept
from pricematch.encoding.blocking import BlockingEncoding, ForThreads
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding
from pricematch.errors import ImageError
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options
from pricematch.progress import Progress, silent
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.posting_images import whole_of
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.serving.startup import start
from pricematch.settings import Settings, load_settings
from tests.support.catalogues import write_catalogue
from tests.support.encoding import TinyEncoding
from tests.support.fakes import tiny_catalogue
from tests.support.matchers import export_matcher


class Told:
    """Remembers what progress was told."""

    def __init__(self) -> None:
        self.what: list[str] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.what.append(what)


def settings_of(folder: Path, **given: Any) -> Settings:
    """Settings over a tiny catalogue of one's own, and no models unless given.

    Where no matcher was trained similarity decides, unless `matcher` is given: the default one would have its encoder
    written first.
    """
    if not (folder / "catalogue.csv").exists():
        tiny_catalogue(folder)
    paths = {name: folder / name for name in ("images", "models", "data")}
    matcher = "auto" if (folder / "models" / "matcher").exists() else "none"
    given = {"catalogue": folder / "catalogue.csv", **paths, "precision": "float32", "matcher": matcher, **given}
    return load_settings(**given)


def titles_and_hashes(folder: Path, **given: Any) -> Settings:
    """Settings over a catalogue file with hashes, beside no images, and a matcher of hashes and titles."""
    export_matcher(folder / "models", ["hash", "title"])
    hashes = ["0" * 16, "0" * 16, "f" * 16, None]
    titles = ["kopi susu", "", "teh manis", "teh manis"]
    write_catalogue(
        folder / "catalogue.csv",
        [Posting(f"p{row}", f"p{row}.png", titles[row], hashes[row]) for row in range(4)],
    )
    return without_pictures(folder, **given)


def without_pictures(folder: Path, **given: Any) -> Settings:
    """Settings that name no folder of images, and the default one is not there."""
    paths = {name: folder / name for name in ("models", "data")}
    return Settings(**{"catalogue": folder / "catalogue.csv", **paths, **given})


def coloured(folder: Path, signals: list[str], **given: Any) -> Settings:
    """Settings over the tiny catalogue of colours, without hashes in its file, with its images and a matcher."""
    export_matcher(folder / "models", signals)
    return settings_of(folder, **given)


def put(intake: Intake, offered: Offered) -> tuple[Posting, Kept, int]:
    """Put a posting as the service does: its image first, then the posting and the version in which it is found."""
    wanted = intake.snapshots.current.matcher.wanted_of_stored
    found = intake.images.ensure_each(offered.images, wanted) if offered.images else ()
    [forms] = whole_of([offered.images], found)
    put = offered.put(forms)
    kept, snapshot = intake.put(put)
    return put.posting, kept, snapshot.version


class Loaded(TinyEncoding):
    """Counts what each version of an encoder has encoded; embeddings are as long as the encoder's.

    Attributes:
        images: how many images each version has encoded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.specs: dict[str, EncoderSpec] = {}
        self.encoded: dict[str, int] = {}

    def load(self, specs: Sequence[EncoderSpec], progress: Progress = silent) -> None:
        super().load(specs, progress)
        self.specs |= {spec.key: spec for spec in specs}

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        found = super().encode(images, wanted)
        good = [it for it in found if isinstance(it, ImageFeatures)]
        for key in wanted.encoders:
            for version in self.specs[key].versions.values():
                self.encoded[version] = self.encoded.get(version, 0) + len(good)
        return [self._as_long(it) if isinstance(it, ImageFeatures) else it for it in found]

    def _as_long(self, image: ImageFeatures) -> ImageFeatures:
        embeddings = {key: _of_length(row, self.specs[key].dimension) for key, row in image.embeddings.items()}
        return replace(image, embeddings=embeddings)


def _of_length(row: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """A unit vector with zeros behind it, or without what is too much, at unit length again."""
    longer = np.zeros((1, dimension), np.float32)
    longer[0, : len(row)] = row[:dimension]
    rows = longer if len(row) <= dimension else unit_rows(longer, dimension)
    return rows.reshape(dimension)


_made = Loaded
"""Makes what encodes for `served`; `loaded` puts its own in its place."""


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """What encodes for `served` in this test."""
    loaded = Loaded()
    monkeypatch.setattr("tests.support.served._made", lambda: loaded)
    return loaded


@contextmanager
def served(
    settings: Settings, told: Told | None = None, encoding: BlockingEncoding | None = None
) -> Iterator[ServedCatalogue]:
    """A store that is served until the end of the block."""
    running = start(settings, encoding or _made(), told or Told())
    try:
        yield running
    finally:
        running.close()


def served_matcher(settings: Settings, told: Told | None = None) -> Matcher:
    """The matcher that a service starts with; networks are not run."""
    with served(settings, told) as running:
        return running.snapshots.current.matcher


def matcher_of_networks(settings: Settings, told: Told | None = None) -> Matcher:
    """The matcher that a service starts with; worker processes run its networks."""
    with worker_processes(settings) as encoding, served(settings, told, encoding) as running:
        return running.snapshots.current.matcher


@contextmanager
def worker_processes(settings: Settings) -> Iterator[ForThreads]:
    """Worker processes over an event loop of their own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    encoding = asyncio.run_coroutine_threadsafe(_made_there(settings), loop).result()
    try:
        yield ForThreads(encoding, loop)
    finally:
        asyncio.run_coroutine_threadsafe(encoding.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _made_there(settings: Settings) -> Any:
    return Encoding(settings)


def matched(running: ServedCatalogue, posting_id: str, **options: Any) -> list[str]:
    """Ids of a posting's matches, as the next request gets them; where similarity decides, all by descending one."""
    matcher = running.snapshots.current.matcher
    least = {"min_similarity": -1.0} if matcher.probability is None else {}
    result = matcher.match_posting(posting_id, Options(**(least | options)))
    return [match.posting_id for match in result.matches]
