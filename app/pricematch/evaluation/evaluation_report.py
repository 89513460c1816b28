"""The file report.json of an evaluation, written and read."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isinf
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from pricematch.catalogue.postings import Posting
from pricematch.errors import SettingsError
from pricematch.evaluation.breakdown import Mistake, ScoredGroup
from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.matcher_evaluation import MatchedSize, MatcherEvaluation
from pricematch.evaluation.metrics import CONFIDENCE, RESAMPLES, PairScores, Scores
from pricematch.evaluation.signal_evaluation import Evaluation, Fold, MeasuredSignals, SizePoint
from pricematch.evaluation.signals import MEASURES, meant, shown
from pricematch.formats.atomic_writes import write_whole

REPORT_VERSION = 2
"""Of the report's format. In version 1, which had no such field, quantities of titles were compared as they are written
(`0,5 l` and `500 ml` had nothing in common); thresholds of titles picked then are worth as much within 0.001 of F1."""
_log = logging.getLogger("pricematch")
POINTS = 200
"""Of a curve, at most."""
_Json: TypeAlias = dict[str, Any]


def report_of(
    evaluation: Evaluation,
    postings: Sequence[Posting],
    catalogue: Path,
    seed: int,
    matched: MatcherEvaluation | None = None,
    matcher: str | None = None,
) -> _Json:
    """The report of an evaluation of n postings, as JSON has it.

    Every number is finite; a threshold of null takes no pair. `matched` is the evaluation of a matcher, with its name
    and version, on postings it was not trained on.
    """
    size = {"postings": len(postings), "groups": evaluation.group_count}
    found = {"version": REPORT_VERSION, "catalogue": str(catalogue), "seed": seed, **size}
    found |= {"signals": list(evaluation.alone), **_measured(evaluation.together)}
    found["by_group_size"] = [asdict(part) for part in evaluation.by_group_size]
    found["by_catalogue_size"] = [_size_point(point) for point in evaluation.by_catalogue_size]
    found["worst_groups"] = [_group(group, postings) for group in evaluation.worst]
    found["mistakes"] = [_mistake(mistake, postings) for mistake in evaluation.mistakes]
    for name, measured in evaluation.alone.items():
        section = {**size, "signals": [name], "measure": MEASURES[name], **_measured(measured)}
        found[name] = {**section, "curve": _curve(name, evaluation.curves[name])}
    if matched is not None:
        found["matcher"] = {"matcher": matcher, **_describe_matched(matched, evaluation)}
    return found


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report; raises SettingsError if the file cannot be written."""
    write_whole(path, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False).encode())


def read_signals(path: Path) -> list[str]:
    """The signals that an evaluation evaluated; raises SettingsError if the file is of no use."""
    return list(_read(path).signals)


def read_size(path: Path) -> int | None:
    """How many postings an evaluation evaluated, if the file has that; raises SettingsError if it is of no use."""
    return _read(path).postings


def read_thresholds(path: Path, signals: Sequence[str]) -> dict[str, float]:
    """The thresholds that an evaluation picked for these signals together, a similarity each, inf where it takes none.

    A report of version 1 is used with a warning where titles are among the signals, since their similarity has changed.

    Raises:
        SettingsError: the file cannot be read, is no such report or one of a newer version, or evaluated other signals.
    """
    report = _read(path)
    if report.version < REPORT_VERSION and "title" in signals:
        _log.warning(
            "%s was written by an earlier version, whose titles were compared a little otherwise; `pricematch "
            "evaluate` picks thresholds anew",
            path,
        )
    if set(signals) == set(report.signals) and len(signals) > 1:
        values = report.threshold if isinstance(report.threshold, dict) else {}
    else:
        sections = {"hash": report.hash, "title": report.title, "image": report.image}
        values = {name: section.threshold for name, section in sections.items() if section is not None}
        if len(signals) > 1 or not set(signals) <= set(values):
            wanted, evaluated = ",".join(signals), ",".join(report.signals)
            raise SettingsError(
                f"{path} evaluates {evaluated}; `pricematch evaluate --signals {wanted}` picks thresholds for {wanted}"
            )
    try:
        return {signal: meant(signal, values[signal]) for signal in signals}
    except KeyError as error:
        raise SettingsError(f"{path}: threshold: expected one for {error.args[0]}, got none") from error
    except ValueError as error:
        raise SettingsError(f"{path}: threshold: {error}") from error


class _Section(BaseModel):
    """What is read of one signal."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    threshold: float | None


class _Report(BaseModel):
    """What is read of a report."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    version: int = 1
    signals: list[Literal["hash", "title", "image"]]
    postings: int | None = None
    threshold: float | dict[str, float | None] | None
    hash: _Section | None = None
    title: _Section | None = None
    image: _Section | None = None


