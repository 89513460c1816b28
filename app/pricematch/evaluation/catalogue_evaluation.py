"""Evaluation of signals and a matcher on the labelled catalogue that settings name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pricematch.catalogue.postings import Posting
from pricematch.encoding.catalogue_files import find_images
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.errors import CatalogueError
from pricematch.evaluation.evaluation_report import report_of
from pricematch.evaluation.labelled import labels_of, read_labelled, relabelled, unseen
from pricematch.evaluation.load_features import load_features, matcher_signals, with_evidence, with_nothing_for_lacking
from pricematch.evaluation.matcher_evaluation import MatcherCase, MatcherEvaluation, evaluate_matcher
from pricematch.evaluation.metrics import Scores, number_groups
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.evaluation.signal_evaluation import evaluate as evaluate_signals
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.matcher_files import load_matcher
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress
from pricematch.settings import Settings


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of an evaluation: names of the signals, a NumPy file instead of images, folds of the label groups, seed.

    `matcher` is the version of a matcher to evaluate too, `default`, or `auto` for the newest, else the default.
    `verdicts` is a CSV file or a data folder with feedback, which overrules label groups.
    """

    signals: tuple[str, ...]
    embeddings: Path | None
    folds: int
    seed: int
    matcher: str | None = None
    verdicts: Path | None = None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation of a catalogue.

    Attributes:
        signals: the evaluation of the signals,
        matched: and of the matcher if there is one,
        matcher: with its name and version.
        postings: that were evaluated.
        catalogue: their file.
        images: of the postings; None where there are none.
        seed: of everything drawn.
    """

    signals: Evaluation
    matched: MatcherEvaluation | None
    matcher: str | None
    postings: Sequence[Posting]
    catalogue: Path
    images: ImageFolder | None
    seed: int

    def report(self) -> dict[str, Any]:
        """What `report.json` holds."""
        return report_of(self.signals, self.postings, self.catalogue, self.seed, self.matched, self.matcher)


def compared(evaluation: Evaluation, matched: MatcherEvaluation) -> Mapping[str, Scores]:
    """The scores of the same postings by each signal, all together, the matcher, and the matcher's clusters."""
    found = {name: one.scores.of(matched.evaluated) for name, one in evaluation.measured.items()}
    return {**found, "matcher": matched.scores, "matcher, clusters": matched.clusters}


def evaluate(settings: Settings, options: EvaluateOptions, progress: Progress) -> Evaluated:
    """Evaluate signals, and a matcher, on a labelled catalogue.

    Raises:
        CatalogueError: a bad row, one without a label group, fewer groups than folds, or none that the matcher was not
            trained on.
        ArtefactError: there is no such matcher.
        SettingsError: what a signal is computed from is missing.
        PricematchError: as `load_features`.
    """
    loaded = None
    if options.matcher is not None:
        settings, loaded = load_matcher(settings, options.matcher)
    content = read_labelled(settings)
    images = find_images(settings, content.names())
    given = [str(posting.label_group) for posting in content.postings]
    labels = [str(label) for label in labels_of(settings, content, options.verdicts)]
    content = relabelled(content, labels)
    evaluated = None if loaded is None else unseen(settings, loaded, content.postings, labels, given)
    colours = NEWEST_COLOURS if loaded is None else loaded.colours
    names = dict.fromkeys([*options.signals, *(() if loaded is None else matcher_signals(settings, content, loaded))])
    catalogue, features = load_features(settings, content, list(names), options.embeddings, progress, colours)
    groups = number_groups(labels)
    if groups.max() + 1 < options.folds:
        raise CatalogueError(
            f"{content.path}: expected at least {options.folds} label groups for as many folds, got {groups.max() + 1}"
        )
    parsed = ParsedFeatures.of(features)
    found = evaluate_signals(parsed, options.signals, groups, options.folds, options.seed, progress)
    matched = None
    if loaded is not None and evaluated is not None:
        # in the order of the ids, as in training and in the service
        order = np.argsort(np.array(catalogue.posting_ids), kind="stable")
        numbers = number_groups([labels[row] for row in order])
        whole = with_evidence(with_nothing_for_lacking(features, loaded), catalogue, loaded.model.fields)
        told = ParsedFeatures(without_stock_images(catalogue, whole), parsed.titles)
        how = loaded.model, loaded.thresholds, loaded.homing
        case = MatcherCase(told.select(order), numbers, evaluated[order], *how)
        matched = replace(evaluate_matcher(case, options.seed, progress), evaluated=evaluated)
    label = None if loaded is None else loaded.label
    return Evaluated(found, matched, label, list(catalogue), settings.catalogue, images, options.seed)
