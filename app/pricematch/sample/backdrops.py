"""What sellers put behind and under their goods."""

from collections.abc import Callable

import cv2
import numpy as np

from pricematch.sample.colours import Rgb, tint
from pricematch.sample.outlines import Floats

UPRIGHT = ("white", "studio", "paper", "table", "shelf")
"""Backdrops an article stands in front of."""

LAID = ("white", "studio", "paper", "wood", "fabric", "marble", "tiles")
"""Backdrops an article lies on."""

HORIZON = 0.66
"""Where a table ends and the wall begins, as a share of the photo's height."""

_PAPERS = tuple(
    tint(code, code, code).rgb
    for code in ("f6d7d0", "cfe5ee", "f7e6b5", "d9ecd2", "e3d8f0", "f3b9a4", "8fc7c1", "f4f0e6", "2f4858", "e9e4dc")
)
_WOODS = tuple(tint(code, code, code).rgb for code in ("b98a5a", "8a5f3c", "d9b98c", "6b4a34", "c8a27c"))
_CLOTHS = tuple(tint(code, code, code).rgb for code in ("e6e1d8", "9aa7b4", "c9b7a7", "5c6672", "d8b4b0", "7f8f7a"))


def backdrop(name: str, width: int, height: int, rng: np.random.Generator) -> Floats:
    """A backdrop, float32 [height, width, 3] RGB in [0, 1]; the same generator gives the same scene at every size."""
    return np.clip(_BACKDROPS[name](width, height, rng), 0, 1).astype(np.float32)


def _noise(rng: np.random.Generator, cells: tuple[int, int], width: int, height: int) -> Floats:
    """Soft noise about 0, with `cells` (across, down) independent values."""
    grid = rng.normal(0.0, 1.0, (cells[1], cells[0])).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _choice(rng: np.random.Generator, colours: tuple[Rgb, ...]) -> Floats:
    return np.array(colours[rng.integers(len(colours))], dtype=np.float32)


def _spot(width: int, height: int, x: float, y: float, reach: float) -> Floats:
    """How near a point of the photo is to a spot of light: 1 at the spot, 0 at `reach` heights away."""
    across = (np.arange(width, dtype=np.float32)[None, :] / width - x) * width / height
    down = np.arange(height, dtype=np.float32)[:, None] / height - y
    return np.clip(1 - np.sqrt(across**2 + down**2) / reach, 0, 1)[..., None]


def _white(width: int, height: int, _rng: np.random.Generator) -> Floats:
    return np.full((height, width, 3), 0.995, dtype=np.float32)


def _studio(width: int, height: int, rng: np.random.Generator) -> Floats:
    edge = np.float32(rng.uniform(0.55, 0.85)) * np.array((1.0, 1.0, rng.uniform(0.97, 1.04)), dtype=np.float32)
    return edge + (0.98 - edge) * _spot(width, height, rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.6), 0.95)


def _paper(width: int, height: int, rng: np.random.Generator) -> Floats:
    colour = _choice(rng, _PAPERS)
    light = _spot(width, height, rng.uniform(0, 1), rng.uniform(0, 0.5), 1.3)
    sheet: Floats = colour * (0.84 + 0.2 * light) + 0.006 * _noise(rng, (160, 160), width, height)[..., None]
    return sheet


def _wood(width: int, height: int, rng: np.random.Generator) -> Floats:
    colour, planks = _choice(rng, _WOODS), int(rng.integers(3, 7))
    grain = 0.05 * _noise(rng, (7, 190), width, height) + 0.03 * _noise(rng, (4, 60), width, height)
    position = np.arange(height, dtype=np.float32)[:, None] / height * planks
    tone = rng.uniform(-0.07, 0.07, planks).astype(np.float32)[np.minimum(position.astype(int), planks - 1)]
    gap = np.clip(np.abs(position % 1.0 - 0.5) * 2 - 0.975, 0, 1) * 16
    boards: Floats = colour * (1 + grain + tone)[..., None] - (0.35 * gap)[..., None]
    return boards


