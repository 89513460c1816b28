"""A process that does nothing but encode: `python -m pricematch.encoding.embedding_worker SOCKET THREADS [PROCESSOR]`.

It ends when the service at the other end of its socket is gone, and of signals heeds only those that cannot be ignored.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.picture_encoder import DecodingEmbedder
from pricematch.encoding.ports import Embedder
from pricematch.encoding.quiet_tensorflow import import_tensorflow
from pricematch.encoding.wire import EncoderSpec, divided, receive, send
from pricematch.errors import ArtefactError, ModelOutputError, PricematchError
from pricematch.formats.manifest import find_chain

_NICE = 10
"""Requests are read and answers sent before the next picture: they take little, and give everybody something to do."""


def main(descriptor: int, threads: int, processor: int | None) -> None:
    """Answer what comes over a socket.

    Args:
        descriptor: of the socket.
        threads: that the network may compute in.
        processor: the only one to run on; None: any.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # Ctrl-C goes to the service, which ends this
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(_NICE)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    with socket.socket(fileno=descriptor) as connection:
        _prepare(threads)
        answer_all(connection, load)


def answer_all(connection: socket.socket, load: Callable[[EncoderSpec], Embedder]) -> None:
    """Load, drop and embed as told, until nobody is at the other end.

    Args:
        connection: says what to do.
        load: makes an encoder ready; raises ArtefactError.
    """
    loaded: dict[str, Embedder] = {}
    while True:
        try:
            said, body = receive(connection)
        except (EOFError, OSError):
            return
        try:
            if "load" in said:
                loaded[said["load"]] = load(EncoderSpec.model_validate_json(said["load"]))
            elif "drop" in said:
                del loaded[said["drop"]]
            else:
                _embed(connection, loaded[said["embed"]], divided(body, said["sizes"]))
                continue
        except PricematchError as error:
            send(connection, {"error": [type(error).__name__, str(error)]})
        except Exception as error:  # noqa: BLE001 — whatever it is, the next picture may do better
            send(connection, {"error": [ModelOutputError.__name__, f"{type(error).__name__}: {error}"]})
        else:
            send(connection, {})


def _embed(connection: socket.socket, embedder: Embedder, images: list[bytes]) -> None:
    found = embedder.embed(images)
    errors = [None if error is None else [type(error).__name__, str(error)] for error in found.errors]
    said = {"errors": errors, "shape": found.embeddings.shape, "decode_seconds": found.decode_seconds}
    send(connection, said, found.embeddings.astype("<f4").tobytes())


def load(spec: EncoderSpec) -> Embedder:
    """The encoder of a specification; raises ArtefactError where something else is there now."""
    chain = find_chain(spec.models, spec.name, spec.version)
    if tuple(artefact.manifest.weights_digest for artefact in chain) != spec.weights:
        raise ArtefactError(f"{chain[-1].path} has other weights than when the service began with it")
    from pricematch.encoding.saved_model import SavedModelEncoder

    decoder = PillowDecoder(spec.side, spec.max_pixels, spec.min_side)
    return DecodingEmbedder(decoder, SavedModelEncoder(chain, spec.precision))


def _prepare(threads: int) -> None:
    import_tensorflow()
    import cv2
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)


if __name__ == "__main__":
    _descriptor, _threads, *_processors = map(int, sys.argv[1:])
    main(_descriptor, _threads, _processors[0] if _processors else None)
