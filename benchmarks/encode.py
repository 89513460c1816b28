"""How fast do JPEG bytes become embeddings, beside the straight notebook way?

    python benchmarks/encode.py [--images DIR] [--models DIR] [--rounds N]

Both ways run in processes of their own, in turn, on the same images and weights: ours as the service embeds a
catalogue; the notebook's as `tf.data` with `decode_jpeg`, `resize`, `/255`, then `predict` of both networks. Prints
images a second of each round, the median ratio, how well the embeddings agree, and where our time goes.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from catalogues import jpegs, subject
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import resolve_precision
from pricematch.encoding.ports import Encoder
from pricematch.encoding.stored_images import ImageEncoder, embed_images
from pricematch.encoding.tensorflow_import import import_tensorflow
from pricematch.formats.manifest import Artefact, find_chain

MAX_PIXELS = 25_000_000


class Pictures:
    """Implements `ports.ImageSource` over bytes in memory."""

    def __init__(self, images: Sequence[bytes]) -> None:
        self._images = images

    def read(self, name: str) -> bytes:
        """The image at this position."""
        return self._images[int(name)]


class Forgetful:
    """Implements `ports.EmbeddingStore` by keeping nothing, so that every round encodes everything."""

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        """Nothing."""
        return {}

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Keep nothing."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of JPEG images; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with subject(options.images, options.models) as measured:
        images = [path.read_bytes() for path in jpegs(measured.images)]
        ours, notebook = Worker(our_way, images, measured.models), Worker(notebook_way, images, measured.models)
        pairs = [(len(images) / ours.seconds(), len(images) / notebook.seconds()) for _ in range(options.rounds)]
        print_ratio(pairs)
        print_agreement(ours.embeddings(), notebook.embeddings())
        print_shares(ours.shares(), len(images))


class Worker:
    """One way of encoding, in a process of its own that is kept warm."""

    def __init__(self, target: Callable[[Connection, Sequence[bytes], Path], None], *arguments: Any) -> None:
        self._here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        context.Process(target=target, args=(there, *arguments), daemon=True).start()
        there.close()  # so that the other end is known to be gone if its process dies
        self._ask("seconds")  # warms up

    def seconds(self) -> float:
        """Seconds of one round."""
        return float(self._ask("seconds"))

    def embeddings(self) -> Embeddings:
        """The embeddings of the last round."""
        answer: Embeddings = self._ask("embeddings")
        return answer

    def shares(self) -> dict[str, float]:
        """Milliseconds an image by stage."""
        answer: dict[str, float] = self._ask("shares")
        return answer

    def _ask(self, what: str) -> Any:
        self._here.send(what)
        return self._here.recv()


def answer(connection: Connection, encode: Callable[[], Embeddings], shares: Callable[[], dict[str, float]]) -> None:
    """Do what the other end asks, until it is gone."""
    embeddings = np.empty((0, 0), np.float32)
    while True:
        try:
            asked = connection.recv()
        except (EOFError, OSError):
            return
        if asked == "seconds":
            started = time.perf_counter()
            embeddings = encode()
            connection.send(time.perf_counter() - started)
        else:
            connection.send(embeddings if asked == "embeddings" else shares())


def our_way(connection: Connection, images: Sequence[bytes], models: Path) -> None:
    """As the service embeds a catalogue, default settings."""
    from pricematch.encoding.exported_encoder import ExportedEncoder

    encoder = ExportedEncoder(find_chain(models, "autoencoder"), resolve_precision("auto"))
    embedding = ImageEncoder("benchmark", PillowDecoder(256, MAX_PIXELS), encoder)
    names = [str(position) for position in range(len(images))]

    def encode() -> Embeddings:
        found = embed_images(names, Pictures(images), embedding, Forgetful(), workers=2, progress=lambda *_: None)
        return found.embeddings[[found.rows[name] for name in names]]

    answer(connection, encode, lambda: stage_shares(images, encoder))


def stage_shares(images: Sequence[bytes], encoder: Encoder) -> dict[str, float]:
    """Milliseconds an image spent in each stage: the first two in one thread, the network in as many as it takes."""
    pixels = np.zeros((len(images), 256, 256, 3), np.uint8)
    decoding = resizing = 0.0
    decoder = PillowDecoder(256, MAX_PIXELS)
    for row, image in enumerate(images):
        started = time.perf_counter()
        decoded = decoder.decoded(image)
        finished = time.perf_counter()
        pixels[row] = decoded.squeezed(256)
        decoding += finished - started
        resizing += time.perf_counter() - finished
    started = time.perf_counter()
    encoder.encode(pixels)
    seconds = {"decoding": decoding, "resizing": resizing, "network": time.perf_counter() - started}
    return {stage: 1e3 * value / len(images) for stage, value in seconds.items()}


def notebook_way(connection: Connection, images: Sequence[bytes], models: Path) -> None:
    """`tf.data` and `predict`, as the notebook does."""
    import_tensorflow()
    import tensorflow as tf

    from pricematch.training.networks import build_autoencoder, build_cae
    from pricematch.training.recipes import NOTEBOOK

    chain = find_chain(models, "autoencoder")
    _, cae = build_cae(NOTEBOOK.cae)
    _, autoencoder = build_autoencoder(NOTEBOOK.autoencoder, cae.output_shape[1])
    for network, artefact in zip((cae, autoencoder), chain, strict=True):
        network.set_weights(weights_of(artefact))

    def load(image: Any) -> Any:
        return tf.image.resize(tf.io.decode_jpeg(image, channels=3), (256, 256)) / 255.0

    def encode() -> Embeddings:
        pictures = tf.data.Dataset.from_tensor_slices(list(images)).map(load, num_parallel_calls=tf.data.AUTOTUNE)
        latents = cae.predict(pictures.batch(32).prefetch(tf.data.AUTOTUNE), verbose=0)
        return unit_rows(autoencoder.predict(latents, batch_size=32, verbose=0), 64)

    answer(connection, encode, dict)


def weights_of(artefact: Artefact) -> list[NDArray[np.float32]]:
    """The weights of an exported encoder, in the order of its layers."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(artefact.path))
    return [variable.numpy() for variable in loaded.signatures["serving_default"].variables]


def print_ratio(pairs: Sequence[tuple[float, float]]) -> None:
    """Images a second, round by round."""
    table = Table(title="JPEG bytes to 64-d embedding, images a second")
    for column in ("round", "ours", "notebook's way", "ratio"):
        table.add_column(column, justify="right")
    for number, (ours, notebook) in enumerate(pairs, start=1):
        table.add_row(str(number), f"{ours:.0f}", f"{notebook:.0f}", f"{ours / notebook:.2f}")
    medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
    ratio = statistics.median(ours / notebook for ours, notebook in pairs)
    table.add_row("median", f"{medians[0]:.0f}", f"{medians[1]:.0f}", f"{ratio:.2f}", style="bold")
    Console().print(table)


def print_agreement(ours: Embeddings, notebook: Embeddings) -> None:
    """Cosine between the two embeddings of each image."""
    cosines = np.sum(ours.astype(np.float64) * notebook, axis=1)
    print(f"agreement of the embeddings: cosine at least {cosines.min():.6f}, median {np.median(cosines):.6f}")


def print_shares(shares: Mapping[str, float], count: int) -> None:
    """Where our time goes."""
    table = Table(title=f"Where our time goes, {count} images, stages measured apart")
    for column in ("stage", "ms an image", "share"):
        table.add_column(column, justify="right")
    total = sum(shares.values())
    for stage, milliseconds in shares.items():
        table.add_row(stage, f"{milliseconds:.2f}", f"{milliseconds / total:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
