"""Postings that a filter holds of, page by page, and how many have values of declared fields."""

from bisect import bisect_right
from collections.abc import Sequence

from pricematch.catalogue.filters import Filter
from pricematch.matching.matcher import Matcher
from pricematch.serving.results import FieldCounts, Page
from pricematch.serving.snapshot import Snapshot


def filtered_page(snapshot: Snapshot, condition: Filter, after: str, limit: int) -> Page:
    """The first `limit` postings of a snapshot that a filter holds of, whose ids are greater than `after`.

    Raises:
        FieldNotDeclared: it would look into too many postings.
    """
    catalogue, allowed = snapshot.matcher.catalogue, snapshot.matcher.allowed(condition)
    rows = catalogue.by_id if allowed is None else catalogue.by_id[allowed[catalogue.by_id]]
    first = bisect_right(rows, after, key=lambda row: catalogue[row].posting_id)
    page = catalogue.select(rows[first : first + limit])
    return Page(snapshot, len(rows), page, more=first + limit < len(rows))


def field_counts(matcher: Matcher) -> Sequence[FieldCounts]:
    """The declared fields of a matcher's catalogue."""
    fields, alive = matcher.fields, matcher.catalogue.alive
    counts = {name: column.counts(alive) for name, column in fields.columns.items()}
    return [FieldCounts(it, *counts[it.name]) for it in fields.declared.values()]
