"""New postings judged as a batch: each against a catalogue, and all among each other.

All are judged as if the catalogue held every one of them. Judged one by one, new postings of a product that it does not
hold would each look surer to be another product than they do beside each other.
"""

from dataclasses import dataclass

import numpy as np

from app.matching.evidence.agreement import agreement, symmetric_rows
from app.matching.evidence.carried import Carried
from app.matching.pair_model import JudgedCatalogue, JudgedPairs


@dataclass(frozen=True, eq=False)
class NewPairs:
    """The candidate pairs of m postings that a catalogue of n does not hold.

    Attributes:
        postings: what they carry.
        pairs: with the catalogue's postings and with each other, none twice. A pair's ends are rows of the catalogue,
            or n + the position of a new posting.
    """

    postings: Carried
    pairs: JudgedPairs

    def __len__(self) -> int:
        return len(self.postings)


def new_pairs(judged: JudgedCatalogue, postings: Carried) -> NewPairs:
    """Judge new postings; one alone is judged as `JudgedCatalogue.new` does."""
    reference, behind = judged.reference, np.int32(len(judged))
    side, stored_lines, stored_rows = reference.describe(postings)
    side, lines, rows = reference.together(side)
    with_stored = reference.evidence(side, stored_lines, stored_rows)
    evidence = np.concatenate([with_stored, reference.evidence(side, lines, rows, side)])
    first = judged.model.first.predict(evidence)
    ones = np.concatenate([stored_lines, lines]) + behind
    others = np.concatenate([stored_rows, rows + behind])
    graph = symmetric_rows(
        np.concatenate([judged.lines, ones]),
        np.concatenate([judged.rows, others]),
        np.concatenate([judged.judgements.first, first]),
        len(judged) + len(postings),
    )
    features = np.concatenate([evidence, agreement(graph, graph, ones, others, first)], axis=1)
    return NewPairs(postings, JudgedPairs(ones, others, features, judged.model.judge(features)))
