"""New postings seen together: as if the catalogue held all of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.matching.evidence.side import Side, occurrences
from app.matching.evidence.spaces import Space
from app.matching.evidence.standing import joined
from app.matching.hashes import Hashes


def nearness(space: Space[Any], described: Any, count: int) -> NDArray[np.float64]:
    """How near m postings are to each other by one similarity, where that is near enough to be among the nearest.

    Args:
        space: whose similarity.
        described: the postings as the space holds them.
        count: m.

    Returns:
        float64 [m, m], symmetric; −inf where they are not near enough, where one lacks it, and on the diagonal.
    """
    lines, rows = np.indices((count, count)).reshape(2, -1)
    found = space.similarities(described, described, lines, rows).astype(np.float64)
    near = np.where(found >= space.least, found, -np.inf).reshape(count, count)
    np.fill_diagonal(near, -np.inf)
    return near


def together(side: Side, near: Mapping[str, NDArray[np.float64]]) -> Side:
    """New postings that know of each other.

    Args:
        side: m of them, each as if the catalogue held it and no other.
        near: by space, their `nearness`.

    Returns:
        What is both sides of the pairs among them. The weights of words stay the catalogue's: a word that it lacks is
        shared by none.
    """
    titled = side.titled
    if titled is not None:
        repeats = titled.repeats + occurrences(titled.keys, np.sort(titled.keys)) - 1
        titled = replace(titled, repeats=repeats)
    return replace(
        side,
        catalogue_size=side.catalogue_size + len(side.images) - 1,
        standings={name: joined(stands.nearest, near[name]) for name, stands in side.standings.items()},
        titled=titled,
        hash_repeats=side.hash_repeats if side.hashes is None else side.hash_repeats + _others(side.hashes),
    )


def candidates(
    side: Side, near: Mapping[str, NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The pairs among postings that know of each other of which one is among the other's nearest in a space.

    Args:
        side: m of them, as `together` gives them.
        near: by space, their `nearness`.
        count: how many are its nearest; whoever is as near as the last of them is one too.

    Returns:
        lines < rows, int32 [p] each, ascending.
    """
    proposed = np.zeros((len(side.images), len(side.images)), np.bool_)
    for name, similarities in near.items():
        last = side.standings[name].nearest[:, count - 1]
        proposed |= np.isfinite(similarities) & (similarities >= last[:, np.newaxis])
    lines, rows = np.nonzero(np.triu(proposed | proposed.T))
    return lines.astype(np.int32), rows.astype(np.int32)


def _others(hashes: Hashes) -> NDArray[np.intp]:
    """How many others among some hashes are equal to each, intp [n]; of unknown ones nothing is to be read off."""
    return occurrences(hashes.values, np.sort(hashes.values[hashes.known])) - 1
