"""Evaluate signals and a matcher on a labelled catalogue; write report.json and report.html."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from markupsafe import Markup

from pricematch.catalogue.postings import Posting
from pricematch.encoding.catalogue_files import find_images
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.errors import SHOWN_PROBLEMS, CatalogueError
from pricematch.evaluation.breakdown import ScoredGroup
from pricematch.evaluation.curves import shown_curve
from pricematch.evaluation.evaluation_report import write_report
from pricematch.evaluation.labelled import labels_of, read_labelled, relabelled, unseen
from pricematch.evaluation.load_features import load_features, matcher_signals, with_nothing_for_lacking
from pricematch.evaluation.matcher_evaluation import MatcherCase, MatcherEvaluation, evaluate_matcher
from pricematch.evaluation.metrics import Scores, number_groups
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.evaluation.signal_evaluation import evaluate as evaluate_signals
from pricematch.evaluation.signals import formatted, threshold_texts
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.formats.matcher_files import load_matcher
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.image_retrievers import MAX_DISTANCE
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress
from pricematch.reports.page import Thumbnails, draw_thumbnails, plot, render
from pricematch.reports.plots import (
    catalogue_size_plot,
    curve_plot,
    group_size_plot,
    matched_size_plot,
    recall_plot,
    reliability_plot,
    similarity_plot,
    size_name,
)
from pricematch.search.candidates import Lists
from pricematch.settings import Settings

_STRIP = 8
"""Postings of a group that are shown, at most."""


@dataclass(frozen=True)
class _Strip:
    """A group on the page: name, F1, size, the first of its postings, and the first of others' in their lists."""

    label_group: str
    f1: float
    size: int
    members: Sequence[Posting]
    wrong: Sequence[Posting]


def evaluation_page(
    evaluation: Evaluation,
    postings: Sequence[Posting],
    catalogue: str,
    thumbnails: Thumbnails | None,
    seed: int,
    matched: MatcherEvaluation | None = None,
    matcher: str | None = None,
) -> str:
    """The page as HTML.

    The thumbnails are those of `shown_names`; the other arguments are as for `write_report`.
    """
    lists = evaluation.pairs.lists(evaluation.together.thresholds)
    return render(
        "report.html",
        title="Evaluation",
        found=evaluation,
        measured=evaluation.measured,
        catalogue=catalogue,
        seed=seed,
        matched=matched,
        matcher=matcher,
        compared={} if matched is None else compared(evaluation, matched),
        postings=postings,
        thumbnails=thumbnails,
        plots=_plots(evaluation, matched),
        distances=_distances(evaluation),
        worst=[_strip(group, evaluation, lists, postings) for group in evaluation.worst if group.f1 < 1],
        best=[_strip(group, evaluation, lists, postings) for group in evaluation.best],
        formatted=formatted,
        threshold_texts=threshold_texts,
        size_name=size_name,
        limits={"strip": _STRIP, "problems": SHOWN_PROBLEMS},
    )


def compared(evaluation: Evaluation, matched: MatcherEvaluation) -> dict[str, Scores]:
    """The scores of the same postings by each signal, all together, the matcher, and the matcher's clusters."""
    found = {name: one.scores.of(matched.evaluated) for name, one in evaluation.measured.items()}
    return {**found, "matcher": matched.scores, "matcher, clusters": matched.clusters}


def shown_names(evaluation: Evaluation, postings: Sequence[Posting]) -> list[str]:
    """The distinct names of the images that the page shows."""
    lists = evaluation.pairs.lists(evaluation.together.thresholds)
    strips = [_strip(group, evaluation, lists, postings) for group in [*evaluation.worst, *evaluation.best]]
    groups = [posting for strip in strips for posting in (*strip.members, *strip.wrong)]
    pairs = [postings[row] for mistake in evaluation.mistakes for row in (mistake.first, mistake.second)]
    return list(dict.fromkeys(posting.image for posting in (*groups, *pairs) if posting.image is not None))


