"""What sellers say of their offers besides title and photo: who they are, what they ask, and what it is."""

from dataclasses import dataclass

import numpy as np

from pricematch.sample.products import BRANDS, Product

_SELLERS = 30
_BEFORE = ("Toko", "Kios", "Grosir", "Gudang", "Rumah", "Galeri", "Pusat")
_NAMES = (
    "Makmur",
    "Jaya",
    "Abadi",
    "Sentosa",
    "Berkah",
    "Ceria",
    "Mandiri",
    "Lestari",
    "Bersama",
    "Utama",
    "Sejahtera",
)
_AFTER = ("", "", " Store", " Official", " 88", " Jakarta", " Bandung")
_CURRENCY = "IDR"
_UNKNOWN_BRAND = 0.2
"""Share of postings whose brand their seller does not name."""
_SPREAD = 0.2
"""Sellers ask so much more or less than usual, at most."""
_OF_KIND = {
    "tshirt": ("fashion", 65_000),
    "shampoo": ("beauty", 28_000),
    "can": ("drinks", 9_000),
    "carton": ("drinks", 14_000),
    "phone_case": ("phones", 35_000),
    "mug": ("home", 40_000),
    "sneaker": ("fashion", 240_000),
    "lipstick": ("beauty", 55_000),
    "tea_box": ("drinks", 18_000),
    "pouch": ("drinks", 48_000),
    "backpack": ("fashion", 180_000),
    "headphones": ("electronics", 210_000),
    "watch": ("fashion", 320_000),
    "plush": ("toys", 85_000),
    "face_wash": ("beauty", 32_000),
}
"""Category and usual price of each kind of article, by its name."""


@dataclass(frozen=True)
class Offer:
    """What a seller says of a posting; `brand` is "" where it is not named."""

    seller: str
    price: int
    currency: str
    category: str
    brand: str


def draw_sellers(rng: np.random.Generator) -> tuple[str, ...]:
    """The shops of a marketplace, some of which sell more than others."""
    names = [f"{before} {name}{after}" for before in _BEFORE for name in _NAMES for after in dict.fromkeys(_AFTER)]
    return tuple(names[place] for place in rng.permutation(len(names))[:_SELLERS])


def usual_price(product: Product, rng: np.random.Generator) -> float:
    """What a product costs on average: larger sizes and packs more, and no two variants quite the same."""
    _, price = _OF_KIND[product.kind.name]
    of_brand = 0.8 + 0.6 * BRANDS.index(product.brand) / len(BRANDS)
    return float(price * of_brand * (1 + 1.5 * product.growth) * product.pack**0.95 * rng.uniform(0.93, 1.07))


def draw_offer(product: Product, usual: float, sellers: tuple[str, ...], rng: np.random.Generator) -> Offer:
    """A seller's offer of a product, given what it usually costs."""
    seller = sellers[min(int(rng.exponential(len(sellers) / 4)), len(sellers) - 1)]
    price = 100 * round(usual * rng.uniform(1 - _SPREAD, 1 + _SPREAD) / 100)
    brand = "" if rng.random() < _UNKNOWN_BRAND else product.brand
    return Offer(seller, price, _CURRENCY, _OF_KIND[product.kind.name][0], brand)
