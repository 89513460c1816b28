"""Augmentations of decoded images: the notebook's, and views as another seller might take them."""

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.ports import Pixels

CLIP_LIMIT = 2.0
TILES = (8, 8)
HUE_LIMIT = 100
SATURATION_LIMIT = 30
GAMMA = (2.0, 4.0)
PROBABILITY = 0.5


def clahe(pixels: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalisation of the lightness (Zuiderveld, Graphics Gems IV, 1994)."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=CLIP_LIMIT, tileGridSize=TILES).apply(lab[:, :, 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def shift_hue_and_saturation(pixels: Pixels, hue: int, saturation: int) -> Pixels:
    """Add to hue (in OpenCV's units of 2°, around the circle) and saturation (−255…255, clipped)."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv[:, :, 0] = (hsv[:, :, 0] + hue) % 180
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] + saturation, 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


def flip(pixels: Pixels) -> Pixels:
    """Mirror left and right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Raise each channel, as a fraction of 255, to `exponent`; above 1 darkens."""
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return np.asarray(table[pixels])


def augment(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Each augmentation with probability ½, its amount drawn within its limits; uint8 [h, w, 3] in and out."""
    if rng.random() < PROBABILITY:
        pixels = clahe(pixels)
    if rng.random() < PROBABILITY:
        hue = int(rng.integers(-HUE_LIMIT, HUE_LIMIT, endpoint=True))
        saturation = int(rng.integers(-SATURATION_LIMIT, SATURATION_LIMIT, endpoint=True))
        pixels = shift_hue_and_saturation(pixels, hue, saturation)
    if rng.random() < PROBABILITY:
        pixels = flip(pixels)
    if rng.random() < PROBABILITY:
        pixels = gamma(pixels, rng.uniform(*GAMMA))
    return pixels


def variants(pixels: Pixels, rng: np.random.Generator, mixed: int = 4) -> Mapping[str, Pixels]:
    """The original, each augmentation alone at its limits, and some drawn as in training; by caption, in order."""
    alone = {
        "original": pixels,
        f"CLAHE, clip {CLIP_LIMIT:g}": clahe(pixels),
        f"hue -{HUE_LIMIT}": shift_hue_and_saturation(pixels, -HUE_LIMIT, 0),
        f"hue +{HUE_LIMIT // 2}": shift_hue_and_saturation(pixels, HUE_LIMIT // 2, 0),
        f"saturation +{SATURATION_LIMIT}": shift_hue_and_saturation(pixels, 0, SATURATION_LIMIT),
        "flip": flip(pixels),
        f"gamma {GAMMA[0]:g}": gamma(pixels, GAMMA[0]),
        f"gamma {GAMMA[1]:g}": gamma(pixels, GAMMA[1]),
    }
    drawn = {f"as in training {number}": augment(pixels, rng) for number in range(1, mixed + 1)}
    return MappingProxyType(alone | drawn)


def augment_batch(pixels: Pixels, rows: NDArray[np.int64], seed: int, epoch: int) -> Pixels:
    """Augment [b, h, w, 3]; what happens to a row in an epoch depends on nothing but the seed."""
    return np.stack(
        [
            augment(image, np.random.default_rng((seed, epoch, int(row))))
            for image, row in zip(pixels, rows, strict=True)
        ]
    )


TURN = 10.0
"""Degrees, either way."""
ZOOM = (0.75, 1.4)
STRETCH, SHIFT = 0.15, 0.1
CONTRAST, BRIGHTNESS, TINT = 0.25, 25.0, 0.08
BANNER = (0.06, 0.2)
"""Height of a banner, as a share of the image's."""
QUALITY = (30, 90)
"""Of JPEG."""


def seller_view(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The image as another seller might show it; uint8 [h, w, 3] in and out."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    pixels = _relit(_framed(pixels, rng), rng)
    if rng.random() < 0.3:
        pixels = _with_banner(pixels, rng)
    return _compressed(pixels, rng) if rng.random() < 0.5 else pixels


def seller_views(pixels: Pixels, rows: NDArray[np.integer], seed: int, turn: int) -> Pixels:
    """A view of each of [b, h, w, 3]; it depends on seed, turn and the image's row only."""
    return np.stack(
        [
            seller_view(image, np.random.default_rng((seed, turn, int(row))))
            for image, row in zip(pixels, rows, strict=True)
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
