"""Evaluate signals and a matcher on a labelled catalogue; write report.json and report.html."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from pricematch.catalogue.postings import Posting
from pricematch.errors import SHOWN_PROBLEMS
from pricematch.evaluation.breakdown import ScoredGroup
from pricematch.evaluation.catalogue_evaluation import Evaluated, EvaluateOptions, compared
from pricematch.evaluation.catalogue_evaluation import evaluate as evaluate_catalogue
from pricematch.evaluation.curves import shown_curve
from pricematch.evaluation.evaluation_report import write_report
from pricematch.evaluation.matcher_evaluation import MatcherEvaluation
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.evaluation.signals import formatted, threshold_texts
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.pairs.image_retrievers import MAX_DISTANCE
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


def evaluate(settings: Settings, options: EvaluateOptions, output: Path, progress: Progress) -> Evaluated:
    """Evaluate signals, and a matcher, on a labelled catalogue; write `report.json` and `report.html` into a folder.

    Raises:
        SettingsError: the folder cannot be written to.
        PricematchError: as `pricematch.evaluation.catalogue_evaluation.evaluate`.
    """
    check_folder(output)
    found = evaluate_catalogue(settings, options, progress)
    write_evaluation(settings, found, output, progress)
    return found


def write_evaluation(settings: Settings, found: Evaluated, output: Path, progress: Progress) -> None:
    """Write `report.json` and `report.html` of an evaluation into a folder; raises SettingsError if that cannot be."""
    check_folder(output)
    names = shown_names(found.signals, found.postings)
    drawn = None if found.images is None else draw_thumbnails(settings, names, found.images, progress)
    about = str(found.catalogue), drawn, found.seed, found.matched, found.matcher
    page = evaluation_page(found.signals, found.postings, *about)
    write_report(output / REPORT, found.report())
    write_whole(output / PAGE, page.encode())
