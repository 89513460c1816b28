"""How long a matcher takes: to score a catalogue, and to match one posting against it, in-process.

    python benchmarks/match.py --catalogue CSV [--models DIR | --drawn DIR] [--dimension D] [--queries 200] [--stages]

Queries are a title, an image (its hash, embedding and shades, without the network), and both, each a stored posting as
another seller would put it. With `--drawn` the catalogue needs no images: embeddings and shades are drawn by label
group, and a matcher of hash, title and image that learned from them is kept in that folder; with `--models` it is a
trained matcher of hash and title, with neither the default matcher of these two. The peer is scikit-learn: TF-IDF of
the same titles, and the 50 nearest of each query by brute force. It only searches, the matcher also scores and gives
reasons.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drawn_features import drawn_features, drawn_matcher, seen_again
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from pricematch.catalogue.features import Features
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.formats.default_matcher import read_default
from pricematch.formats.matcher_files import LoadedMatcher, read_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import explain, match_query
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.thresholds import DecisionRule
from pricematch.settings import Settings

THREADS = 2
NEAREST = 50
SHOWN = 10
PROFILED = 40

console = Console(width=100)


def main() -> None:
    """Run the benchmark."""
    options = parse_options()
    postings = read_catalogue(Settings(catalogue=options.catalogue)).postings
    titles = [posting.title for posting in postings]
    if options.drawn is None:
        every = Features.of(titles, [posting.image_phash for posting in postings])
        loaded = default_matcher() if options.models is None else read_matcher(options.models, threads=THREADS)
    else:
        every = drawn_features(postings, options.dimension)
        loaded = drawn_matcher(options.drawn, postings, every, THREADS)

    started = time.perf_counter()
    search = ProbabilitySearch.build(loaded.label, Catalogue(postings), every, loaded.model, loaded.thresholds)
    judging = time.perf_counter() - started
    rule = search.rule(None, None)

    started = time.perf_counter()
    vectorizer = TfidfVectorizer()
    peer = NearestNeighbors(n_neighbors=min(NEAREST, len(postings)), metric="cosine", algorithm="brute")
    peer.fit(vectorizer.fit_transform(titles))
    fitting = time.perf_counter() - started

    queries = drawn_queries(every, options.queries)
    table = Table("one core", loaded.label, "scikit-learn", "ratio", title=f"{len(postings)} postings")
    table.add_row("catalogue made ready", f"{judging:.1f} s", f"{fitting:.1f} s", f"{judging / fitting:.0f}")
    took: dict[str, list[float]] = {name: [] for name in (*queries, "peer")}
    with threadpool_limits(1):  # a service has as many requests at a time as cores
        for place in track(range(options.queries), "Matching", console=Console(stderr=True)):
            for name, asked in queries.items():
                started = time.perf_counter()
                match(search, asked[place], rule)
                took[name].append(time.perf_counter() - started)
            started = time.perf_counter()
            peer.kneighbors(vectorizer.transform(queries["title"][place].titles))
            took["peer"].append(time.perf_counter() - started)
        for name in queries:
            for share in (50, 95):
                mine, other = np.percentile(took[name], share) * 1e3, np.percentile(took["peer"], share) * 1e3
                table.add_row(f"{name}, p{share}", f"{mine:.1f} ms", f"{other:.1f} ms", f"{mine / other:.1f}")
        console.print(table)
        if options.stages:
            for name, asked in queries.items():
                profile(name, search, asked[:PROFILED], rule)


def match(search: ProbabilitySearch, query: Features, rule: DecisionRule) -> None:
    """Match one query, and explain what a page shows."""
    found = match_query(search, query, rule)
    explain(search, found, np.arange(min(SHOWN, len(found.rows))))


def drawn_queries(every: Features, count: int) -> dict[str, list[Features]]:
    """Queries by what they hold, of the same rows in the same order."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(every), count)
    titles = [another_way(every.titles[row], rng) for row in rows]
    images = [seen(every, row, rng) for row in rows]
    found = {"title": [image.without_images(np.arange(1)) for image in images], "title and image": images}
    found = {
        name: [retitled(it, title) for it, title in zip(some, titles, strict=True)] for name, some in found.items()
    }
    return found | {"image": images}


def another_way(title: str, rng: np.random.Generator) -> str:
    """A seller's own way to put a title."""
    words = title.split()
    return " ".join(rng.permutation(words)[: max(1, len(words) - 1)])


def seen(every: Features, row: int, rng: np.random.Generator) -> Features:
    """Another image of a posting, without its title."""
    vectors = {name: seen_again(vectors[row], rng) for name, vectors in every.embeddings.items()}
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(0, 64, 2, np.uint64))
    return Features([""], Hashes(every.hashes.values[[row]] ^ flips, every.hashes.known[[row]]), vectors, digest(rng))


def digest(rng: np.random.Generator) -> NDArray[np.uint64]:
    """The key of an image of its own."""
    return rng.integers(1, 2**63, 1, np.uint64)


def retitled(query: Features, title: str) -> Features:
    """A query with a title."""
    return Features([title], query.hashes, query.embeddings, query.images)


def profile(name: str, search: ProbabilitySearch, asked: Sequence[Features], rule: DecisionRule) -> None:
    """Print what takes the time of some queries, by function."""
    profiler = cProfile.Profile()
    profiler.enable()
    for query in asked:
        match(search, query, rule)
    profiler.disable()
    console.print(f"[bold]{name}[/bold], of {len(asked)} queries")
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("pricematch|lightgbm|built-in|scipy", 60)


def default_matcher() -> LoadedMatcher:
    """The default matcher where hash and title are compared."""
    manifest = read_default()
    return LoadedMatcher(manifest, narrowed(manifest.model, ("hash", "title")), manifest.size_thresholds)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogue", type=Path, required=True, help="CSV of postings with titles and hashes")
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("--models", type=Path, help="folder with a matcher of hash and title")
    subject.add_argument("--drawn", type=Path, help="folder that keeps a matcher of drawn features")
    parser.add_argument("--dimension", type=int, default=256, help="length of drawn embeddings")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--stages", action="store_true", help="print what takes the time, by function")
    return parser.parse_args()


if __name__ == "__main__":
    main()
