"""Products: a partition of postings whose parts keep their numbers while they grow, merge and split.

After a change, some products' postings have been clustered anew. A cluster continues the product with which it shares
most postings; what continues none is new, and what nothing continues has merged into another or is gone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Cause: TypeAlias = Literal["arrival", "change", "deletion", "feedback", "model", "rescoring", "restore"]
"""Why products changed: a posting came, changed or went; feedback; another matcher; all was scored anew; a backup."""
Kind: TypeAlias = Literal["created", "changed", "split", "merged", "removed"]


@dataclass(frozen=True, slots=True)
class ProductChange:
    """One product, before and after its postings were clustered anew.

    Attributes:
        number: of the product, from 1; no two products ever have the same.
        kind: `created`; `changed`, postings joined it, or went from the catalogue; `split`, some of its postings are in
            other products now; `merged`, all that are left are in others; `removed`, none is left.
        before, after: posting_ids of its members, ascending; empty before it was created, and once it is no more.
        into: of a merged product the one that has most of its postings, else None.
    """

    number: int
    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    into: int | None = None

    @property
    def joined(self) -> tuple[str, ...]:
        """Members that it had not before."""
        return tuple(sorted(set(self.after) - set(self.before)))

    @property
    def left(self) -> tuple[str, ...]:
        """Members that it has no more."""
        return tuple(sorted(set(self.before) - set(self.after)))


@dataclass(frozen=True, slots=True)
class CausedChange:
    """A product's change, and why it was made."""

    change: ProductChange
    cause: Cause


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """A product's change, as it is kept. Its members are those before, without `left` and with `joined`.

    Attributes:
        revision: the catalogue's version that it made.
        number, kind, into: see `ProductChange`.
        cause: why.
        joined, left: posting_ids of members that came and went, ascending.
        size: members afterwards.
        at: when, seconds since 1970, UTC.
    """

    revision: int
    number: int
    kind: Kind
    cause: Cause
    joined: tuple[str, ...]
    left: tuple[str, ...]
    size: int
    into: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Product:
    """A product, also one that is no more.

    Attributes:
        number: from 1.
        size: how many postings it has; 0 where it is no more.
        into: the product that it merged into, itself not merged; None where it has postings, or had none left.
        doubt: 1 − the mean probability of its pairs; 0 of a posting alone.
        created_at, changed_at: seconds since 1970, UTC.
        revision: of its last event.
    """

    number: int
    size: int
    into: int | None
    doubt: float
    created_at: float
    changed_at: float
    revision: int


@dataclass(frozen=True, slots=True)
class ProductState:
    """How the products of a store are.

    Attributes:
        revision: grows with every write of products.
        last_number: the highest that a product ever had, 0 before the first.
        matcher: label of the matcher that made them, empty before any did.
        floor: the events of products up to this revision are forgotten.
    """

    revision: int = 0
    last_number: int = 0
    matcher: str = ""
    floor: int = 0


ProductSort: TypeAlias = Literal["size", "doubt", "changed"]
"""Orders of products: the largest, most doubtful or last changed first, of equal ones that of the lower number."""
Place: TypeAlias = tuple[float, int]
"""Where a product stands in such an order: what it is sorted by, and its number."""


def place_of(product: Product, sort: ProductSort) -> Place:
    """Where a product stands in an order; the next page begins after it."""
    values = {"size": product.size, "doubt": product.doubt, "changed": product.revision}
    return values[sort], product.number


def product_id(number: int) -> str:
    """The id of a product, as it is shown."""
    return f"p{number}"


def product_number(text: str) -> int | None:
    """The number of a product by its id; None where no product can have such an id.

    >>> [product_number(text) for text in ("p7", "p07", "7", "p0", "p²")]
    [7, None, None, None, None]
    """
    digits = text[1:]
    ours = text[:1] == "p" and digits.isascii() and digits.isdecimal() and digits[0] != "0" and len(digits) <= 18
    return int(digits) if ours else None


def repartitioned(
    before: Mapping[int, Iterable[str]], clusters: Sequence[Iterable[str]], first: int
) -> list[ProductChange]:
    """The changes of products whose postings have been clustered anew, by their numbers.

    The pair of a product and a cluster that share most postings comes first, of equal ones that of the older product,
    then that of the cluster with the lowest posting_id; each product continues in one cluster at most, each cluster
    one product at most. Products that stay as they were are no change.

    Args:
        before: by its number, the members of each product that has a posting in a cluster, or had one that is gone.
        clusters: posting_ids of each, none empty; no posting is in two.
        first: the lowest number that no product ever had; new products get it and those above it.
    """
    old = {number: frozenset(members) for number, members in before.items()}
    new = sorted((tuple(sorted(members)) for members in clusters), key=lambda members: members[0])
    product_of = {member: number for number, members in old.items() for member in members}
    shared = [Counter(product_of[member] for member in members if member in product_of) for members in new]
    continued = _continued(shared)
    numbers = []
    for place in range(len(new)):
        number = continued.get(place, first)
        first += number == first
        numbers.append(number)
    now = dict(zip(numbers, new, strict=True))
    of_member = {member: number for number, members in now.items() for member in members}
    changes = [_change(number, old, now, of_member) for number in sorted(old.keys() | now.keys())]
    return [change for change in changes if change.before != change.after]


def _continued(shared: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """By the place of a cluster, the product that it continues, given how many postings it shares with each."""
    pairs = sorted((-count, number, place) for place, counts in enumerate(shared) for number, count in counts.items())
    found, taken = dict[int, int](), set[int]()
    for _, number, place in pairs:
        if place not in found and number not in taken:
            found[place] = number
            taken.add(number)
    return found


def _change(
    number: int,
    old: Mapping[int, frozenset[str]],
    now: Mapping[int, tuple[str, ...]],
    of_member: Mapping[str, int],
) -> ProductChange:
    """The change of one product, of which there may be none."""
    before, after = tuple(sorted(old.get(number, ()))), now.get(number, ())
    elsewhere = Counter(of_member[member] for member in before if of_member.get(member, number) != number)
    if number not in old:
        return ProductChange(number, "created", before, after)
    if after:
        return ProductChange(number, "split" if elsewhere else "changed", before, after)
    if elsewhere:
        into = min(elsewhere, key=lambda other: (-elsewhere[other], other))
        return ProductChange(number, "merged", before, after, into)
    return ProductChange(number, "removed", before, after)
