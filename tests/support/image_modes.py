"""Files of every mode and transparency, and what their values mean."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pricematch.encoding.ports import Pixels
from tests.support.fakes import encoded
from tests.support.odd_images import png_chunk, png_of, tiff_of

SIDE = 16
WHITE, GROUND = 255, 128
GREYS = np.tile(np.arange(0, 256, 16), (SIDE, 1))
"""A ramp to the right, dark enough to be seen on white."""


def shown(rgb: NDArray[np.generic], alpha: NDArray[np.generic] | int = 255, ground: int = WHITE) -> Pixels:
    """The oracle: colours [16, 16, 3] or greys [16, 16] over a ground."""
    share = np.broadcast_to(np.asarray(alpha, np.float64) / 255, (SIDE, SIDE))[:, :, np.newaxis]
    colours = np.asarray(rgb, np.float64)
    if colours.ndim == 2:
        colours = np.repeat(colours[:, :, np.newaxis], 3, axis=2)
    return np.rint(colours * share + ground * (1 - share)).astype(np.uint8)


def packed(values: NDArray[np.generic], bits: int) -> Sequence[bytes]:
    """Lines of values [16, n] of so many bits each."""
    lines = []
    for row in np.asarray(values, np.int64).reshape(SIDE, -1):
        text = "".join(format(value, f"0{bits}b") for value in row.tolist())
        lines.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return lines


def grey_png(bits: int, clear: int | None) -> tuple[bytes, Pixels]:
    """A PNG of all its greys, one of which is transparent, and what it shows."""
    most = 2**bits - 1
    values = GREYS * most // 255
    keys = [] if clear is None else [png_chunk(b"tRNS", struct.pack(">H", clear))]
    eight = values >> 8 if bits == 16 else values * 255 // most
    return png_of(SIDE, SIDE, bits, 0, packed(values, bits), *keys), shown(eight, 255 * (values != clear))


def rgb_png(bits: int) -> tuple[bytes, Pixels]:
    """A PNG of colours, one of which is transparent, and what it shows."""
    scale = 257 if bits == 16 else 1
    colours = np.stack([GREYS, GREYS.T, np.full((SIDE, SIDE), 64)], axis=2)
    key = png_chunk(b"tRNS", struct.pack(">HHH", *(colours[3, 5] * scale).tolist()))
    alpha = 255 * (colours != colours[3, 5]).any(axis=2)
    return png_of(SIDE, SIDE, bits, 2, packed(colours * scale, bits), key), shown(colours, alpha)


def palette_png(bits: int) -> tuple[bytes, Pixels]:
    """A PNG of a palette, each of whose colours has its own alpha, and what it shows."""
    count = min(2**bits, 16)
    colours, alphas = np.arange(3 * count).reshape(count, 3) * 5, np.arange(count) * 255 // (count - 1)
    rows = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % count
    chunks = png_chunk(b"PLTE", bytes(colours.ravel().tolist())), png_chunk(b"tRNS", bytes(alphas.tolist()))
    return png_of(SIDE, SIDE, bits, 3, packed(rows, bits), *chunks), shown(colours[rows], alphas[rows])


def alpha_png(bits: int, kind: int) -> tuple[bytes, Pixels]:
    """A PNG of grey or colours with alpha, and what it shows."""
    channels = [GREYS] * (1 if kind == 4 else 3)
    values = np.stack([*channels, GREYS.T], axis=2) * (257 if bits == 16 else 1)
    return png_of(SIDE, SIDE, bits, kind, packed(values, bits)), shown(GREYS, GREYS.T)


def tiff(values: NDArray[np.generic], kind: str, photometric: int, order: str = "<", **more: int) -> bytes:
    """A TIFF of values [16, 16] or [16, 16, channels]."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    bits = 8 * np.dtype(kind).itemsize
    return tiff_of(SIDE, [bits] * channels, photometric, values.astype(order + kind).tobytes(), order, **more)