def _read(path: Path) -> _Report:
    try:
        report = _Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); `pricematch evaluate` writes one") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the whole file"
        raise SettingsError(f"{path}: expected a report of `pricematch evaluate`: {place}: {fault['msg']}") from error
    if not 1 <= report.version <= REPORT_VERSION:
        raise SettingsError(
            f"{path}: version: expected 1 to {REPORT_VERSION}, got {report.version}: a newer version of "
            "pricematch wrote it"
        )
    return report


def _describe_matched(matched: MatcherEvaluation, evaluation: Evaluation) -> _Json:
    """A matcher, and the signals on the same postings; null for an infinite threshold."""
    return {
        "judged_postings": int(matched.evaluated.sum()),
        "judged_groups": len(set(evaluation.groups[matched.evaluated].tolist())),
        "distance": matched.shrunk.distance,
        "shrunk": matched.shrunk.away,
        "threshold": {"match": _finite(matched.thresholds.match), "alone": _finite(matched.thresholds.fallback)},
        **_scores(matched.scores),
        "f1_interval": _interval(matched.interval),
        "pairwise": _pairs(matched.pairwise),
        "targets": {str(target): _pairs(pairs) for target, pairs in matched.targets.items()},
        "clusters": _scores(matched.clusters),
        "brier": matched.brier,
        "expected_calibration_error": matched.calibration_error,
        "expected_calibration_error_from_0.05": matched.calibration_error_likely,
        "candidate_recall": matched.candidate_recall,
        "recall_at_k": matched.recall_at_k,
        "map_at_k": matched.map_at_k,
        "by_catalogue_size": [_size(point) for point in matched.by_catalogue_size],
        "signals_on_the_same": {
            name: _scores(measured.scores.of(matched.evaluated))
            for name, measured in {**evaluation.alone, "together": evaluation.together}.items()
        },
    }


def _size(point: MatchedSize) -> _Json:
    return {
        "draws": point.draws,
        "postings": point.postings,
        "judged": point.evaluated,
        "threshold": _finite(point.threshold),
        "f1": point.f1,
        "f1_fixed": point.f1_fixed,
        "targets": {
            str(target): {
                "threshold": _finite(answers.threshold),
                "stored": _pairs(answers.stored),
                "fixed": _pairs(answers.fixed),
            }
            for target, answers in point.targets.items()
        },
    }


def _interval(ends: tuple[float, float]) -> _Json:
    return {"low": ends[0], "high": ends[1], "confidence": CONFIDENCE, "resamples": RESAMPLES}


def _finite(threshold: float) -> float | None:
    """A threshold, or None for one that takes nothing."""
    return None if isinf(threshold) else threshold


def _scores(scores: Scores) -> _Json:
    means = {"f1": scores.mean_f1, "precision": scores.mean_precision, "recall": scores.mean_recall}
    return {**means, "b_cubed_f1": scores.b_cubed_f1}


def _pairs(pairs: PairScores) -> _Json:
    return {"f1": pairs.f1, "precision": pairs.precision, "recall": pairs.recall}


def _measured(measured: MeasuredSignals) -> _Json:
    means = _scores(measured.scores)
    b_cubed = {"f1": means.pop("b_cubed_f1"), "precision": means["precision"], "recall": means["recall"]}
    return {
        "threshold": _threshold(measured.thresholds),
        **means,
        "b_cubed": b_cubed,
        "pairwise": _pairs(measured.pairwise),
        "f1_interval": _interval(measured.interval),
        "recall_at_k": measured.recall_at_k,
        "map_at_k": measured.map_at_k,
        "candidate_recall": measured.candidate_recall,
        "folds": [_fold(fold) for fold in measured.folds],
    }


def _fold(fold: Fold) -> _Json:
    size = {"postings": fold.postings, "groups": fold.groups, "threshold": _threshold(fold.thresholds)}
    return {**size, "f1": fold.f1, "precision": fold.precision, "recall": fold.recall}


def _threshold(thresholds: Mapping[str, float]) -> float | dict[str, float | None] | None:
    """The threshold of one signal, or those of several by name, as they are shown."""
    values = {signal: shown(signal, similarity) for signal, similarity in thresholds.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def _curve(signal: str, curve: Curve) -> list[_Json]:
    part = shown_curve(signal, curve, POINTS)
    columns = zip(part.similarities, part.f1, part.precision, part.recall, strict=True)
    return [
        {"threshold": shown(signal, threshold), "f1": float(f1), "precision": float(precision), "recall": float(recall)}
        for threshold, f1, precision, recall in columns
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
    posting_ids = [member.posting_id for member in members]
    return {"label_group": members[0].label_group, "f1": group.f1, "posting_ids": posting_ids}


def _mistake(mistake: Mistake, postings: Sequence[Posting]) -> _Json:
    pair = postings[mistake.first], postings[mistake.second]
    return {
        "posting_ids": [posting.posting_id for posting in pair],
        "label_groups": [posting.label_group for posting in pair],
        "titles": [posting.title for posting in pair],
        "similarity": {signal: shown(signal, value) for signal, value in mistake.similarities.items()},
        "right_share": mistake.right_share,
    }
