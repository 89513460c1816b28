"""Titles as sellers write them: every attribute optional, in any order, with noise around it."""

import numpy as np

from pricematch.sample.colours import Tint
from pricematch.sample.products import Product

_BEFORE = ("PROMO", "READY STOCK", "[COD]", "TERMURAH", "ORIGINAL", "BEST SELLER", "SALE", "[PROMO]", "GROSIR", "NEW")
_AFTER = (
    *("original", "murah", "ready stock", "100% ori", "BPOM", "termurah", "import", "bisa COD", "terlaris", "promo"),
    *("free bubble wrap", "kualitas premium", "grosir", "best seller", "garansi", "kekinian", "SALE", "viral"),
)
_ORNAMENTS = ("✨", "🔥", "⭐", "❤", "É")
_SHORT = {
    "Original": "Ori",
    "original": "ori",
    "Bluetooth": "BT",
    "Wireless": "Wrls",
    "Chocolate": "Choco",
    "Strawberry": "Strwbry",
    "Hitam": "Hitm",
    "Shampoo": "Shmp",
    "Backpack": "Bag",
    "Putih": "Pth",
    "murah": "mrh",
    "Daily": "Dly",
}
_PATTERNS = {
    "plain": ("Polos", ""),
    "stripes": ("Garis", "Stripe", "Salur"),
    "diagonal": ("Garis Miring", "Diagonal"),
    "checks": ("Kotak", "Gingham", "Kotak-kotak"),
    "dots": ("Polkadot", "Dots", "Bintik"),
    "zigzag": ("Zigzag", "Zig Zag"),
    "camouflage": ("Loreng", "Camo", "Army"),
    "flowers": ("Bunga", "Floral", "Motif Bunga"),
}


def write_title(product: Product, rng: np.random.Generator, *, bare: bool = False) -> str:
    """A seller's title; a bare one names no variant, so that siblings share it."""
    kind = product.kind
    words = [product.brand, _one(rng, kind.nouns), product.model]
    if rng.random() < 0.45:
        words = [words[i] for i in rng.permutation(3)]
    variants = [] if bare else _variants(product, rng)
    parts = words + variants if rng.random() < 0.8 else [words[0], *variants, *words[1:]]
    if rng.random() < 0.35:
        parts.insert(0, _one(rng, _BEFORE))
    count = int(rng.choice((0, 1, 2, 3), p=(0.35, 0.35, 0.2, 0.1)))
    parts += [_AFTER[i] for i in rng.permutation(len(_AFTER))[:count]]
    text = " ".join(_abbreviated(part, rng) for part in parts if part)
    return _ornamented(_cased(_mistyped(text, rng), rng), rng)


def _one(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[rng.integers(len(choices))]


def _variants(product: Product, rng: np.random.Generator) -> list[str]:
    parts: list[str] = []
    if product.flavour and rng.random() < 0.9:
        parts.append(_named(product.flavour, rng))
    if len(product.kind.patterns) > 1 and rng.random() < 0.7:
        parts.append(_one(rng, _PATTERNS[product.pattern]))
    if product.kind.colour_named and rng.random() < 0.85:
        parts.append(_named(product.colour, rng))
    if product.size and rng.random() < 0.85:
        parts.append(_measured(product.size, rng))
    if product.pack > 1 and rng.random() < 0.9:
        count = product.pack
        parts.append(_one(rng, (f"isi {count}", f"{count} pcs", f"paket {count}", f"{count}pcs", f"pack of {count}")))
    if rng.random() < 0.3:
        parts = [parts[i] for i in rng.permutation(len(parts))]
    return parts


def _named(tint: Tint, rng: np.random.Generator) -> str:
    return tint.name if rng.random() < 0.5 else tint.local


def _measured(size: str, rng: np.random.Generator) -> str:
    """`100 ml` in one of the ways people write it."""
    number, unit = size.split(" ")
    local = {"g": "gr", "bags": "kantong", "L": "Liter"}.get(unit, unit)
    return _one(rng, (size, number + unit, number + local, f"{number} {local.upper()}", f"@{number}{unit}"))


def _abbreviated(part: str, rng: np.random.Generator) -> str:
    if rng.random() > 0.15:
        return part
    return " ".join(_SHORT.get(word, word) for word in part.split(" "))


def _mistyped(text: str, rng: np.random.Generator) -> str:
    """Now and then one letter dropped, doubled or swapped with its neighbour."""
    if rng.random() > 0.12:
        return text
    at = int(rng.integers(1, len(text) - 1))
    before, letter, after = text[:at], text[at], text[at + 1 :]
    return _one(rng, (before + after, before + letter + letter + after, before[:-1] + letter + before[-1] + after))


def _cased(text: str, rng: np.random.Generator) -> str:
    chance = rng.random()
    if chance < 0.2:
        return text.upper()
    return text.lower() if chance < 0.33 else text


def _ornamented(text: str, rng: np.random.Generator) -> str:
    """Now and then an emoji, more often its UTF-8 bytes as text, as exports of such catalogues have it."""
    chance = rng.random()
    if chance > 0.07:
        return text
    ornament = _one(rng, _ORNAMENTS)
    if chance < 0.045:
        ornament = "".join(f"\\x{byte:02x}" for byte in ornament.encode())
    return f"{ornament} {text}" if rng.random() < 0.7 else f"{ornament} {text} {ornament}"
