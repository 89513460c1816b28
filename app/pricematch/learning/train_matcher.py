"""Trains a matcher on the label groups of a catalogue."""

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pricematch.catalogue.evidence import EvidenceFields, in_order
from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.postings import Posting
from pricematch.encoding.catalogue_files import find_images, read_to_learn
from pricematch.encoding.encoders import NEWEST_COLOURS, find_artefacts
from pricematch.encoding.offline_whitening import whiten_offline
from pricematch.errors import CatalogueError
from pricematch.evaluation.labelled import labels_of
from pricematch.evaluation.load_features import load_features, with_evidence
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signals import SIGNALS
from pricematch.evaluation.splits import digest_postings, group_digest, seen_postings, training_groups
from pricematch.formats.atomic_writes import make_folder, remove_abandoned
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.default_matcher import NAME, read_default
from pricematch.formats.exports import next_version
from pricematch.formats.lightgbm_trees import TreeLearner, idle_cores
from pricematch.formats.manifest import Manifest, TrainedOn
from pricematch.formats.matcher_files import write_matcher
from pricematch.learning.cross_fitting import FOLDS
from pricematch.learning.fit import FittedMatcher, TrainingData
from pricematch.learning.ladder import fit_on_prior
from pricematch.learning.rungs import Prior
from pricematch.matching.stock_images import without_stock_images
from pricematch.progress import Progress
from pricematch.settings import Settings

_NOTHING = [(None, ())]
_LIBRARIES = ("lightgbm", "numpy", "scipy")
STAGED = ".matcher-"
"""Prefix of folders that are not finished."""


@dataclass(frozen=True)
class TrainMatcherOptions:
    """Options of a training: names of the signals, share of the label groups to train on, seed, version to write.

    The version is None for the next one. `verdicts` is a CSV file or a data folder with feedback, which overrules label
    groups. `force`: write the matcher also where it is not better than the default. `evidence`: fields of metadata to
    compare by, besides those that a store declares.
    """

    signals: tuple[str, ...]
    train_share: float
    seed: int
    version: str | None
    verdicts: Path | None = None
    force: bool = False
    evidence: tuple[Field, ...] = ()


@dataclass(frozen=True, eq=False)
class TrainedMatcher:
    """A trained matcher: its folder, None where it was not written; the fitted matcher, and how long it took."""

    path: Path | None
    fitted: FittedMatcher
    seconds: float

    def figures(self) -> dict[str, Any]:
        """What came of it, as JSON has it: where it is, and how good on label groups held out, beside the default."""
        fitted = self.fitted
        return {
            "path": None if self.path is None else str(self.path),
            "written": self.path is not None,
            "postings": fitted.postings,
            "groups": fitted.groups,
            "pairs": fitted.pairs,
            "seconds": round(self.seconds, 3),
            "held_out": [asdict(figures) for figures in fitted.held_out],
            "thresholds": fitted.thresholds.describe(),
            "comparison": None if fitted.comparison is None else fitted.comparison.figures(),
        }


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """What a matcher is trained on.

    Attributes:
        name: of where it is from, for sentences.
        postings: n, by their ids, with the label groups that were given.
        labels: [n], label groups corrected by feedback; None where none is known.
        signals: names of those to compare by.
        encoder: of the signal image; None where that is not compared.
        features: gives the postings' features without those of stock images; called once there is enough to learn from.
    """

    name: str
    postings: Sequence[Posting]
    labels: Sequence[str | None]
    signals: Sequence[str]
    encoder: Manifest | None
    features: Callable[[], Features]


def train_matcher(settings: Settings, options: TrainMatcherOptions, progress: Progress) -> TrainedMatcher:
    """Train a matcher on a catalogue's label groups, and write it to `models/matcher/<version>`; see `train_on`.

    Raises:
        CatalogueError: a bad row, too few label groups, or an evidence field that no posting has.
        FilterInvalid: an evidence field is named twice.
        ArtefactExists, SettingsError: the version is there already, or no whole number.
        PricematchError: as `load_features`.
    """
    next_version(settings.models, [NAME], options.version)  # before anything is read
    content = read_to_learn(settings).by_id()
    content.refuse(content.problems)
    evidence = in_order(options.evidence)
    _check_evidence(content, evidence)
    encoder = _encoder(settings, content, progress) if "image" in options.signals else None

    def features() -> Features:
        found = load_features(settings, content, options.signals, None, progress, NEWEST_COLOURS)
        return with_evidence(without_stock_images(*found), found[0], evidence)

    labels = labels_of(settings, content, options.verdicts)
    source = TrainingSource(str(content.path), content.postings, labels, options.signals, encoder, features)
    return train_on(settings, options, source, progress)


