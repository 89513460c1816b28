"""How long matches take with a filter beside none, and a filter itself by declared fields and by others.

    python benchmarks/filters.py [--postings 100000] [--queries 100]

Titles, hashes and metadata are drawn, and compared by the default matcher of these two. Searching all postings among
each other takes hours and nothing here depends on what it finds, so neighbours and candidate pairs of stored postings
are drawn, too; what is searched, scored and explained of a query is real.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from match import another_way, default_matcher
from numpy.typing import NDArray
from processor import described
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.nodes import ScoredNodes, node_keys
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import explain, match_query, match_row
from pricematch.pairs.model import ScoredPairs
from pricematch.pairs.neighbours import Neighbourhoods
from pricematch.pairs.retriever import ParsedFeatures

WORDS, LENGTH = 20_000, 9
NEIGHBOURS, RETRIEVERS, SHARES, PAIRS = 100, 4, 10, 30
SHOWN = 10
DECLARED = (Field("seller", "text"), Field("price", "number"))
FILTERS = {
    "none": None,
    "half of all": "price=0..499",
    "1 %": "price=0..9",
    "0.01 %": "seller=rare",
    "all but one seller's": "seller!=s7",
}
console = Console(width=100)


def main() -> None:
    """Run the benchmark."""
    options = parse_options()
    rng = np.random.default_rng(0)
    postings = drawn_postings(options.postings, rng)
    search = drawn_search(postings, rng)
    catalogue = search.catalogue
    tracemalloc.start()
    fields = Fields().declaring(DECLARED, catalogue)
    grown = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    scanned = Fields(max_scanned=len(catalogue))

    table = Table("filter", "declared", "looked into", title=f"a filter of {len(catalogue)} postings, p50")
    for name, text in FILTERS.items():
        if text is not None:
            condition = read_filter(text, 4096)
            each = [median(partial(of.mask, condition, catalogue), 9) for of in (fields, scanned)]
            table.add_row(f"{name}: {text}", *(f"{it:.2f} ms" for it in each))
    console.print(described())
    console.print(table)
    console.print(f"columns of two fields take {grown:.1f} MiB")

    rows, rule = rng.integers(0, len(catalogue), options.queries), search.rule(None, 0.5)
    queries = [query_of(postings[row], rng) for row in rows]
    table = Table("filter", "leaves", "query p50", "p95", "stored p50", "p95", title="matches, explained, one core")
    with threadpool_limits(1):
        match_query(search, queries[0], rule)
        for name, text in FILTERS.items():
            took: tuple[list[float], list[float]] = ([], [])
            left = len(catalogue)
            for row, query in zip(rows.tolist(), queries, strict=True):
                for place in (0, 1):
                    started = time.perf_counter()
                    allowed = None if text is None else fields.mask(read_filter(text, 4096), catalogue)
                    stored = place == 1
                    found = (
                        match_row(search, row, rule, allowed) if stored else match_query(search, query, rule, allowed)
                    )
                    explain(search, found, np.arange(min(SHOWN, len(found.rows))))
                    took[place].append(time.perf_counter() - started)
                left = len(catalogue) if allowed is None else int(allowed.sum())
            figures = [f"{np.percentile(some, share) * 1e3:.1f} ms" for some in took for share in (50, 95)]
            table.add_row(name, str(left), *figures)
    console.print(table)


def drawn_postings(count: int, rng: np.random.Generator) -> list[Posting]:
    """Postings of words as often used as in a language, of a hundred sellers, at prices from 0 to 999."""
    words = np.minimum(rng.zipf(1.3, (count, LENGTH)), WORDS)
    hashes, prices, sellers = rng.integers(0, 2**63, count), rng.integers(0, 1000, count), rng.integers(0, 100, count)
    rare = set(rng.choice(count, max(1, count // 10_000), replace=False).tolist())
    return [
        Posting(
            f"p{row:07}",
            None,
            " ".join(f"w{word}" for word in words[row]),
            f"{hashes[row]:016x}",
            metadata=Metadata({"seller": "rare" if row in rare else f"s{sellers[row]}", "price": int(prices[row])}),
        )
        for row in range(count)
    ]


def drawn_search(postings: list[Posting], rng: np.random.Generator) -> ProbabilitySearch:
    """A search over the postings, whose neighbours and candidate pairs are drawn."""
    loaded = default_matcher()
    every = Features.of([it.title for it in postings], [it.image_phash for it in postings])
    parsed = ParsedFeatures.of(every)
    keys = node_keys(parsed, loaded.model.signals)
    count = len(np.unique(keys))
    similarities = -np.sort(-rng.beta(2, 6, (RETRIEVERS, count, NEIGHBOURS)))
    columns = rng.integers(0, count, count * SHARES).astype(np.int32)
    starts = np.arange(0, count * SHARES + 1, SHARES)
    shares = csr_array((np.full(len(columns), 0.05, np.float32), columns, starts), shape=(count, count))
    left, right = drawn_pairs(count, rng)
    first = rng.beta(0.3, 3, len(left))
    scored = ScoredNodes(
        keys, Neighbourhoods(similarities, shares, (left, right)), ScoredPairs(left, right, first, first)
    )
    catalogue = Catalogue(postings)
    return ProbabilitySearch.build(loaded.label, catalogue, parsed, loaded.model, loaded.thresholds, scored=scored)


def drawn_pairs(count: int, rng: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Distinct pairs of nodes, the lower one first."""
    ends = np.sort(rng.integers(0, count, (count * PAIRS, 2)), axis=1)
    keys = np.unique(ends[ends[:, 0] < ends[:, 1]] @ np.array([count, 1]))
    return (keys // count).astype(np.int32), (keys % count).astype(np.int32)


def query_of(posting: Posting, rng: np.random.Generator) -> Features:
    """A posting as another seller puts it: some words in another order, a hash a few bits away."""
    stored = Features.of([another_way(posting.title, rng)], [posting.image_phash])
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(0, 64, 2, np.uint64))
    return Features(stored.titles, Hashes(stored.hashes.values ^ flips, stored.hashes.known), {}, stored.images)


def median(work: Callable[[], object], times: int) -> float:
    """Milliseconds of some work, the median of several times."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return float(np.median(took)) * 1e3


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    main()
