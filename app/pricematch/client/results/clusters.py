"""Clusters."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pricematch.client.results.matches import Probabilities
from pricematch.client.results.problems import Problem
from pricematch.client.results.verdicts import Contradiction

Method: TypeAlias = Literal["dbscan", "optics", "nearest", "ensemble", "matcher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the batch: a stored posting, or the image of a position."""

    posting_id: str | None
    image: int | None
    status: Literal["clustered", "noise", "problem"]
    cluster: int | None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The members of a cluster; `cohesion` is the mean probability of its pairs, with method `matcher`."""

    cluster: int
    posting_ids: tuple[str, ...]
    images: tuple[int, ...]
    cohesion: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """An assignment for each item of a page, and the clusters whose first item is on it."""

    catalogue_version: int
    models: dict[str, str]
    took_ms: float
    method: Method
    eps: float | None
    min_samples: int | None
    target: str | None
    threshold: float | None
    probabilities: Probabilities | None
    total_items: int
    total_clusters: int
    next_cursor: str | None
    next_offset: int | None
    total_contradictions: int
    contradictions: tuple[Contradiction, ...]
    items: tuple[Item, ...]
    clusters: tuple[Cluster, ...]
