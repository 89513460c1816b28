"""The last results that are kept, and clusters of a filter that are computed once for all their pages."""

from dataclasses import replace
from threading import Barrier, Thread
from time import sleep
from typing import NoReturn

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue
from pricematch.matching import clusters
from pricematch.matching.clusters import ClusterOptions, cluster
from pricematch.matching.last_results import LastResults
from pricematch.matching.matcher import Matcher
from tests.support.matchers import hashed, matcher_over, scored_search


def test_the_last_results_are_kept() -> None:
    """The least recently asked for goes first, and an error is not kept."""
    kept, computed = LastResults[str](2), list[str]()

    def get(name: str) -> str:
        def compute() -> str:
            computed.append(name)
            return name.upper()

        return kept.get(name, compute)

    assert [get(name) for name in "abacabb"] == list("ABACABB")
    assert computed == list("abcb")

    def fails() -> NoReturn:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        kept.get("d", fails)
    assert kept.get("d", lambda: "D") == "D"


def test_who_asks_at_once_waits_for_one_computation() -> None:
    kept, computed, found, together = LastResults[int](2), list[int](), list[int](), Barrier(8)

    def compute() -> int:
        computed.append(1)
        sleep(0.05)  # others would begin meanwhile
        return 5

    def ask() -> None:
        together.wait()
        found.append(kept.get("a", compute))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (computed, found) == ([1], [5] * 8)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[ClusterOptions]:
    """What is computed of clusters."""
    compute, found = clusters._cluster, list[ClusterOptions]()

    def told(matcher: Matcher, options: ClusterOptions, *others: object) -> object:
        found.append(options)
        return compute(matcher, options, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(clusters, "_cluster", told)
    return found


def shop() -> Matcher:
    """Two pairs of postings that are alike, of two sellers."""
    postings = [replace(it, metadata=Metadata({"seller": "xyxy"[row]})) for row, it in enumerate(hashed(0, 30, 1, 31))]
    return matcher_over(Catalogue(postings), {}, {}, scored_search(postings, ["hash"]))


def options(condition: str, least: float = 0.5) -> ClusterOptions:
    return ClusterOptions("all", "matcher", 0.1, 2, 100, min_probability=least, filter=read_filter(condition, 100))


def test_pages_of_a_filter_are_cut_from_one_computation(computed: list[ClusterOptions]) -> None:
    """Other filters, thresholds and images are other questions; so is the same one of another version."""
    matcher, other = shop(), shop()
    first = cluster(matcher, options("seller=x"), ())
    assert cluster(matcher, options("seller=x"), ()) is first
    assert first[0].posting_ids == ["p0", "p2"]
    assert len(first[0].members) == 1
    assert len(computed) == 1
    assert cluster(matcher, options("seller=y"), ())[0].posting_ids == ["p1", "p3"]
    assert not cluster(matcher, options("seller=x", 1), ())[0].members
    assert cluster(other, options("seller=x"), ()) is not first
    changed = matcher.with_metadata({0: Metadata({"seller": "y"})})
    assert cluster(changed, options("seller=x"), ())[0].posting_ids == ["p2"]
    image = ImageFeatures(bytes(32), "0" * 16, {})
    assert len(cluster(matcher, options("seller=x"), [image])[0]) == 3
    assert len(computed) == 6
    assert cluster(matcher, options("seller=x"), ()) is first


def test_few_are_kept(computed: list[ClusterOptions]) -> None:
    matcher = shop()
    for least in [*np.linspace(0.1, 0.5, 5), 0.5, 0.1]:
        cluster(matcher, options("seller=x", float(least)), ())
    assert len(computed) == 6
