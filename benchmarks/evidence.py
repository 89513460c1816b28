"""What are prices and brands worth as evidence, on label groups that taught nothing?

    python benchmarks/evidence.py [NAME=FOLDER …] [--evidence price:number,brand:text] [--signals …] [--splits N]

A folder holds `catalogue.csv` with columns `metadata.NAME`; without any a sample is drawn, of `--postings`. Half of the
label groups teach a matcher without evidence fields, with each alone, and with all; the other half is matched. Printed
are the mean F1 of these postings, the expected calibration error of their pairs from a probability of 0.05 on, and the
means over the splits with the gain over none and its standard error. Every matcher is fitted to the end, whether it
would be written or not. With `--spoilt SHARE` so many of the postings have each other's values, and fields are measured
together only: with 1 nothing is to be learned from them.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import in_order, read_evidence_field
from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.encoding.catalogue_files import read_to_learn
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.evaluation.labelled import labels_of
from pricematch.evaluation.load_features import load_features, parse_signals, with_evidence
from pricematch.evaluation.matcher_evaluation import candidates_of, scored_pairs
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.reliability import LIKELY, expected_calibration_error
from pricematch.evaluation.splits import each_its_own
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.learning.fit import TrainingData
from pricematch.learning.ladder import fit_on_prior
from pricematch.learning.rungs import Prior
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1
from pricematch.progress import silent
from pricematch.sample.catalogue import write_sample
from pricematch.settings import load_settings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("catalogues", nargs="*", metavar="NAME=FOLDER", help="a sample is drawn if absent")
    parser.add_argument("--evidence", default="price:number,brand:text")
    parser.add_argument("--signals", default="hash,title")
    parser.add_argument("--postings", type=int, default=1000, help="of the sample that is drawn")
    parser.add_argument("--splits", type=int, default=5, help="halves that are drawn of each")
    parser.add_argument("--spoilt", type=float, default=0.0, help="share of postings that have others' values")
    options = parser.parse_args()
    signals = parse_signals(options.signals)
    fields = in_order(map(read_evidence_field, options.evidence.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        named = [given.partition("=")[::2] for given in options.catalogues]
        if not named:
            write_sample(Path(folder), options.postings, 0)
            named = [("drawn sample", folder)]
        for name, where in named:
            features, groups = catalogue(Path(where), Path(folder) / "models" / name, signals, fields)
            print(f"{name}: {len(groups)} postings of {len(np.unique(groups))} groups", flush=True)
            if options.spoilt:
                features = spoilt(features, options.spoilt)
            chosen = ways(fields, alone=not options.spoilt)
            summarise([measure(features, groups, signals, chosen, seed) for seed in range(options.splits)])


def catalogue(
    folder: Path, models: Path, signals: tuple[str, ...], fields: Sequence[Field]
) -> tuple[Features, NDArray[np.intp]]:
    """Features of a folder's postings, and their label groups from 0."""
    images = folder / "images" if "image" in signals else None
    settings = load_settings(catalogue=folder / "catalogue.csv", images=images, models=models, encoder="cnn")
    content = read_to_learn(settings).by_id()
    loaded, features = load_features(settings, content, signals, None, silent, NEWEST_COLOURS)
    features = with_evidence(without_stock_images(loaded, features), loaded, fields)
    return features, each_its_own(number_groups(labels_of(settings, content, None)))


def measure(
    features: Features,
    groups: NDArray[np.intp],
    signals: tuple[str, ...],
    ways: Mapping[str, Sequence[Field]],
    seed: int,
) -> Mapping[str, tuple[float, float]]:
    """By what is evidence, F1 and calibration error on half of the groups; prints them."""
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    taught = np.isin(groups, order[len(order) // 2 :])
    found = {}
    for name, chosen in ways.items():
        some = replace(features, evidence=features.evidence_of(chosen))
        found[name] = held_out(some, groups, signals, taught)
        print(f"  half {seed}, evidence {name}: F1 {found[name][0]:.4f}, error {found[name][1]:.4f}", flush=True)
    return found


def spoilt(features: Features, share: float) -> Features:
    """Features where a share of the postings have each other's values, drawn by chance."""
    rng, order = np.random.default_rng(0), np.arange(len(features))
    some = np.flatnonzero(rng.random(len(features)) < share)
    order[some] = rng.permutation(some)
    evidence = features.evidence
    return features if evidence is None else replace(features, evidence=evidence.select(order))


def ways(fields: Sequence[Field], *, alone: bool) -> Mapping[str, Sequence[Field]]:
    """None of some fields, each alone if that is wanted, and all of them."""
    each = {it.name: [it] for it in fields} if alone and len(fields) > 1 else {}
    return {"none": [], **each, " and ".join(it.name for it in fields): fields}


def held_out(
    features: Features, groups: NDArray[np.intp], signals: tuple[str, ...], taught: NDArray[np.bool_]
) -> tuple[float, float]:
    """F1 and calibration error of the postings that have not taught."""
    default = read_default()
    prior = Prior(default.model, default.size_thresholds)
    data = TrainingData(features, signals, np.where(taught, groups, -1), taught)
    fitted = fit_on_prior(data, TreeLearner(0, 1), prior, 0, silent)
    pairs = scored_pairs(ParsedFeatures.of(features), fitted.model)
    lists = fitted.thresholds.at(F1, len(groups)).lists(candidates_of(pairs, len(groups)))
    truth = groups[pairs.left] == groups[pairs.right]
    weights = (~taught)[pairs.left].astype(np.float64) + (~taught)[pairs.right]
    likely = pairs.probabilities >= LIKELY
    error = expected_calibration_error(pairs.probabilities[likely], truth[likely], weights[likely])
    return scores(lists, groups).of(~taught).mean_f1, error


def summarise(splits: Sequence[Mapping[str, tuple[float, float]]]) -> None:
    """Print means over splits, and gains over no evidence with their standard errors."""
    for name in splits[0]:
        values = np.array([split[name] for split in splits])
        gains = values - np.array([split["none"] for split in splits])
        errors = gains.std(axis=0, ddof=1) / np.sqrt(len(splits)) if len(splits) > 1 else np.full(2, np.nan)
        (f1, error), (more, less) = values.mean(axis=0), gains.mean(axis=0)
        print(
            f"evidence {name}: F1 {f1:.4f} ({more:+.4f} ± {errors[0]:.4f}), "
            f"calibration error {error:.4f} ({less:+.4f} ± {errors[1]:.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
