"""Clusters of a filter, which are computed once for all their pages."""

from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue
from pricematch.matching import cluster_requests
from pricematch.matching.cluster_requests import ClusterOptions, cluster
from pricematch.matching.matcher import Matcher
from tests.support.matchers import hashed, matcher_over, scored_search


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[ClusterOptions]:
    """What is computed of clusters."""
    compute, found = cluster_requests._cluster, list[ClusterOptions]()

    def told(matcher: Matcher, options: ClusterOptions, *others: object) -> object:
        found.append(options)
        return compute(matcher, options, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster_requests, "_cluster", told)
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
