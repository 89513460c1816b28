"""Stores that are served without TensorFlow: the encoders are exported, and what they load is a mean colour."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.ports import Pixels
from pricematch.encoding.processes import EncoderProcesses
from pricematch.formats.manifest import Artefact
from pricematch.matching.queries import Asked
from pricematch.progress import Progress
from pricematch.serving.running import Running, start
from pricematch.settings import Settings
from tests.encoding.test_bootstrap import Told
from tests.support.fakes import MeanColourEncoder, tiny_encoder


class VersionedEncoder(MeanColourEncoder):
    """Stands for one version of the CAE, and counts in `pictures` what it encodes."""

    def __init__(self, version: str, pictures: dict[str, int]) -> None:
        super().__init__()
        self._version, self._pictures = version, pictures

    @property
    def versions(self) -> Mapping[str, str]:
        return {"cae": self._version}

    def encode(self, pixels: Pixels) -> Embeddings:
        self._pictures[self._version] = self._pictures.get(self._version, 0) + len(pixels)
        return super().encode(pixels)


class Loaded:
    """Takes the place of `bootstrap.host_encoder`, and counts what it has loaded and encoded.

    Attributes:
        pictures: how many each version has encoded.
        fails: versions that do not load, and why.
    """

    def __init__(self) -> None:
        self.pictures: dict[str, int] = {}
        self.fails: dict[str, Exception] = {}

    def __call__(
        self, _: Settings, artefacts: Sequence[Artefact], __: EncoderProcesses, progress: Progress
    ) -> PictureEncoder:
        progress("Loading models", 0, 1)
        manifest = artefacts[-1].manifest
        if manifest.version in self.fails:
            raise self.fails[manifest.version]
        encoder = tiny_encoder(VersionedEncoder(manifest.version, self.pictures))
        return replace(encoder, key=manifest.weights_digest)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """What is loaded as encoders in this test."""
    loaded = Loaded()
    monkeypatch.setattr("pricematch.serving.held.host_encoder", loaded)
    return loaded


@contextmanager
def served(settings: Settings, told: Told | None = None) -> Iterator[Running]:
    """A store that is served until the end of the block."""
    running = start(settings, told or Told())
    try:
        yield running
    finally:
        running.close()


def matched(running: Running, posting_id: str, **asked: Any) -> list[str]:
    """Ids of a posting's matches, as the next request gets them."""
    answer = running.ready().matcher.match_posting(posting_id, Asked(**asked))
    return [match.posting_id for match in answer.matches]
