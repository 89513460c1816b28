"""What a matcher on disk says of itself, `models/matcher/<version>/manifest.json`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pricematch.catalogue.fields import Field as EvidenceField
from pricematch.catalogue.fields import FieldType
from pricematch.errors import ArtefactError
from pricematch.formats.default_matcher import NAME, Weights
from pricematch.formats.manifest import MANIFEST, Described, Origin, TrainedOn, check_files, read_described
from pricematch.pairs.feature_names import SIGNALS, pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES

FIRST, SECOND = "first.txt", "second.txt"


class MatcherManifest(Described):
    """What a matcher is and where it comes from.

    Attributes:
        signals: what it has to know of postings.
        features: what its second scorer takes, in order.
        encoder: whose embeddings the signal image means; None without that signal.
        colours: version of the histograms that the same signal means; the first where a manifest does not say.
        calibration: see `pricematch.pairs.calibration.Calibration.describe`.
        thresholds: see `pricematch.pairs.thresholds.SizeThresholds.describe`,
        bounded: and whether they are of probabilities within bounds; not where a manifest does not say.
        moved: weights of the default's regressions by name of a term, as label groups have moved them: what it begins
            at; None where it begins at nothing.
        trees: whether trees add to that; where not, the moved weights are all of it.
        evidence: type by name of the fields of metadata that its features are of, in their order.
        compared: mean F1 on held-out label groups, of it (`learned`), the default and each signal alone; empty where
            nothing was compared.
        home: mean and spread of each of the default's terms over the candidate pairs it learned on, see
            `pricematch.pairs.home`; None where it is not known.
        held_out: one entry a catalogue size, see `pricematch.learning.held_out.HeldOut`.
        briers: of each way to calibrate, on groups it was not fitted on.
        counts: postings, groups and candidate pairs it was trained on; and seconds.
        trained_on: the label groups, so that it can be evaluated on others.
        files: SHA-256 of every file but the manifest, by path.
    """

    name: str
    version: str
    created: str
    seed: int
    signals: tuple[str, ...]
    features: tuple[str, ...]
    encoder: Origin | None
    colours: Literal["1", "2"] = "1"
    calibration: dict[str, Any]
    thresholds: list[dict[str, Any]]
    bounded: bool = False
    moved: Weights | None = None
    trees: bool = True
    evidence: dict[str, FieldType] = Field(default_factory=dict)
    compared: dict[str, float] = Field(default_factory=dict)
    home: dict[str, dict[str, float]] | None = None
    held_out: list[dict[str, float]]
    briers: dict[str, float]
    counts: dict[str, int | float]
    trained_on: TrainedOn
    catalogue_digest: str
    libraries: dict[str, str]
    files: dict[str, str]

    @property
    def fields(self) -> tuple[EvidenceField, ...]:
        """The evidence fields."""
        return tuple(EvidenceField(name, kind, evidence=True) for name, kind in self.evidence.items())


def read_manifest(path: Path) -> MatcherManifest:
    """The manifest of a version, every file compared with it; raises ArtefactError."""
    file = path / MANIFEST
    manifest = read_described(file, MatcherManifest)
    if (manifest.name, manifest.version) != (NAME, path.name):
        raise ArtefactError(f"{file}: expected {NAME}/{path.name}, got {manifest.name}/{manifest.version}")
    if sorted(set(manifest.signals) & set(SIGNALS)) != sorted(manifest.signals) or not manifest.signals:
        raise ArtefactError(f"{file}: expected some of the signals {', '.join(SIGNALS)}, got {manifest.signals}")
    if ("image" in manifest.signals) != (manifest.encoder is not None):
        raise ArtefactError(f"{file}: expected an encoder beside the signal image, and only beside it")
    if manifest.features not in [features_of(manifest, scaled=scaled) for scaled in (True, False)]:
        raise ArtefactError(f"{path} was trained by a version of pricematch with other evidence; train it again")
    if not manifest.trees and manifest.moved is None:
        raise ArtefactError(f"{file}: expected moved weights where there are no trees")
    check_files(path, manifest.files, (FIRST, SECOND) if manifest.trees else ())
    return manifest


def features_of(manifest: MatcherManifest, *, scaled: bool) -> tuple[str, ...]:
    """The names of the features that its second scorer takes, by one of both ways to compare images."""
    return (*pair_feature_names(manifest.signals, scaled=scaled, fields=manifest.fields), *GRAPH_FEATURES)
