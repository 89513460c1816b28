"""Tiny real collaborators: encoders, images and a matcher that need no TensorFlow and no folder."""

import csv
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pricematch.catalogue.features import Embeddings, EncoderInfo, unit_rows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels, Runtime
from pricematch.errors import ImageUnavailable, ModelOutputError
from pricematch.matching.matcher import Matcher
from pricematch.matching.similarity import SimilaritySearch
from tests.support.matchers import matcher_over
from tests.support.waiting import SAFETY_SECONDS

SIDE = 16
"""Height and width of the pixels that the tiny matcher's decoder gives."""
MAX_PIXELS = 1_000_000
"""Pixels beyond which the tiny matcher's decoder refuses an image."""
MIN_SIDE = 8
"""Pixels a side below which it refuses one."""

COLOURS = ("#ff0000", "#f40808", "#00ff00", "#08f408", "#0000ff", "#000000", "#ffffff")
"""Two reds, two greens, a blue, black and white."""


class MeanColourEncoder:
    """Implements `ports.Encoder`: the mean colour, and a constant that gives black a direction.

    Attributes:
        batches: how many images each call encoded.
    """

    dimension = 4

    def __init__(self) -> None:
        self.batches: list[int] = []

    @property
    def versions(self) -> Mapping[str, str]:
        return {"mean-colour": "1"}

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        return {"mean-colour": Runtime("the mean", "float32")}

    def encode(self, pixels: Pixels) -> Embeddings:
        self.batches.append(len(pixels))
        colours = pixels.mean(axis=(1, 2)) / 255
        return unit_rows(np.column_stack([colours, np.full(len(pixels), 0.25)]), self.dimension)


class FolderlessImages:
    """Implements `ports.ImageSource` over a dict of name and bytes, which a test may change."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = dict(contents)

    def read(self, name: str) -> bytes:
        try:
            return self.contents[name]
        except KeyError:
            raise ImageUnavailable(f"{name!r} is not there") from None


def image_bytes(
    colour: str,
    size: tuple[int, int] = (64, 64),
    format: str = "PNG",  # noqa: A002 — Pillow's word
    **save_options: Any,
) -> bytes:
    """The bytes of an image of one colour, of `size` (width, height)."""
    return encoded(Image.new("RGB", size, colour), format, **save_options)


def marked_bytes(colour: str, size: tuple[int, int] = (64, 64)) -> bytes:
    """The bytes of an image of one colour but for a grey corner, so that it shows something."""
    image = Image.new("RGB", size, colour)
    image.paste("#404040", (0, 0, size[0] // 8, size[1] // 8))
    return encoded(image)


def encoded(image: Image.Image, format: str = "PNG", **save_options: Any) -> bytes:  # noqa: A002 — Pillow's word
    """The bytes of an image in a format."""
    file = io.BytesIO()
    image.save(file, format, **save_options)
    return file.getvalue()


def scene(size: tuple[int, int] = (64, 64)) -> Image.Image:
    """An image without symmetry: ramps to the right (red) and down (green), a blue corner at the top left."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    blue = np.where((x < width // 4) & (y < height // 4), 255, 0)
    pixels = np.stack([255 * x / (width - 1), 255 * y / (height - 1), blue], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def tiny_images(colours: Sequence[str] = COLOURS) -> FolderlessImages:
    """The images of `tiny_matcher`: `p0.png`, `p1.png` … of these colours."""
    return FolderlessImages({f"p{row}.png": image_bytes(colour) for row, colour in enumerate(colours)})


def tiny_postings(colours: Sequence[str] = COLOURS) -> list[Posting]:
    """Postings `p0`, `p1` … titled by their colours."""
    return [Posting(f"p{row}", f"p{row}.png", f"Product {colour}") for row, colour in enumerate(colours)]


def tiny_catalogue(folder: Path, colours: Sequence[str] = COLOURS) -> tuple[Path, Path]:
    """Write the postings and images of `tiny_matcher` as a CSV file and a folder; returns both paths."""
    images_folder = folder / "images"
    images_folder.mkdir(parents=True)
    for name, content in tiny_images(colours).contents.items():
        (images_folder / name).write_bytes(content)
    csv_path = folder / "catalogue.csv"
    with csv_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["posting_id", "image", "title"])
        writer.writerows([posting.posting_id, posting.image, posting.title] for posting in tiny_postings(colours))
    return csv_path, images_folder


def tiny_decoder() -> PillowDecoder:
    """The decoder of `tiny_matcher`."""
    return PillowDecoder(SIDE, MAX_PIXELS, MIN_SIDE)


MEAN_COLOUR = EncoderInfo("mean-colour", MeanColourEncoder().versions, MeanColourEncoder.dimension, -1.0)
"""The encoder of the tiny matcher, to which every posting is a match."""


def tiny_search(colours: Sequence[str] = COLOURS, threshold: float | None = -1.0) -> SimilaritySearch:
    """Postings `p0`, `p1` … whose images are these colours, searchable by similarity."""
    decoder, encoder = tiny_decoder(), MeanColourEncoder()
    contents = tiny_images(colours).contents.values()
    pixels = [decoder.decode(content) for content in contents]
    embeddings = encoder.encode(np.stack(pixels)) if pixels else np.empty((0, encoder.dimension), np.float32)
    encoder_info = replace(MEAN_COLOUR, threshold=threshold)
    return SimilaritySearch.of(encoder_info, Catalogue(tiny_postings(colours)), embeddings)


def tiny_matcher(colours: Sequence[str] = COLOURS, threshold: float | None = -1.0) -> Matcher:
    """A matcher by similarity over `tiny_search`."""
    return by_similarity(tiny_search(colours, threshold))


def by_similarity(search: SimilaritySearch) -> Matcher:
    """A matcher without a pair model."""
    key = search.encoder.key
    return matcher_over(search.catalogue, {key: search}, {"mean-colour": key})


STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera stores a scene whose EXIF orientation is the key (the inverse of what a viewer must do)."""


POISON = 13
"""The value of all pixels of an image that cannot be encoded."""


class GatedEncoder(MeanColourEncoder):
    """Encodes when its gate is open; fails for poison, alone or in company.

    Attributes:
        gate: open at first.
        entered: released whenever somebody comes to the gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def encode(self, pixels: Pixels) -> Embeddings:
        self.entered.release()
        assert self.gate.wait(SAFETY_SECONDS), "the gate was not opened"
        if (pixels == POISON).all(axis=(1, 2, 3)).any():
            self.batches.append(len(pixels))
            raise ModelOutputError("poison")
        return super().encode(pixels)

    def enter(self) -> None:
        """Wait until somebody has come to the gate."""
        assert self.entered.acquire(timeout=SAFETY_SECONDS), "nobody came"