def _strip(group: ScoredGroup, evaluation: Evaluation, lists: Lists, postings: Sequence[Posting]) -> _Strip:
    answered = np.concatenate([lists[row] for row in group.rows])
    wrong = dict.fromkeys(answered[evaluation.groups[answered] != group.group].tolist())
    return _Strip(
        str(postings[group.rows[0]].label_group),
        group.f1,
        len(group.rows),
        [postings[row] for row in group.rows[:_STRIP]],
        [postings[row] for row in list(wrong)[:_STRIP]],
    )


def _distances(evaluation: Evaluation) -> list[tuple[int, float, float, float]]:
    """Distance, mean F1, precision and recall at every Hamming distance; empty without that signal."""
    if "hash" not in evaluation.curves:
        return []
    curve = shown_curve("hash", evaluation.curves["hash"], MAX_DISTANCE + 1)
    columns = zip(curve.f1, curve.precision, curve.recall, strict=True)
    return [(distance, float(f1), float(p), float(r)) for distance, (f1, p, r) in enumerate(columns)]


def _plots(evaluation: Evaluation, matched: MatcherEvaluation | None) -> dict[str, list[Markup]]:
    """Plots by section."""
    pairs, several = evaluation.pairs, len(evaluation.alone) > 1
    right = evaluation.groups[pairs.left] == evaluation.groups[pairs.right]
    drawn: dict[str, list[Markup]] = {}
    for name, measured in evaluation.alone.items():
        similarities = pairs.similarities[name]
        proposed = similarities > -np.inf
        together = evaluation.curves_together[name] if several else None
        curve = curve_plot(name, evaluation.curves[name], together, measured.thresholds[name])
        pairs_plot = similarity_plot(name, similarities[proposed], right[proposed])
        drawn[name] = [
            plot(curve, f"{name}: F1, precision and recall over the threshold"),
            plot(pairs_plot, f"{name}: similarity of pairs of the same and of different groups"),
        ]
    recalls = {name: measured.recall_at_k for name, measured in evaluation.measured.items()}
    drawn["recall"] = [plot(recall_plot(recalls), "recall at k")]
    drawn["sizes"] = [plot(group_size_plot(evaluation.by_group_size), "F1 by group size")]
    drawn["catalogues"] = [plot(catalogue_size_plot(evaluation.by_catalogue_size), "F1 by catalogue size")]
    if matched is not None:
        drawn["matcher"] = [
            plot(reliability_plot(matched.reliability), "share of right pairs by probability"),
            plot(matched_size_plot(matched.by_catalogue_size), "F1 of the matcher by catalogue size"),
        ]
    return drawn


REPORT, PAGE = "report.json", "report.html"


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
    """The evaluation of the signals, and of the matcher if there is one, with its name and version."""

    signals: Evaluation
    matched: MatcherEvaluation | None
    matcher: str | None


def evaluate(settings: Settings, options: EvaluateOptions, output: Path, progress: Progress) -> Evaluated:
    """Evaluate signals, and a matcher, on a labelled catalogue; write `report.json` and `report.html` into a folder.

    Raises:
        CatalogueError: a bad row, one without a label group, fewer groups than folds, or none that the matcher was not
            trained on.
        ArtefactError: there is no such matcher.
        SettingsError: the folder cannot be written to, or what a signal is computed from is missing.
        PricematchError: as `load_features`.
    """
    check_folder(output)
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
    postings = list(catalogue)
    drawn = None if images is None else draw_thumbnails(settings, shown_names(found, postings), images, progress)
    matched = None
    if loaded is not None and evaluated is not None:
        # in the order of the ids, as in training and in the service
        order = np.argsort(np.array(catalogue.posting_ids), kind="stable")
        numbers = number_groups([labels[row] for row in order])
        whole = with_nothing_for_lacking(features, loaded)
        told = ParsedFeatures(without_stock_images(catalogue, whole), parsed.titles)
        how = loaded.model, loaded.thresholds, loaded.homing
        case = MatcherCase(told.select(order), numbers, evaluated[order], *how)
        matched = replace(evaluate_matcher(case, options.seed, progress), evaluated=evaluated)
    label = None if loaded is None else loaded.label
    page = evaluation_page(found, postings, str(settings.catalogue), drawn, options.seed, matched, label)
    write_report(output / REPORT, found, postings, settings.catalogue, options.seed, matched, label)
    write_whole(output / PAGE, page.encode())
    return Evaluated(found, matched, label)
