"""The matches of one posting by probability: those above the thresholds of a rule, ranked, and explained.

Where only some rows are allowed, a pair is as probable as without that, and the matches are those that are allowed.
What is not leaves its place among the candidates to the next of those allowed. The fallback threshold is for a posting
that is left alone by the whole catalogue: where a candidate reaches the other one, allowed or not, it does not count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.image_arrays import same_image
from pricematch.catalogue.layers import Layered
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.scored_features import ScoredFeatures
from pricematch.pairs.explanation import Explanation
from pricematch.pairs.thresholds import DecisionRule
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle, parse_shown_title


@dataclass(frozen=True, eq=False)
class RankedMatches:
    """The matches of one posting: decided ones, then the most probable, equally probable ones by their ids.

    Attributes:
        title: of the query; None for a stored posting, whose title is read where matches are explained.
        row: of the posting; −1 for a query.
        images: uint64 [1], the keys of its images, 0 where it has none.
        rows: int32 [m], of its matches.
        probabilities: float64 [m].
        features: of the pairs; None where they are computed from the rows.
        decided: how many of the matches, the first ones, are the same by feedback.
    """

    title: ParsedTitle | None
    row: int
    images: Layered[NDArray[np.uint64]]
    rows: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    features: ScoredFeatures | None = None
    decided: int = 0


def match_row(
    search: ProbabilitySearch, row: int, rule: DecisionRule, allowed: NDArray[np.bool_] | None = None
) -> RankedMatches:
    """The matches of a stored posting; those that are the same by feedback come first.

    Args:
        search: over the catalogue.
        row: of the posting.
        rule: that decides.
        allowed: bool [span], rows that are alive which may be matches; None: all.
    """
    feedback = search.feedback.of(search.catalogue[row].posting_id)
    decided = search.catalogue.located(sorted(feedback))
    same = np.array([other for posting_id, other in decided.items() if feedback[posting_id] == "same"], np.int32)
    rows, probabilities = _candidates_of(search, row, allowed)
    free = ~np.isin(rows, [row, *decided.values()])
    alone = not len(same) and not (probabilities[free] >= rule.thresholds.match).any()
    if allowed is not None:
        same, free = same[allowed[same]], free & allowed[rows]
    rows, probabilities = rows[free], probabilities[free]
    images = search.images.select(np.array([row]))
    alike = same_image(search.images, rows, images)
    order = _order(search, rows, probabilities, rule, alike, fallback=alone)
    return RankedMatches(
        None,
        row,
        images,
        np.concatenate([same, rows[order]]),
        np.concatenate([np.ones(len(same)), probabilities[order]]),
        decided=len(same),
    )


def match_pair(search: ProbabilitySearch, row: int, other: int) -> RankedMatches:
    """A pair of stored postings as if it matched; its probability is 0 where it is no candidate."""
    candidates, probabilities = _candidates_of(search, row, None)
    found = probabilities[candidates == other]
    images = search.images.select(np.array([row]))
    return RankedMatches(None, row, images, np.array([other], np.int32), found if len(found) else np.zeros(1))


def match_query(
    search: ProbabilitySearch, features: Features, rule: DecisionRule, allowed: NDArray[np.bool_] | None = None
) -> RankedMatches:
    """The matches of one posting that is not stored.

    Args:
        search: over the catalogue.
        features: of the posting.
        rule: that decides.
        allowed: as for `match_row`.

    Raises:
        SignalNeeded: it has nothing that the pair model compares.
    """
    search.check_signals(image=features.shows_images, title=any(features.titles))
    found, images = search.query(features, allowed), features.image_keys
    rows, place = search.nodes.rows_of(found.pairs.right, search.catalogue.alive)
    same = same_image(search.images, rows, images)
    every, probabilities = found.features.select(place), found.pairs.probabilities[place]
    # features are of nodes, and images of one node may differ in their bytes
    every, changed = every.with_feature(search.index.model, "same_image", same)
    probabilities[changed & (probabilities < 1)] = every.probabilities[changed & (probabilities < 1)]
    alone = not (probabilities >= rule.thresholds.match).any()
    if allowed is not None:
        places = np.flatnonzero(allowed[rows])
        rows, probabilities, every, same = rows[places], probabilities[places], every.select(places), same[places]
    order = _order(search, rows, probabilities, rule, same, fallback=alone)
    return RankedMatches(found.titles[0], -1, images, rows[order], probabilities[order], every.select(order))


def explain(search: ProbabilitySearch, found: RankedMatches, kept: NDArray[np.intp]) -> list[Explanation]:
    """Why the matches at some positions are matches; costs about a millisecond each."""
    with stage("score"):
        rows, of_row = found.rows[kept], search.nodes.of_row
        titles = [parse_shown_title(posting.title) for posting in search.catalogue.select(rows)]
        if found.features is None:
            scored = search.index.features_of(int(of_row[found.row]), of_row[rows])
        else:
            scored = found.features.select(kept)
        features, contributions = scored.values.copy(), scored.contributions(search.index.model)
        # features are of nodes, and images of one node may differ in their bytes
        column = search.index.model.feature_names.index("same_image")
        features[:, column] = same_image(search.images, rows, found.images)
        title = parse_shown_title(search.catalogue[found.row].title) if found.title is None else found.title
        return search.explainer.explain(features, contributions, title, titles)


def _candidates_of(
    search: ProbabilitySearch, row: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The rows of a posting's candidates and of those equal to it, itself among them, and their probabilities.

    Where only some rows are allowed, those that take the place of others are among them.
    """
    node = int(search.nodes.of_row[row])
    candidates, probabilities = search.index.candidates_of(node)
    if allowed is not None:
        more, of_more = search.index.more_of(node, search.allowed_nodes(allowed))
        candidates, probabilities = np.append(candidates, more), np.append(probabilities, of_more)
    found, place = search.nodes.rows_of(np.append(candidates, node), search.catalogue.alive)
    return found, np.append(probabilities, 1.0)[place]


def _order(
    search: ProbabilitySearch,
    rows: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    rule: DecisionRule,
    same_image: NDArray[np.float32],
    *,
    fallback: bool,
) -> NDArray[np.intp]:
    """Which candidates match, the most probable first, of equal ones the same image first, then by their ids."""
    near = np.flatnonzero(probabilities >= rule.thresholds.fallback)
    posting_ids = np.array(search.catalogue.ids_of(rows[near]), np.str_)
    order = near[np.lexsort((posting_ids, same_image[near] != 1, -probabilities[near]))]
    return order[: rule.count(probabilities[order], fallback=fallback)]
