"""The matches of one posting by probability as a result: each with its similarity, and why it is one."""

import numpy as np

from pricematch.catalogue.features import Embeddings
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.queries import Decision, Evidence, Match, Matches, Options, Result
from pricematch.matching.ranked_matches import RankedMatches, explain
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages


def explained(
    search: ProbabilitySearch,
    found: RankedMatches,
    options: Options,
    decision: Decision,
    stock: StockImages,
    compared: SimilaritySearch | None,
    embeddings: Embeddings | None,
) -> Result:
    """The matches that options let through.

    Args:
        search: over the catalogue.
        found: all matches.
        options: which of them are wanted.
        decision: the rule that they were found by.
        stock: images that are no evidence.
        compared: whose similarity is given; None: nobody's.
        embeddings: of the posting by that, [images, d]; None where it has none.
    """
    least = options.min_similarity
    rows = found.rows[: options.last + 1] if least is None else found.rows
    similarities = [None] * len(rows) if compared is None else compared.similarities(embeddings, rows)
    kept = [
        place
        for place, similarity in enumerate(similarities)
        if place < found.decided or least is None or (similarity is not None and similarity >= least)
    ]
    more, kept = len(kept) > options.last, kept[options.first : options.last]
    reasons = explain(search, found, np.array(kept, np.intp))
    matches = [
        Match(
            posting_id,
            similarities[place],
            float(found.probabilities[place]),
            why.match_type,
            Evidence(why.signals, why.reasons),
            "same" if place < found.decided else None,
            bool(stock.marked[rows[place]]),
            bool(stock.one_colour[rows[place]]),
        )
        for place, posting_id, why in zip(kept, search.catalogue.ids_of(rows[kept]), reasons, strict=True)
    ]
    return Result(Matches(matches), decision, options.last if more else None)
