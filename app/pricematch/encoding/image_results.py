"""Features of images from what a process answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures, Seconds
from pricematch.encoding.image_queue import ImageResult, WaitingImage
from pricematch.encoding.worker_process import error_of
from pricematch.errors import ImageCorrupt, ImageError


def image_results(
    answer: Mapping[str, Any], body: bytes, batch: Sequence[WaitingImage], queued: Sequence[float]
) -> Sequence[ImageResult]:
    """Features by image from the answer of a process; `queued` holds the seconds that each has waited."""
    good = sum("error" not in image for image in answer["images"])
    start = 0
    rows: dict[str, Iterator[NDArray[np.float32]]] = {}
    for key, dimension in answer["dimensions"].items():
        values = np.frombuffer(body, "<f4", good * dimension, start)
        rows[key] = iter(values.reshape(good, dimension))
        start += values.nbytes
    results: list[ImageResult] = []
    for image, item, waited in zip(answer["images"], batch, queued, strict=True):
        if "error" in image:
            error = error_of(*image["error"])
            results.append(error if isinstance(error, ImageError) else ImageCorrupt(str(error)))
            continue
        form = item.image if item.wanted.stored_form else b""
        if (size := image["stored"]) is not None:
            form, start = body[start : start + size], start + size
        thumbnail = body[start : start + image["thumbnail"]]
        start += len(thumbnail)
        embeddings = {key: next(those) for key, those in rows.items()}
        seconds = Seconds(waited, **answer["seconds"])
        digest = bytes.fromhex(image["digest"])
        results.append(ImageFeatures(digest, image["phash"], embeddings, seconds, form, thumbnail))
    return results
