"""How a seller points the camera: everything about a photo but the product in it."""

from dataclasses import dataclass

import numpy as np

from pricematch.sample.backdrops import LAID, UPRIGHT
from pricematch.sample.kinds import Kind
from pricematch.sample.outlines import Floats

_ASPECTS = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.75, 1.0), (1.0, 0.75), (0.8, 1.0), (1.0, 0.9))


@dataclass(frozen=True)
class Shot:
    """One set-up of camera, light and backdrop.

    Attributes:
        aspect: width and height; the longer one is 1.
        backdrop: one of `UPRIGHT` or `LAID`.
        upright: whether the article stands before the backdrop, and does not lie on it.
        seed: of the backdrop's texture.
        fill: share of the frame that the article fills; above 1 it is cropped.
        shift: where its middle is, away from the photo's, in shares of the frame.
        angle: degrees it is turned clockwise.
        corners: how far perspective moves the frame's four corners, in shares of the frame.
        mirrored: whether the picture is mirrored, as selfie cameras do.
        doubled: whether a second piece is shown behind; never of goods that are also sold in packs.
        shadow: where shadows fall, in shares of the article's height (right, down).
        exposure: gain of the whole photo.
        warmth: gain of red over blue, less 1.
        falloff: how much darker the corner away from the light is.
    """

    aspect: tuple[float, float]
    backdrop: str
    upright: bool
    seed: int
    fill: float
    shift: tuple[float, float]
    angle: float
    corners: tuple[tuple[float, float], ...]
    mirrored: bool
    doubled: bool
    shadow: tuple[float, float]
    exposure: float
    warmth: float
    falloff: float

    def frame(self, long_side: int) -> tuple[int, int]:
        """Width and height in pixels of a photo whose longer side is given."""
        return round(self.aspect[0] * long_side), round(self.aspect[1] * long_side)


def stock_shot(rng: np.random.Generator, kind: Kind) -> Shot:
    """The maker's own photo: centred, straight, well lit, on something plain."""
    backdrop = ("white", "white", "studio", "paper", "table" if kind.standing else "paper")[rng.integers(5)]
    return Shot(
        aspect=(1.0, 1.0),
        backdrop=backdrop,
        upright=kind.standing,
        seed=int(rng.integers(2**32)),
        fill=float(rng.uniform(0.74, 0.92)),
        shift=(float(rng.normal(0, 0.015)), float(rng.normal(0, 0.012))),
        angle=0.0 if kind.standing else float(rng.choice((0.0, 0.0, -14.0, 12.0, 20.0))),
        corners=_corners(rng, 0.02),
        mirrored=False,
        doubled=max(kind.packs) == 1 and bool(rng.random() < 0.15),
        shadow=(float(rng.choice((-1, 1)) * rng.uniform(0.2, 0.6)), 0.25),
        exposure=float(rng.uniform(0.99, 1.04)),
        warmth=0.0,
        falloff=float(rng.uniform(0.0, 0.06)),
    )


def seller_shot(rng: np.random.Generator, kind: Kind) -> Shot:
    """A seller's own photo, taken at home or in the shop."""
    upright = kind.standing and bool(rng.random() < 0.7)
    backdrops = UPRIGHT if upright else LAID
    laid_turn = float(rng.normal(0, 16)) if rng.random() < 0.8 else float(rng.choice((-90.0, 90.0, 45.0)))
    return Shot(
        aspect=_ASPECTS[rng.integers(len(_ASPECTS))],
        backdrop=backdrops[rng.integers(len(backdrops))],
        upright=upright,
        seed=int(rng.integers(2**32)),
        fill=float(rng.uniform(0.62, 0.97) if rng.random() < 0.82 else rng.uniform(1.15, 1.6)),
        shift=(float(rng.normal(0, 0.05)), float(rng.normal(0, 0.03))),
        angle=float(rng.normal(0, 1.6)) if upright else laid_turn,
        corners=_corners(rng, 0.06 if upright else 0.10),
        mirrored=bool(rng.random() < 0.12),
        doubled=max(kind.packs) == 1 and bool(rng.random() < 0.18),
        shadow=(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(0.15, 0.5))),
        exposure=float(rng.uniform(0.78, 1.12)),
        warmth=float(rng.normal(0.02, 0.06)),
        falloff=float(rng.uniform(0.05, 0.4)),
    )


def _corners(rng: np.random.Generator, reach: float) -> tuple[tuple[float, float], ...]:
    moves: Floats = rng.uniform(-reach, reach, (4, 2))
    return tuple((float(x), float(y)) for x, y in moves)