def _fabric(width: int, height: int, rng: np.random.Generator) -> Floats:
    colour, folds = _choice(rng, _CLOTHS), _noise(rng, (5, 4), width, height)
    thread = rng.uniform(90, 150)
    x = np.sin(np.arange(width, dtype=np.float32) / width * 2 * np.pi * thread)[None, :]
    y = np.sin(np.arange(height, dtype=np.float32) / height * 2 * np.pi * thread)[:, None]
    return colour * (0.95 + 0.035 * (x + y) + 0.055 * folds)[..., None]


def _marble(width: int, height: int, rng: np.random.Generator) -> Floats:
    warp = 1.1 * _noise(rng, (4, 4), width, height) + 0.10 * _noise(rng, (18, 18), width, height)
    x, y = np.arange(width, dtype=np.float32)[None, :] / width, np.arange(height, dtype=np.float32)[:, None] / height
    strength = np.clip(0.45 + 0.5 * _noise(rng, (8, 8), width, height), 0.05, 1.0)
    veins = np.exp(-np.abs(np.sin(3.0 * x + 4.0 * y + warp)) * 9) * strength
    cloud = 0.02 * _noise(rng, (9, 9), width, height)
    slab: Floats = (
        np.float32(0.93) + cloud[..., None] - veins[..., None] * np.array((0.26, 0.25, 0.23), dtype=np.float32)
    )
    return slab


def _tiles(width: int, height: int, rng: np.random.Generator) -> Floats:
    colour, count = 0.5 + 0.5 * _choice(rng, _PAPERS), float(rng.uniform(3.0, 6.0))
    x = np.arange(width, dtype=np.float32)[None, :] / height * count
    y = np.arange(height, dtype=np.float32)[:, None] / height * count
    joint = np.maximum(np.abs(x % 1.0 - 0.5), np.abs(y % 1.0 - 0.5))
    light = 0.9 + 0.12 * _spot(width, height, rng.uniform(0, 1), 0.1, 1.2)
    return colour * light * (1 - 0.25 * np.clip((joint - 0.485) * 120, 0, 1))[..., None]


def _on_table(wall: Floats, rng: np.random.Generator) -> Floats:
    height, width = wall.shape[:2]
    edge = int(HORIZON * height)
    board = _wood(width, height - edge, rng) if rng.random() < 0.7 else _marble(width, height - edge, rng)
    board = board * np.linspace(0.82, 1.06, height - edge, dtype=np.float32)[:, None, None]
    scene = np.concatenate([wall[:edge], board]).astype(np.float32)
    soft = cv2.GaussianBlur(scene, (0, 0), max(0.6, height / 260)).astype(np.float32)
    scene[edge - 4 : edge + 4] = soft[edge - 4 : edge + 4]
    return scene


def _table(width: int, height: int, rng: np.random.Generator) -> Floats:
    return _on_table(_paper(width, height, rng), rng)


def _shelf(width: int, height: int, rng: np.random.Generator) -> Floats:
    """A table before a shop's shelf that is out of focus."""
    small = np.full((96, 96, 3), rng.uniform(0.55, 0.8), dtype=np.float32)
    for row in range(3):
        x = 0
        while x < 96:
            wide, tall = int(rng.integers(6, 15)), int(rng.integers(10, 19))
            floor = 21 + 22 * row
            small[floor - tall : floor, x : x + wide] = rng.uniform(0.25, 0.95, 3)
            x += wide + int(rng.integers(0, 4))
        small[21 + 22 * row : 24 + 22 * row] = 0.35
    blurred = cv2.GaussianBlur(small, (0, 0), 2.6)
    return _on_table(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32), rng)


_BACKDROPS: dict[str, Callable[[int, int, np.random.Generator], Floats]] = {
    "white": _white,
    "studio": _studio,
    "paper": _paper,
    "wood": _wood,
    "fabric": _fabric,
    "marble": _marble,
    "tiles": _tiles,
    "table": _table,
    "shelf": _shelf,
}
