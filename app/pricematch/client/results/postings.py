"""Stored postings."""

from dataclasses import dataclass
from typing import Any, Literal

from pricematch.client.results.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A stored posting."""

    posting_id: str
    title: str
    image_phash: str | None
    label_group: str | None
    image_url: str | None
    product_id: str | None
    metadata: dict[str, Any]
    image_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPosting(Posting):
    """A stored posting, and the version of the catalogue it is in.

    Attributes:
        etag: its revision, for `if_match`.
        created: whether it is new, of one that was put.
    """

    catalogue_version: int
    etag: str | None = None
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """A page of the stored postings, in the order of their ids."""

    catalogue_version: int
    total: int
    postings: tuple[Posting, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A posting is not there; whether it was."""

    catalogue_version: int
    posting_id: str
    removed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedMatching:
    """Of how many postings a filter held, and how many of them were removed."""

    catalogue_version: int
    dry_run: bool
    matched: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of one of many changes; where it `failed`, `problem` says why and nothing was changed."""

    index: int
    posting_id: str | None
    outcome: Literal["created", "replaced", "unchanged", "removed", "absent", "failed"]
    revision: int | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedEach:
    """What became of each of many changes."""

    catalogue_version: int
    failed: int
    items: tuple[Changed, ...]
