"""Colours that goods are sold in, each with the names sellers use."""

from dataclasses import dataclass

import numpy as np

Rgb = tuple[float, float, float]
"""Red, green and blue, each in [0, 1]."""

WHITE: Rgb = (1.0, 1.0, 1.0)
INK: Rgb = (0.12, 0.12, 0.14)
STEEL: Rgb = (0.76, 0.77, 0.79)
GOLD: Rgb = (0.86, 0.70, 0.38)


@dataclass(frozen=True)
class Tint:
    """A colour or flavour with its name in English and in Indonesian."""

    name: str
    local: str
    rgb: Rgb


def tint(name: str, local: str, code: str) -> Tint:
    """A `Tint` from six hex digits."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return Tint(name, local, (red, green, blue))


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """The colour `share` of the way from the first to the second."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def brightness(colour: Rgb) -> float:
    """Perceived brightness in [0, 1]."""
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


def readable_on(colour: Rgb) -> Rgb:
    """White or ink, whichever can be read on the colour."""
    return WHITE if brightness(colour) < 0.6 else INK


WARDROBE = (
    tint("Black", "Hitam", "26272b"),
    tint("White", "Putih", "f1f0ec"),
    tint("Navy", "Biru Dongker", "22325a"),
    tint("Maroon", "Merah Maroon", "7a2233"),
    tint("Grey", "Abu-abu", "8f9499"),
    tint("Olive", "Hijau Army", "66704a"),
    tint("Sky Blue", "Biru Muda", "8fbfe0"),
    tint("Pink", "Pink", "eda9b8"),
    tint("Mustard", "Kuning Mustard", "d9a441"),
    tint("Brown", "Coklat", "7d5a44"),
    tint("Lilac", "Ungu Muda", "b7a3d6"),
    tint("Red", "Merah", "c62f36"),
    tint("Sage", "Hijau Sage", "a3b59a"),
    tint("Cream", "Krem", "e8dcc3"),
)

LIVERIES = (
    tint("White", "Putih", "f6f5f1"),
    tint("Ivory", "Gading", "f3e9d2"),
    tint("Mint", "Hijau Mint", "bfe3d2"),
    tint("Blue", "Biru", "2f66b0"),
    tint("Green", "Hijau", "2e7d4f"),
    tint("Red", "Merah", "c3272f"),
    tint("Purple", "Ungu", "5f3d8c"),
    tint("Rose", "Merah Muda", "f3c6cf"),
    tint("Charcoal", "Abu Tua", "34373d"),
    tint("Orange", "Oranye", "ee8434"),
    tint("Teal", "Toska", "1d7f86"),
    tint("Yellow", "Kuning", "f4c63d"),
)
