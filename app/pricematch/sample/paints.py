"""Paints: what colour a point of an outline has."""

from collections.abc import Callable

import numpy as np

from pricematch.sample.colours import Rgb
from pricematch.sample.outlines import Floats, Point

Paint = Callable[[Floats, Floats], Floats]
"""From x [1, w] and y [h, 1] in canvas units to RGB in [0, 1], broadcastable to [h, w, 3]."""


def flat(colour: Rgb) -> Paint:
    """One colour everywhere."""
    value = np.array(colour, dtype=np.float32).reshape(1, 1, 3)
    return lambda _x, _y: value


def blend(first: Rgb, second: Rgb, start: Point, end: Point) -> Paint:
    """A straight gradient from the first colour at `start` to the second at `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy

    def paint(x: Floats, y: Floats) -> Floats:
        return _between(first, second, np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / length, 0, 1))

    return paint


def pattern(name: str, base: Rgb, accent: Rgb, pitch: float = 70.0) -> Paint:
    """A printed pattern of two colours that repeats every `pitch` units.

    Args:
        name: `plain`, or one of `_SHARES`.
        base: the ground.
        accent: the print.
        pitch: the repeat, in canvas units.
    """
    if name == "plain":
        return flat(base)
    share = _SHARES[name]
    return lambda x, y: _between(base, accent, share(x / pitch, y / pitch))


def _between(first: Rgb, second: Rgb, share: Floats) -> Floats:
    a, b = np.array(first, dtype=np.float32), np.array(second, dtype=np.float32)
    return a + (b - a) * share[..., None]


def _edge(wave: Floats, sharpness: float = 9.0) -> Floats:
    share: Floats = np.clip(wave * sharpness + 0.5, 0, 1)
    return share


def _stripes(_x: Floats, y: Floats) -> Floats:
    return _edge(np.sin(2 * np.pi * y) - 0.1)


def _diagonal(x: Floats, y: Floats) -> Floats:
    return _edge(np.sin(2 * np.pi * (x + y) * 0.7) - 0.2)


def _checks(x: Floats, y: Floats) -> Floats:
    return 0.45 * _edge(np.sin(2 * np.pi * x * 0.8)) + 0.45 * _edge(np.sin(2 * np.pi * y * 0.8))


def _dots(x: Floats, y: Floats) -> Floats:
    column = np.floor(x)
    dx, dy = x - column - 0.5, (y + 0.5 * (column % 2)) % 1.0 - 0.5
    return _edge(0.27 - np.sqrt(dx * dx + dy * dy), 22.0)


def _zigzag(x: Floats, y: Floats) -> Floats:
    return _edge(np.sin(2 * np.pi * (y + 0.9 * np.abs(x % 1.0 - 0.5))) - 0.1)


def _camouflage(x: Floats, y: Floats) -> Floats:
    x, y = 0.55 * x, 0.55 * y
    wave = np.sin(2.1 * x + 1.7 * np.sin(1.3 * y)) + np.sin(1.9 * y + 1.9 * np.sin(1.1 * x + 0.7))
    return 0.85 * _edge(wave - 0.25, 8.0)


def _flowers(x: Floats, y: Floats) -> Floats:
    x, y = 0.62 * x, 0.62 * y
    column = np.floor(x)
    dx, dy = x - column - 0.5, (y + 0.5 * (column % 2)) % 1.0 - 0.5
    radius, petals = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
    return _edge(0.21 + 0.11 * np.cos(5 * petals) - radius, 22.0) * _edge(radius - 0.07, 30.0)


_SHARES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "stripes": _stripes,
    "diagonal": _diagonal,
    "checks": _checks,
    "dots": _dots,
    "zigzag": _zigzag,
    "camouflage": _camouflage,
    "flowers": _flowers,
}
