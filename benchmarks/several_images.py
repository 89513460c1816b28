"""What more images of each posting are worth, and what they cost.

    python benchmarks/several_images.py [--postings 1000] [--seed 0] [--queries 100] [--data DIR]

Draws the sample, and three more photos of each posting's article, each in a set-up of its own as a seller takes them.
The default matcher, with the default encoder whitened on all these images, answers for every posting: mean F1 by images
alone and with titles, beside pairs (precision and recall, each right or wrong pair of postings counting once), with 1,
2 and 4 images each; beside it mean F1 of the cosine alone, at the threshold that is best on these label groups. Times
are of one query against each of these catalogues in turn, with one image and with as many as its postings have,
in-process, without the network. `--data` keeps images and embeddings for the next run.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from catalogues import drawn_sample
from numpy.typing import NDArray
from processor import described
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits

from pricematch.catalogue.features import Features
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.evaluation.curves import Curves
from pricematch.evaluation.load_features import load_features
from pricematch.evaluation.matcher_evaluation import candidates_of, shrunk_pairs
from pricematch.evaluation.metrics import number_groups, pairwise_scores_of_lists, scores
from pricematch.evaluation.signals import pairs_of, signal_candidates
from pricematch.formats.matcher_files import LoadedMatcher, load_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import match_query
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1
from pricematch.progress import silent
from pricematch.sample.articles import draw
from pricematch.sample.catalogue import planned_groups, posting_id
from pricematch.sample.listings import choose_side, finish
from pricematch.sample.photos import photograph
from pricematch.sample.shots import seller_shot
from pricematch.settings import Settings

IMAGES = (1, 2, 4)
"""Of each posting, in turn."""
_MOST = max(IMAGES)
_WARMING = 5


@dataclass(frozen=True, eq=False)
class Drawn:
    """Postings with as many images as there are.

    Attributes:
        catalogue: n.
        features: n; each posting has all images.
        groups: intp [n], the product of each.
    """

    catalogue: Catalogue
    features: Features
    groups: NDArray[np.intp]

    def with_images(self, count: int) -> Features:
        """The features where each posting has its first images only; stock images are none."""
        every = Features.shown(
            self.features.titles, Layered(self.features.every.first, self.features.more[: count - 1])
        )
        return without_stock_images(self.catalogue, every)


def main() -> None:
    """Measure and print."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data or Path(scratch)
        settings, loaded = load_matcher(settings_of(folder), "default")
        drawn = read(settings, loaded, folder, options.postings, options.seed)
    worth = Table(
        "images of a posting", "best cosine: F1", "images alone: F1", "pairs right", "pairs found", "with titles: F1"
    )
    worth.add_column("pairs right")
    worth.add_column("pairs found")
    for count in IMAGES:
        features = drawn.with_images(count)
        alone = features.without_titles(np.arange(len(features)))
        cosine = f"{best_cosine(features, drawn.groups):.3f}"
        worth.add_row(
            str(count), cosine, *figures(loaded, alone, drawn.groups), *figures(loaded, features, drawn.groups)
        )
    with threadpool_limits(1):
        cost = costs(loaded, drawn, options.queries, options.seed)
    console = Console(width=150)
    console.print(f"{described()}; {len(drawn.groups)} postings of {drawn.groups.max() + 1} products")
    console.print(worth, cost)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postings", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--data", type=Path, help="folder for images and embeddings")
    return parser.parse_args()


def settings_of(folder: Path) -> Settings:
    """Settings of a catalogue in which each image is a posting of its own."""
    images = folder / "sample" / "images"
    return Settings(catalogue=folder / "every.csv", images=images, data=folder / "data", models=folder / "models")


