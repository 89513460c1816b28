"""The default matcher's file: weights and thresholds as JSON, which the package carries."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pricematch.errors import ArtefactError
from pricematch.formats.atomic_writes import write_whole
from pricematch.formats.manifest import Described
from pricematch.pairs.default_model import LATER, TERMS, AgreementScorer, EvidenceScorer, default_pair_model
from pricematch.pairs.feature_names import SIGNALS, pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel
from pricematch.pairs.thresholds import SizeThresholds

NAME, DEFAULT = "matcher", "default"
FILE = Path(__file__).with_name("default_matcher.json")
AGREEMENT = ("first", "agreement", "always")


class Weights(Described):
    """Weights of the default model's regressions.

    Attributes:
        evidence: by name of a term, see `pricematch.pairs.default_model.TERMS`.
        agreement: of the second regression, by name.
    """

    evidence: dict[str, float]
    agreement: dict[str, float]

    @property
    def regressions(self) -> tuple[EvidenceScorer, AgreementScorer]:
        """Both regressions; raises ValueError for weights that are none."""
        names, evidence = [term.name for term in TERMS], dict.fromkeys(LATER, 0.0) | self.evidence
        if sorted(evidence) != sorted(names) or sorted(self.agreement) != sorted(AGREEMENT):
            raise ValueError(f"expected weights of {', '.join(names)}, and of {', '.join(AGREEMENT)}")
        first, agreement, always = (self.agreement[name] for name in AGREEMENT)
        return EvidenceScorer([evidence[name] for name in names]), AgreementScorer(first, agreement, always)


class TeachingShop(Described):
    """A shop that taught the default matcher, and how well the others do in it without it.

    Attributes:
        name: of the shop.
        licence: of its catalogue and images, of which numbers only are kept.
        postings, groups: how many it has.
        titles: whether its titles taught, beside its images.
        held_out: figures in this shop by a model that the other shops taught; see `pricematch.learning.held_out`.
    """

    name: str
    licence: str
    postings: int
    groups: int
    titles: bool
    held_out: dict[str, float]


class DefaultManifest(Described):
    """What the default matcher is and where it comes from.

    Attributes:
        name, version: `matcher` and `default`.
        probabilities: `estimated`: no label of this catalogue has taught them; `calibrated`: people's verdicts have.
        signals, features: what it compares; the features of its second regression, in order.
        encoder_name, colours: the encoder whose embeddings it compares, in any version, and the version of the
            histograms of colours.
        evidence: weight by name of a term, see `pricematch.pairs.default_model.TERMS`.
        agreement: weights of the second regression.
        thresholds: see `pricematch.pairs.thresholds.SizeThresholds.describe`.
        taught_by: the shops.
        verdicts: how many have moved it.
        libraries: versions it was fitted with.
    """

    name: Literal["matcher"] = "matcher"
    version: Literal["default"] = "default"
    created: str
    probabilities: Literal["estimated", "calibrated"] = "estimated"
    signals: tuple[str, ...] = SIGNALS
    features: tuple[str, ...] = (*pair_feature_names(SIGNALS), *GRAPH_FEATURES)
    encoder_name: Literal["cnn"] = "cnn"
    colours: Literal["2"] = "2"
    evidence: dict[str, float]
    agreement: dict[str, float]
    thresholds: list[dict[str, Any]]
    taught_by: tuple[TeachingShop, ...]
    verdicts: int = 0
    libraries: dict[str, str]

    @cached_property
    def model(self) -> PairModel:
        """The pair model; raises ValueError for weights that are none."""
        evidence, agreement = Weights(evidence=self.evidence, agreement=self.agreement).regressions
        return default_pair_model(evidence.weights.tolist(), agreement.weights)

    @cached_property
    def size_thresholds(self) -> SizeThresholds:
        """The thresholds; raises ValueError for some that are none."""
        # `fit_default` picks them on probabilities without bounds
        return SizeThresholds.from_description(self.thresholds, bounded=False)


def read_default(file: Path = FILE) -> DefaultManifest:
    """The default matcher that the package carries, or another one of its kind.

    Raises:
        ArtefactError: the file is missing or damaged, or was written by a version with other features.
    """
    try:
        manifest = DefaultManifest.model_validate_json(file.read_bytes())
        model, _ = manifest.model, manifest.size_thresholds
    except OSError as error:
        raise ArtefactError(f"{file} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ArtefactError(f"{file} holds no default matcher: {where}: {fault['msg']}") from error
    except ValueError as error:
        raise ArtefactError(f"{file} holds no default matcher: {error}") from error
    if (manifest.signals, manifest.features) != (model.signals, model.feature_names):
        raise ArtefactError(f"{file} was written by a version of pricematch with other features; make it anew")
    return manifest


def write_default(
    file: Path,
    evidence: Sequence[float],
    agreement: tuple[float, float, float],
    thresholds: SizeThresholds,
    about: Mapping[str, Any],
) -> DefaultManifest:
    """Write a default matcher; `about` holds the other fields of the manifest. Raises SettingsError."""
    manifest = DefaultManifest(
        evidence={term.name: round(weight, 6) for term, weight in zip(TERMS, evidence, strict=True)},
        agreement={name: round(weight, 6) for name, weight in zip(AGREEMENT, agreement, strict=True)},
        thresholds=thresholds.describe(),
        **about,
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(file, f"{text}\n".encode())
    return manifest
