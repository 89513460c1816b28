"""What the default matcher is worth in a shop that taught it nothing, and what verdicts add: leave one shop out.

    python benchmarks/other_shops.py [NAME=FILE.csv[:titles] …] [--judge NAME=FILE.csv …]

For each shop the default matcher is learned from the others (not from those that share its images: the shops of one
name before a slash leave together, `shop/by style` and `shop/by colour`), and evaluated in it: mean F1 at its
threshold, beside no match, hashes of at most 4 bits, and the best cosine (its threshold picked on the shop's labels);
expected calibration error of pairs from 0.05 on; how many claims of at least 0.9 are right. Then it is moved by
verdicts on the pairs that a review asks about, the label groups being the person. Shops of `--judge` never teach.
`:titles` lets a shop's titles teach and be compared; of others only images and hashes are. Without shops three samples
are drawn.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from catalogues import drawn_sample
from numpy.typing import NDArray
from processor import described
from rich.console import Console
from rich.table import Table
from simulated_verdicts import Figures, simulate

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import Feedback
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.evaluation.curves import Curves
from pricematch.evaluation.metrics import group_sizes
from pricematch.evaluation.signals import pairs_of, signal_candidates
from pricematch.evaluation.splits import each_its_own
from pricematch.learning.default_matcher import FittedDefault, Shop, fit_default
from pricematch.learning.verdicts import VerdictTeacher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import silent
from pricematch.settings import Settings
from pricematch.training.teach_default import ShopFeatures, ShopFolder, shop_features, teaching_shops

VERDICTS = (0, 10, 20, 50)
_SAMPLES = (1, 2, 3)


@dataclass(frozen=True)
class Figure:
    """One shop.

    Attributes:
        alone, hash4, cosine: mean F1 where nothing matches, of hashes of at most 4 bits, and of the best cosine.
        after: figures after so many verdicts each.
    """

    alone: float
    hash4: float
    cosine: float
    after: Sequence[Figures]


def main() -> None:
    """Measure and print."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as scratch:
        folders = options.shops or [drawn(Path(scratch), seed) for seed in _SAMPLES]
        found = [shop_features(Settings(), folder, silent) for folder in [*folders, *options.judge]]
    table = Table("shop", "no match", "hash ≤ 4", "best cosine", *(f"{count} verdicts" for count in VERDICTS))
    table.add_column("calibration error")
    table.add_column("right of claims ≥ 0.9")
    for place, one in enumerate(found):
        others = [it for it in found[: len(folders)] if it is not one and root(it) != root(one)]
        figure = evaluate(one, others)
        first, last = figure.after[0], figure.after[-1]
        table.add_row(
            one.folder.name + ("" if place < len(folders) else " (never teaches)"),
            *(f"{value:.3f}" for value in (figure.alone, figure.hash4, figure.cosine)),
            *(f"{it.f1:.3f}" for it in figure.after),
            f"{first.calibration_error:.2f} → {last.calibration_error:.2f}",
            f"{first.right:.2f} ({first.sure}) → {last.right:.2f} ({last.sure})",
        )
    console = Console(width=150)
    console.print(described())
    console.print(table)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shops", nargs="*", type=shop, metavar="NAME=FILE.csv[:titles]")
    parser.add_argument("--judge", nargs="*", type=shop, default=[], metavar="NAME=FILE.csv[:titles]")
    return parser.parse_args()


def shop(text: str) -> ShopFolder:
    """The shop that NAME=FILE or NAME=FILE:titles means."""
    name, _, file = text.partition("=")
    path = Path(file.removesuffix(":titles"))
    if not (name and path.is_file()):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE.csv or NAME=FILE.csv:titles, got {text}")
    return ShopFolder(name, "", path, titles=file.endswith(":titles"))


def drawn(folder: Path, seed: int) -> ShopFolder:
    """A drawn sample."""
    return ShopFolder(f"sample {seed}", "", drawn_sample(folder / str(seed), seed=seed) / "catalogue.csv", titles=True)


def root(one: ShopFeatures) -> str:
    """What shops that share images have in common."""
    return one.folder.name.partition("/")[0]


def evaluate(one: ShopFeatures, others: Sequence[ShopFeatures]) -> Figure:
    """The figures of a shop by a default matcher that others taught."""
    fitted = fit_default(teaching_shops(others), 0)
    view = own_view(teaching_shops([one, *others])[0], titles=one.folder.titles)
    groups = each_its_own(one.groups)
    catalogue = Catalogue([Posting(f"{row:06d}", None, title=title) for row, title in enumerate(view.titles)])
    search = ProbabilitySearch.build("matcher/default", catalogue, view, fitted.model, fitted.thresholds)
    moved = Teaching(catalogue, view, fitted)
    alone = float(np.mean(2 / (1 + group_sizes(groups))))
    parsed = ParsedFeatures.of(view)
    return Figure(
        alone,
        best_f1("hash", parsed, groups, least=1 - 4 / 64),
        best_f1("image", parsed, groups),
        list(simulate(search, groups, moved, VERDICTS)),
    )


def own_view(shop: Shop, *, titles: bool) -> Features:
    """All that is compared of a shop: its first view, or with titles the one that has everything."""
    return shop.views[3] if titles else shop.views[0]


@dataclass(frozen=True, eq=False)
class Teaching:
    """Implements `review.Moved`: the default matcher moved by verdicts, all scored anew."""

    catalogue: Catalogue
    features: Features
    fitted: FittedDefault

    def __call__(self, search: ProbabilitySearch, feedback: Feedback) -> ProbabilitySearch:
        """The search with the feedback, and what it teaches."""
        rows = self.catalogue.located(self.catalogue.posting_ids)
        teacher = VerdictTeacher(feedback, rows)
        fitted = self.fitted
        how = fitted.model, fitted.thresholds
        moved = ProbabilitySearch.build(search.label, self.catalogue, self.features, *how, teacher=teacher)
        return replace(moved, feedback=feedback)


def best_f1(signal: str, features: ParsedFeatures, groups: NDArray[np.intp], least: float | None = None) -> float:
    """Mean F1 of the candidates of a signal from a similarity on; at the best threshold where none is given."""
    pairs = pairs_of({signal: signal_candidates(signal, features)}, len(groups))
    curve = Curves(pairs, groups).of(signal, np.ones(len(groups), np.bool_))
    return float(curve.f1[curve.best()] if least is None else curve.at(np.array([least])).f1[0])


if __name__ == "__main__":
    main()
