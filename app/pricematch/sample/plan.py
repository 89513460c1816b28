"""Which products are on sale and which postings sell each of them."""

from dataclasses import dataclass, replace

import numpy as np

from pricematch.sample.kinds import KINDS, Kind
from pricematch.sample.products import Product, invent, sibling

_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
_SIZE_SHARES = (0.15, 0.34, 0.20, 0.12, 0.08, 0.04, 0.025, 0.02, 0.01, 0.01, 0.005)


@dataclass(frozen=True)
class Assortment:
    """What a shop sells, and what it calls one product.

    Attributes:
        kinds: the kinds of article, at least one.
        lone: share of products that only one posting sells, 0 to 1.
        variants: whether colours, flavours, patterns, sizes and packs of a product are products of their own; otherwise
            they are one label group.

    Raises:
        ValueError: there is no kind, or the share is none.
    """

    kinds: tuple[Kind, ...] = KINDS
    lone: float = _SIZE_SHARES[0]
    variants: bool = True

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("expected at least one kind of article")
        if not 0 <= self.lone <= 1:
            raise ValueError(f"expected a share of products sold once from 0 to 1, got {self.lone}")

    @property
    def size_shares(self) -> tuple[float, ...]:
        """Of `_SIZES`: those of several postings keep their proportions."""
        rest = (1 - self.lone) / (1 - _SIZE_SHARES[0])
        return (self.lone, *(share * rest for share in _SIZE_SHARES[1:]))


USUAL = Assortment()


@dataclass(frozen=True)
class Group:
    """The postings of one product.

    Attributes:
        number: of the product.
        label_group: that of its postings; siblings share it in a shop where variants are one product.
        product: what they sell.
        rows: their rows in the catalogue, in the order in which they were posted.
        stock_product: what the maker's photo shows; shops show one size or pack of a product for all of them.
        stock_key: names the maker's photo; siblings with the same key were photographed in the same set-up.
        title_key: names the title that sellers copy from each other.
        bare_title: whether that title names no variant; siblings with one title key then share it.
    """

    number: int
    label_group: int
    product: Product
    rows: tuple[int, ...]
    stock_product: Product
    stock_key: int
    title_key: int
    bare_title: bool


def plan_groups(postings: int, rng: np.random.Generator, assortment: Assortment = USUAL) -> list[Group]:
    """Share out rows 0 to `postings` − 1 among products; about half of the products have near-miss siblings."""
    rows = rng.permutation(postings)
    groups: list[Group] = []
    known: set[tuple[str, ...]] = set()
    used = 0
    while used < postings:
        family = _family(rng, known, assortment.kinds)
        same_shot, same_title = rng.random() < 0.5, rng.random() < 0.4
        first = len(groups)
        for product in family:
            number = len(groups)
            size = int(rng.choice(_SIZES, p=assortment.size_shares))
            taken = tuple(int(row) for row in rows[used : used + size])
            if taken:
                stock_key, title_key = (first if shared else number for shared in (same_shot, same_title))
                borrows = same_shot and replace(product, size=family[0].size, pack=family[0].pack) == family[0]
                shown = family[0] if borrows else product
                label_group = number if assortment.variants else first
                groups.append(Group(number, label_group, product, taken, shown, stock_key, title_key, same_title))
            used += len(taken)
    return groups


def _family(rng: np.random.Generator, known: set[tuple[str, ...]], kinds: tuple[Kind, ...]) -> list[Product]:
    """A product that is not known yet and up to three siblings of it, none known; all of them are known afterwards."""
    # Brands, models and their numbers give millions of products, so this ends soon.
    while (product := invent(rng, kinds)).identity in known:
        pass
    known.add(product.identity)
    family = [product]
    for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.64, 0.2, 0.1, 0.06)))):
        near = sibling(rng, product)
        if near.identity not in known:
            known.add(near.identity)
            family.append(near)
    return family
