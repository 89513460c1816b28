"""A process that computes features of images: `python -m pricematch.encoding.worker THREADS [PROCESSOR]`.

Its standard input is a socket, which carries requests; its standard output a file that says which image it is at. It
ends when the other end is gone, and of signals heeds only those that cannot be ignored, and the one that ends it when
an image takes too much of a processor.
"""

import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.decoder import DecodedImage, PillowDecoder
from pricematch.encoding.encoders import COLOURS, NetworkSpec, colours_spec, load_network
from pricematch.encoding.features import matching_hash
from pricematch.encoding.jpeg_scans import check_scans
from pricematch.encoding.ports import Encoder, Pixels
from pricematch.encoding.stored_form import stored_form
from pricematch.encoding.wire import divided, receive, send
from pricematch.encoding.worker_launch import note_place
from pricematch.errors import ImageError, ModelOutputError, Overloaded, PricematchError

_NICE = 10
"""Requests are read and answers sent before the next image: they take little, and give everybody something to do.

Until the first image nobody waits for answers, but for the process: it starts and loads like any other.
"""
_QUALITY = 85
"""Of thumbnails, in JPEG's scale to 100."""


def main(threads: int, processor: int | None) -> None:
    """Answer what comes over the socket that is the standard input.

    Args:
        threads: that a network may compute in.
        processor: the only one to run on; None: any.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # Ctrl-C goes to the service, which ends this
        signal.signal(ignored, signal.SIG_IGN)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    cv2.setNumThreads(1)
    answer_all(partial(load_network, threads=threads), _NICE)


def answer_all(load: Callable[[NetworkSpec], Encoder], niceness: int = 0) -> None:
    """Load and drop encoders and compute features on request, until the other end of the standard input is closed.

    Args:
        load: gives an encoder.
        niceness: of this process, from the first image on.
    """
    features = _ImageFeaturesComputer(load, niceness)
    with socket.socket(fileno=0) as connection:
        while True:
            try:
                message, body = receive(connection)
            except (EOFError, OSError):
                return
            parts: Sequence[bytes] = ()
            try:
                answer, parts = features.answer(message, body)
            except PricematchError as error:
                answer = {"error": [type(error).__name__, str(error)]}
            except MemoryError:
                answer = {"error": [Overloaded.__name__, "no memory is left to encode the images; try again soon"]}
            except Exception as error:  # noqa: BLE001 — whatever it is, the next images may do better
                answer = {"error": [ModelOutputError.__name__, f"{type(error).__name__}: {error}"]}
            send(connection, answer, *parts)


class _ImageFeaturesComputer:
    """Computes features of images in this process, each of which it decodes once."""

    def __init__(self, load: Callable[[NetworkSpec], Encoder], niceness: int) -> None:
        self._load = load
        specs = ((colours_spec(version), encoder) for version, encoder in COLOURS.items())
        self._encoders: dict[str, tuple[int, Encoder]] = {spec.key: (spec.side, encoder) for spec, encoder in specs}
        self._niceness = niceness

    def answer(self, message: Mapping[str, Any], body: memoryview) -> tuple[Mapping[str, Any], Sequence[bytes]]:
        """The answer to one message: a JSON object, and bytes; raises PricematchError."""
        match message:
            case {"ready": True}:
                return {}, ()
            case {"load": key, "side": side, "network": network}:
                encoder = self._load(NetworkSpec.model_validate(network))
                self._encoders[key] = side, encoder
                return {"runtimes": {name: asdict(runtime) for name, runtime in encoder.runtimes.items()}}, ()
            case {"drop": key}:
                del self._encoders[key]
                return {}, ()
            case {"sizes": sizes, **wanted}:
                self._step_back()
                return self._features(divided(body, sizes), **wanted)
        raise ModelOutputError(f"expected ready, load, drop or sizes, got {list(message)}")

    def _features(
        self,
        images: Sequence[bytes],
        *,
        keys: Sequence[str],
        hashed: bool,
        stored: bool,
        thumbnail_side: int,
        limits: Mapping[str, int],
        image_seconds: float,
    ) -> tuple[Mapping[str, Any], Sequence[bytes]]:
        """The features of images; one that takes more than `image_seconds` of a processor ends this process.

        Returns:
            Per image its digest and hash, how long its stored form is, None for as it came, and its thumbnail, or why
            it is bad; the dimension by key of an encoder; seconds by stage; and per encoder its embeddings, float32
            [m, d] of the m good ones in order, then of each the stored form, if that differs, and the thumbnail.
        """
        started = time.perf_counter()
        decoder = PillowDecoder(1, **limits)
        sides = {self._encoders[key][0] for key in keys}
        found: list[Mapping[str, Any]] = []
        pixels: dict[int, list[Pixels]] = {side: [] for side in sides}
        forms = list[bytes]()
        for place, image in enumerate(images):
            note_place(place)
            signal.setitimer(signal.ITIMER_PROF, image_seconds)  # its signal ends native code, too
            try:
                form = _checked_form(image, limits["max_scans"]) if stored else image
                decoded = decoder.decoded(form) if sides or hashed or thumbnail_side or not stored else None
                squeezed = {} if decoded is None else {side: decoded.squeezed(side) for side in sides}
                digits = None if decoded is None else _told_hash(decoded, hashed=hashed)
                thumbnail = b"" if decoded is None or not thumbnail_side else _jpeg(decoded.fitted(thumbnail_side))
            except ImageError as error:
                found.append({"error": [type(error).__name__, str(error)]})
            else:
                size = None if form == image else len(form)
                digest = hashlib.sha256(form).hexdigest()
                found.append({"digest": digest, "phash": digits, "stored": size, "thumbnail": len(thumbnail)})
                forms += [thumbnail] if size is None else [form, thumbnail]
                for side, view in squeezed.items():
                    pixels[side].append(view)
        signal.setitimer(signal.ITIMER_PROF, 0)
        note_place(None)
        decoded_at = time.perf_counter()
        embeddings = {key: self._embeddings(key, pixels) for key in keys} if any("digest" in it for it in found) else {}
        seconds = {"decode": decoded_at - started, "encode": time.perf_counter() - decoded_at}
        dimensions = {key: rows.shape[1] for key, rows in embeddings.items()}
        parts = [rows.astype("<f4").tobytes() for rows in embeddings.values()]
        return {"images": found, "dimensions": dimensions, "seconds": seconds}, [*parts, *forms]

    def _step_back(self) -> None:
        """Let others go before, once; on Linux each thread has a niceness of its own."""
        niceness, self._niceness = self._niceness, 0
        threads = Path("/proc/self/task")
        if niceness and threads.is_dir():
            for thread in threads.iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)
        elif niceness:
            os.nice(niceness)

    def _embeddings(self, key: str, pixels: Mapping[int, Sequence[Pixels]]) -> Embeddings:
        side, encoder = self._encoders[key]
        batch = np.stack(pixels[side])
        found = encoder.encode(batch)
        if len(found) != len(batch):
            raise ModelOutputError(f"expected {len(batch)} embeddings, got {len(found)}")
        return found


def _told_hash(image: DecodedImage, *, hashed: bool) -> str | None:
    """Its hash where that is wanted, since it takes longer than decoding; whether it has one at all costs little."""
    if hashed:
        return matching_hash(image)
    return ONE_COLOUR if image.one_colour() else None


def _jpeg(pixels: Pixels) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), _QUALITY))


def _checked_form(image: bytes, max_scans: int) -> bytes:
    """The stored form of an image, of a JPEG without too many scans; raises ImageError."""
    check_scans(image, max_scans)
    return stored_form(image)


if __name__ == "__main__":
    _threads, *_processors = map(int, sys.argv[1:])
    main(_threads, _processors[0] if _processors else None)
