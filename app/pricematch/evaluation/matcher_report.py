"""What a matcher is worth, as `report.json` tells it."""

from math import isinf
from typing import Any

from pricematch.evaluation.cluster_metrics import PairScores
from pricematch.evaluation.intervals import CONFIDENCE, RESAMPLES
from pricematch.evaluation.matcher_evaluation import Matched
from pricematch.evaluation.matcher_sizes import MatchedSize
from pricematch.evaluation.metrics import Scores
from pricematch.evaluation.signal_evaluation import Evaluation


def describe_matched(matched: Matched, evaluation: Evaluation) -> dict[str, Any]:
    """A matcher, and the signals on the same postings, as JSON holds it: no infinity, null for such a threshold."""
    low, high = matched.interval
    return {
        "judged_postings": int(matched.judged.sum()),
        "judged_groups": len(set(evaluation.groups[matched.judged].tolist())),
        "threshold": {"match": _finite(matched.thresholds.match), "alone": _finite(matched.thresholds.fallback)},
        **_scores(matched.scores),
        "f1_interval": {"low": low, "high": high, "confidence": CONFIDENCE, "resamples": RESAMPLES},
        "pairwise": describe_pairs(matched.pairwise),
        "targets": {str(target): describe_pairs(pairs) for target, pairs in matched.targets.items()},
        "clusters": _scores(matched.clusters),
        "brier": matched.brier,
        "expected_calibration_error": matched.calibration_error,
        "expected_calibration_error_from_0.05": matched.calibration_error_likely,
        "candidate_recall": matched.candidate_recall,
        "recall_at_k": {str(k): value for k, value in matched.recall_at_k.items()},
        "map_at_k": {str(k): value for k, value in matched.map_at_k.items()},
        "by_catalogue_size": [_size(point) for point in matched.by_catalogue_size],
        "signals_on_the_same": {
            name: _scores(measured.scores.of(matched.judged))
            for name, measured in {**evaluation.alone, "together": evaluation.together}.items()
        },
    }


def _size(point: MatchedSize) -> dict[str, Any]:
    return {
        "draws": point.draws,
        "postings": point.postings,
        "judged": point.judged,
        "threshold": _finite(point.threshold),
        "f1": point.f1,
        "f1_fixed": point.f1_fixed,
        "targets": {
            str(target): {
                "threshold": _finite(answers.threshold),
                "stored": describe_pairs(answers.stored),
                "fixed": describe_pairs(answers.fixed),
            }
            for target, answers in point.targets.items()
        },
    }


def _finite(threshold: float) -> float | None:
    """A threshold, or None for one that takes nothing."""
    return None if isinf(threshold) else threshold


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "f1": scores.mean_f1,
        "precision": scores.mean_precision,
        "recall": scores.mean_recall,
        "b_cubed_f1": scores.b_cubed_f1,
    }


def describe_pairs(pairs: PairScores) -> dict[str, Any]:
    """Answered pairs as JSON holds them."""
    return {"f1": pairs.f1, "precision": pairs.precision, "recall": pairs.recall}
