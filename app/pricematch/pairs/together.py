"""New postings seen together: with each other, and with those that came after a catalogue was prepared."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import Hashes
from pricematch.pairs.rank_features import Standing, joined
from pricematch.pairs.retrievers import Space
from pricematch.pairs.side import Side, Titled, occurrences


def nearness(space: Space[Any], one: Any, other: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    """How near postings are to others by one similarity, where that is near enough to be among the nearest.

    Args:
        space: whose similarity.
        one: k postings as the space holds them.
        other: m postings, so.
        shape: k and m.

    Returns:
        float64 [k, m]; −inf where they are not near enough, or where one lacks it.
    """
    lines, rows = np.indices(shape).reshape(2, -1)
    found = space.similarities(one, other, lines, rows).astype(np.float64)
    return np.where(found >= space.least, found, -np.inf).reshape(shape)


def nearness_among(space: Space[Any], described: Any, count: int) -> NDArray[np.float64]:
    """The same of m postings among each other: float64 [m, m], symmetric, −inf on the diagonal."""
    near = nearness(space, described, described, (count, count))
    np.fill_diagonal(near, -np.inf)
    return near


def together(side: Side, near: Mapping[str, NDArray[np.float64]]) -> Side:
    """New postings that know of each other.

    Args:
        side: m of them, each as if the catalogue held it and no other.
        near: by space, their `nearness_among`.

    Returns:
        What is both sides of the pairs among them. The weights of words stay the catalogue's: one that it lacks weighs
        what a word of one title does.
    """
    return replace(beside(side, near, side, itself=True), catalogue_size=side.catalogue_size + len(side.images) - 1)


def beside(side: Side, near: Mapping[str, NDArray[np.float64]], others: Side, *, itself: bool = False) -> Side:
    """Postings that know of others as well; `catalogue_size` is as before.

    Args:
        side: k postings.
        near: by space, their `nearness` to m others.
        others: these.
        itself: whether the others are the same postings, each of which is counted already.
    """
    standings = {name: joined(stands.nearest, near[name]) for name, stands in side.standings.items()}
    titled, repeats = side.titled, side.hash_repeats
    if titled is not None and others.titled is not None:
        titled = replace(titled, repeats=titled.repeats + equal_titles(titled, others.titled.keys) - itself)
    if side.hashes is not None and others.hashes is not None:
        # of unknown ones nothing is to be read off
        repeats = repeats + equal_hashes(side.hashes, others.hashes) - itself
    return replace(side, standings=standings, titled=titled, hash_repeats=repeats)


def without(side: Side, others: Side, gone: NDArray[np.bool_]) -> Side:
    """Postings that no longer count those among others that are gone, bool [n], as repeating them."""
    rows = np.flatnonzero(gone)
    if not len(rows):
        return side
    titled, repeats = side.titled, side.hash_repeats
    if titled is not None and others.titled is not None:
        titled = replace(titled, repeats=titled.repeats - equal_titles(titled, others.titled.keys[rows]))
    if side.hashes is not None and others.hashes is not None:
        repeats = repeats - equal_hashes(side.hashes, others.hashes.select(rows))
    return replace(side, titled=titled, hash_repeats=repeats)


def equal_titles(titles: Titled, among: NDArray[np.int64]) -> NDArray[np.intp]:
    """How many others, of which these are the keys, have the words of each title, intp [n]."""
    return occurrences(titles.keys, np.sort(among))


def equal_hashes(hashes: Hashes, among: Hashes) -> NDArray[np.intp]:
    """How many others have each hash, intp [n]."""
    return occurrences(hashes.values, np.sort(among.values[among.known]))


def candidates(
    side: Side, near: Mapping[str, NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The pairs among postings that know of each other of which one is among the other's nearest in a space.

    Args:
        side: m of them, as `together` gives them.
        near: by space, their `nearness_among`.
        count: how many are its nearest; whoever is as near as the last of them is one too.

    Returns:
        lines < rows, int32 [p] each, ascending.
    """
    proposed = _proposed(side.standings, near, count, (len(side.images), len(side.images)))
    lines, rows = np.nonzero(np.triu(proposed | proposed.T))
    return lines.astype(np.int32), rows.astype(np.int32)


def candidates_between(
    side: Side, others: Side, near: Mapping[str, NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The same between k postings that know of m others, and these: lines and rows int32 [p] each, ascending."""
    shape = len(side.images), len(others.images)
    proposed = _proposed(side.standings, near, count, shape)
    back = {name: similarities.T for name, similarities in near.items()}
    lines, rows = np.nonzero(proposed | _proposed(others.standings, back, count, shape[::-1]).T)
    return lines.astype(np.int32), rows.astype(np.int32)


def _proposed(
    standings: Mapping[str, Standing], near: Mapping[str, NDArray[np.float64]], count: int, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which of the others are among the `count` nearest of each posting in a space, bool [k, m]."""
    proposed = np.zeros(shape, np.bool_)
    for name, similarities in near.items():
        last = standings[name].nearest[:, count - 1, np.newaxis]
        proposed |= np.isfinite(similarities) & (similarities >= last)
    return proposed
