"""How well signals find the label groups of a catalogue."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Catalogue
from pricematch.errors import CatalogueError
from pricematch.evaluation import signal_evaluation as judging
from pricematch.evaluation.evaluation_report import write_report
from pricematch.evaluation.labelled import labels_of, read_labelled, relabelled
from pricematch.evaluation.load_features import find_images, load_features
from pricematch.evaluation.matcher_evaluation import MatcherEvaluation, evaluate_matcher
from pricematch.evaluation.matchers import load_matcher, unseen
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signal_evaluation import KS, Evaluation
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.formats.matcher_files import LoadedMatcher
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.progress import Progress
from pricematch.settings import Settings

REPORT, PAGE = "report.json", "report.html"


@dataclass(frozen=True)
class EvaluateOptions:
    """What is judged and how.

    Attributes:
        signals: their names.
        embeddings: a NumPy file to take instead of pictures.
        folds: of the label groups, for the signals' thresholds.
        seed: of folds, intervals and smaller catalogues.
        matcher: version of a trained matcher to judge beside them, `auto` for the newest; None for none.
        verdicts: a CSV file or a data folder with what people said, which overrules labels; None for none.
    """

    signals: tuple[str, ...]
    embeddings: Path | None
    folds: int
    seed: int
    matcher: str | None = None
    verdicts: Path | None = None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What was found of the signals, and of the matcher where there is one, with its name and version."""

    signals: Evaluation
    matched: MatcherEvaluation | None
    matcher: str | None


def evaluate(settings: Settings, options: EvaluateOptions, output: Path, progress: Progress) -> Evaluated:
    """Judge signals, and a matcher, on a labelled catalogue, and write `report.json` and `report.html` into a folder.

    Raises:
        CatalogueError: a bad row, one without a label group, fewer groups than folds, or none that the matcher was not
            trained on.
        ArtefactError: there is no such matcher.
        SettingsError: the folder cannot be written to, or what a signal is computed from is missing.
        PricematchError: as `load_features`.
    """
    from pricematch.reports.evaluation import evaluation_page, shown_names
    from pricematch.reports.thumbnails import draw_pictures

    check_folder(output)
    loaded = None
    if options.matcher is not None:
        settings, loaded = load_matcher(settings, options.matcher)
    content = read_labelled(settings)
    images = find_images(settings, content.names())
    given = [str(posting.label_group) for posting in content.postings]
    labels = [str(label) for label in labels_of(settings, content, options.verdicts)]
    content = relabelled(content, labels)
    judged = None if loaded is None else unseen(settings, loaded, labels, given)
    names = dict.fromkeys([*options.signals, *(() if loaded is None else loaded.model.signals)])
    catalogue, features = load_features(settings, content, list(names), options.embeddings, progress)
    groups = number_groups(labels)
    if groups.max() + 1 < options.folds:
        raise CatalogueError(
            f"{content.path}: expected at least {options.folds} label groups for as many folds, got {groups.max() + 1}"
        )
    parsed = ParsedFeatures.of(features)
    found = judging.evaluate(parsed, options.signals, groups, options.folds, options.seed, progress)
    postings = list(catalogue)
    drawn = None if images is None else draw_pictures(settings, shown_names(found, postings), images, progress)
    matched = None
    if loaded is not None and judged is not None:
        matched = _matched(loaded, catalogue, parsed, judged, options.seed, progress)
    label = None if loaded is None else loaded.label
    page = evaluation_page(found, postings, str(settings.catalogue), drawn, options.seed, matched, label)
    write_report(output / REPORT, found, postings, settings.catalogue, options.seed, matched, label)
    write_whole(output / PAGE, page.encode())
    return Evaluated(found, matched, label)


def _matched(
    loaded: LoadedMatcher,
    catalogue: Catalogue,
    features: ParsedFeatures,
    judged: NDArray[np.bool_],
    seed: int,
    progress: Progress,
) -> MatcherEvaluation:
    """What a matcher is worth, its postings in the order of their ids, as where it learned and where it serves."""
    order = np.argsort(np.array(catalogue.posting_ids), kind="stable")
    groups = number_groups([str(catalogue[row].label_group) for row in order])
    stored = loaded.thresholds
    found = evaluate_matcher(features.select(order), groups, judged[order], loaded.model, stored, KS, seed, progress)
    return replace(found, judged=judged)
