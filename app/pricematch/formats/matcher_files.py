"""Matchers on disk: `models/matcher/<version>/` with trees as text and a manifest that holds all the rest.

Nothing in them is executed when they are loaded, and every file is checked against its digest first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricematch.catalogue.fields import Field
from pricematch.errors import ArtefactError, SettingsError
from pricematch.formats.atomic_writes import move_whole
from pricematch.formats.default_matcher import AGREEMENT, DEFAULT, NAME, DefaultManifest, Weights, read_default
from pricematch.formats.manifest import (
    MANIFEST,
    Origin,
    TrainedOn,
    digests,
    find,
    versions,
)
from pricematch.formats.matcher_manifest import FIRST, SECOND, MatcherManifest, features_of, read_manifest
from pricematch.pairs.calibration import Calibration
from pricematch.pairs.default_model import AgreementScorer, EvidenceScorer
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.home import Home, Homing
from pricematch.pairs.model import PairModel, Scorer
from pricematch.pairs.offset_model import MovedScorer, OffsetScorer
from pricematch.pairs.thresholds import SizeThresholds
from pricematch.settings import Settings

_AUTO = "auto"


@dataclass(frozen=True, eq=False)
class LoadedMatcher:
    """A loaded matcher: its manifest, model and thresholds, and what shrinks it where it is not at home."""

    manifest: MatcherManifest | DefaultManifest
    model: PairModel
    thresholds: SizeThresholds
    homing: Homing | None = None

    @property
    def label(self) -> str:
        """Name and version, `matcher/1`, or `matcher/default`."""
        return f"{NAME}/{self.manifest.version}"

    @property
    def encoder(self) -> Origin | None:
        """The encoder that it was trained with; None where it takes none, or any."""
        return None if isinstance(self.manifest, DefaultManifest) else self.manifest.encoder

    @property
    def colours(self) -> str:
        """Version of the histograms of colours that it compares."""
        return self.manifest.colours

    @property
    def required(self) -> tuple[str, ...]:
        """Signals that some postings have to have something for; the default matcher takes what there is."""
        return () if isinstance(self.manifest, DefaultManifest) else self.model.signals

    @property
    def trained_on(self) -> TrainedOn | None:
        """The label groups that it was trained on; None for the default matcher, which saw none of this catalogue."""
        return None if isinstance(self.manifest, DefaultManifest) else self.manifest.trained_on


@dataclass(frozen=True, eq=False)
class TrainedVersion(LoadedMatcher):
    """A loaded version of the trained matcher."""

    manifest: MatcherManifest


def write_matcher(
    models: Path, staged: Path, model: PairModel, thresholds: SizeThresholds, about: Mapping[str, Any]
) -> Path:
    """Write a matcher aside, then give it its name `models/matcher/<version>`.

    Both scorers of the model are `Trees`, or begin at the default (see `pricematch.pairs.offset_model`). `staged` is an
    empty folder on the same file system as `models`; `about` holds the fields of the manifest that model and thresholds
    do not give.

    Raises:
        ArtefactExists: the version is there already.
    """
    for name, scorer in ((FIRST, model.first), (SECOND, model.second)):
        _write_trees(staged / name, scorer)
    manifest = MatcherManifest(
        name=NAME,
        signals=model.signals,
        features=model.feature_names,
        calibration=model.calibration.describe(),
        thresholds=thresholds.describe(),
        bounded=thresholds.bounded,
        moved=_moved(model),
        trees=not isinstance(model.first, MovedScorer),
        evidence={it.name: it.type for it in model.fields},
        files=dict(digests(staged)),
        **about,
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    (staged / MANIFEST).write_text(text + "\n", encoding="utf-8")
    staged.chmod(0o755)  # temporary folders are for their owner alone, a service may run as another user
    return move_whole(staged, models / NAME / manifest.version)


def read_matcher(models: Path, version: str | None = None, threads: int = 1) -> TrainedVersion:
    """Load the named version of the matcher, or its newest; at most `threads` threads score pairs.

    Raises:
        ArtefactError: there is none, a file is missing or damaged, or it does not fit this program.
    """
    present = versions(models, NAME)
    if not present:
        raise ArtefactError(f"{models / NAME} holds no matcher; `pricematch train matcher` writes one")
    if version is not None and version not in present:
        raise ArtefactError(f"expected a version of the matcher among {', '.join(present)}, got {version}")
    path = models / NAME / (version or present[-1])
    manifest = read_manifest(path)
    try:
        calibration = Calibration.from_description(manifest.calibration)
        thresholds = SizeThresholds.from_description(manifest.thresholds, bounded=manifest.bounded)
    except ValueError as error:
        raise ArtefactError(f"{path / MANIFEST} is damaged: {error}") from error
    scaled = manifest.features == features_of(manifest, scaled=True)
    names = pair_feature_names(manifest.signals, scaled=scaled, fields=manifest.fields)
    try:
        offsets = (None, None) if manifest.moved is None else manifest.moved.regressions
        first = _scorer(path / FIRST, manifest, names, offsets[0], threads)
        second = _scorer(path / SECOND, manifest, (*names, *GRAPH_FEATURES), offsets[1], threads)
        homing = _homing(manifest)
    except ValueError as error:
        raise ArtefactError(f"{path / MANIFEST} is damaged: {error}") from error
    model = PairModel(manifest.signals, first, second, calibration, scaled, fields=manifest.fields)
    return TrainedVersion(manifest, model, thresholds, homing)


def _homing(manifest: MatcherManifest) -> Homing | None:
    """What shrinks a matcher where it is not at home; raises ValueError."""
    if manifest.home is None:
        return None
    default = read_default()
    home = Home.from_description(manifest.home, int(manifest.counts.get("pairs", 0)))
    return Homing(home, default.model, default.size_thresholds)


def _write_trees(path: Path, scorer: Scorer) -> None:
    """Write the trees of a scorer; a moved regression has none. Raises TypeError for a scorer of another kind."""
    if isinstance(scorer, MovedScorer):
        return
    from pricematch.formats.lightgbm_trees import Trees

    trees = scorer.trees if isinstance(scorer, OffsetScorer) else scorer
    if not isinstance(trees, Trees):
        raise TypeError(f"expected trees, got {type(trees).__name__}")
    trees.write(path)


def _moved(model: PairModel) -> Weights | None:
    """The weights that a model begins at; None where it begins at nothing."""
    first, second = (it.offset if isinstance(it, OffsetScorer) else it for it in (model.first, model.second))
    if not (isinstance(first, MovedScorer) and isinstance(second, MovedScorer)):
        return None
    evidence, agreement = first.scorer, second.scorer
    if not (isinstance(evidence, EvidenceScorer) and isinstance(agreement, AgreementScorer)):
        raise TypeError("expected both regressions of the default, in their order")
    return Weights(evidence=evidence.by_term, agreement=dict(zip(AGREEMENT, agreement.weights, strict=True)))


def _scorer(
    file: Path,
    manifest: MatcherManifest,
    names: tuple[str, ...],
    offset: EvidenceScorer | AgreementScorer | None,
    threads: int,
) -> Scorer:
    """The scorer of features of these names: trees, a moved regression, or trees on top of one."""
    moved = None if offset is None else MovedScorer(offset, names)
    if moved is not None and not manifest.trees:
        return moved
    from pricematch.formats.lightgbm_trees import read_trees  # a start without trees needs no LightGBM

    trees = read_trees(file, names, threads)
    return trees if moved is None else OffsetScorer(moved, trees)


def load_matcher(settings: Settings, version: str) -> tuple[Settings, LoadedMatcher]:
    """A matcher, and the settings with the encoder it was trained with, or for the default one its own.

    Args:
        settings: the folder of models.
        version: a whole number, `default`, or `auto` for the newest trained one, and where there is none the default.

    Raises:
        ArtefactError: there is no such matcher, it is damaged, or its encoder is not the one it was trained with.
        SettingsError: the version is none of these.
    """
    if version not in (_AUTO, DEFAULT) and not (version.isdecimal() and version.isascii()):
        raise SettingsError(f"--matcher: expected {_AUTO}, {DEFAULT} or the whole number of a version, got {version!r}")
    if version == DEFAULT or (version == _AUTO and not versions(settings.models, NAME)):
        default = read_default()
        named = settings.encoder_version if settings.encoder == default.encoder_name else None
        matched = settings.model_copy(update={"encoder": default.encoder_name, "encoder_version": named})
        return matched, LoadedMatcher(default, default.model, default.size_thresholds)
    loaded = read_matcher(settings.models, None if version == _AUTO else version, settings.workers)
    wanted = loaded.encoder
    if wanted is None:
        return settings, loaded
    try:
        found = find(settings.models, wanted.name, wanted.version).manifest
    except ArtefactError as error:
        raise ArtefactError(f"{loaded.label} needs the encoder it was trained with: {error}") from error
    if found.weights_digest != wanted.weights_digest:
        raise ArtefactError(
            f"{loaded.label} does not fit {settings.models / wanted.name / wanted.version}: it was trained with "
            f"weights {wanted.weights_digest[:12]}…, got {found.weights_digest[:12]}…"
        )
    return settings.model_copy(update={"encoder": wanted.name, "encoder_version": wanted.version}), loaded


def evidence_of(settings: Settings, version: str) -> tuple[Field, ...]:
    """The fields that a matcher compares by as evidence; none where it is the default one, or there is none.

    Args:
        settings: the folder of models.
        version: as for `load_matcher`; anything else is no trained one.

    Raises:
        ArtefactError: the manifest is damaged, or does not fit this program.
    """
    present = versions(settings.models, NAME)
    chosen = present[-1] if version == _AUTO and present else version
    return read_manifest(settings.models / NAME / chosen).fields if chosen in present else ()
