"""The matches of a catalogue as a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.assignment import METHODS, cluster_graph
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.errors import RowProblem, SettingsError
from pricematch.evaluation.evaluation_report import read_signals, read_size, read_thresholds
from pricematch.evaluation.labelled import embedded, limit_setting_named
from pricematch.evaluation.load_features import (
    load_features,
    load_signal_features,
    matcher_signals,
    with_evidence,
    with_nothing_for_lacking,
)
from pricematch.evaluation.matcher_evaluation import candidates_of, shrunk_pairs
from pricematch.evaluation.signal_evaluation import find_candidates
from pricematch.evaluation.signals import MEASURES, SIGNALS, meant, pairs_of, threshold_texts
from pricematch.formats.atomic_writes import check_output
from pricematch.formats.csv_files import CsvCatalogue, write_submission
from pricematch.formats.matcher_files import LoadedMatcher, load_matcher
from pricematch.matching.clusters import SimilarityClustering
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import Target
from pricematch.progress import Progress
from pricematch.search.candidates import Lists, among
from pricematch.search.neighbours import radius_graph
from pricematch.settings import Settings


@dataclass(frozen=True)
class Submitted:
    """What was written: rows, how many of them have another match than themselves, and all other matches."""

    postings: int
    matched: int
    matches: int


def submit(
    settings: Settings, thresholds: Mapping[str, float], embeddings: Path | None, output: Path, progress: Progress
) -> Submitted:
    """Write the matches that signals find in a catalogue; a signal whose threshold takes nothing is not computed.

    Thresholds are similarities, see `choose_thresholds`. A file of embeddings is taken instead of images.

    Raises:
        CatalogueError: a bad row; nothing is written.
        SettingsError: the file cannot be written, or what a signal is computed from is missing.
        PricematchError: as `load_signal_features`.
    """
    check_output(output, (settings.catalogue, embeddings))
    content = _read_catalogue(settings)
    taken = {signal: threshold for signal, threshold in thresholds.items() if np.isfinite(threshold)}
    catalogue, features = load_signal_features(settings, content, list(taken), embeddings, progress)
    found = find_candidates(ParsedFeatures.of(features), list(taken), progress)
    lists = pairs_of(found, len(catalogue)).lists(taken)
    return _write(output, catalogue.posting_ids, lists)


def submit_clusters(
    settings: Settings, how: SimilarityClustering, embeddings: Path | None, output: Path, progress: Progress
) -> Submitted:
    """Write the lists that one of the notebook's clusterings gives; a posting without a usable image is alone.

    Raises:
        LimitExceeded: more pairs are within eps than `how` allows.
        SettingsError: the file cannot be written.
        PricematchError: as `embedded`.
    """
    check_output(output, (settings.catalogue, embeddings))
    content = _read_catalogue(settings)
    every = Catalogue(content.postings)
    catalogue, vectors = embedded(settings, content, embeddings, progress)
    with limit_setting_named():
        graph = radius_graph(vectors, how.eps, how.max_pairs)
    found = cluster_graph(graph, how.method, how.eps, how.min_samples)
    rows = np.array([every.row(posting_id) for posting_id in catalogue.posting_ids], np.intp)
    return _write(output, every.posting_ids, among(found.lists, rows, len(every)))


def submit_matches(
    settings: Settings, version: str, target: str, output: Path, progress: Progress
) -> tuple[Submitted, str]:
    """Write the matches that a matcher finds in a catalogue, at its thresholds for a target.

    Returns:
        What was written, and by what matcher and threshold, and how far the matcher is from home where that is known.

    Raises:
        CatalogueError: a bad row; nothing is written.
        SettingsError: the file cannot be written, the matcher has no threshold for the target, or what one of its
            signals is computed from is missing.
        ArtefactError: there is no such matcher, or it is damaged.
        PricematchError: as `load_signal_features`.
    """
    check_output(output, (settings.catalogue,))
    settings, loaded = load_matcher(settings, version)
    content = _read_catalogue(settings)
    wanted = _target(target, loaded)
    by_id = content.by_id()
    signals = matcher_signals(settings, by_id, loaded)
    ordered, features = load_features(settings, by_id, signals, None, progress, loaded.colours)
    features = with_evidence(with_nothing_for_lacking(features, loaded), ordered, loaded.model.fields)
    told = ParsedFeatures.of(without_stock_images(ordered, features))
    pairs, shrunk = shrunk_pairs(told, loaded.model, loaded.thresholds, loaded.homing, progress)
    thresholds = shrunk.thresholds.at(wanted, max(1, len(ordered)))
    summary = (
        f"{loaded.label}, {target}: probability at least {thresholds.match:.4f}, "
        f"{thresholds.fallback:.4f} if left alone"
    )
    if sentence := shrunk.sentence(loaded.label):
        summary = f"{summary}\n{sentence}"
    every = Catalogue(content.postings)
    rows = np.array([every.row(posting_id) for posting_id in ordered.posting_ids], np.intp)
    lists = among(thresholds.lists(candidates_of(pairs, len(ordered))), rows, len(every))
    return _write(output, every.posting_ids, lists), summary


def _target(text: str, loaded: LoadedMatcher) -> Target:
    """The target that a text names; raises SettingsError where a matcher has no thresholds for it."""
    try:
        target = Target.parse(text)
        loaded.thresholds.at(target, 1)
    except ValueError as error:
        raise SettingsError(f"--target: {error}") from error
    return target


def _read_catalogue(settings: Settings) -> CsvCatalogue:
    """The catalogue file; raises CatalogueError for bad rows, and for ids that a submission cannot hold."""
    content = read_catalogue(settings)
    blanks = [
        RowProblem(
            row, "posting_id", f"a submission has blanks between ids, so none may hold one; got {it.posting_id!r}"
        )
        for row, it in zip(content.rows, content.postings, strict=True)
        if " " in it.posting_id
    ]
    content.refuse([*content.problems, *blanks])
    return content


def _write(output: Path, posting_ids: Sequence[str], lists: Lists) -> Submitted:
    """Write lists of n postings, and count them; raises SettingsError."""
    write_submission(output, posting_ids, lists)
    sizes = lists.sizes()
    return Submitted(len(sizes), int((sizes > 1).sum()), int((sizes - 1).sum()))


def threshold_summary(thresholds: Mapping[str, float], report: Path | None, postings: int) -> str:
    """Thresholds for people to read, and on how many postings they were picked if these were not as many."""
    text = ", ".join(f"{signal} {threshold_texts({signal: value})[0]}" for signal, value in thresholds.items())
    picked_on = None if report is None else read_size(report)
    if picked_on is None or picked_on == postings:
        return text
    return f"{text}; picked on {picked_on} postings, these are {postings}: the best ones change with the number"


def choose_clustering(method: str, eps: float | None, min_samples: int, max_pairs: int) -> SimilarityClustering:
    """A clustering by the name of its method; raises SettingsError if there is none, or if it lacks an eps."""
    chosen = next((known for known in METHODS if known == method), None)
    if chosen is None:
        raise SettingsError(f"--method: expected one of {', '.join(METHODS)}, got {method!r}")
    if eps is None:
        raise SettingsError("--method: expected --eps beside it; `pricematch sweep` finds the best")
    return SimilarityClustering(chosen, eps, min_samples, max_pairs)


def choose_thresholds(names: Sequence[str], report: Path | None, given: Sequence[str]) -> dict[str, float]:
    """A similarity for each signal; by default for those of the report, or those that thresholds are given for.

    Thresholds that are given, such as `hash=8` and `title=0.5`, win over those of the report of an evaluation.

    Raises:
        SettingsError: a signal has no threshold, or a threshold makes no sense.
    """
    values = dict(map(_given, given))
    names = names or (read_signals(report) if report is not None else list(values))
    if not names:
        raise SettingsError(f"expected thresholds, got none: {_advice('hash,title', 'hash')}")
    for signal in values:
        if signal not in names:
            raise SettingsError(f"--threshold {signal}: expected one of the chosen signals, {','.join(names)}")
    lacking = [signal for signal in names if signal not in values]
    if not lacking:
        return {signal: values[signal] for signal in names}
    if report is None:
        raise SettingsError(f"signal {lacking[0]} has no threshold: {_advice(','.join(names), lacking[0])}")
    picked = read_thresholds(report, names)
    return {signal: values.get(signal, picked[signal]) for signal in names}


def _advice(names: str, signal: str) -> str:
    """How to get a threshold for a signal."""
    example = f"--threshold {signal}={8 if signal == 'hash' else 0.5}"
    return f"give --report (`pricematch evaluate --signals {names}` writes one), or one such as {example}"


def _given(text: str) -> tuple[str, float]:
    """`NAME=VALUE` as a signal and a similarity."""
    signal, _, value = text.partition("=")
    if signal not in SIGNALS:
        wrong = f"no signal is called {signal!r}" if "=" in text else "there is no ="
        raise SettingsError(f"--threshold: expected SIGNAL=VALUE, such as hash=8 or title=0.5, got {text!r}: {wrong}")
    try:
        number = float(value)
    except ValueError as error:
        raise SettingsError(f"--threshold {text}: expected a number ({MEASURES[signal]})") from error
    try:
        return signal, meant(signal, number)
    except ValueError as error:
        raise SettingsError(f"--threshold {text}: {error}") from error
