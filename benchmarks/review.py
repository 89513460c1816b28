"""What verdicts on the pairs of a review teach: mean F1, calibration error, and how many sure claims are right.

    python benchmarks/review.py [--models DIR] [SHOP.csv …]

The person is the label groups: a pair is `same` if both postings are of one. Pairs are asked about ten at a time, as
`GET /review` does, and the matcher is moved by all verdicts there are before the next ten. Figures are of the
probabilities of all candidate pairs and of the stored threshold; verdicts overrule nothing in them, so that they say
what was learned, not what was told. What moves a matcher is an argument of `simulate`; here nothing does yet, so that
all rows of a shop are equal. Images of a shop are in the folder `images` beside its file. Without shops a sample is
drawn, without models a matcher of hash and title is trained on another one.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from catalogues import drawn_sample, run
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.records import FeedbackChange
from pricematch.evaluation.labelled import read_labelled
from pricematch.evaluation.load_features import load_features
from pricematch.evaluation.matcher_evaluation import candidates_of
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.reliability import LIKELY, expected_calibration_error
from pricematch.evaluation.splits import each_its_own
from pricematch.formats.default_matcher import DefaultManifest
from pricematch.formats.matcher_files import LoadedMatcher, read_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.review import review
from pricematch.progress import silent
from pricematch.settings import Settings

VERDICTS, BATCH = (0, 10, 20, 50), 10
SURE = 0.9
Moved: TypeAlias = Callable[[ProbabilitySearch, Feedback], ProbabilitySearch]
"""From a search without feedback, and feedback: the search that has both, with the probabilities that this teaches."""


@dataclass(frozen=True)
class Figures:
    """How good a matcher is.

    Attributes:
        verdicts: that it was moved by.
        f1: mean F1 at the stored threshold.
        calibration_error: of the candidate pairs of probability `LIKELY` and more.
        right: share right of those of probability `SURE` and more; 1.0 where there are none.
    """

    verdicts: int
    f1: float
    calibration_error: float
    right: float


def main() -> None:
    """Measure and print."""
    options = parse_options()
    table = Table("shop", "verdicts", "mean F1", "calibration error", f"right of claims ≥ {SURE}")
    every = list[Sequence[Figures]]()
    with tempfile.TemporaryDirectory() as scratch:
        models = options.models or trained_on_sample(Path(scratch))
        shops = options.shops or [drawn_sample(Path(scratch) / "shop") / "catalogue.csv"]
        loaded = read_matcher(models, threads=2)
        for shop in shops:
            every.append(list(simulate(*labelled_search(shop, models, loaded), unmoved)))
            add(table, shop.parent.name, every[-1])
    means = [of_one_row(row) for row in zip(*every, strict=True)]
    if len(every) > 1:
        add(table, "mean", means)
    Console(width=100).print(table)


def unmoved(search: ProbabilitySearch, feedback: Feedback) -> ProbabilitySearch:
    """A matcher that learns nothing; implements `Moved`."""
    return replace(search, feedback=feedback)


def simulate(
    search: ProbabilitySearch, groups: NDArray[np.intp], moved: Moved, counts: Sequence[int] = VERDICTS
) -> Iterator[Figures]:
    """The figures after so many verdicts each, ascending; after fewer where a review has no more pairs.

    Args:
        search: without feedback.
        groups: [n], the label group of each row.
        moved: gives the search after feedback.
        counts: of verdicts.
    """
    feedback, now = NO_FEEDBACK, search
    for count in counts:
        while len(feedback) < count:
            asked = review(now, now.rule(None, None), min(BATCH, count - len(feedback)))
            if not asked:
                break
            ends = [(search.catalogue.row(it.first), search.catalogue.row(it.second)) for it in asked]
            feedback = feedback.changed(
                FeedbackChange(it.first, it.second, 1, "same" if groups[one] == groups[other] else "different")
                for it, (one, other) in zip(asked, ends, strict=True)
            )
            now = moved(search, feedback)
        yield figures(now, groups, len(feedback))


def figures(search: ProbabilitySearch, groups: NDArray[np.intp], verdicts: int) -> Figures:
    """The figures of a search as it is."""
    pairs, thresholds = search.pairs, search.rule(None, None).thresholds
    truth = groups[pairs.left] == groups[pairs.right]
    likely, sure = pairs.probabilities >= LIKELY, pairs.probabilities >= SURE
    error = expected_calibration_error(pairs.probabilities[likely], truth[likely], np.ones(int(likely.sum())))
    f1 = scores(thresholds.lists(candidates_of(pairs, len(groups))), groups).mean_f1
    return Figures(verdicts, f1, error, float(truth[sure].mean()) if sure.any() else 1.0)


def labelled_search(shop: Path, models: Path, loaded: LoadedMatcher) -> tuple[ProbabilitySearch, NDArray[np.intp]]:
    """A matcher over the postings of a shop, and the number of each one's label group."""
    settings, manifest = Settings(catalogue=shop, models=models), loaded.manifest
    if (shop.parent / "images").is_dir():
        settings = settings.model_copy(update={"images": shop.parent / "images"})
    if isinstance(manifest, DefaultManifest):
        settings = settings.model_copy(update={"encoder": manifest.encoder_name})
    elif manifest.encoder is not None:
        settings = settings.model_copy(update={"encoder": manifest.encoder.name})
    content = read_labelled(settings)
    catalogue, features = load_features(settings, content, manifest.signals, None, silent, manifest.colours)
    groups = each_its_own(number_groups([posting.label_group for posting in catalogue]))
    return ProbabilitySearch.build(loaded.label, catalogue, features, loaded.model, loaded.thresholds), groups


def trained_on_sample(folder: Path) -> Path:
    """The models folder with a matcher of hash and title, trained on a drawn sample."""
    taught, models = folder / "taught", folder / "models"
    run("sample", "--seed", "1", "--output", str(taught))
    catalogue = taught / "catalogue.csv"
    of = ["--catalogue", catalogue, "--images", taught / "images", "--models", models]
    run("train", "matcher", "--signals", "hash,title", *map(str, of))
    return models


def of_one_row(shops: Sequence[Figures]) -> Figures:
    """The means over shops; the verdicts of the one with the most."""
    f1, error, right = np.mean([(it.f1, it.calibration_error, it.right) for it in shops], axis=0).tolist()
    return Figures(max(it.verdicts for it in shops), f1, error, right)


def add(table: Table, name: str, rows: Sequence[Figures]) -> None:
    """Add the rows of a shop."""
    for it in rows:
        table.add_row(name, str(it.verdicts), f"{it.f1:.3f}", f"{it.calibration_error:.3f}", f"{it.right:.3f}")


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shops", nargs="*", type=Path, help="CSV of postings with label groups; a sample if absent")
    parser.add_argument("--models", type=Path, help="folder with a matcher, and its encoder where it has one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