RAMP = np.dstack([GREYS, GREYS.T])
"""Grey and alpha."""
COLOURS = np.dstack([GREYS, GREYS // 2, GREYS // 3, GREYS.T])
"""RGB and alpha."""
MULTIPLIED = np.dstack([np.rint(COLOURS[:, :, :3] * (COLOURS[:, :, 3:] / 255)), COLOURS[:, :, 3]])
SCENE = Image.fromarray(COLOURS[:, :, :3].astype(np.uint8))
CLEAR = Image.fromarray(COLOURS.astype(np.uint8))


def lab() -> bytes:
    srgb, other = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(SCENE, srgb, other, outputMode="LAB")
    assert converted is not None
    return encoded(converted, "TIFF")


def bmp(size: int, alpha: int) -> bytes:
    """A BMP of 32 bits, with a header of 40 bytes, which knows no alpha, or of 108, which has a mask for it."""
    pixels = np.dstack([COLOURS[:, :, 2::-1], np.full((SIDE, SIDE), alpha)]).astype(np.uint8).tobytes()
    masks = b"" if size == 40 else struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(size - 60)
    header = struct.pack("<IiiHHIIiiII", size, SIDE, -SIDE, 1, 32, 0 if size == 40 else 3, 1024, 0, 0, 0, 0) + masks
    return b"BM" + struct.pack("<IHHI", 14 + size + 1024, 0, 0, 14 + size) + header + pixels


def paletted(palette_mode: str) -> Image.Image:
    """The ramp as a palette, opaque but for its alphas."""
    image = Image.fromarray((GREYS // 16).astype(np.uint8), "L").convert("P")
    image.putdata((GREYS // 16).ravel().tolist())
    colours = np.column_stack([np.arange(16) * 9, np.arange(16) * 3, np.arange(16) * 12, np.arange(16) * 17])
    image.putpalette(colours[:, : len(palette_mode)].astype(np.uint8).tobytes(), palette_mode)
    return image


def gif() -> tuple[bytes, Pixels]:
    colours = np.column_stack([np.arange(16) * 9, np.arange(16) * 3, np.arange(16) * 12])
    return encoded(paletted("RGB"), "GIF", transparency=5), shown(colours[GREYS // 16], 255 * (GREYS // 16 != 5))


PALETTE = np.asarray(paletted("RGBA").convert("RGBA"))


@dataclass(frozen=True)
class Case:
    """A file, what it shows, and by how much a value may differ."""

    image: bytes
    expected: Pixels
    within: int = 1


CASES: dict[str, Case] = {
    **{f"grey of {bits} bits": Case(*grey_png(bits, None)) for bits in (1, 2, 4, 8, 16)},
    **{
        f"grey of {bits} bits, {clear} transparent": Case(*grey_png(bits, clear))
        for bits, clear in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 3), (4, 0), (4, 7), (8, 48), (16, 48 * 257))
    },
    **{f"RGB of {bits} bits, one colour transparent": Case(*rgb_png(bits)) for bits in (8, 16)},
    **{f"palette of {bits} bits with alphas": Case(*palette_png(bits)) for bits in (2, 4, 8)},
    **{f"alpha, {bits} bits, type {kind}": Case(*alpha_png(bits, kind)) for bits in (8, 16) for kind in (4, 6)},
    **{
        f"TIFF of 16 bits {order}, photometric {meaning}": Case(
            tiff(GREYS * 257, "u2", meaning, order), shown(GREYS if meaning else 255 - GREYS)
        )
        for order, meaning in (("<", 1), (">", 1), ("<", 0))
    },
    "TIFF of 8 bits, white is zero": Case(tiff(GREYS, "u1", 0), shown(255 - GREYS)),
    "TIFF of 12 bits": Case(tiff_of(SIDE, [12], 1, b"".join(packed(GREYS * 16, 12))), shown(GREYS)),
    "TIFF of grey and alpha": Case(tiff(RAMP, "u1", 1, extra=2), shown(GREYS, GREYS.T)),
    "TIFF of grey multiplied by alpha": Case(
        tiff(np.dstack([np.rint(GREYS * (GREYS.T / 255)), GREYS.T]), "u1", 1, extra=1), shown(GREYS, GREYS.T), 2
    ),
    "TIFF of colours and alpha": Case(tiff(COLOURS, "u1", 2, extra=2), shown(COLOURS[:, :, :3], COLOURS[:, :, 3])),
    "TIFF of colours multiplied by alpha": Case(
        tiff(MULTIPLIED, "u1", 2, extra=1), shown(COLOURS[:, :, :3], COLOURS[:, :, 3]), 2
    ),
    "TIFF of colours and something else": Case(tiff(COLOURS, "u1", 2, extra=0), shown(COLOURS[:, :, :3])),
    "TIFF of colours of 16 bits": Case(tiff(COLOURS[:, :, :3] * 257, "u2", 2), shown(COLOURS[:, :, :3])),
    "TIFF of colours and alpha of 16 bits": Case(
        tiff(COLOURS * 257, "u2", 2, extra=2), shown(COLOURS[:, :, :3], COLOURS[:, :, 3])
    ),
    "TIFF of CMYK": Case(
        tiff(np.dstack([255 - COLOURS[:, :, :3], np.zeros((SIDE, SIDE))]), "u1", 5), shown(COLOURS[:, :, :3])
    ),
    "TIFF of LAB": Case(lab(), shown(COLOURS[:, :, :3]), 6),
    "TIFF of YCbCr": Case(encoded(SCENE.convert("YCbCr"), "TIFF"), shown(COLOURS[:, :, :3]), 3),
    "TIFF in 1 bit": Case(encoded(Image.fromarray(GREYS > 99), "TIFF"), shown(255 * (GREYS > 99))),
    "TIFF of a palette and alpha": Case(
        encoded(paletted("RGB").convert("PA"), "TIFF"), shown(np.asarray(paletted("RGB").convert("RGB")))
    ),
    "palette of RGBA": Case(encoded(paletted("RGBA")), shown(PALETTE[:, :, :3], PALETTE[:, :, 3])),
    "BMP of 32 bits without alpha": Case(bmp(40, 0), shown(COLOURS[:, :, :3])),
    "BMP of 32 bits with alpha": Case(bmp(108, 128), shown(COLOURS[:, :, :3], 128)),
    "GIF with a transparent colour": Case(*gif()),
    "WebP with alpha": Case(
        encoded(CLEAR, "WEBP", lossless=True, exact=True), shown(COLOURS[:, :, :3], COLOURS[:, :, 3])
    ),
    "AVIF with alpha": Case(
        encoded(CLEAR, "AVIF", quality=100, subsampling="4:4:4"), shown(COLOURS[:, :, :3], COLOURS[:, :, 3]), 6
    ),
    "AVIF of grey": Case(encoded(Image.fromarray(GREYS.astype(np.uint8)), "AVIF", quality=100), shown(GREYS), 4),
    "JPEG of CMYK": Case(encoded(SCENE.convert("CMYK"), "JPEG", quality=100), shown(COLOURS[:, :, :3]), 8),
    "JPEG of grey": Case(encoded(Image.fromarray(GREYS.astype(np.uint8)), "JPEG", quality=100), shown(GREYS), 3),
}
