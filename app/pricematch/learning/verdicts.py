"""Moves the default pair model by what people have decided on pairs of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.feedback import Feedback
from pricematch.learning.regression import BOUNDS, SPREADS, fit_weights
from pricematch.pairs.default_model import ALWAYS, AgreementScorer, EvidenceScorer, taught_pair_model, taught_terms
from pricematch.pairs.graph_features import ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.model import PairModel
from pricematch.pairs.pair_features import PairFeatureExtractor

_SPREADS = np.append(1.3 * SPREADS, 0.3)
"""Of the weights of the terms in the second regression, and of agreement."""
_STEEPNESS = 0.5
_PAIRS, _COUNT = 4096, 100.0
"""Pairs of the catalogue that the default is expected to be right about, and as how many verdicts they count in all."""


@dataclass(frozen=True, eq=False)
class VerdictTeacher:
    """Teaches the second regression of a default pair model by the verdicts on a catalogue's postings.

    Each verdict is a pair whose truth is known. The weights that the model has are those that are expected beforehand,
    so few verdicts move them a little and many as far as they have to go. The first regression and so the graph of
    probabilities stay, and whether neighbours agree is a term of what is fitted: people are asked about pairs by their
    probabilities, of which agreement is a part. Fitted without it, the weights would make up for what it says of the
    pairs that were asked about, and mislead about all others.

    People are asked about pairs of some probability only, and most pairs have hardly any. So that these stay as
    improbable as they are, what the default says of pairs from all over the catalogue counts as some verdicts.

    Attributes:
        feedback: people's decisions on pairs of postings.
        rows: by posting_id, its row among the features; others are not there.
    """

    feedback: Feedback
    rows: Mapping[str, int]

    def __call__(
        self,
        model: PairModel,
        extractor: PairFeatureExtractor,
        first: NDArray[np.float64],
        of_row: NDArray[np.integer],
    ) -> tuple[PairModel, int]:
        """The model after the verdicts, and how many of them it has learned from.

        Args:
            model: the default pair model; any other stays as it is.
            extractor: of the nodes of the catalogue.
            first: [m], the first scores of their candidate pairs.
            of_row: [n], the node of each row. Two postings of one node have nothing to teach.
        """
        if not (isinstance(model.first, EvidenceScorer) and isinstance(model.second, AgreementScorer)):
            return model, 0
        known = [
            (self.rows[one], self.rows[other], decision == "same")
            for one, other, decision in self.feedback
            if one in self.rows and other in self.rows
        ]
        ends = of_row[np.array([(one, other) for one, other, _ in known], np.intp).reshape(-1, 2)]
        apart = ends[:, 0] != ends[:, 1]
        if not apart.any():
            return model, len(known)
        same = np.array([it for *_, it in known], np.bool_)[apart]
        pairs = _Pairs(model, extractor, first)
        told, usual = pairs.features(np.maximum(*ends[apart].T), np.minimum(*ends[apart].T)), pairs.spread()
        weights = fit_weights(
            taught_terms(np.concatenate([told, usual])),
            np.concatenate([same, model.second.predict(usual)]),
            np.concatenate([np.ones(len(told)), np.full(len(usual), _COUNT / max(1, len(usual)))]),
            _before(model.first, model.second),
            _SPREADS,
            [*BOUNDS, (0.0, np.inf)],
            _STEEPNESS,
        )
        return taught_pair_model(model, weights.tolist()), len(known)


class _Pairs:
    """Features of pairs, and graph features behind them by the first scores [m] of the candidates."""

    def __init__(self, model: PairModel, extractor: PairFeatureExtractor, first: NDArray[np.float64]) -> None:
        self._model, self._extractor, self._first = model, extractor, first
        self._rows = ProbabilityRows.of(probability_matrix(*extractor.candidates, first, len(extractor)))

    def features(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.float32]:
        """Of some pairs by the nodes of their ends, which need not be candidates: float32 [k, f]."""
        found = self._extractor.features(self._extractor.own, left, right)
        graph = graph_features(self._rows, left, right, self._model.first.predict(found))
        return np.concatenate([found, graph], axis=1)

    def spread(self) -> NDArray[np.float32]:
        """Of about `_PAIRS` candidates, evenly spread over all in the order of their first scores."""
        step = 1 + len(self._first) // _PAIRS
        chosen = np.argsort(self._first, kind="stable")[step // 2 :: step]
        return self.features(*(ends[chosen] for ends in self._extractor.candidates))


def _before(first: EvidenceScorer, second: AgreementScorer) -> NDArray[np.float64]:
    """The weights by which a taught second regression says what the default's says."""
    share, agreement, always = second.weights
    weights = np.append(share * first.weights, agreement)
    weights[ALWAYS] += always
    return weights
