"""The ways of encoding that benchmarks compare, each in a process of its own that is kept warm."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from catalogues import Subject, jpegs
from numpy.typing import NDArray
from processor import peak_gflops
from user_networks import Networks, float_operations

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.bootstrap import embed_postings
from pricematch.encoding.catalogue_files import image_folder, read_catalogue
from pricematch.encoding.decoder import decoder
from pricematch.encoding.encoders import encoder_spec, find_artefacts, load_network, resolve_precision
from pricematch.encoding.ports import Pixels, Runtime
from pricematch.encoding.stored_images import ImageEncoder, embed_images
from pricematch.formats.manifest import find_chain
from pricematch.settings import Settings, load_settings

AT_ONCE = 32
Tasks: TypeAlias = Mapping[str, Callable[[], Any]]
"""What a worker can be asked. Those that are timed give the seconds that count."""


class Worker:
    """A process that loads what it needs, and then does tasks.

    Args:
        tasks: makes them, in the process.
        measured, encoder: the images and models, and the encoder among them.
        scratch: folder to keep what is computed in.
    """

    def __init__(
        self, tasks: Callable[[Subject, str, Path], Tasks], measured: Subject, encoder: str, scratch: Path
    ) -> None:
        self._here, there = multiprocessing.Pipe()
        self._images = len(jpegs(measured.images))
        arguments = there, tasks, measured, encoder, scratch
        multiprocessing.get_context("spawn").Process(target=_answer, args=arguments, daemon=True).start()
        there.close()  # so that the other end is known to be gone if its process dies
        self.ask("warm")

    def ask(self, task: str) -> Any:
        """What a task gives."""
        self._here.send(task)
        return self._here.recv()

    def rate(self, task: str) -> float:
        """Images a second of a task."""
        return self._images / float(self.ask(task))


def one_core(measured: Subject, encoder: str, scratch: Path) -> Tasks:
    """Decoding, the network, and both, in one thread."""
    settings = _settings(measured, encoder, scratch)
    spec = encoder_spec(settings, find_artefacts(settings))
    if spec.network is None:
        raise ValueError(f"{encoder} needs no network")
    network = load_network(spec.network, 1)
    runtimes = ", ".join(f"{name} by {it.name} in {it.precision}" for name, it in network.runtimes.items())
    return _one_core(settings, spec.side, network.encode) | {"peak": peak_gflops, "runtimes": lambda: runtimes}


def tensorflow_one_core(measured: Subject, encoder: str, scratch: Path) -> Tasks:
    """The same by TensorFlow, and the floating point operations of its graph."""
    paths = [artefact.path for artefact in find_chain(measured.models, encoder)]
    networks = Networks(paths, frozen=True, bfloat16=resolve_precision("auto") == "bfloat16", threads=1)
    settings = _settings(measured, encoder, scratch)
    return _one_core(settings, networks.side, networks.encode) | {"flop": lambda: float_operations(paths)}


def offline_verb(measured: Subject, encoder: str, scratch: Path) -> Tasks:
    """As `evaluate` and `submit` embed a catalogue, from when the network is loaded."""
    numbers = count()

    def embed() -> float:
        settings = _settings(measured, encoder, scratch / f"{encoder}-{next(numbers)}")
        started = 0.0

        def loaded(what: str, done: int, total: int) -> None:
            nonlocal started
            if what == "Loading models" and done == total:
                started = time.perf_counter()

        embed_postings(settings, read_catalogue(settings), lambda _: None, loaded)
        return time.perf_counter() - started

    return {"offline": embed, "warm": embed}


def tensorflow_offline(measured: Subject, encoder: str, scratch: Path) -> Tasks:
    """The same around TensorFlow, which computes in as many threads as it takes."""
    paths = [artefact.path for artefact in find_chain(measured.models, encoder)]
    networks = Networks(paths, frozen=True, bfloat16=resolve_precision("auto") == "bfloat16")
    settings = _settings(measured, encoder, scratch)
    images, names = image_folder(settings), [path.name for path in jpegs(measured.images)]
    encoding = ImageEncoder("tensorflow", decoder(settings, networks.side), _TensorFlowEncoder(networks))

    def embed() -> float:
        started = time.perf_counter()
        embed_images(names, images, encoding, _Forgetful(), workers=settings.workers, progress=lambda *_: None)
        return time.perf_counter() - started

    return {"offline": embed, "warm": embed}


def _one_core(settings: Settings, side: int, encode: Callable[[Pixels], Embeddings]) -> dict[str, Callable[[], Any]]:
    images = [path.read_bytes() for path in jpegs(settings.images)]
    decode = decoder(settings, side).decode
    pixels = np.stack([decode(image) for image in images])

    def together() -> None:
        for first in range(0, len(images), AT_ONCE):
            encode(np.stack([decode(image) for image in images[first : first + AT_ONCE]]))

    return {
        "warm": lambda: encode(pixels[:AT_ONCE]),
        "embeddings": lambda: encode(pixels),
        "decode": lambda: _seconds(lambda: [decode(image) for image in images]),
        "network": lambda: _seconds(lambda: encode(pixels)),
        "together": lambda: _seconds(together),
    }


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _answer(
    connection: Connection, tasks: Callable[[Subject, str, Path], Tasks], measured: Subject, encoder: str, scratch: Path
) -> None:
    """Do what the other end asks, until it is gone."""
    doing = tasks(measured, encoder, scratch)
    for task in _received(connection):
        connection.send(doing[task]())


def _received(connection: Connection) -> Iterator[str]:
    while True:
        try:
            yield connection.recv()
        except (EOFError, OSError):
            return


def _settings(measured: Subject, encoder: str, data: Path) -> Settings:
    return load_settings(
        catalogue=measured.catalogue, images=measured.images, models=measured.models, data=data, encoder=encoder
    )


@dataclass(frozen=True)
class _TensorFlowEncoder:
    """Implements `ports.Encoder`."""

    networks: Networks
    versions: Mapping[str, str] = field(default_factory=dict)
    runtimes: Mapping[str, Runtime] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        return self.networks.dimension

    def encode(self, pixels: Pixels) -> Embeddings:
        return self.networks.encode(pixels)


class _Forgetful:
    """Implements `ports.EmbeddingStore` by keeping nothing, so that every round encodes everything."""

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        return {}

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Keep nothing."""
