"""Learns the default pair model from several shops, so that it holds in one that none of them is.

Each shop teaches as much as any other, however many pairs it has: what differs between shops is to be averaged. It
teaches whole, in halves and quarters, and with most products sold once, so that neither size nor density is learned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.metrics import group_sizes, scores, scores_of_counts
from pricematch.evaluation.reliability import LIKELY, expected_calibration_error
from pricematch.evaluation.splits import each_its_own, whole_groups
from pricematch.learning.regression import BOUNDS, fit_weights
from pricematch.learning.thresholds import ScoredCatalogue, pick, scored_catalogue
from pricematch.pairs.default_model import (
    FEATURES,
    TERMS,
    AgreementScorer,
    EvidenceScorer,
    agreement_terms,
    default_pair_model,
    terms,
)
from pricematch.pairs.feature_names import SCALED, SIGNALS
from pricematch.pairs.graph_features import ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.model import PairModel
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.thresholds import F1, TARGETS, SizeThresholds, Thresholds

_SHARES = ((1.0, 0.0), (0.5, 0.0), (0.25, 0.0), (1.0, 0.5), (0.6, 0.8))
"""Parts of a shop that teach: the share of its label groups, and the share of those that keep one posting only."""
_PAIRS_A_SHOP = 300.0
"""As how many pairs each part counts beside what is known beforehand."""
_WIDE = 1.0
"""Standard deviation of every weight about 0, before any shop is seen: it keeps them from running away where one term
happens to tell all the pairs of the few shops apart."""
_TRAVELLING = [bounds if term.travels else (0.0, 0.0) for term, bounds in zip(TERMS, BOUNDS, strict=True)]
_AGREEMENT_BOUNDS = ((0.0, np.inf), (0.0, np.inf), (-np.inf, np.inf))
_AGREEMENT_BEFORE = np.array([0.5, 0.5, 0.0])


@dataclass(frozen=True, eq=False)
class Shop:
    """A shop whose label groups are known.

    Attributes:
        name: of the shop.
        views: what is compared of its postings: features of all n of them, with some signals or others, at least one.
            All teach, so that what a title alone is worth is known, for example; thresholds are picked by the first.
        groups: intp [n], the number of each posting's label group, negative where it is not known.
    """

    name: str
    views: Sequence[Features]
    groups: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FittedDefault:
    """A fitted default matcher.

    Attributes:
        evidence, agreement: weights of both regressions.
        thresholds: the same for catalogues of every size.
        held_out: by name of a shop, figures of its first view by a model of the other shops: mean F1 at the
            thresholds, mean F1 where nothing matches, and the expected calibration error of pairs from 0.05 on.
    """

    evidence: NDArray[np.float64]
    agreement: tuple[float, float, float]
    thresholds: SizeThresholds
    held_out: Mapping[str, Mapping[str, float]]

    @property
    def model(self) -> PairModel:
        """The pair model of these weights."""
        return default_pair_model(self.evidence.tolist(), self.agreement)


@dataclass(frozen=True, eq=False)
class _Part:
    """The candidate pairs of a part of a shop.

    Attributes:
        shop: its name.
        groups: intp [n], from 0.
        left, right: int32 [m].
        features: float32 [m, f].
    """

    shop: str
    groups: NDArray[np.intp]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    features: NDArray[np.float32]

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        return np.asarray(self.groups[self.left] == self.groups[self.right], np.bool_)

    @cached_property
    def more_than_hashes(self) -> bool:
        """Whether anything else is compared: near hashes are near each other's, so that neighbours always agree."""
        known = ~np.isnan(self.features[:, [FEATURES.index(name) for name in (SCALED, "grams_similarity")]])
        return bool(known.any())

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        return np.full(len(self.left), _PAIRS_A_SHOP / max(1, len(self.left)))

    def with_graph(self, first: NDArray[np.float64]) -> NDArray[np.float32]:
        """The features and graph features, by first scores."""
        rows = ProbabilityRows.of(probability_matrix(self.left, self.right, first, len(self.groups)))
        graph = graph_features(rows, self.left, self.right, first)
        return np.concatenate([self.features, graph], axis=1)

    def scored(self, probabilities: NDArray[np.float64]) -> ScoredCatalogue:
        """The part as a catalogue whose candidates have probabilities."""
        return scored_catalogue(
            np.concatenate([self.left, self.right]),
            np.concatenate([self.right, self.left]),
            np.concatenate([probabilities, probabilities]),
            self.groups,
            np.ones(len(self.groups), np.bool_),
        )


