"""What a match is told with: how the two are the same product, what each signal says, and what weighed most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.grown_catalogue import GrownCatalogue
from pricematch.matching.matches import Evidence
from pricematch.pairs.contributions import contributions
from pricematch.pairs.match_types import Level, levels_of
from pricematch.pairs.reasons import Explainer
from pricematch.titles.normalise import ParsedTitle

_SIMILARITY = "_similarity"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one match: how the two are the same product, and why."""

    level: Level
    evidence: Evidence


class Explanations:
    """Explains pairs of a posting and some of a catalogue's. Immutable, safe to use from several threads.

    Args:
        judged: the catalogue.
    """

    def __init__(self, judged: GrownCatalogue) -> None:
        self._model = judged.model
        self._names = judged.model.features
        self._explain = Explainer(self._names, judged.reference.titles_with)
        self._similarities = {
            name.removesuffix(_SIMILARITY): column
            for column, name in enumerate(self._names)
            if name.endswith(_SIMILARITY)
        }

    def of(self, title: ParsedTitle, titles: Sequence[ParsedTitle], features: NDArray[np.float32]) -> list[Explanation]:
        """Explain the pairs of one posting and some of the catalogue's.

        Args:
            title: of the one posting.
            titles: of the m others.
            features: [m, f], `PairModel.features` of the pairs.
        """
        weighed = contributions(self._model, features)
        reasons = [
            self._explain(values, weights, title, other)
            for values, weights, other in zip(features, weighed, titles, strict=True)
        ]
        return [
            Explanation(level, Evidence(self._signals(values), why))
            for level, values, why in zip(levels_of(self._names, features), features, reasons, strict=True)
        ]

    def _signals(self, features: NDArray[np.float32]) -> Mapping[str, float]:
        """Similarity by signal, of those that both postings have something for."""
        said = {name: float(features[column]) for name, column in self._similarities.items()}
        return {name: similarity for name, similarity in said.items() if not np.isnan(similarity)}
