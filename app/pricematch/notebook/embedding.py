"""Embeddings of images by the default encoder."""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding.encoders import encoder_spec, find_artefacts
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.ingest import chunks
from pricematch.errors import ImageError
from pricematch.notebook.background import in_thread
from pricematch.notebook.late_progress import late_progress
from pricematch.notebook.sources import Image, image_bytes
from pricematch.progress import Progress
from pricematch.settings import Settings, load_settings

_AT_ONCE = 64


def embed(images: Iterable[Image], *, models: "str | PathLike[str] | None" = None) -> NDArray[np.float32]:
    """Embeddings of images by the default encoder: float32 [n, 256], each of length 1; their products are cosines.

    Args:
        images: n paths, bytes of files, images of Pillow or arrays of pixels.
        models: a folder of models, whose newest `cnn` is taken, such as `shop.folder / "models"`; None for the encoder
            that comes with the package.

    Raises:
        ImageError: an image cannot be used; says which, counted from 0.
    """
    if isinstance(images, str | bytes | PathLike):
        raise TypeError("expected several images, such as [image], got one")
    given = list(images)
    with tempfile.TemporaryDirectory(prefix="pricematch-") as folder, late_progress() as late:
        settings = load_settings(models=Path(folder if models is None else models), encoder="cnn")
        return in_thread(lambda progress: asyncio.run(_embedded(settings, given, progress)), late)


async def _embedded(settings: Settings, images: Sequence[Image], progress: Progress) -> NDArray[np.float32]:
    spec = encoder_spec(settings, await asyncio.to_thread(find_artefacts, settings))
    rows = np.zeros((len(images), spec.dimension), np.float32)
    async with Encoding(settings) as encoding:
        await encoding.pool.load([spec])
        for places in chunks(range(len(images)), _AT_ONCE):
            content = [_content(images[place], place, settings) for place in places]
            found = await encoding.encode(content, Wanted(frozenset({spec.key})), background=True)
            for place, features in zip(places, found, strict=True):
                if not isinstance(features, ImageFeatures):
                    raise _placed(features, place)
                rows[place] = features.embeddings[spec.key]
            progress("Embedding images", places[-1] + 1, len(images))
    return rows


def _content(image: Image, place: int, settings: Settings) -> bytes:
    try:
        return image_bytes(image, settings.max_image_bytes)
    except ImageError as error:
        raise _placed(error, place) from error


def _placed(error: ImageError, place: int) -> ImageError:
    """An error that says which image it is about."""
    return type(error)(f"image {place}: {error}")
