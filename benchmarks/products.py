"""Do products and matches that follow arrivals end where scoring all together ends, and what does it take?

    python benchmarks/products.py [--catalogue FILE] [--matcher DIR] [--postings 4001] [--shares 0.01,0.1,0.25,0.5]
        [--stale 0.25] [--at-home]

Without a catalogue of hashes, titles and label groups, as the Shopee competition's is, a sample is drawn. Half of the
label groups teach a matcher, as `train matcher --train-share 0.5` does, which is kept in DIR; of the others whole
groups of so many postings are compared, by the default matcher and by that one. A share of them comes one by one, then
all are scored anew. Printed are mean F1 of the match lists and of the products, after arrivals and of all together; the
share of postings whose product is another one once all are scored anew; milliseconds that an arrival takes to be
placed, and its products to be followed. In the last rows all are scored anew meanwhile, as often as the service does
unless other shares are given. A trained matcher is shrunk towards the default where a catalogue is far from home, as
the part that was scored last may be and the whole not; `--at-home` takes it as it is.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from catalogues import drawn_sample, run
from numpy.typing import NDArray
from processor import described
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.catalogue_files import read_to_learn
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.evaluation.labelled import labels_of
from pricematch.evaluation.load_features import load_features
from pricematch.evaluation.matcher_evaluation import candidates_of
from pricematch.evaluation.metrics import mean_f1_of_partition, number_groups, scores
from pricematch.evaluation.splits import each_its_own, training_groups, whole_groups
from pricematch.formats.default_matcher import read_default
from pricematch.formats.matcher_files import read_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.products import Partition, clustered, followed, renumbered
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.home import Homing
from pricematch.pairs.model import PairModel
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.thresholds import SizeThresholds
from pricematch.progress import silent
from pricematch.serving.snapshot import FEW, STALE
from pricematch.settings import Settings, load_settings

SIGNALS = ("hash", "title")
TAUGHT = 0.5
DRAWN = 1200


@dataclass(frozen=True, eq=False)
class Case:
    """A matcher, and postings in the order in which they come.

    Attributes:
        label: name and version of the matcher.
        model, thresholds, homing: the matcher.
        postings: n.
        features: n.
        groups: intp [n], number of each posting's label group.
    """

    label: str
    model: PairModel
    thresholds: SizeThresholds
    homing: Homing | None
    postings: Sequence[Posting]
    features: Features
    groups: NDArray[np.intp]

    def together(self, count: int) -> ProbabilitySearch:
        """The first postings, scored together."""
        first, features = Catalogue(self.postings[:count]), self.features.select(np.arange(count))
        return ProbabilitySearch.build(self.label, first, features, self.model, self.thresholds, teacher=self.homing)

    def with_next(self, search: ProbabilitySearch) -> ProbabilitySearch:
        """The search once the next posting has come."""
        row = search.catalogue.span
        catalogue = search.catalogue.changed([self.postings[row]], [])
        return search.placed(catalogue, np.array([row]), self.features.select(np.array([row])))

    def f1(self, search: ProbabilitySearch, partition: Partition) -> tuple[float, float]:
        """Mean F1 of the match lists and of the products of all postings."""
        lists = search.rule(None, None).thresholds.lists(candidates_of(search.pairs, len(self.groups)))
        products = mean_f1_of_partition(self.groups.tolist(), partition.numbers.tolist())
        return scores(lists, self.groups).mean_f1, products


@dataclass(frozen=True, eq=False)
class Live:
    """A catalogue that has followed arrivals.

    Attributes:
        search: over all postings.
        partition: as followed.
        first: the lowest number that no product ever had.
        placing, following: seconds an arrival, float64 [k] each.
    """

    search: ProbabilitySearch
    partition: Partition
    first: int
    placing: NDArray[np.float64]
    following: NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogue", type=Path, help="CSV file; a sample is drawn if absent")
    parser.add_argument("--matcher", type=Path, help="folder of models; the matcher is trained where it has none")
    parser.add_argument("--postings", type=int, default=4001, help="at most, of groups that taught nothing")
    parser.add_argument("--shares", default="0.01,0.1,0.25,0.5", help="of the postings that come one by one")
    parser.add_argument("--stale", default=str(STALE), help="shares after whose arrival all are scored anew, if any")
    parser.add_argument("--at-home", action="store_true", help="shrink no matcher towards the default")
    parser.add_argument("--seed", type=int, default=0, help="of which groups, and in which order")
    options = parser.parse_args()
    console = Console(width=150)
    console.print(described())
    with tempfile.TemporaryDirectory() as scratch:
        table = options.catalogue or drawn_sample(Path(scratch), DRAWN) / "catalogue.csv"
        models = options.matcher or Path(scratch) / "models"
        for found in cases(table, models, options.postings, options.seed):
            case = replace(found, homing=None) if options.at_home else found
            console.print(measured(case, numbers(options.shares), numbers(options.stale)))


def numbers(text: str) -> list[float]:
    """Those of a list with commas."""
    return [float(number) for number in text.split(",") if number]


def cases(table: Path, models: Path, postings: int, seed: int) -> Iterator[Case]:
    """The default matcher, and one that half of the label groups taught, on whole groups of the other half."""
    images = table.parent / "images"
    settings = load_settings(catalogue=table, images=images if images.is_dir() else None, models=models)
    posts, features, groups = held_out(settings, postings, seed)
    default = read_default()
    pair_model = narrowed(default.model, SIGNALS)
    yield Case("matcher/default", pair_model, default.size_thresholds, None, posts, features, groups)
    if not (models / "matcher").is_dir():
        known = ["--images", str(images)] if images.is_dir() else []
        taught = ["--signals", ",".join(SIGNALS), "--train-share", str(TAUGHT), "--force"]
        data = str(models.parent / "data")
        run("train", "matcher", "--catalogue", str(table), "--models", str(models), "--data", data, *known, *taught)
    trained = read_matcher(models)
    yield Case(trained.label, trained.model, trained.thresholds, trained.homing, posts, features, groups)


def held_out(settings: Settings, count: int, seed: int) -> tuple[list[Posting], Features, NDArray[np.intp]]:
    """Postings of whole groups that teach nothing, in a drawn order, with their features and groups."""
    content = read_to_learn(settings).by_id()
    labels = labels_of(settings, content, None)
    features = without_stock_images(*load_features(settings, content, SIGNALS, None, silent, NEWEST_COLOURS))
    groups = each_its_own(number_groups(labels))
    names = [f"{number}" if label is None else label for number, label in enumerate(labels)]
    other = np.flatnonzero(~training_groups(names, TAUGHT, 0))
    rows = other[whole_groups(np.unique(groups[other], return_inverse=True)[1], count, seed)]
    rows = rows[np.random.default_rng(seed).permutation(len(rows))]
    postings = list(content.postings)
    chosen = np.unique(groups[rows], return_inverse=True)[1].astype(np.intp)
    return [postings[row] for row in rows], features.select(rows), chosen


def measured(case: Case, shares: Sequence[float], stale: Sequence[float]) -> Table:
    """The figures of one matcher, after shares have come; and after the last, where it is scored anew meanwhile."""
    started = time.perf_counter()
    whole = case.together(len(case.postings))
    scored = time.perf_counter()
    partition = clustered(whole)
    seconds = scored - started, time.perf_counter() - scored
    f1 = case.f1(whole, partition)
    again = moved(Live(whole, partition, 1, np.zeros(0), np.zeros(0)), case.together(len(case.postings)))
    title = (
        f"{case.label}, shrunk by {away(whole):.0%}, {len(case.postings)} postings: scored together in "
        f"{seconds[0]:.1f} s, clustered in {seconds[1]:.2f} s; "
        f"scored again without a change, {again:.2%} of postings get another product"
    )
    table = Table("came", "shrunk", "lists", "together", "products", "together", "another product", title=title)
    table.add_column("placing, p50, p99")
    table.add_column("following, p50, p99")
    for share, limit in [*((share, None) for share in shares), *((shares[-1], limit) for limit in stale)]:
        live = grown(case, round((1 - share) * len(case.postings)), limit)
        came = f"{share:.0%}" + ("" if limit is None else f", anew after {limit:.0%}")
        lists, products = case.f1(live.search, live.partition)
        figures = [f"{value:.4f}" for value in (lists, f1[0], products, f1[1])]
        times = [milliseconds(live.placing), milliseconds(live.following)]
        table.add_row(came, f"{away(live.search):.0%}", *figures, f"{moved(live, whole):.2%}", *times)
    return table


def grown(case: Case, count: int, stale: float | None) -> Live:
    """The first postings scored together, and then the others one by one.

    Args:
        case: what comes.
        count: postings that are scored together.
        stale: part of the postings after whose arrival all are scored anew; None: never.
    """
    search = case.together(count)
    partition = clustered(search)
    first, placing, following = int(partition.numbers.max(initial=0)) + 1, list[float](), list[float]()
    while search.catalogue.span < len(case.postings):
        started = time.perf_counter()
        now = case.with_next(search)
        placed = time.perf_counter()
        partition, changes = followed(partition, search, now, first)
        first = max([first, *(change.number + 1 for change in changes)])
        placing.append(placed - started)
        following.append(time.perf_counter() - placed)
        search = now
        if stale is not None and search.changes > max(FEW, stale * len(search.catalogue)):
            search = case.together(len(search.catalogue))
            partition, changes = renumbered(clustered(search), search.catalogue, members_of(search, partition), first)
            first = max([first, *(change.number + 1 for change in changes)])
    return Live(search, partition, first, np.array(placing), np.array(following))


def members_of(search: ProbabilitySearch, partition: Partition) -> dict[str, int]:
    """The product of each posting by its id."""
    rows = search.catalogue.rows
    return dict(zip(search.catalogue.ids_of(rows), partition.numbers[rows].tolist(), strict=True))


def moved(live: Live, anew: ProbabilitySearch) -> float:
    """The share of postings whose product is another one once the same postings are scored anew."""
    before = members_of(live.search, live.partition)
    partition, _ = renumbered(clustered(anew), anew.catalogue, before, int(live.partition.numbers.max(initial=0)) + 1)
    after = members_of(anew, partition)
    return float(np.mean([after[posting_id] != number for posting_id, number in before.items()]))


def away(search: ProbabilitySearch) -> float:
    """The share by which a matcher was shrunk towards the default when all were scored last."""
    return 0.0 if search.shrunk is None else search.shrunk.away


def milliseconds(seconds: NDArray[np.float64]) -> str:
    """Median and 99th percentile."""
    return " ".join(f"{1000 * value:.1f}" for value in np.percentile(seconds, [50, 99]))


if __name__ == "__main__":
    main()
