"""Photographs of an article: placed, seen in perspective, lit and with its shadows."""

from functools import reduce

import cv2
import numpy as np
import numpy.typing as npt

from pricematch.sample.backdrops import backdrop
from pricematch.sample.outlines import Floats
from pricematch.sample.shots import Shot

Pixels = npt.NDArray[np.uint8]

_SHADOW_SHRINK = 4
"""Shadows are blurred at a quarter of the size: nobody sees the difference, and it is sixteen times less work."""

_ROWS = {1: ((0.0, 1.0),), 2: ((-0.5, 0.99), (0.48, 1.0)), 3: ((-0.62, 0.93), (0.62, 0.93), (0.0, 1.0))}
_DOUBLED = ((-0.36, 0.93), (0.3, 1.0))


def photograph(article: Pixels, pack: int, shot: Shot, long_side: int) -> Pixels:
    """Take a photo.

    Args:
        article: uint8 [n, n, 4], premultiplied RGB and coverage.
        pack: how many are shown together.
        shot: the set-up.
        long_side: pixels along the longer side.

    Returns:
        uint8 [height, width, 3] RGB.
    """
    width, height = shot.frame(long_side)
    scene = backdrop(shot.backdrop, width, height, np.random.default_rng(shot.seed))
    piece = _trimmed(article)
    places = _places(pack, doubled=shot.doubled)
    span = 1 + max(x for x, _ in places) - min(x for x, _ in places)
    scale = shot.fill * min(width / (span * piece.shape[1]), height / piece.shape[0])
    size = max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale))
    piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR).astype(np.uint8)
    camera = _camera(shot, width, height)
    middle = (max(x for x, _ in places) + min(x for x, _ in places)) / 2
    for x, zoom in places:
        turn = 0.0 if zoom == 1.0 or shot.upright else -9.0
        across = (x - middle) * size[0]
        foot = _shift(width / 2 + across, height / 2 + size[1] / 2 * (zoom if shot.upright else 1.0) * 0.98)
        stand = _shift(-size[0] / 2, -size[1])
        grow = np.diag((zoom * (-1.0 if shot.mirrored else 1.0), zoom, 1.0))
        place = camera @ foot @ _turn(turn) @ grow @ stand
        scene = _cast(scene, piece, camera @ foot, grow @ stand, shot)
        layer = cv2.warpPerspective(piece, place, (width, height), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        scene = scene * (1 - layer[..., 3:]) + layer[..., :3]
    return _lit(scene, shot)


def _places(pack: int, *, doubled: bool) -> tuple[tuple[float, float], ...]:
    """Where each piece stands, in article widths from the middle, and how large it looks, back row first."""
    if pack in _ROWS:
        return _DOUBLED if doubled else _ROWS[pack]
    back = tuple((-0.9 + 1.8 * i / (pack // 2 - 1), 0.9) for i in range(pack // 2))
    front = tuple((-0.8 + 1.6 * i / (pack - pack // 2 - 1), 1.0) for i in range(pack - pack // 2))
    return back + front


def _trimmed(article: Pixels) -> Pixels:
    """The article without the empty margin around it."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(article[..., 3]))
    return article[top : top + height, left : left + width]


def _shift(x: float, y: float) -> Floats:
    return np.array([(1, 0, x), (0, 1, y), (0, 0, 1)], dtype=np.float64)


def _turn(degrees: float) -> Floats:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)], dtype=np.float64)


def _camera(shot: Shot, width: int, height: int) -> Floats:
    """From the plane of the article, in pixels, to the photo."""
    frame = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    moved = frame + np.array(shot.corners, dtype=np.float32) * (width, height)
    view: Floats = cv2.getPerspectiveTransform(frame, moved.astype(np.float32)).astype(np.float64)
    centre = _shift(width / 2, height / 2)
    moves: tuple[Floats, ...] = (view, _shift(shot.shift[0] * width, shot.shift[1] * height), centre, _turn(shot.angle))
    return reduce(np.matmul, (*moves, _shift(-width / 2, -height / 2)))


def _cast(scene: Floats, piece: Pixels, foot: Floats, stand: Floats, shot: Shot) -> Floats:
    """Darken the scene where the piece throws its shadow."""
    height, width = scene.shape[:2]
    small = width // _SHADOW_SHRINK + 1, height // _SHADOW_SHRINK + 1
    shrink = np.diag((1 / _SHADOW_SHRINK, 1 / _SHADOW_SHRINK, 1.0))
    tall = float(piece.shape[0])
    cover = np.ascontiguousarray(piece[..., 3])
    # Only what is near the ground touches it: a mug's handle does not.
    base = np.where(np.arange(len(cover))[:, None] > 0.95 * tall, cover, np.uint8(0))
    if shot.upright:
        lean = np.array([(1, -shot.shadow[0] * 0.5, 0), (0, 0.24, 0), (0, 0, 1)])
        layers = ((lean, cover, 0.022 * tall, 0.34), (_shift(0, 0.010 * tall), base, 0.010 * tall, 0.6))
    else:
        fall = _shift(0.06 * shot.shadow[0] * tall, 0.05 * shot.shadow[1] * tall)
        layers = ((fall, cover, 0.022 * tall, 0.38), (_shift(0, 0.006 * tall), cover, 0.006 * tall, 0.35))
    for bend, shape, blur, strength in layers:
        matrix = shrink @ foot @ bend @ stand
        shade = cv2.warpPerspective(shape, matrix, small, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        shade = cv2.GaussianBlur(shade, (0, 0), max(0.4, blur / _SHADOW_SHRINK)).astype(np.float32)
        whole = (small[0] * _SHADOW_SHRINK, small[1] * _SHADOW_SHRINK)
        shade = cv2.resize(shade, whole, interpolation=cv2.INTER_LINEAR)[:height, :width].astype(np.float32)
        scene = scene * (1 - strength * shade)[..., None]
    return scene


def _lit(scene: Floats, shot: Shot) -> Pixels:
    height, width = scene.shape[:2]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    away = x if shot.shadow[0] > 0 else 1 - x
    gain = shot.exposure * (1 - shot.falloff * (0.6 * away + 0.4 * y))
    colour = np.array((1 + shot.warmth, 1.0, 1 - shot.warmth), dtype=np.float32)
    return np.clip(scene * gain[..., None] * colour * 255 + 0.5, 0, 255).astype(np.uint8)
