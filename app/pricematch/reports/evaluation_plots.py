"""Single plots of an evaluation, by name."""

from pricematch.errors import SettingsError
from pricematch.evaluation.matcher_evaluation import MatcherEvaluation
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.reports.plots import Plot, curve_plot, group_size_plot, matched_size_plot, recall_plot, reliability_plot


def evaluation_plot(evaluation: Evaluation, matched: MatcherEvaluation, name: str) -> Plot:
    """A plot of an evaluation; raises SettingsError where there is none of that name."""
    if name in evaluation.alone:
        together = evaluation.curves_together[name] if len(evaluation.alone) > 1 else None
        return curve_plot(name, evaluation.curves[name], together, evaluation.alone[name].thresholds[name])
    if name == "reliability":
        return reliability_plot(matched.reliability)
    if name == "recall":
        every = {**evaluation.measured, "matcher": matched}
        return recall_plot({name: measured.recall_at_k for name, measured in every.items()})
    if name == "group_sizes":
        return group_size_plot(evaluation.by_group_size)
    if name == "catalogue_sizes":
        return matched_size_plot(matched.by_catalogue_size)
    names = ["reliability", "recall", "group_sizes", "catalogue_sizes", *evaluation.alone]
    raise SettingsError(f"expected a plot among {', '.join(names)}, got {name!r}")
