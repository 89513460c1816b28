"""Outlines of shapes: float [n, 2] points in units of a thousandth of the article's canvas, y downwards."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Point = tuple[float, float]


def ellipse(centre: Point, rx: float, ry: float, degrees: Point = (0.0, 360.0)) -> Floats:
    """An ellipse, or the arc of it between two angles, clockwise from the right."""
    angles = np.radians(np.linspace(degrees[0], degrees[1], 73))
    return np.stack([centre[0] + rx * np.cos(angles), centre[1] + ry * np.sin(angles)], axis=1)


def rectangle(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> Floats:
    """A rectangle whose corners are rounded by a radius."""
    if radius <= 0:
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
    corners = (
        ((right - radius, top + radius), -90.0),
        ((right - radius, bottom - radius), 0.0),
        ((left + radius, bottom - radius), 90.0),
        ((left + radius, top + radius), 180.0),
    )
    return np.concatenate([ellipse(at, radius, radius, (start, start + 90.0))[::6] for at, start in corners])


def smooth(points: Sequence[Point], *, closed: bool = True, steps: int = 8) -> Floats:
    """A curve through points that never overshoots; a point given twice makes a corner.

    It is a Catmull-Rom curve whose tangents are no longer than the shorter of the two neighbouring chords.
    """
    given = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([given[-1:], given, given[:2]] if closed else [given[:1], given, given[-1:]])
    chords = np.linalg.norm(np.diff(padded, axis=0), axis=1)
    tangents = (padded[2:] - padded[:-2]) / 2
    length = np.linalg.norm(tangents, axis=1)
    limit = np.minimum(np.minimum(chords[:-1], chords[1:]) / np.maximum(length, 1e-9), 1.0)
    tangents *= limit[:, None]
    start, end = padded[1:-2, None], padded[2:-1, None]
    leave, arrive = tangents[:-1, None], tangents[1:, None]
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    curve = (2 * t**3 - 3 * t**2 + 1) * start + (3 * t**2 - 2 * t**3) * end
    curve = curve + (t**3 - 2 * t**2 + t) * leave + (t**3 - t**2) * arrive
    flat = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, given[-1:]])


def symmetric(half: Sequence[Point], *, axis: float = 500.0, steps: int = 8) -> Floats:
    """A closed curve from its right half, given from top to bottom as (distance from the axis, y)."""
    right: Floats = smooth([(axis + dx, y) for dx, y in half], closed=False, steps=steps)
    return np.concatenate([right, mirrored(right[::-1], axis)])


def moved(outline: Floats, dx: float, dy: float) -> Floats:
    """The outline moved to the right and down."""
    shifted: Floats = outline + np.array((dx, dy))
    return shifted


def turned(outline: Floats, degrees: float, centre: Point) -> Floats:
    """The outline turned clockwise about a point."""
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    image: Floats = (outline - centre) @ turn + centre
    return image


def mirrored(outline: Floats, axis: float = 500.0) -> Floats:
    """The outline seen in a mirror that stands on a vertical axis."""
    image: Floats = outline * (-1.0, 1.0) + (2 * axis, 0.0)
    return image
