"""How long a trained matcher takes: to score a catalogue, and to match one title with hash against it, in-process.

    python benchmarks/match.py --catalogue CSV --models DIR [--queries 200]

The peer is scikit-learn: TF-IDF of the same titles, and the 50 nearest of each query by brute force. It only searches,
the matcher also scores and gives reasons.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.bootstrap import read_catalogue
from pricematch.formats.matcher_files import read_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.settings import Settings

THREADS = 2
NEAREST = 50

console = Console(width=100)


def main() -> None:
    """Run the benchmark."""
    options = parse_options()
    loaded = read_matcher(options.models, threads=THREADS)
    postings = read_catalogue(Settings(catalogue=options.catalogue)).postings
    titles, hashes = [posting.title for posting in postings], [posting.image_phash for posting in postings]
    every = Features.of(titles, hashes)

    started = time.perf_counter()
    search = ProbabilitySearch.build(loaded.label, Catalogue(postings), every, loaded.model, loaded.thresholds)
    judging = time.perf_counter() - started
    rule = search.rule(None, None)

    started = time.perf_counter()
    vectorizer = TfidfVectorizer()
    peer = NearestNeighbors(n_neighbors=min(NEAREST, len(postings)), metric="cosine", algorithm="brute")
    peer.fit(vectorizer.fit_transform(titles))
    fitting = time.perf_counter() - started

    rng, ours, theirs = np.random.default_rng(0), [], []
    for row in track(rng.integers(0, len(postings), options.queries), "Matching", console=Console(stderr=True)):
        words = titles[row].split()
        title = " ".join(rng.permutation(words)[: max(1, len(words) - 1)])  # a seller's own way to put it
        started = time.perf_counter()
        found = search.matches(Features.of([title], [hashes[row]]), rule)
        search.explain(found, np.arange(len(found.rows)))
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        peer.kneighbors(vectorizer.transform([title]))
        theirs.append(time.perf_counter() - started)
    table = Table("", f"{loaded.label}", "scikit-learn", "ratio", title=f"{len(postings)} postings")
    table.add_row("catalogue made ready", f"{judging:.1f} s", f"{fitting:.1f} s", f"{judging / fitting:.0f}")
    for name, share in (("p50", 50), ("p95", 95)):
        mine, other = np.percentile(ours, share) * 1e3, np.percentile(theirs, share) * 1e3
        table.add_row(f"one title with hash, {name}", f"{mine:.1f} ms", f"{other:.1f} ms", f"{mine / other:.1f}")
    console.print(table)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogue", type=Path, required=True, help="CSV of postings with titles and hashes")
    parser.add_argument("--models", type=Path, required=True, help="folder with a matcher of hash and title")
    parser.add_argument("--queries", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
