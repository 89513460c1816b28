"""Lights: how bright a point of a shape is, which turns flat colour into a body."""

from collections.abc import Callable

import numpy as np

from pricematch.sample.outlines import Floats, Point

Light = Callable[[Floats, Floats], Floats]
"""From x [1, w] and y [h, 1] in canvas units to a gain: 0 black, 1 unchanged, 2 white."""


def round_body(left: float, right: float, gloss: float = 0.5) -> Light:
    """An upright cylinder lit from the upper left; `gloss` is the strength of its highlight."""

    def light(x: Floats, _y: Floats) -> Floats:
        u = 2 * (x - left) / (right - left) - 1
        facing = np.sqrt(np.clip(1 - np.clip(u + 0.12, -1, 1) ** 2, 0, 1))
        body = 0.48 + 0.56 * facing
        streak = gloss * np.exp(-(((u + 0.52) / 0.13) ** 2)) + 0.35 * gloss * np.exp(-(((u - 0.80) / 0.07) ** 2))
        gain: Floats = body + streak
        return gain

    return light


def ball(centre: Point, radius: float, gloss: float = 0.4) -> Light:
    """A sphere lit from the upper left."""

    def light(x: Floats, y: Floats) -> Floats:
        u, v = (x - centre[0]) / radius, (y - centre[1]) / radius
        depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        facing = np.clip(-0.42 * u - 0.55 * v + 0.72 * depth, 0, 1)
        glint = gloss * np.exp(-((u + 0.36) ** 2 + (v + 0.44) ** 2) / 0.035)
        gain: Floats = 0.50 + 0.56 * facing + glint
        return gain

    return light


def ramp(start: Point, end: Point, first: float, second: float) -> Light:
    """A gain that goes straight from `first` at `start` to `second` at `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy

    def light(x: Floats, y: Floats) -> Floats:
        along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / length, 0, 1)
        return first + (second - first) * along

    return light


def metal(left: float, right: float) -> Light:
    """Polished metal: a few hard reflections side by side."""

    def light(x: Floats, _y: Floats) -> Floats:
        u = (x - left) / (right - left)
        gain: Floats = 0.88 + 0.26 * np.sin(11.5 * u + 0.5) + 0.34 * np.exp(-(((u - 0.28) / 0.07) ** 2))
        return gain

    return light


def fuzz(strength: float, seed: int) -> Light:
    """Short fur or coarse cloth: brightness that differs from point to point."""
    grain = np.random.default_rng(seed).normal(0.0, strength, (256, 256)).astype(np.float32)

    def light(x: Floats, y: Floats) -> Floats:
        rows, columns = (y[:, 0] / 3.1).astype(np.int64) % 256, (x[0] / 3.1).astype(np.int64) % 256
        gain: Floats = 1.0 + grain[rows[:, None], columns[None, :]]
        return gain

    return light
