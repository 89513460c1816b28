"""Nodes: postings that are equal in all that the matcher compares are one, for candidates, scoring and clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.fields import Field
from pricematch.pairs.model import ScoredPairs
from pricematch.pairs.neighbours import Neighbourhoods
from pricematch.pairs.retriever import ParsedFeatures

_NOTHING = 0


def node_keys(features: ParsedFeatures, signals: Sequence[str], fields: Sequence[Field] = ()) -> NDArray[np.uint64]:
    """Of n postings, uint64 [n], equal for postings that nothing tells apart; 0 where nothing is known of one.

    Two are equal if their titles have the same words in the same order and their images the same hash; where networks
    compare images too, or hashes are no signal or not known, the same bytes; and if they have the same in all evidence
    fields. Of several images the order does not matter, nor that one is there twice. What is no signal is not looked
    at; of what has neither title nor image nothing is known.
    """
    titles = [title.words for title in features.titles] if "title" in signals else [()] * len(features)
    found = []
    for words, images, said in zip(titles, _images(features, signals), _evidence(features, fields), strict=True):
        shown: tuple[object, ...] = images[0] if len(images) == 1 else (images,) if images else (None, 0)
        text = repr((words, *shown)).encode("utf-8", "surrogatepass")
        key = int.from_bytes(blake2b(text + said, digest_size=8).digest(), "big") | 1
        found.append(key if words or images else _NOTHING)
    return np.array(found, np.uint64)


def _images(features: ParsedFeatures, signals: Sequence[str]) -> list[list[tuple[int | None, int]]]:
    """The different images of each posting, by what tells them apart, in an order of their own: hash and image key."""
    keys = features.features.image_keys
    hashes = features.features.every.made(lambda it: it.hashes).values
    every = keys.rows.tolist(), hashes.values.tolist(), hashes.known.tolist(), keys.values.tolist()
    found: list[list[tuple[int | None, int]]] = [[] for _ in range(len(features))]
    for row, value, hashed, image in zip(*every, strict=True):
        phash = value if hashed and "hash" in signals else None
        content = image if phash is None or "image" in signals else 0
        if phash is not None or content:
            found[row].append((phash, content))
    if not keys.more:
        return found
    return [sorted({*of}, key=lambda it: (it[0] is None, it)) if len(of) > 1 else of for of in found]


def _evidence(features: ParsedFeatures, fields: Sequence[Field]) -> list[bytes]:
    """What each posting has in evidence fields; nothing where it has nothing in any."""
    values = features.features.evidence_of(fields)
    if values is None:
        return [b""] * len(features)
    known = np.asarray(values.known.any(axis=1), np.bool_).tolist()
    every = zip(known, values.numbers + 0.0, values.texts, strict=True)  # −0 is 0
    return [numbers.tobytes() + texts.tobytes() if there else b"" for there, numbers, texts in every]


@dataclass(frozen=True, eq=False)
class ScoredNodes:
    """What was found when n postings were scored together.

    Attributes:
        keys: uint64 [n], `node_keys` of the postings.
        found: by searching their nodes.
        pairs: the candidate pairs of the nodes.
    """

    keys: NDArray[np.uint64]
    found: Neighbourhoods
    pairs: ScoredPairs


@dataclass(frozen=True, eq=False)
class Nodes:
    """Which node each posting is of. Immutable.

    Attributes:
        of_row: int32 [span], the node of each row.
        keys: uint64 [m], `node_keys` of each node; postings of which nothing is known are a node each.
    """

    of_row: NDArray[np.int32]
    keys: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.keys)

    def placed(
        self, rows: NDArray[np.integer], keys: NDArray[np.uint64], alive: NDArray[np.bool_]
    ) -> tuple["Nodes", NDArray[np.intp]]:
        """The nodes once some rows have other keys, or are new behind the last.

        Args:
            rows: [k], each once.
            keys: [k], `node_keys` of their postings.
            alive: bool [m], the nodes that postings may join; those that came meanwhile do not know the others.

        Returns:
            The nodes; and of each that is new, in order, the position in `rows` of the posting that stands for it.
        """
        there = np.flatnonzero(alive)
        there = there[np.argsort(self.keys[there], kind="stable")]
        held = np.isin(keys, self.keys[there]) & (keys != _NOTHING)
        node = np.empty(len(keys), np.int64)
        node[held] = there[np.searchsorted(self.keys[there], keys[held])]
        fresh = np.flatnonzero(~held)
        # of equal keys the first posting stands for all, those without one stand for themselves
        alone = np.where(keys[fresh] == _NOTHING, fresh, -1)
        _, first, number = np.unique(
            np.column_stack([keys[fresh].view(np.int64), alone]), axis=0, return_index=True, return_inverse=True
        )
        place = np.empty(len(first), np.int64)
        place[np.argsort(first, kind="stable")] = np.arange(len(first))
        node[fresh] = len(self) + place[number.ravel()]
        standing = fresh[np.sort(first)]
        of_row = np.full(max(len(self.of_row), int(rows.max(initial=-1)) + 1), -1, np.int32)
        of_row[: len(self.of_row)] = self.of_row
        of_row[rows] = node
        return Nodes(of_row, np.concatenate([self.keys, keys[standing]])), standing

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> tuple["Nodes", NDArray[np.intp]]:
        """The nodes of n postings with some keys, and the first posting of each."""
        return cls(np.empty(0, np.int32), np.empty(0, np.uint64)).placed(
            np.arange(len(keys)), keys, np.empty(0, np.bool_)
        )

    @property
    def copies(self) -> NDArray[np.intp]:
        """How many titles each node counts as where words are weighed, intp [m].

        What two postings say is no misspelling, though they are equal; a thousand make no word common.
        """
        return np.minimum(np.bincount(self.of_row, minlength=len(self)), 2)

    def alive(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bool [m], which nodes have a posting among some rows, bool [span]."""
        found = np.zeros(len(self), np.bool_)
        found[self.of_row[rows]] = True
        return found

    def same(self, nodes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of some nodes hold what can be compared, so that two postings of it are the same."""
        return np.asarray(self.keys[nodes] != _NOTHING, np.bool_)

    def rows_of(
        self, nodes: NDArray[np.integer], alive: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """The rows of some nodes, each once, of those alive, bool [span]; and which of the nodes each is of."""
        place = np.full(len(self), -1, np.intp)
        place[nodes] = np.arange(len(nodes))
        of = place[self.of_row]
        rows = np.flatnonzero((of >= 0) & alive)
        return rows.astype(np.int32), of[rows]

    def standing(self, alive: NDArray[np.bool_], order: NDArray[np.integer]) -> NDArray[np.intp]:
        """A row for each node: the first of those alive in some order of them, intp [m]; −1 where there is none."""
        found = np.full(len(self), -1, np.intp)
        rows = order[alive[order]][::-1]
        found[self.of_row[rows]] = rows
        return found


def spread(
    node_of_item: NDArray[np.integer], pairs: ScoredPairs, nodes: Nodes
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The pairs of items, each of which is one posting of a node or more, from the pairs of nodes.

    Args:
        node_of_item: [k], below the number of nodes or, for what is in none, from there on.
        pairs: of nodes, each once, none of a node and itself.
        nodes: the nodes.

    Returns:
        Both ends, int32 [p], and probabilities, float64 [p]; two items of one node are the same for sure.
    """
    count = int(max(node_of_item.max(initial=-1) + 1, len(nodes)))
    order = np.argsort(node_of_item, kind="stable")
    starts = np.searchsorted(node_of_item[order], np.arange(count + 1))
    sizes = np.diff(starts)
    several = np.flatnonzero(sizes[: len(nodes)] > 1)
    several = several[nodes.same(several)]
    inside = (pairs.left < count) & (pairs.right < count)
    left = np.concatenate([pairs.left[inside], several])
    right = np.concatenate([pairs.right[inside], several])
    probabilities = np.concatenate([pairs.probabilities[inside], np.ones(len(several))])
    times = sizes[left] * sizes[right]
    pair = np.repeat(np.arange(len(left)), times)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)
    one = order[starts[left[pair]] + place // sizes[right[pair]]]
    other = order[starts[right[pair]] + place % sizes[right[pair]]]
    once = (left[pair] != right[pair]) | (one < other)
    return one[once].astype(np.int32), other[once].astype(np.int32), probabilities[pair[once]]
