"""Pictures as another seller might show a product: mirrored, turned, framed, relit, with a banner, compressed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.ports import Pixels

TURN = 10.0
"""Degrees, either way."""
ZOOM = (0.75, 1.4)
STRETCH, SHIFT = 0.15, 0.1
CONTRAST, BRIGHTNESS, TINT = 0.25, 25.0, 0.08
BANNER = (0.06, 0.2)
"""Height of a banner, as a share of the picture's."""
QUALITY = (30, 90)
"""Of JPEG."""


def seller_view(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture as another seller might show it; uint8 [h, w, 3] in and out."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    pixels = _relit(_framed(pixels, rng), rng)
    if rng.random() < 0.3:
        pixels = _with_banner(pixels, rng)
    return _compressed(pixels, rng) if rng.random() < 0.5 else pixels


def seller_views(pixels: Pixels, rows: NDArray[np.integer], seed: int, turn: int) -> Pixels:
    """A view of each of [b, h, w, 3]; it depends on seed, turn and the picture's row only."""
    return np.stack(
        [
            seller_view(picture, np.random.default_rng((seed, turn, int(row))))
            for picture, row in zip(pixels, rows, strict=True)
        ]
    )


def _framed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Turned, zoomed, stretched and shifted a little, on white."""
    height, width = pixels.shape[:2]
    angle = rng.uniform(-TURN, TURN) if rng.random() < 0.5 else 0.0
    zoom, stretch = np.exp(rng.uniform(*np.log(ZOOM))), np.exp(rng.uniform(-STRETCH, STRETCH))
    matrix = cv2.getRotationMatrix2D((0, 0), angle, 1.0)
    matrix[0] *= zoom * stretch
    matrix[1] *= zoom / stretch
    centre = np.array([width, height]) / 2
    matrix[:, 2] = centre - matrix[:, :2] @ centre + rng.uniform(-SHIFT, SHIFT, 2) * (width, height)
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(pixels),
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(255, 255, 255),
        ),
        np.uint8,
    )


def _relit(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Another contrast, brightness and colour of the light."""
    values = (pixels.astype(np.float32) - 128) * np.exp(rng.uniform(-CONTRAST, CONTRAST)) + 128
    values = (values + rng.uniform(-BRIGHTNESS, BRIGHTNESS)) * np.exp(rng.uniform(-TINT, TINT, 3))
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _with_banner(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A bar of one colour over the top or the bottom."""
    height = max(1, round(rng.uniform(*BANNER) * len(pixels)))
    covered = pixels.copy()
    covered[:height] = rng.integers(0, 256, 3)
    return covered if rng.random() < 0.5 else np.concatenate([pixels[:-height], covered[:height]])


def _compressed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Through JPEG and back."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
