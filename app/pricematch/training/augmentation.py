"""Augmentations of decoded images: the notebook's, and views as another seller might take them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.decoder import decoder
from pricematch.encoding.ingest import chunks
from pricematch.encoding.ports import Pixels
from pricematch.errors import SettingsError
from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet
from pricematch.settings import Settings

_CLIP_LIMIT = 2.0
_TILES = (8, 8)
_HUE_LIMIT = 100
_SATURATION_LIMIT = 30
_GAMMA = (2.0, 4.0)
_PROBABILITY = 0.5


def clahe(pixels: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalisation of the lightness (Zuiderveld, Graphics Gems IV, 1994)."""
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=_CLIP_LIMIT, tileGridSize=_TILES).apply(lab[:, :, 0])
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
    if rng.random() < _PROBABILITY:
        pixels = clahe(pixels)
    if rng.random() < _PROBABILITY:
        hue = int(rng.integers(-_HUE_LIMIT, _HUE_LIMIT, endpoint=True))
        saturation = int(rng.integers(-_SATURATION_LIMIT, _SATURATION_LIMIT, endpoint=True))
        pixels = shift_hue_and_saturation(pixels, hue, saturation)
    if rng.random() < _PROBABILITY:
        pixels = flip(pixels)
    if rng.random() < _PROBABILITY:
        pixels = gamma(pixels, rng.uniform(*_GAMMA))
    return pixels


def variants(pixels: Pixels, rng: np.random.Generator, mixed: int = 4) -> Mapping[str, Pixels]:
    """The original, each augmentation alone at its limits, and some drawn as in training; by caption, in order."""
    alone = {
        "original": pixels,
        f"CLAHE, clip {_CLIP_LIMIT:g}": clahe(pixels),
        f"hue -{_HUE_LIMIT}": shift_hue_and_saturation(pixels, -_HUE_LIMIT, 0),
        f"hue +{_HUE_LIMIT // 2}": shift_hue_and_saturation(pixels, _HUE_LIMIT // 2, 0),
        f"saturation +{_SATURATION_LIMIT}": shift_hue_and_saturation(pixels, 0, _SATURATION_LIMIT),
        "flip": flip(pixels),
        f"gamma {_GAMMA[0]:g}": gamma(pixels, _GAMMA[0]),
        f"gamma {_GAMMA[1]:g}": gamma(pixels, _GAMMA[1]),
    }
    drawn = {f"as in training {number}": augment(pixels, rng) for number in range(1, mixed + 1)}
    return MappingProxyType(alone | drawn)


def draw_augmentations(settings: Settings, image: Path, output: Path, seed: int) -> None:
    """Write a sheet of the variants of an image; raises SettingsError, ImageError."""
    try:
        pixels = decoder(settings, side=256).decode(image.read_bytes())
    except OSError as error:
        raise SettingsError(f"{image} cannot be read ({error.strerror})") from error
    drawn = [Captioned(variant, caption) for caption, variant in variants(pixels, np.random.default_rng(seed)).items()]
    save_sheet(draw_sheet(list(chunks(drawn, 4))), output)


def augment_batch(pixels: Pixels, rows: NDArray[np.int64], seed: int, epoch: int) -> Pixels:
    """Augment [b, h, w, 3]; what happens to a row in an epoch depends on nothing but the seed."""
    return _each(augment, pixels, rows, (seed, epoch))


_TURN = 10.0
"""Degrees, either way."""
_ZOOM = (0.75, 1.4)
_STRETCH, _SHIFT = 0.15, 0.1
_CONTRAST, _BRIGHTNESS, _TINT = 0.25, 25.0, 0.08
_BANNER = (0.06, 0.2)
"""Height of a banner, as a share of the image's."""
_QUALITY = (30, 90)
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
    return _each(seller_view, pixels, rows, (seed, turn))


def _each(
    change: Callable[[Pixels, np.random.Generator], Pixels],
    pixels: Pixels,
    rows: NDArray[np.integer],
    seeds: tuple[int, int],
) -> Pixels:
    """Change each of [b, h, w, 3], by random numbers that depend on two seeds and the image's row."""
    return np.stack(
        [change(image, np.random.default_rng((*seeds, int(row)))) for image, row in zip(pixels, rows, strict=True)]
    )


def _framed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Turned, zoomed, stretched and shifted a little, on white."""
    height, width = pixels.shape[:2]
    angle = rng.uniform(-_TURN, _TURN) if rng.random() < 0.5 else 0.0
    zoom, stretch = np.exp(rng.uniform(*np.log(_ZOOM))), np.exp(rng.uniform(-_STRETCH, _STRETCH))
    matrix = cv2.getRotationMatrix2D((0, 0), angle, 1.0)
    matrix[0] *= zoom * stretch
    matrix[1] *= zoom / stretch
    centre = np.array([width, height]) / 2
    matrix[:, 2] = centre - matrix[:, :2] @ centre + rng.uniform(-_SHIFT, _SHIFT, 2) * (width, height)
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
    values = (pixels.astype(np.float32) - 128) * np.exp(rng.uniform(-_CONTRAST, _CONTRAST)) + 128
    values = (values + rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)) * np.exp(rng.uniform(-_TINT, _TINT, 3))
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _with_banner(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A bar of one colour over the top or the bottom."""
    height = max(1, round(rng.uniform(*_BANNER) * len(pixels)))
    covered = pixels.copy()
    covered[:height] = rng.integers(0, 256, 3)
    return covered if rng.random() < 0.5 else np.concatenate([pixels[:-height], covered[:height]])


def _compressed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Through JPEG and back."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*_QUALITY))])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