def train_on(
    settings: Settings, options: TrainMatcherOptions, source: TrainingSource, progress: Progress
) -> TrainedMatcher:
    """Train a matcher, and write it.

    It begins at the default matcher. Where it is not better than that on label groups held out, it is not written.

    Postings without a label group are candidates and are not trained on, nor are groups that the encoder of the
    signal image was trained on: on them its embeddings are better than on others.

    Raises:
        CatalogueError: too few label groups.
        ArtefactExists, SettingsError: the version is there already, or no whole number.
    """
    started = time.monotonic()
    version = next_version(settings.models, [NAME], options.version)
    labels, encoder = source.labels, source.encoder
    seen = np.zeros(len(labels), np.bool_)
    if encoder is not None and encoder.trained_on is not None:
        seen = seen_postings(encoder.trained_on, labels, source.postings)
    trained = training_postings(labels, options.train_share, options.seed, seen)
    _check_groups(source.name, labels, trained, seen)
    postings = source.features()
    signals = tuple(signal for signal in SIGNALS if signal in source.signals)  # features are in one order
    data = TrainingData(postings, signals, number_groups(labels), trained)
    try:
        with threadpool_limits(idle_cores()):  # linear algebra waits for its threads just as trees do
            learner = TreeLearner(options.seed, settings.workers)
            fitted = fit_on_prior(data, learner, _prior(), options.seed, progress)
    except ValueError as error:
        raise CatalogueError(f"{source.name}: {error}") from error
    comparison = fitted.comparison
    if comparison is not None and not comparison.better and not options.force:
        return TrainedMatcher(None, fitted, time.monotonic() - started)
    make_folder(settings.models)
    remove_abandoned(settings.models, STAGED)
    staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=settings.models))
    try:
        path = write_matcher(
            settings.models,
            staged,
            fitted.model,
            fitted.thresholds,
            {
                "version": version,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "seed": options.seed,
                "encoder": encoder and encoder.origin,
                "colours": NEWEST_COLOURS,
                "compared": {} if comparison is None else {"learned": comparison.learned, **comparison.others},
                "home": None if fitted.home is None else fitted.home.describe(),
                "held_out": [asdict(held_out) for held_out in fitted.held_out],
                "briers": dict(fitted.briers),
                "counts": {
                    "postings": fitted.postings,
                    "groups": fitted.groups,
                    "pairs": fitted.pairs,
                    "seconds": round(time.monotonic() - started, 3),
                },
                "trained_on": _record(source, trained, options),
                "catalogue_digest": _digest(source.postings, postings.evidence_fields),
                "libraries": {"python": platform.python_version()} | {it: version_of(it) for it in _LIBRARIES},
            },
        )
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return TrainedMatcher(path, fitted, time.monotonic() - started)


def _prior() -> Prior:
    """The default matcher."""
    default = read_default()
    return Prior(default.model, default.size_thresholds)


def _encoder(settings: Settings, content: CsvCatalogue, progress: Progress) -> Manifest:
    """That of the signal image, whitened on the catalogue's images as the one that serves them."""
    if images := find_images(settings, content.names()):
        whiten_offline(settings, content.names(), images, progress)
    return find_artefacts(settings)[-1].manifest


def training_postings(
    labels: Sequence[str | None], share: float, seed: int, seen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which postings are trained on, bool [n]: those of groups of the share that are not `seen`, bool [n]."""
    chosen = training_groups([label or "" for label in labels], share, seed)
    known = np.array([label is not None for label in labels], bool)
    return np.asarray(chosen & known & ~seen, bool)


def _check_groups(name: str, labels: Sequence[str | None], trained: NDArray[np.bool_], seen: NDArray[np.bool_]) -> None:
    """Raise CatalogueError where there are too few groups to train on."""
    groups = {label for label, taken in zip(labels, trained, strict=True) if taken}
    if len(groups) >= FOLDS:
        return
    known = {label for label in labels if label is not None}
    taught = len({label for label, was_seen in zip(labels, seen, strict=True) if was_seen})
    left = (
        f"; the encoder was trained on {taught} of them, which teach nothing here: train it on a smaller share than "
        "the matcher, as `pricematch train encoder --recipe cnn --train-share 0.3` does"
    )
    raise CatalogueError(
        f"{name}: expected at least {FOLDS} label groups to learn from, got {len(groups)} of {len(known)}"
        f"{left if taught else ''}"
    )


def _check_evidence(content: CsvCatalogue, fields: Sequence[Field]) -> None:
    """Raise CatalogueError where no posting has anything to compare in a field."""
    for field in fields:
        of = EvidenceFields.every([field])
        if not any(of.compared(posting.metadata) != _NOTHING for posting in content.postings):
            kind = "a number" if field.type == "number" else "a text"
            raise CatalogueError(f"{content.path}: expected {kind} in metadata.{field.name} of some posting, got none")


def _record(source: TrainingSource, trained: NDArray[np.bool_], options: TrainMatcherOptions) -> TrainedOn:
    """The groups that were trained on, with their labels by feedback and as given, and their postings."""
    given = [posting.label_group for posting in source.postings]
    both = zip(source.labels, given, trained, strict=True)
    groups = {label for *names, taken in both if taken for label in names if label is not None}
    return TrainedOn(
        share=options.train_share,
        seed=options.seed,
        groups=tuple(sorted(map(group_digest, groups))),
        postings=digest_postings(it for it, taken in zip(source.postings, trained, strict=True) if taken),
    )


def _digest(postings: Sequence[Posting], evidence: Sequence[Field]) -> str:
    """SHA-256 over the fields of all postings, in order, and over what they have in evidence fields."""
    digest, compared = hashlib.sha256(), EvidenceFields.every(evidence)
    for posting in postings:
        fields = (posting.posting_id, posting.image, posting.title, posting.image_phash, posting.label_group)
        digest.update(repr(fields).encode("utf-8", "surrogatepass") + b"\n")
        if evidence:
            digest.update(repr(compared.compared(posting.metadata)).encode() + b"\n")
    return digest.hexdigest()