def fit_default(shops: Sequence[Shop], seed: int) -> FittedDefault:
    """Fit the default matcher on at least two shops; thresholds are those of each shop by a model of the others.

    Raises:
        ValueError: there are fewer shops.
    """
    if len(shops) < 2:
        raise ValueError(f"expected at least two shops to learn from, got {len(shops)}")
    parts = [part for shop in shops for part in _parts(shop, seed)]
    evidence, agreement = _fit(parts)
    first = dict[str, tuple[_Part, NDArray[np.float64]]]()
    for shop in shops:
        others = _fit([part for part in parts if part.shop != shop.name])
        part = next(part for part in parts if part.shop == shop.name)
        first[shop.name] = part, _probabilities(part, *others)
    thresholds = _thresholds([part.scored(probabilities) for part, probabilities in first.values()])
    held_out = {name: _figures(*found, thresholds) for name, found in first.items()}
    return FittedDefault(evidence, agreement, thresholds, held_out)


def _parts(shop: Shop, seed: int) -> Iterator[_Part]:
    groups = each_its_own(shop.groups)
    for number, (share, alone) in enumerate(_SHARES):
        rows = _rows(groups, share, alone, seed + number)
        for view in shop.views:
            extractor = PairFeatureExtractor(view.select(rows), SIGNALS)
            left, right = extractor.candidates
            features = extractor.features(extractor.own, left, right)
            numbers = np.unique(groups[rows], return_inverse=True)[1].astype(np.intp)
            yield _Part(shop.name, numbers, left, right, features)


def _rows(groups: NDArray[np.intp], share: float, alone: float, seed: int) -> NDArray[np.intp]:
    """Rows of whole groups, a share of the postings; of a share of these groups the first row only."""
    rows = whole_groups(groups, round(share * len(groups)), seed) if share < 1 else np.arange(len(groups))
    chosen = np.unique(groups[rows])
    single = np.random.default_rng(seed).permutation(chosen)[: round(alone * len(chosen))]
    first = np.unique(groups[rows], return_index=True)[1]
    kept = ~np.isin(groups[rows], single)
    kept[first] = True
    return np.asarray(rows[kept], np.intp)


def _fit(parts: Sequence[_Part]) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """The weights of both regressions."""
    every = [terms(part.features) for part in parts]
    truth, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "counts"))
    before = np.zeros(len(BOUNDS))
    evidence = fit_weights(np.concatenate(every), truth, counts, before, np.full(len(before), _WIDE), _TRAVELLING)
    scorer = EvidenceScorer(evidence.tolist())
    parts = [part for part in parts if part.more_than_hashes]
    second = [agreement_terms(part.with_graph(scorer.predict(part.features))) for part in parts]
    truth, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "counts"))
    spreads = np.full(len(_AGREEMENT_BEFORE), _WIDE)
    found = fit_weights(np.concatenate(second), truth, counts, _AGREEMENT_BEFORE, spreads, _AGREEMENT_BOUNDS)
    first, agreement, always = found.tolist()
    return evidence, (first, agreement, always)


def _probabilities(
    part: _Part, evidence: NDArray[np.float64], agreement: tuple[float, float, float]
) -> NDArray[np.float64]:
    first = EvidenceScorer(evidence.tolist()).predict(part.features)
    return AgreementScorer(*agreement).predict(part.with_graph(first))


def _figures(part: _Part, probabilities: NDArray[np.float64], thresholds: SizeThresholds) -> Mapping[str, float]:
    size = len(part.groups)
    lists = thresholds.at(F1, size).lists(part.scored(probabilities).candidates)
    likely = probabilities >= LIKELY
    error = expected_calibration_error(probabilities[likely], part.truth[likely], np.ones(int(likely.sum())))
    alone = scores_of_counts(*(np.ones(size, np.intp),) * 2, group_sizes(part.groups)).mean_f1
    found = {"f1": scores(lists, part.groups).mean_f1, "alone": alone, "calibration_error_likely": error}
    return {name: round(value, 4) for name, value in found.items()}


def _thresholds(catalogues: Sequence[ScoredCatalogue]) -> SizeThresholds:
    """One threshold a target, the same in catalogues of every size: probabilities of a default hold in all of them.

    For a precision it is that very probability at least: where nothing was measured, what is estimated has to do.
    """
    size = round(float(np.mean([len(it.groups) for it in catalogues])))
    found = {}
    for target, picked in pick(catalogues, TARGETS).items():
        match = max(picked.match, target.precision or 0.0)
        found[target] = [Thresholds(match, match if target.precision else picked.fallback)]
    return SizeThresholds((size,), found)
