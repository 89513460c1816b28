"""Probabilities of given pairs of postings, and undecided pairs of given probabilities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.probability import ProbabilitySearch


def pair_probabilities(search: ProbabilitySearch, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """The probability that each of k pairs is the same product, whatever people decided: float64 [k].

    Equal postings are the same for sure; pairs that are no candidates, or of which a posting is not there, have 0.
    """
    rows = search.catalogue.located({posting_id for pair in pairs for posting_id in pair})
    ends = np.array([[rows.get(posting_id, -1) for posting_id in pair] for pair in pairs], np.intp).reshape(-1, 2)
    there = (ends >= 0).all(axis=1)
    nodes, known = search.nodes.of_row[ends], search.index.pairs
    keys, wanted = _keys(known.left, known.right), _keys(nodes[:, 0], nodes[:, 1])
    order = np.argsort(wanted, kind="stable")
    candidates = np.flatnonzero(np.isin(keys, wanted))
    found, places = np.zeros(len(pairs)), np.searchsorted(wanted[order], keys[candidates])
    ends_of = np.searchsorted(wanted[order], keys[candidates], "right")
    for candidate, first, last in zip(candidates.tolist(), places.tolist(), ends_of.tolist(), strict=True):
        found[order[first:last]] = known.probabilities[candidate]
    found[(nodes[:, 0] == nodes[:, 1]) & search.nodes.same(nodes[:, 0])] = 1.0
    return np.where(there, found, 0.0)


def undecided_pairs(search: ProbabilitySearch, least: float, most: float) -> list[tuple[str, str]]:
    """The pairs of postings, by their ids, of some probabilities, both included, on which nobody has decided."""
    pairs = search.pairs
    chosen = pairs.select((pairs.probabilities >= least) & (pairs.probabilities <= most))
    decided = {(one, other) for one, other, _ in search.feedback}
    ids = zip(search.catalogue.ids_of(chosen.left), search.catalogue.ids_of(chosen.right), strict=True)
    return sorted({(min(ends), max(ends)) for ends in ids} - decided)


def _keys(left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.int64]:
    """Equal for the same two ends, whichever comes first."""
    return np.asarray(np.minimum(left, right).astype(np.int64) << 32 | np.maximum(left, right), np.int64)
