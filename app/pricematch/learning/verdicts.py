"""Moves the default pair model by what people have decided on pairs of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.feedback import Feedback
from pricematch.learning.regression import BOUNDS, SPREADS, fit_weights
from pricematch.pairs.default_model import EvidenceScorer, terms
from pricematch.pairs.model import PairModel
from pricematch.pairs.pair_features import PairFeatureExtractor


@dataclass(frozen=True, eq=False)
class VerdictTeacher:
    """Teaches a default pair model by the verdicts on a catalogue's postings.

    Each verdict is a pair whose truth is known. The weights that the model has are those that are expected beforehand,
    so few verdicts move them a little and many as far as they have to go. Which pairs were asked about does not bias
    them, as long as the answer is all that depends on a pair's truth.

    Attributes:
        feedback: people's decisions on pairs of postings.
        rows: by posting_id, its row among the features; others are not there.
    """

    feedback: Feedback
    rows: Mapping[str, int]

    def __call__(
        self, model: PairModel, extractor: PairFeatureExtractor, of_row: NDArray[np.integer]
    ) -> tuple[PairModel, int]:
        """The model after the verdicts, and how many of them it has learned from.

        Args:
            model: the default pair model; any other stays as it is.
            extractor: of the nodes of the catalogue.
            of_row: [n], the node of each row. Two postings of one node have nothing to teach.
        """
        if not isinstance(model.first, EvidenceScorer):
            return model, 0
        known = [
            (self.rows[one], self.rows[other], decision == "same")
            for one, other, decision in self.feedback
            if one in self.rows and other in self.rows
        ]
        ends = of_row[np.array([(one, other) for one, other, _ in known], np.intp).reshape(-1, 2)]
        apart = ends[:, 0] != ends[:, 1]
        left, right = np.maximum(*ends[apart].T), np.minimum(*ends[apart].T)
        if not len(left):
            return model, len(known)
        same = np.array([it for *_, it in known], np.bool_)[apart]
        told = terms(extractor.features(extractor.own, left, right))
        weights = fit_weights(told, same, np.ones(len(same)), model.first.weights, SPREADS, BOUNDS)
        return replace(model, first=EvidenceScorer(weights.tolist())), len(known)
