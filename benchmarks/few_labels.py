"""How good is a matcher that few label groups have taught, then more, on the half of the groups it has not seen?

    python benchmarks/few_labels.py [NAME=FOLDER …] [--models DIR] [--signals hash,title] [--groups 10,…] [--splits N]

A folder holds `train.csv` or `catalogue.csv` and, for the signal image, `images/`; without any a sample is drawn. Of
each catalogue half of the label groups are held out; of the others 10, 20, 50, 100, 500 and all teach. Printed are the
mean F1 of the held-out ones by the default matcher, by what was taught at its own thresholds, by what would answer (the
default where what was taught is no better), and by the best single signal at the threshold of the other half; and the
lowest of the answers less the default's. Of several splits, each into other halves, the last answers (all groups teach)
less the best signal's, and less the default's: the mean over the splits and its standard error. `--groups all` measures
these alone.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.encoding.catalogue_files import read_to_learn
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.evaluation.curves import Curves, pick_thresholds
from pricematch.evaluation.labelled import labels_of
from pricematch.evaluation.load_features import load_features, parse_signals
from pricematch.evaluation.matcher_evaluation import candidates_of, scored_pairs
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.signal_evaluation import find_candidates
from pricematch.evaluation.signals import pairs_of
from pricematch.evaluation.splits import each_its_own
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.learning.fit import TrainingData
from pricematch.learning.ladder import fit_on_prior
from pricematch.learning.rungs import Prior
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.model import PairModel
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, SizeThresholds
from pricematch.progress import silent
from pricematch.sample.catalogue import write_sample
from pricematch.settings import load_settings

GROUPS = (10, 20, 50, 100, 500)
LEAST = 4
ALL = "all"


@dataclass(frozen=True, eq=False)
class Half:
    """A catalogue with half of its label groups held out.

    Attributes:
        features: of n postings.
        signals: names of what is compared.
        groups: intp [n], from 0.
        order: the other groups, in the order in which they teach.
    """

    features: Features
    signals: tuple[str, ...]
    groups: NDArray[np.intp]
    order: NDArray[np.intp]

    @property
    def evaluated(self) -> NDArray[np.bool_]:
        """The postings of groups that are held out, bool [n]."""
        return ~np.isin(self.groups, self.order)

    def f1(self, model: PairModel, thresholds: SizeThresholds) -> float:
        """Mean F1 of the held-out postings by a pair model at its thresholds."""
        pairs = scored_pairs(ParsedFeatures.of(self.features), model)
        lists = thresholds.at(F1, len(self.groups)).lists(candidates_of(pairs, len(self.groups)))
        return scores(lists, self.groups).of(self.evaluated).mean_f1

    def best_signal(self) -> float:
        """Mean F1 of the held-out postings by the best single signal, at thresholds picked on all the others."""
        candidates = find_candidates(ParsedFeatures.of(self.features), self.signals, silent)
        curves = Curves(pairs_of(candidates, len(self.groups)), self.groups)
        lists = (curves.pairs.lists(pick_thresholds(curves, [name], ~self.evaluated)) for name in self.signals)
        return max(scores(found, self.groups).of(self.evaluated).mean_f1 for found in lists)

    def taught(self, count: int, prior: Prior) -> tuple[float, bool]:
        """Mean F1 by what the first groups have taught, and whether that would be written."""
        taught = np.isin(self.groups, self.order[:count])
        data = TrainingData(self.features, self.signals, np.where(taught, self.groups, -1), taught)
        fitted = fit_on_prior(data, TreeLearner(0, 1), prior, 0, silent)
        return self.f1(fitted.model, fitted.thresholds), fitted.comparison is not None and fitted.comparison.better


@dataclass(frozen=True)
class Ends:
    """Mean F1 of the held-out postings of one split.

    Attributes:
        signal: by the best single signal.
        default: by the default matcher.
        answer: by what would answer where all groups of the other half teach.
    """

    signal: float
    default: float
    answer: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("catalogues", nargs="*", metavar="NAME=FOLDER", help="a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models, for the signal image")
    parser.add_argument("--signals", default="hash,title")
    parser.add_argument("--groups", default=",".join(map(str, GROUPS)), help="how many teach; all do at last")
    parser.add_argument("--splits", type=int, default=3, help="halves that are drawn of each")
    options = parser.parse_args()
    signals, given = parse_signals(options.signals), options.groups.split(",")
    counts = [int(count) for count in given if count != ALL]
    with tempfile.TemporaryDirectory() as folder:
        named = [given.partition("=")[::2] for given in options.catalogues]
        if not named:
            write_sample(Path(folder), 600, 0)
            named = [("drawn sample", folder)]
        for name, where in named:
            models = options.models or Path(folder) / "models" / name  # encoders are whitened on one catalogue each
            features, groups = catalogue(Path(where), models, signals)
            halves = (half(features, groups, signals, seed) for seed in range(options.splits))
            found = [measure(f"{name}, half {seed}", known, counts) for seed, known in enumerate(halves)]
            print(f"{name}, all groups: {paired(found)}", flush=True)


def catalogue(folder: Path, models: Path, signals: tuple[str, ...]) -> tuple[Features, NDArray[np.intp]]:
    """Features of a folder's postings, and their label groups from 0."""
    images = folder / "images" if "image" in signals else None
    table = next(file for file in (folder / "train.csv", folder / "catalogue.csv") if file.is_file())
    settings = load_settings(catalogue=table, images=images, models=models, encoder="cnn")
    content = read_to_learn(settings).by_id()
    features = without_stock_images(*load_features(settings, content, signals, None, silent, NEWEST_COLOURS))
    return features, each_its_own(number_groups(labels_of(settings, content, None)))


def half(features: Features, groups: NDArray[np.intp], signals: tuple[str, ...], seed: int) -> Half:
    """Half of the groups, drawn by a seed, are held out."""
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    return Half(features, signals, groups, order[len(order) // 2 :])


def measure(name: str, known: Half, counts: Sequence[int]) -> Ends:
    """Print the curve of a catalogue; its ends."""
    default = read_default()
    prior = Prior(default.model, default.size_thresholds)
    start, answers = known.f1(narrowed(prior.model, known.signals), prior.thresholds), list[float]()
    signal = known.best_signal()
    print(f"{name}: {len(known.groups)} postings; default {start:.3f}, best single signal {signal:.3f}")
    for count in [*(count for count in counts if LEAST <= count < len(known.order)), len(known.order)]:
        found, written = known.taught(count, prior)
        answers.append(found if written else start)
        print(f"{count:6d} groups: taught {found:.3f}, {'written' if written else 'not written'}: {answers[-1]:.3f}")
    print(f"lowest answer less the default's: {min(answers) - start:+.3f}", flush=True)
    return Ends(signal, start, answers[-1])


def paired(splits: Sequence[Ends]) -> str:
    """By how much the last answers exceed the best signal, and the default, on average over splits."""
    gains = {
        "best single signal": [split.answer - split.signal for split in splits],
        "default": [split.answer - split.default for split in splits],
    }
    return ", ".join(f"less the {name} {_mean(each)}" for name, each in gains.items()) + f" ({len(splits)} splits)"


def _mean(values: Sequence[float]) -> str:
    """Their mean and its standard error, which one value has none of."""
    error = f" ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):+.3f}{error}"


if __name__ == "__main__":
    main()
