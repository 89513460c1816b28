"""`report.json`: what an evaluation found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.breakdown import Mistake, ScoredGroup
from pricematch.evaluation.catalogue_sizes import SizePoint
from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.held_out import Fold, Measured
from pricematch.evaluation.intervals import CONFIDENCE, RESAMPLES
from pricematch.evaluation.matcher_evaluation import Matched
from pricematch.evaluation.matcher_report import describe_matched, describe_pairs
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.evaluation.signals import MEASURES, shown
from pricematch.evaluation.threshold_report import REPORT_VERSION
from pricematch.formats.atomic_writes import write_whole

POINTS = 200
"""Of a curve, at most."""
_Json: TypeAlias = dict[str, Any]


def write_report(
    path: Path,
    evaluation: Evaluation,
    postings: Sequence[Posting],
    catalogue: Path,
    seed: int,
    matched: Matched | None = None,
    matcher: str | None = None,
) -> None:
    """Write what was found. Every number is finite; a threshold of null takes no pair.

    Args:
        path: the file, replaced whole.
        evaluation: of n postings.
        postings: those n.
        catalogue: the file they came from.
        seed: of the evaluation.
        matched: what a matcher is worth on postings it was not trained on.
        matcher: its name and version.

    Raises:
        SettingsError: the file cannot be written.
    """
    names = list(evaluation.alone)
    size = {"postings": len(postings), "groups": evaluation.group_count}
    found = {
        "version": REPORT_VERSION,
        "catalogue": str(catalogue),
        "seed": seed,
        **size,
        "signals": names,
        **_measured(evaluation.together),
    }
    found["by_group_size"] = [asdict(part) for part in evaluation.by_group_size]
    found["by_catalogue_size"] = [_size_point(point) for point in evaluation.by_catalogue_size]
    found["worst_groups"] = [_group(group, postings) for group in evaluation.worst]
    found["mistakes"] = [_mistake(mistake, postings) for mistake in evaluation.mistakes]
    for name, measured in evaluation.alone.items():
        section = {**size, "signals": [name], "measure": MEASURES[name], **_measured(measured)}
        found[name] = {**section, "curve": _curve(name, evaluation.curves[name])}
    if matched is not None:
        found["matcher"] = {"matcher": matcher, **describe_matched(matched, evaluation)}
    write_whole(path, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False).encode())


def _measured(measured: Measured) -> _Json:
    low, high = measured.interval
    return {
        "threshold": _threshold(measured.thresholds),
        "f1": measured.scores.mean_f1,
        "precision": measured.scores.mean_precision,
        "recall": measured.scores.mean_recall,
        "b_cubed": {
            "f1": measured.scores.b_cubed_f1,
            "precision": measured.scores.mean_precision,
            "recall": measured.scores.mean_recall,
        },
        "pairwise": describe_pairs(measured.pairwise),
        "f1_interval": {"low": low, "high": high, "confidence": CONFIDENCE, "resamples": RESAMPLES},
        "recall_at_k": {str(k): value for k, value in measured.recall_at_k.items()},
        "map_at_k": {str(k): value for k, value in measured.map_at_k.items()},
        "candidate_recall": measured.candidate_recall,
        "folds": [_fold(fold) for fold in measured.folds],
    }


def _fold(fold: Fold) -> _Json:
    return {
        "postings": fold.postings,
        "groups": fold.groups,
        "threshold": _threshold(fold.thresholds),
        "f1": fold.f1,
        "precision": fold.precision,
        "recall": fold.recall,
    }


def _threshold(thresholds: Mapping[str, float]) -> float | dict[str, float | None] | None:
    """The threshold of one signal, or those of several by name, as they are shown."""
    values = {signal: shown(signal, similarity) for signal, similarity in thresholds.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def _curve(signal: str, curve: Curve) -> list[_Json]:
    part = shown_curve(signal, curve, POINTS)
    columns = zip(part.similarities, part.f1, part.precision, part.recall, strict=True)
    return [
        {
            "threshold": shown(signal, similarity),
            "f1": float(f1),
            "precision": float(precision),
            "recall": float(recall),
        }
        for similarity, f1, precision, recall in columns
    ]


def _size_point(point: SizePoint) -> _Json:
    return {
        "postings": point.postings,
        "groups": point.groups,
        "threshold": _threshold(point.thresholds),
        "f1": point.f1,
        "f1_at_threshold_of_all": point.f1_at_thresholds,
    }


def _group(group: ScoredGroup, postings: Sequence[Posting]) -> _Json:
    members = [postings[row] for row in group.rows]
    return {
        "label_group": members[0].label_group,
        "f1": group.f1,
        "posting_ids": [member.posting_id for member in members],
    }


def _mistake(mistake: Mistake, postings: Sequence[Posting]) -> _Json:
    pair = postings[mistake.first], postings[mistake.second]
    return {
        "posting_ids": [posting.posting_id for posting in pair],
        "label_groups": [posting.label_group for posting in pair],
        "titles": [posting.title for posting in pair],
        "similarity": {signal: shown(signal, value) for signal, value in mistake.similarities.items()},
        "right_share": mistake.right_share,
    }
