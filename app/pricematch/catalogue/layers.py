"""What n postings have of each of their images: of the first ones by row, of those behind them in sparse layers.

Most postings have one image, so what is behind it costs nothing where nobody has more. A layer is of one place, so it
holds at most one value of a posting: the best of a search in each layer are the best of all, see
`pricematch.pairs.several_images`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.integer]


class Values(Protocol):
    """A value each of k postings, which are picked by an array of their positions: an array, or several of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


V = TypeVar("V", bound=Values)
W = TypeVar("W", bound=Values)
T = TypeVar("T")
_FEW = 64
"""Images, up to which they are all compared at once."""


@dataclass(frozen=True, eq=False)
class Layer(Generic[V]):
    """What some of n postings have in one place behind the first.

    Attributes:
        rows: intp [k], ascending, which of the postings.
        values: k.
    """

    rows: NDArray[np.intp]
    values: V

    def __len__(self) -> int:
        return len(self.rows)

    def places(self, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where some rows [m], in any order, have something: positions among them, ascending, and among the values."""
        if not len(self.rows):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        near = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        held = np.flatnonzero(self.rows[near] == rows)
        return held, near[held]

    def select(self, rows: Rows) -> "Layer[V]":
        """That of some of the postings, in the order given."""
        held, places = self.places(rows)
        return Layer(held, self.values[places])

    def where(self, kept: NDArray[np.bool_]) -> "Layer[V]":
        """That of those of its postings for which a mask is true."""
        return Layer(self.rows[kept], self.values[kept])

    def made(self, make: Callable[[V], W]) -> "Layer[W]":
        """Other values, made of these, of the same postings."""
        return Layer(self.rows, make(self.values))


@dataclass(frozen=True, eq=False)
class Layered(Generic[V]):
    """What n postings have of each of their images.

    Attributes:
        first: n, of the first images, whatever stands there where a posting has none.
        more: of the second, third and so on; none where no posting has several.
    """

    first: V
    more: tuple[Layer[V], ...] = ()

    def __len__(self) -> int:
        return len(self.first)

    def select(self, rows: Rows) -> "Layered[V]":
        """Those of some postings, in the order given."""
        return Layered(self.first[rows], selected(self.more, rows))

    def joined(self, other: "Layered[V]") -> "Layered[V]":
        """Those of these postings, and of others behind them."""
        return Layered(values_joined(self.first, other.first), layers_joined(self.more, other.more, len(self)))

    def made(self, make: Callable[[V], W]) -> "Layered[W]":
        """Other values, made of these."""
        return Layered(make(self.first), tuple(layer.made(make) for layer in self.more))

    def places(self, rows: Rows) -> Iterator[tuple[int, V, NDArray[np.intp], NDArray[np.intp]]]:
        """By number of a layer its values, and where some rows [m] have something in it, see `Layer.places`."""
        yield 0, self.first, np.arange(len(rows)), rows.astype(np.intp)
        for number, layer in enumerate(self.more, start=1):
            held, places = layer.places(rows)
            if len(held):
                yield number, layer.values, held, places

    @property
    def layers(self) -> Iterator[Layer[V]]:
        """Each as a layer, the first one whole."""
        yield Layer(np.arange(len(self)), self.first)
        yield from self.more

    @property
    def rows(self) -> NDArray[np.intp]:
        """Intp [images], the rows of all values one layer after the other."""
        return np.concatenate([layer.rows for layer in self.layers])

    @property
    def values(self) -> V:
        """The values at these `rows`."""
        if not self.more:
            return self.first
        found = self.first
        for layer in self.more:
            found = values_joined(found, layer.values)
        return found


def selected(layers: Sequence[Layer[V]], rows: Rows) -> tuple[Layer[V], ...]:
    """Layers of some postings, in the order given, without empty ones behind the last that is not."""
    return _trimmed([layer.select(rows) for layer in layers])


def layers_joined(one: Sequence[Layer[V]], other: Sequence[Layer[V]], count: int) -> tuple[Layer[V], ...]:
    """Layers of `count` postings, and of more behind them."""
    moved = [Layer(layer.rows + count, layer.values) for layer in other]
    return tuple(_joined(*pair) for pair in zip_longest(one, moved))


def layers_replaced(layers: Sequence[Layer[V]], rows: Rows, others: Sequence[Layer[V]]) -> tuple[Layer[V], ...]:
    """Layers in which some rows [k], each named once, have others' values [k] in place of theirs, or are new."""
    kept = [layer.where(~np.isin(layer.rows, rows)) for layer in layers]
    placed = [Layer(rows[layer.rows].astype(np.intp), layer.values) for layer in others]
    return _trimmed([_ascending(_joined(*pair)) for pair in zip_longest(kept, placed)])


def values_joined(one: V, other: V) -> V:
    """Values of some postings, and of more behind them: arrays, or what has a method `joined`."""
    if isinstance(one, np.ndarray):
        return cast("V", np.concatenate([one, cast("NDArray[Any]", other)]))
    found: V = cast("Any", one).joined(other)
    return found


def in_layers(images: Sequence[Sequence[T | None]], make: Callable[[list[T | None]], V]) -> Layered[V]:
    """Values that are made of the images of n postings, layer by layer.

    Args:
        images: n, each in its place.
        make: gives the values of some images; of None those of a posting without an image.
    """
    counts = np.fromiter(map(len, images), np.intp, len(images))
    first = make([of[0] if of else None for of in images])
    rows = [np.flatnonzero(counts > place) for place in range(1, int(counts.max(initial=0)))]
    more = [
        Layer(some, make([images[row][place] for row in some.tolist()])) for place, some in enumerate(rows, start=1)
    ]
    return Layered(first, tuple(more))


def best_pairs(
    left: Layered[V],
    right: Layered[V],
    left_rows: Rows,
    right_rows: Rows,
    compare: Callable[[V, V, Rows, Rows], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The highest similarity of any two images of pairs of postings, and which two that is.

    Args:
        left: of the left ends.
        right: of the right ends.
        left_rows: [m], which of the left.
        right_rows: [m], which of the right.
        compare: gives the similarities [p] of pairs of values of both by their rows [p], NaN where one is none.

    Returns:
        float32 [m], NaN where nothing compares them; intp [m, 2], the places of both images, of equally similar ones
        the first.
    """
    found = compare(left.first, right.first, left_rows, right_rows)
    nearest = np.zeros((len(left_rows), 2), np.intp)
    if not left.more and not right.more:
        return found, nearest
    if sum(map(len, left.layers)) <= _FEW:
        return _best_of_few(left, right, left_rows, right_rows, compare)
    others = [*right.places(right_rows)]
    for place, values, held, rows in left.places(left_rows):
        for other, other_values, other_held, other_rows in others:
            if not place and not other:
                continue
            both, one, two = np.intersect1d(held, other_held, assume_unique=True, return_indices=True)
            similarity = compare(values, other_values, rows[one], other_rows[two])
            higher = (similarity > found[both]) | (np.isnan(found[both]) & ~np.isnan(similarity))
            found[both[higher]] = similarity[higher]
            nearest[both[higher]] = place, other
    return found, nearest


def _best_of_few(
    left: Layered[V],
    right: Layered[V],
    left_rows: Rows,
    right_rows: Rows,
    compare: Callable[[V, V, Rows, Rows], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """`best_pairs` where the left ends, as queries, have few images: all of them are compared with a layer at once."""
    numbers = np.cumsum([0, *map(len, left.layers)])
    every = [(held, numbers[place] + at, np.full(len(held), place)) for place, _, held, at in left.places(left_rows)]
    pair, number, place = (np.concatenate(of) for of in zip(*every, strict=True))
    values, parts = left.values, []
    for other, other_values, held, at in right.places(right_rows):
        row = np.full(len(right_rows), -1)
        row[held] = at
        some = np.flatnonzero(row[pair] >= 0)
        similarity = compare(values, other_values, number[some], row[pair[some]])
        parts.append((pair[some], similarity, place[some], np.full(len(some), other)))
    pair, similarity, place, number = (np.concatenate(of) for of in zip(*parts, strict=True))
    order = np.lexsort((number, place, -similarity, pair))  # NaN is last
    pair, first = np.unique(pair[order], return_index=True)
    found, nearest = np.full(len(left_rows), np.nan, np.float32), np.zeros((len(left_rows), 2), np.intp)
    chosen = order[first]
    found[pair] = similarity[chosen]
    known = ~np.isnan(similarity[chosen])
    nearest[pair[known]] = np.column_stack([place, number])[chosen[known]]
    return found, nearest


def _joined(one: Layer[V] | None, other: Layer[V] | None) -> Layer[V]:
    if one is None or other is None:
        return cast("Layer[V]", other if one is None else one)
    return Layer(np.concatenate([one.rows, other.rows]), values_joined(one.values, other.values))


def _ascending(layer: Layer[V]) -> Layer[V]:
    order = np.argsort(layer.rows, kind="stable")
    return Layer(layer.rows[order], layer.values[order])


def _trimmed(layers: list[Layer[V]]) -> tuple[Layer[V], ...]:
    while layers and not len(layers[-1]):
        layers.pop()
    return tuple(layers)
