"""A tiny trained matcher on disk."""

import json
from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np

from pricematch.formats.lightgbm_trees import Trees
from pricematch.formats.manifest import MANIFEST, Origin, TrainedOn, digests
from pricematch.formats.matcher_files import FIRST, NAME, SECOND, MatcherManifest
from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.pair_features import pair_feature_names
from pricematch.pairs.thresholds import F1, SizeThresholds, Thresholds


def export_matcher(models: Path, signals: Sequence[str], encoder: Origin | None = None, version: str = "1") -> Path:
    """Write a matcher of trees that find postings with equal hashes, words or images the same."""
    path = models / NAME / version
    path.mkdir(parents=True)
    names = pair_feature_names(signals)
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


def _trees(names: Sequence[str]) -> Trees:
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
