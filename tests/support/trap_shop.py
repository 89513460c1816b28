"""Draws catalogues of traps: products that differ in one thing said, with one stock photo or with unlike photos."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features

TRAPS = ("flavour", "volume", "pack", "model", "photo")
"""What two variants of a product differ in; those of the last are one product, with as many photos as sellers."""
_ADJECTIVES = ("segar", "asli", "herbal", "klasik", "spesial", "alami", "lembut", "halus", "wangi", "tebal")
_NOISE = ("promo", "ori", "murah", "ready", "bpom", "grosir", "cod", "terlaris")


@dataclass(frozen=True)
class Vocabulary:
    """What a catalogue is drawn from; its makers are two syllables each."""

    syllables: Sequence[str]
    nouns: Sequence[str]
    flavours: Sequence[str]
    volumes: Sequence[int]
    packs: Sequence[int]
    series: Sequence[str]


LEARNED = Vocabulary(
    ("ba", "ci", "dur", "fen", "gal", "ha", "jo", "kem", "lir", "mo", "ra"),
    ("teh", "kopi", "sampo", "sabun", "serum", "melati", "kue", "bedak", "keripik", "saus", "parfum", "selai"),
    ("vanilla", "stroberi", "mangga", "durian", "melon", "lemon", "pisang", "anggur"),
    (50, 150, 250, 600),
    (2, 4, 5, 6, 12),
    ("a", "s", "x"),
)
UNSEEN = Vocabulary(
    ("ne", "pu", "qis", "sen", "tar", "vo", "wu", "yam", "zel"),
    ("susu", "madu", "yogurt", "puding", "permen", "mawar"),
    ("coklat", "jahe", "keju", "leci", "kelapa", "jeruk"),
    (100, 120, 330, 900),
    (3, 7, 10),
    ("k", "m"),
)
"""Shares nothing with `LEARNED`. In both, some nouns are flavours as well; here one flavour is also a colour."""


@dataclass
class Shop:
    """Postings as they are drawn: their features, and which product and variant each shows."""

    random: np.random.Generator
    titles: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    variants: list[int] = field(default_factory=list)

    @property
    def features(self) -> Features:
        """The features of the postings."""
        return Features.of(self.titles, self.hashes)

    @property
    def groups(self) -> NDArray[np.intp]:
        """The label group of each posting."""
        return np.array(self.products, np.intp) * 2 + np.array(self.variants, np.intp)

    def some(self, words: Sequence[str], least: int, most: int) -> list[str]:
        """Some of the words, in any order."""
        return [*self.random.choice(words, int(self.random.integers(least, most + 1)), replace=False)]

    def photo(self) -> int:
        """The hash of a photo like no other."""
        return int(self.random.integers(2**63))

    def post(self, name: Sequence[str], said: str, photo: int) -> None:
        """One seller's posting: the name, two words of it at most left out, between noise; the photo, or nearly it."""
        left_out = set(self.some(name[1:], 0, 2))
        kept = [word for word in name if word not in left_out]
        self.titles.append(
            " ".join(" ".join([*self.some(_NOISE, 0, 2), *kept, said, *self.some(_NOISE, 0, 1)]).split())
        )
        turned = 1 << int(self.random.integers(60)) if self.random.random() < 0.3 else 0
        self.hashes.append(f"{photo ^ turned:016x}")


def drawn(seed: int, words: Vocabulary, count: int, *, stock: float = 1, forgotten: float = 0) -> Shop:
    """A catalogue of `count` products, each a trap of `TRAPS` in turn, two variants each, 2 to 4 sellers a variant.

    Args:
        seed: of all that is drawn.
        words: to draw from.
        count: how many products.
        stock: share of the products whose sellers use one stock photo for both variants.
        forgotten: share of the sellers that say nothing of the variant.
    """
    shop = Shop(np.random.default_rng(seed))
    for number in range(count):
        maker = "".join(shop.some(words.syllables, 2, 2))
        name, trap = [maker, *shop.some(words.nouns, 1, 1), *shop.some(_ADJECTIVES, 2, 3)], TRAPS[number % len(TRAPS)]
        photo = shop.photo() if trap != "photo" and shop.random.random() < stock else None
        for variant, ways in enumerate(_variants(trap, words, shop)):
            for _ in range(int(shop.random.integers(2, 5))):
                said = "" if shop.random.random() < forgotten else str(shop.random.choice(ways))
                shop.post(name, said, shop.photo() if photo is None else photo)
                shop.products.append(number)
                shop.variants.append(variant)
    return shop


def _variants(trap: str, words: Vocabulary, shop: Shop) -> list[list[str]]:
    """The ways to say each variant of a product."""
    match trap:
        case "flavour":
            return [[f"rasa {flavour}", flavour] for flavour in shop.some(words.flavours, 2, 2)]
        case "volume":
            volume = int(shop.random.choice(words.volumes))
            return [[f"{ml}ml", f"{ml} ml", f"{ml / 1000:g} liter".replace(".", ",")] for ml in (volume, 2 * volume)]
        case "pack":
            pack = shop.random.choice(words.packs)
            return [["", "1 pcs"], [f"isi {pack}", f"isi {pack} pcs", f"{pack} pcs"]]
        case "model":
            [series], code = shop.some(words.series, 1, 1), int(shop.random.integers(10, 14))
            return [[f"{series}{number}", f"{series}-{number}"] for number in (code, code + 1)]
        case _:
            return [[""]]
