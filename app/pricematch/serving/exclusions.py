"""What is excluded from matches: the query's own product, and postings that share a field's value with it."""

from collections.abc import Sequence

from pricematch.catalogue.fields import field_values
from pricematch.catalogue.filters import POSTING_ID, Filter, both, field_path, none_of, value_of, values_at
from pricematch.catalogue.metadata import Metadata
from pricematch.errors import FilterInvalid
from pricematch.serving.snapshot import Snapshot

PRODUCT = "product"
"""Excludes postings of the query's own product; other names are those of fields."""
MAX_EXCLUDED = 20


def read_exclusions(text: str) -> Sequence[str]:
    """The names of a list with commas between, each once; raises FilterInvalid for what is none."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if len(names) > MAX_EXCLUDED:
        raise FilterInvalid(f"exclude: expected at most {MAX_EXCLUDED} names, got {len(names)}")
    return [field_path(name, f"exclude, name {place}") for place, name in enumerate(names, start=1)]


def unlike_metadata(condition: Filter | None, exclude: Sequence[str], metadata: Metadata) -> Filter | None:
    """A filter, and that a posting shares no value of some fields with a query that has this metadata.

    Raises:
        FilterInvalid: its product is to be excluded, and it has none.
    """
    if PRODUCT in exclude:
        raise FilterInvalid("exclude: expected names of fields, got product, and what is not stored is of none")
    values = {name: tuple(values_at(metadata.fields, name.split("."))) for name in exclude}
    return both(condition, *(part for name in exclude for part in none_of(name, values[name])))


def unlike_posting(
    condition: Filter | None, exclude: Sequence[str], snapshot: Snapshot, posting_id: str
) -> Filter | None:
    """A filter, and that a posting shares no value of some fields, and if so its product, with a stored one.

    Raises:
        PostingNotFound: there is no such posting.
        MatcherNeeded, ProductsUnknown: products are not known.
    """
    catalogue = snapshot.matcher.catalogue
    row, parts = catalogue.row(posting_id), list[Filter]()
    for name in exclude:
        if name == PRODUCT:
            parts += none_of(POSTING_ID, [value_of(it) for it in snapshot.with_product_of(row)])
        else:
            parts += none_of(name, field_values(catalogue[row], name))
    return both(condition, *parts)
