"""Searches by probability that change, and what they find."""

from collections.abc import Mapping, Sequence

import numpy as np

from pricematch.catalogue.features import NO_EMBEDDINGS, Embeddings, Features
from pricematch.catalogue.postings import Posting
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import RankedMatches, match_query, match_row


def features_of(put: Sequence[Posting], embeddings: Mapping[str, Embeddings] = NO_EMBEDDINGS) -> Features:
    """Titles and hashes of postings, and embeddings by retriever."""
    return Features.of([it.title for it in put], [it.image_phash for it in put], embeddings)


def after(search: ProbabilitySearch, put: Sequence[Posting], removed: Sequence[str] = ()) -> ProbabilitySearch:
    """The search after a change."""
    catalogue = search.catalogue.changed(put, removed)
    return search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features_of(put))


def _pairs(search: ProbabilitySearch, found: RankedMatches) -> list[tuple[str, float]]:
    """Id and probability of each match."""
    ids = [search.catalogue[row].posting_id for row in found.rows]
    return list(zip(ids, found.probabilities.round(6).tolist(), strict=True))


def matches(search: ProbabilitySearch, posting_id: str) -> list[tuple[str, float]]:
    """Id and probability of each candidate of a stored posting."""
    return _pairs(search, match_row(search, search.catalogue.row(posting_id), search.rule(None, 0)))


def queried(search: ProbabilitySearch, posting: Posting) -> list[tuple[str, float]]:
    """The same of a posting that is not stored."""
    return _pairs(search, match_query(search, features_of([posting]), search.rule(None, 0)))
