"""The transparent canvas an article is drawn on."""

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pricematch.sample.colours import Rgb
from pricematch.sample.lights import Light
from pricematch.sample.outlines import Floats
from pricematch.sample.paints import Paint, flat

SIDE = 800
"""Pixels along each side; photos show an article smaller than this, which smooths its edges once more."""

UNITS = 1000.0
"""Canvas units along each side."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in canvas units."""

_SCALE = SIDE / UNITS
_SUBPIXEL_BITS = 4


class Canvas:
    """Colour and coverage of an article, painted shape over shape.

    Attributes:
        pixels: float32 [SIDE, SIDE, 4], premultiplied RGB and coverage, each in [0, 1].
    """

    def __init__(self) -> None:
        self.pixels = np.zeros((SIDE, SIDE, 4), dtype=np.float32)

    def fill(
        self, outline: Floats, paint: Paint, *, opacity: float = 1.0, blur: float = 0.0, inside: bool = False
    ) -> None:
        """Paint an outline; `blur` (units) softens its edge, `inside` keeps to what is already covered."""
        left, top, mask = _mask(outline, None, blur)
        self._paint(left, top, mask * opacity, paint, inside=inside)

    def stroke(
        self,
        line: Floats,
        width: float,
        paint: Paint,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
        inside: bool = False,
    ) -> None:
        """Paint an open line of some width; the other arguments are those of `fill`."""
        left, top, mask = _mask(line, width, blur)
        self._paint(left, top, mask * opacity, paint, inside=inside)

    def shine(self, outline: Floats, light: Light) -> None:
        """Brighten or darken what is already painted inside an outline."""
        left, top, mask = _mask(outline, None, 0.0)
        view, x, y = self._window(left, top, mask)
        gain = 1 + (light(x, y) - 1) * mask
        colour, cover = view[..., :3], view[..., 3:]
        dark, bright = np.clip(gain, 0, 1)[..., None], np.clip(gain - 1, 0, 1)[..., None]
        view[..., :3] = colour * dark + (cover - colour) * bright

    def write(self, text: str, box: Box, colour: Rgb, *, weight: float = 0.03, turn: int = 0) -> None:
        """Print text as large as fits into a box; `weight` thickens it, `turn` is in quarters anticlockwise."""
        glyphs = np.ascontiguousarray(np.rot90(_glyphs(text, weight), turn))
        width, height = (box[2] - box[0]) * _SCALE, (box[3] - box[1]) * _SCALE
        zoom = min(width / glyphs.shape[1], height / glyphs.shape[0])
        size = max(1, round(glyphs.shape[1] * zoom)), max(1, round(glyphs.shape[0] * zoom))
        mask = cv2.resize(glyphs, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        left = round((box[0] + box[2]) / 2 * _SCALE - size[0] / 2)
        top = round((box[1] + box[3]) / 2 * _SCALE - size[1] / 2)
        self._paint(left, top, mask, flat(colour), inside=False)

    def _paint(self, left: int, top: int, mask: Floats, paint: Paint, *, inside: bool) -> None:
        view, x, y = self._window(left, top, mask)
        cover = mask[..., None]
        gain = view[..., 3:] * cover if inside else cover
        colour = paint(x, y)
        view[..., :3] = view[..., :3] * (1 - cover) + colour * gain
        if not inside:
            view[..., 3:] += (1 - view[..., 3:]) * cover

    def _window(self, left: int, top: int, mask: Floats) -> tuple[Floats, Floats, Floats]:
        height, width = mask.shape
        x = (np.arange(left, left + width, dtype=np.float32) + 0.5)[None, :] / np.float32(_SCALE)
        y = (np.arange(top, top + height, dtype=np.float32) + 0.5)[:, None] / np.float32(_SCALE)
        return self.pixels[top : top + height, left : left + width], x, y


def _mask(points: Floats, width: float | None, blur: float) -> tuple[int, int, Floats]:
    """Where the mask stands (left, top) and its coverage in [0, 1], cut to the canvas."""
    pixels = points * _SCALE
    margin = 2 + 3 * blur * _SCALE + (width or 0.0) * _SCALE / 2
    left, top = np.clip(np.floor(pixels.min(axis=0) - margin), 0, SIDE - 1).astype(int)
    right, bottom = np.clip(np.ceil(pixels.max(axis=0) + margin), (left + 1, top + 1), SIDE).astype(int)
    mask = np.zeros((int(bottom - top), int(right - left)), dtype=np.uint8)
    # OpenCV takes a pixel's centre for its origin, the canvas its corner.
    fixed = np.round((pixels - (left, top) - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    if width is None:
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    else:
        thickness = max(1, round(width * _SCALE))
        smooth, shift = cv2.LINE_AA, _SUBPIXEL_BITS
        cv2.polylines(mask, [fixed], isClosed=False, color=255, thickness=thickness, lineType=smooth, shift=shift)
    cover = mask.astype(np.float32) / 255
    if blur > 0:
        cover = cv2.GaussianBlur(cover, (0, 0), blur * _SCALE).astype(np.float32)
    return int(left), int(top), cover


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font."""
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=256)
def _glyphs(text: str, weight: float) -> Floats:
    """Coverage of a line of text, 0 to 255, cut to its ink."""
    lettering, bold = font(96), round(96 * weight)
    left, top, right, bottom = lettering.getbbox(text, stroke_width=bold)
    image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, fill=255, font=lettering, stroke_width=bold)
    return np.asarray(image, dtype=np.float32)
