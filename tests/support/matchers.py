"""Tiny matchers: scored by the highest similarity, learned by means, or exported with trees."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields, is_evidence
from pricematch.catalogue.features import NO_EMBEDDINGS, Embeddings, Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.formats.default_matcher import NAME
from pricematch.formats.lightgbm_trees import Trees
from pricematch.formats.manifest import MANIFEST, Origin, TrainedOn, digests
from pricematch.formats.matcher_manifest import FIRST, SECOND, MatcherManifest
from pricematch.learning.fit import TrainingData
from pricematch.matching.matcher import Matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages
from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from tests.support.catalogues import groups_of, labelled_postings

RETRIEVERS = {"hash": "hash", "title": "words", "image": "image"}
"""By signal, the retriever whose similarity counts."""
THRESHOLDS = SizeThresholds((1,), {F1: [Thresholds(0.9, 0.5)], Target(0.95): [Thresholds(0.99, 0.99)]})


NOTHING: Mapping[str, str] = MappingProxyType({})


class HighestSimilarity:
    """Implements `pairs.model.Scorer`; missing features count 0. Evidence that differs takes half of the score."""

    def __init__(self, signals: Sequence[str], fields: tuple[Field, ...] = ()) -> None:
        names = pair_feature_names(signals, fields=fields)
        evidence = [(column, name) for column, name in enumerate(names) if is_evidence(name)]
        self._evidence = [column for column, name in evidence if not name.endswith("_ratio")]
        self._columns = [names.index(f"{RETRIEVERS[signal]}_similarity") for signal in signals]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        known = np.nan_to_num(features[:, self._columns].astype(np.float64), nan=0.0)
        highest: NDArray[np.float64] = known.max(axis=1, initial=0)
        differing = (features[:, self._evidence] == 0).any(axis=1)
        return np.where(differing, highest / 2, highest).clip(0, 1)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros(features.shape)
        found[:, self._columns] = np.nan_to_num(features[:, self._columns], nan=0.0)
        return found


def tiny_model(signals: Sequence[str], fields: tuple[Field, ...] = ()) -> PairModel:
    """A pair model whose probability is the highest similarity."""
    scorer = HighestSimilarity(signals, fields)
    return PairModel(tuple(signals), scorer, scorer, Calibration(PLATT, (0.0,), (0.0,), 1.0), fields=fields)


def scored_search(
    postings: Sequence[Posting],
    signals: Sequence[str] = ("hash", "title"),
    embeddings: Mapping[str, Embeddings] = NO_EMBEDDINGS,
    thresholds: SizeThresholds = THRESHOLDS,
    evidence: EvidenceFields = NO_EVIDENCE,
) -> ProbabilitySearch:
    """A search by probability over some postings: hashes, titles, embeddings [n, d] by retriever, and evidence."""
    features = Features.of(
        [posting.title for posting in postings], [posting.image_phash for posting in postings], embeddings
    )
    features = replace(features, evidence=evidence.values([posting.metadata for posting in postings]))
    model = tiny_model(signals, evidence.fields)
    found = ProbabilitySearch.build("matcher/1", Catalogue(postings), features, model, thresholds)
    return replace(found, evidence=evidence)


def matcher_over(
    catalogue: Catalogue,
    similarity: Mapping[str, SimilaritySearch],
    named: Mapping[str, str],
    probability: ProbabilitySearch | None = None,
    retrieved: Mapping[str, str] = NOTHING,
) -> Matcher:
    """A matcher over postings whose own hashes are all that is known of their images."""
    every = catalogue.select(range(catalogue.span))
    raw = ParsedFeatures.of(Features.of([it.title for it in every], [it.image_phash for it in every]))
    stock = StockImages.of(catalogue, raw.features.hashes, raw.features.images, raw.titles)
    return Matcher(catalogue, similarity, named, stock, probability, retrieved)


def hashed(*bits: int | None) -> list[Posting]:
    """Postings `p0`, `p1` … whose hashes have that many of their 64 bits set, from the lowest on; None: no hash."""
    return [
        Posting(f"p{row}", None, image_phash=None if count is None else f"{(1 << count) - 1:016x}")
        for row, count in enumerate(bits)
    ]


def drawn_training_data(count: int = 240, seed: int = 0, trained: float = 1.0) -> TrainingData:
    """A labelled catalogue; a share of its groups, the first ones, may be learned from."""
    postings = labelled_postings(count, seed)
    numbers = np.unique(groups_of(postings), return_inverse=True)[1].astype(np.intp)
    features = Features.of([posting.title for posting in postings], [posting.image_phash for posting in postings])
    return TrainingData(features, ("hash", "title"), numbers, numbers < trained * (numbers.max() + 1))


@dataclass(frozen=True, eq=False)
class Mean:
    """Implements `pair_model.Scorer`: the share of right pairs among those of nearly the same similarity of hashes."""

    column: int
    shares: NDArray[np.float64]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.shares[bins(features[:, self.column])]

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)


def bins(similarities: NDArray[np.float32]) -> NDArray[np.intp]:
    return (np.nan_to_num(similarities) * 32).astype(np.intp).clip(0, 32)


@dataclass(frozen=True)
class MeanLearner:
    """Implements `pair_model.Learner`; keeps what it was given."""

    given: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]] = field(default_factory=list)

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Mean:
        self.given.append((features, truth, weights))
        column = list(names).index("hash_similarity")
        places = bins(features[:, column])
        right, every = np.bincount(places, weights * truth, 33), np.bincount(places, weights, 33)
        return Mean(column, (right + 0.5) / (every + 1.0))


def export_matcher(
    models: Path,
    signals: Sequence[str],
    encoder: Origin | None = None,
    version: str = "1",
    fields: tuple[Field, ...] = (),
) -> Path:
    """Write a matcher of trees that find postings with equal hashes, words or images the same."""
    path = models / NAME / version
    path.mkdir(parents=True)
    names = pair_feature_names(signals, fields=fields)
    for file, features in ((FIRST, names), (SECOND, (*names, *GRAPH_FEATURES))):
        _trees(features).write(path / file)
    manifest = MatcherManifest(
        name=NAME,
        version=version,
        created="2026-01-01T00:00:00+00:00",
        seed=0,
        signals=tuple(signals),
        features=(*names, *GRAPH_FEATURES),
        encoder=encoder,
        evidence={it.name: it.type for it in fields},
        calibration=Calibration(PLATT, (0.0,), (0.0,), 1.0).describe(),
        thresholds=SizeThresholds((1,), {F1: [Thresholds(0.5, 0.5)]}).describe(),
        held_out=[],
        briers={},
        counts={},
        trained_on=TrainedOn(share=1, seed=0, groups=()),
        catalogue_digest="",
        libraries={},
        files=dict(digests(path)),
    )
    (path / MANIFEST).write_text(json.dumps(manifest.model_dump(mode="json")), encoding="utf-8")
    return path


@cache
def _trees(names: tuple[str, ...]) -> Trees:
    """Trees that answer high where a similarity is nearly 1."""
    rng = np.random.default_rng(0)
    features = rng.random((2000, len(names))).astype(np.float32)
    looked_at = [column for column, name in enumerate(names) if name in {f"{space}_similarity" for space in _SPACES}]
    rows = rng.random((2000, len(looked_at))) < 0.4
    features[:, looked_at] = np.where(rows, 1 - rng.random(rows.shape) / 100, features[:, looked_at])
    truth = (features[:, looked_at] > 0.98).any(axis=1)
    data = lightgbm.Dataset(features, truth, feature_name=list(names))
    parameters = {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1, "deterministic": True}
    return Trees(lightgbm.train(parameters, data, 40), 1)


_SPACES = ("hash", "words", "image")
