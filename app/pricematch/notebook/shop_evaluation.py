"""Results of evaluating and training in a notebook."""

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricematch.errors import SettingsError
from pricematch.evaluation.catalogue_evaluation import Evaluated, compared
from pricematch.evaluation.matcher_evaluation import MatcherEvaluation
from pricematch.learning.train_matcher import TrainedMatcher
from pricematch.notebook.background import in_thread
from pricematch.notebook.late_progress import late_progress
from pricematch.notebook.tables import Table
from pricematch.settings import Settings

if TYPE_CHECKING:
    from pricematch.reports.plots import Plot

_LACKING = "plots and pages need {}, which is not installed: pip install 'pricematch[reports]'"


class ShopEvaluation(Table):
    """How well the matcher, its clusters and each signal find postings of the same label group.

    All are measured on the same postings: those of groups that the matcher was not trained on. As a table it has a row
    for each of them, with means over the postings.

    Attributes:
        evaluated: everything that was measured.
    """

    columns = ("by", "f1", "precision", "recall", "b_cubed_f1")

    def __init__(self, settings: Settings, evaluated: Evaluated, matched: MatcherEvaluation) -> None:
        self._settings, self.evaluated, self._matched = settings, evaluated, matched

    @property
    def matcher(self) -> str:
        """Name and version of the matcher, such as `matcher/default`."""
        return str(self.evaluated.matcher)

    @property
    def f1(self) -> float:
        """Mean F1 of the matcher over the postings, 0…1."""
        return self._matched.scores.mean_f1

    @property
    def precision(self) -> float:
        """Mean precision, 0…1."""
        return self._matched.scores.mean_precision

    @property
    def recall(self) -> float:
        """Mean recall, 0…1."""
        return self._matched.scores.mean_recall

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the candidates' probabilities: 0 where they are what they say."""
        return self._matched.calibration_error

    @property
    def brier(self) -> float:
        """Brier score: mean squared error of the candidates' probabilities."""
        return self._matched.brier

    def report(self) -> dict[str, Any]:
        """All figures, as in the `report.json` that `pricematch evaluate` writes."""
        return self.evaluated.report()

    def __len__(self) -> int:
        return len(compared(self.evaluated.signals, self._matched))

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The signals, the matcher and its clusters as records."""
        for name, scores in compared(self.evaluated.signals, self._matched).items():
            means = (scores.mean_f1, scores.mean_precision, scores.mean_recall, scores.b_cubed_f1)
            yield {"by": name, **dict(zip(self.columns[1:], means, strict=True))}

    def caption(self) -> str:
        """The figures of the matcher."""
        return (
            f"{self.matcher} on {self._matched.evaluated.sum():,} postings: F1 {self.f1:.4f}, precision "
            f"{self.precision:.4f}, recall {self.recall:.4f}, calibration error {self.calibration_error:.4f}"
        )

    def plot(self, what: str = "reliability") -> "Plot":
        """A figure of matplotlib.

        Args:
            what: `reliability` of the probabilities, `recall` at k, F1 by `group_sizes` or `catalogue_sizes`, or the
                curve of a signal: `hash`, `title`, `image`.

        Raises:
            SettingsError: there is no such plot, or matplotlib is not installed.
        """
        try:
            from pricematch.reports.evaluation_plots import evaluation_plot
        except ModuleNotFoundError as error:
            raise SettingsError(_LACKING.format(error.name)) from error
        return evaluation_plot(self.evaluated.signals, self._matched, what)

    def save(self, folder: "str | PathLike[str]") -> None:
        """Write `report.json` and `report.html` into a folder, as `pricematch evaluate` does.

        Raises:
            SettingsError: the folder cannot be written to, or the extra `reports` is not installed.
        """
        try:
            from pricematch.reports.evaluation import write_evaluation
        except ModuleNotFoundError as error:
            raise SettingsError(_LACKING.format(error.name)) from error
        with late_progress() as late:
            in_thread(lambda progress: write_evaluation(self._settings, self.evaluated, Path(folder), progress), late)


class ShopTraining(Table):
    """A trained matcher, and how good it is on label groups that were held out, by the size of the catalogue.

    Attributes:
        trained: everything that came of the training.
    """

    columns = ("postings", "f1", "precision", "recall", "calibration_error", "candidate_recall")

    def __init__(self, trained: TrainedMatcher) -> None:
        self.trained = trained

    @property
    def path(self) -> Path | None:
        """The folder that the matcher is kept in; None where it is no better than the default one, which stays."""
        return self.trained.path

    @property
    def better(self) -> bool:
        """Whether it is surely better than the default matcher on held-out label groups."""
        comparison = self.trained.fitted.comparison
        return comparison is None or comparison.better

    def __len__(self) -> int:
        return len(self.trained.fitted.held_out)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """The figures by the size of the catalogue as records."""
        figures: list[dict[str, Any]] = self.trained.figures()["held_out"]
        return iter(figures)

    def caption(self) -> str:
        """What became of it."""
        comparison = self.trained.fitted.comparison
        if self.path is None:
            return f"not kept, the default matcher stays: {comparison}; train(force=True) keeps it"
        return f"{self.path}" if comparison is None else f"{self.path}: {comparison}"
