"""Products and their near-miss siblings, which differ in exactly one thing."""

from dataclasses import dataclass, replace

import numpy as np

from pricematch.sample.colours import LIVERIES, WARDROBE, Tint, brightness
from pricematch.sample.kinds import KINDS, Kind

BRANDS = (
    *("Lumora", "Veska", "Nadira", "Kirana", "Oxlen", "Tavio", "Merapi", "Solenna", "Brisa", "Zentro"),
    *("Alunna", "Pandan & Co", "Hikari", "Mavero", "Dewani", "Fjella", "Novalisa", "Rimba", "Sagara", "Toko Biru"),
    *("Elvane", "Quoria", "Jelita", "Arunika", "Bonavi", "Caldera", "Ekspres", "Gentara", "Ivoria", "Larissa K"),
    *("Puspa", "Orlan", "Selaras", "Tirta", "Umbria", "Vantage 9", "Wangi", "Yumeko", "Zafira", "Kopi Lima"),
)


@dataclass(frozen=True)
class Product:
    """What a buyer gets.

    Attributes:
        kind: the kind of article.
        brand: the name on the label.
        model: the brand's name for it.
        colour: of the body.
        accent: of the cap, the sole, the print.
        flavour: flavour, scent or shade; none for most kinds.
        pattern: what is printed on it.
        size: contents or capacity; "" for most kinds.
        pack: how many are sold together.
        design: which of a kind's shapes and label layouts the brand uses, 0 to 3.
    """

    kind: Kind
    brand: str
    model: str
    colour: Tint
    accent: Tint
    flavour: Tint | None
    pattern: str
    size: str
    pack: int
    design: int

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells a product from others by name: two products with the same identity would be one product."""
        colour = self.colour.name if self.kind.colour_named else ""
        flavour = self.flavour.name if self.flavour else ""
        return (self.kind.name, self.brand, self.model, colour, flavour, self.pattern, self.size, str(self.pack))

    @property
    def growth(self) -> float:
        """How large this size looks among those of its kind, from 0 for the smallest to 1 for the largest."""
        sizes = self.kind.sizes
        return sizes.index(self.size) / max(1, len(sizes) - 1) if sizes else 0.5


def invent(rng: np.random.Generator, kinds: tuple[Kind, ...] = KINDS) -> Product:
    """A product drawn from everything that is on sale."""
    kind = kinds[rng.integers(len(kinds))]
    colour = kind.colours[rng.integers(len(kind.colours))]
    number = f" {rng.integers(2, 40)}" if rng.random() < 0.3 else ""
    return Product(
        kind=kind,
        brand=BRANDS[rng.integers(len(BRANDS))],
        model=kind.models[rng.integers(len(kind.models))] + number,
        colour=colour,
        accent=_accent(rng, kind, colour),
        flavour=kind.flavours[rng.integers(len(kind.flavours))] if kind.flavours else None,
        pattern=kind.patterns[rng.integers(len(kind.patterns))] if rng.random() < 0.65 else "plain",
        size=kind.sizes[rng.integers(len(kind.sizes))] if kind.sizes else "",
        pack=kind.packs[rng.integers(len(kind.packs))],
        design=int(rng.integers(4)),
    )


def sibling(rng: np.random.Generator, product: Product) -> Product:
    """The same product but for one thing: its colour, flavour, pattern, size or the number in a pack."""
    kind = product.kind
    others: list[Product] = []
    if kind.colour_named:
        fitting = [tint for tint in kind.colours if tint != product.colour and _contrast(tint, product.accent) > 0.15]
        others += [_one(rng, [replace(product, colour=tint) for tint in fitting])]
    if kind.flavours:
        others += [_one(rng, [replace(product, flavour=taste) for taste in kind.flavours if taste != product.flavour])]
    if len(kind.patterns) > 1:
        others += [_one(rng, [replace(product, pattern=name) for name in kind.patterns if name != product.pattern])]
    if kind.sizes:
        others += [_one(rng, [replace(product, size=size) for size in kind.sizes if size != product.size])]
    if max(kind.packs) > 1:
        packs = sorted(set(kind.packs) - {product.pack})
        others += [_one(rng, [replace(product, pack=pack) for pack in packs])]
    return _one(rng, others)


def _one(rng: np.random.Generator, choices: list[Product]) -> Product:
    return choices[rng.integers(len(choices))]


def _accent(rng: np.random.Generator, kind: Kind, colour: Tint) -> Tint:
    """A second colour that can be told from the first; clothes are matched with clothes, labels with labels."""
    palette = WARDROBE if kind.colour_named else LIVERIES
    fitting = [tint for tint in palette if _contrast(tint, colour) > 0.22]
    return fitting[rng.integers(len(fitting))]


def _contrast(first: Tint, second: Tint) -> float:
    return abs(brightness(first.rgb) - brightness(second.rgb))