def read(settings: Settings, loaded: LoadedMatcher, folder: Path, count: int, seed: int) -> Drawn:
    """The drawn postings; images are drawn and encoded where they are not there yet."""
    sample = drawn_sample(folder / "sample", count, seed)
    with (sample / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    more = more_photos(sample / "images", count, seed)
    with settings.catalogue.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["posting_id", "image", "title"])
        for place in range(_MOST):
            for row, cells in enumerate(rows):
                name = cells["image"] if not place else more[row][place - 1]
                writer.writerow([f"{place}_{row:06d}", name, cells["title"]])
    _, every = load_features(
        settings, read_catalogue(settings), ("hash", "title", "image"), None, silent, loaded.colours
    )
    images = every.every.first
    own = [np.arange(count) + place * count for place in range(_MOST)]
    layers = tuple(Layer(np.arange(count), images[of]) for of in own[1:])
    postings = [Posting(cells["posting_id"], None, cells["title"]) for cells in rows]
    features = Features.shown([it.title for it in postings], Layered(images[own[0]], layers))
    return Drawn(Catalogue(postings), features, number_groups([cells["label_group"] for cells in rows]))


def more_photos(images: Path, count: int, seed: int) -> Sequence[Sequence[str]]:
    """The names of three more photos of each posting's article, which are drawn where they are not there yet."""
    names: list[list[str]] = [[] for _ in range(count)]
    groups = planned_groups(count, seed)
    there = {path.name.split(".")[0]: path.name for path in images.iterdir()}
    for group in track(groups, "Drawing photos"):
        article = None
        for row in group.rows:
            for place in range(1, _MOST):
                stem = f"more{place}_{posting_id(row)}"
                if stem not in there:
                    article = draw(group.product) if article is None else article
                    rng = np.random.default_rng([seed, row, place])
                    shot = seller_shot(rng, group.product.kind)
                    pixels = photograph(article, group.product.pack, shot, choose_side(rng))
                    picture = finish(pixels, stem, rng, plain=False)
                    (images / picture.name).write_bytes(picture.data)
                    there[stem] = picture.name
                names[row].append(there[stem])
    return names


def figures(loaded: LoadedMatcher, features: Features, groups: NDArray[np.intp]) -> list[str]:
    """Mean F1, and precision and recall of pairs, by the default matcher."""
    pairs, shrunk = shrunk_pairs(ParsedFeatures.of(features), loaded.model, loaded.thresholds, loaded.homing)
    lists = shrunk.thresholds.at(F1, len(groups)).lists(candidates_of(pairs, len(groups)))
    of_pairs = pairwise_scores_of_lists(lists, groups, np.ones(len(groups), np.bool_))
    return [f"{it:.3f}" for it in (scores(lists, groups).f1.mean(), of_pairs.precision, of_pairs.recall)]


def best_cosine(features: Features, groups: NDArray[np.intp]) -> float:
    """Mean F1 of the cosine of images, at the threshold that is best on these groups."""
    pairs = pairs_of({"image": signal_candidates("image", ParsedFeatures.of(features))}, len(groups))
    curve = Curves(pairs, groups).of("image", np.ones(len(groups), np.bool_))
    return float(curve.f1[curve.best()])


def costs(loaded: LoadedMatcher, drawn: Drawn, count: int, seed: int) -> Table:
    """Milliseconds of a query, the catalogues in turn."""
    table = Table("images of a posting", "images of the query", "p50 ms", "p95 ms", "beside one and one")
    ways = [(held, asked) for held in IMAGES for asked in dict.fromkeys((1, held))]
    searches = {
        held: ProbabilitySearch.build(
            "default", drawn.catalogue, drawn.with_images(held), loaded.model, loaded.thresholds
        )
        for held in IMAGES
    }
    features = {asked: drawn.with_images(asked) for asked in IMAGES}
    chosen = np.random.default_rng(seed).permutation(len(drawn.groups))[: count + _WARMING]
    taken: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
    for row in track(chosen, "Asking"):
        for held, asked in ways:
            search, query = searches[held], features[asked].select(np.array([row]))
            begin = time.perf_counter()
            match_query(search, query, search.rule(None, None))
            taken[held, asked].append(1000 * (time.perf_counter() - begin))
    middle = {way: float(np.median(times[_WARMING:])) for way, times in taken.items()}
    for way, times in taken.items():
        late = float(np.percentile(times[_WARMING:], 95))
        table.add_row(*map(str, way), f"{middle[way]:.1f}", f"{late:.1f}", f"{middle[way] / middle[1, 1]:.2f}×")
    return table


if __name__ == "__main__":
    main()
