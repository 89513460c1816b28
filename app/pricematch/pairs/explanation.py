"""Explanation of a match: its match type, the similarity by each signal, and the features that weighed most, in words.

Features that say nearly the same, such as the similarity of two titles by words and by characters, are one family: what
they add to the log odds is summed, and makes one reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.match_types import MatchType, match_types
from pricematch.pairs.reason_sentences import (
    Pair,
    Sentence,
    common_hash,
    common_title,
    fact_sentence,
    hash_sentence,
    image_sentence,
    neighbours_sentence,
    title_sentence,
)
from pricematch.pairs.title_features import WORDS
from pricematch.titles.comparison import GROUPS, SUMMARY
from pricematch.titles.normalise import ParsedTitle

MOST_REASONS = 3
_LEAST_SHARE, _LEAST_WEIGHT = 0.03, 0.1
"""What a family must weigh to be a reason: of all families together, and in log odds; a contradiction, and the second
weightiest, in log odds only."""
LONGEST_TEXT = 160
_PART_OF = {"number": "model"}
"""Numbers are parts of model codes, which are named instead of them."""
_SIMILARITY = "_similarity"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for or against a pair.

    Attributes:
        text: English, true of the pair, without control characters, 160 characters at most. It holds words of titles,
            so it is no more to be trusted than they are.
        weight: log odds, above 0 where it speaks for the same product, below 0 against.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two postings match.

    Attributes:
        match_type: how the two are the same product.
        signals: similarity by retriever, of those that both postings have something for; higher is closer.
        reasons: what weighed most, for and against, the weightiest first.
    """

    match_type: MatchType
    signals: Mapping[str, float]
    reasons: Sequence[Reason]


class Explainer:
    """Explains pairs by their features. Immutable, safe to use from several threads.

    Args:
        names: of the f features, `PairModel.feature_names`.
        titles_with: how many titles of the catalogue hold a word (`PairFeatureExtractor.titles_with`).
    """

    def __init__(self, names: Sequence[str], titles_with: Callable[[str], int]) -> None:
        self._names, self._titles_with = tuple(names), titles_with
        families = [family_of(name) for name in names]
        self._columns = {name: [at for at, other in enumerate(families) if other == name] for name in _SENTENCES}
        self._facts = [at for at, other in enumerate(families) if other == "facts"]
        self._similarities = {
            name.removesuffix(_SIMILARITY): at for at, name in enumerate(names) if name.endswith(_SIMILARITY)
        }

    def explain(
        self,
        features: NDArray[np.float32],
        contributions: NDArray[np.float64],
        title: ParsedTitle,
        titles: Sequence[ParsedTitle],
    ) -> list[Explanation]:
        """Explain the pairs of one posting and m others; costs about a millisecond each.

        Args:
            features: [m, f].
            contributions: [m, f], what each feature adds to the log odds (`PairModel.contributions`).
            title: of the one posting.
            titles: m, of the others.
        """
        kinds = match_types(self._names, features)
        return [
            Explanation(kind, self._signals(values), self.reasons(values, weights, title, other))
            for kind, values, weights, other in zip(kinds, features, contributions, titles, strict=True)
        ]

    def reasons(
        self, values: NDArray[np.float32], contributions: NDArray[np.float64], left: ParsedTitle, right: ParsedTitle
    ) -> tuple[Reason, ...]:
        """Three reasons at most, the weightiest first.

        The weightiest family that has a true sentence fit for its side always is one, the second if it weighs 0.1, a
        third if it weighs as much as 0.03 of all. Where the titles contradict each other, and that weighs 0.1 against
        the pair, it goes before what weighs more: it is what people would look at, and trees that know the same from
        rare words give it little weight.

        Args:
            values: [f], features of one pair.
            contributions: [f], what each adds to the log odds.
            left: one title.
            right: the other.
        """
        known = {name: float(value) for name, value in zip(self._names, values, strict=True) if not np.isnan(value)}
        pair = Pair(known, left, right, self._titles_with)
        weights = self._weights(pair, contributions)
        least = max(_LEAST_WEIGHT, _LEAST_SHARE * sum(map(abs, weights.values())))
        contradictions, others = list[Reason](), list[Reason]()
        for family in sorted(weights, key=lambda family: -abs(weights[family])):
            weight = weights[family]
            if weight and (text := _SENTENCES[family](pair, speaks_for=weight > 0)):
                kept = contradictions if weight <= -_LEAST_WEIGHT and _contradicted(family, pair) else others
                kept.append(Reason(_printable(text), weight))
        return _chosen(contradictions, others, least)

    def _signals(self, values: NDArray[np.float32]) -> Mapping[str, float]:
        found = {name: float(values[at]) for name, at in self._similarities.items()}
        return {name: similarity for name, similarity in found.items() if not np.isnan(similarity)}

    def _weights(self, pair: Pair, contributions: NDArray[np.float64]) -> dict[str, float]:
        """What each family adds; that of facts in general is shared out among the families that have a sentence."""
        weights = {family: float(contributions[columns].sum()) for family, columns in self._columns.items()}
        facts = float(contributions[self._facts].sum())
        stated = [family for family in _FACTS if _SENTENCES[family](pair, speaks_for=facts > 0)]
        return weights | {family: weights[family] + facts / len(stated) for family in stated}


def family_of(feature: str) -> str | None:
    """The family of a feature; `facts` for facts in general, None for the size of the catalogue.

    >>> names = ("grams_rank_low", "number_conflict", "hash_repeats_low", "paths", "catalogue_size")
    >>> [family_of(name) for name in names]
    ['title', 'model', 'common_hash', 'neighbours', None]
    """
    if feature in GRAPH_FEATURES:
        return "neighbours"
    if feature in SUMMARY:
        group, _, what = feature.rpartition("_")
        return _PART_OF.get(group, group) if what == "conflict" else "facts"
    if "_repeats_" in feature:
        return f"common_{feature.partition('_')[0]}"
    if feature in WORDS or feature.startswith(("words_", "grams_", "blend_")):
        return "title"
    return {"hash": "hash", "same": "hash", "image": "image", "colours": "colours"}.get(feature.partition("_")[0])


def _kinds(family: str) -> tuple[str, ...]:
    groups = (family, *(part for part, whole in _PART_OF.items() if whole == family))
    return tuple(kind for group in groups for kind in GROUPS[group])


def _contradicted(family: str, pair: Pair) -> bool:
    return family in _FACTS and any(kind in pair.contradictions for kind in _kinds(family))


def _chosen(contradictions: Sequence[Reason], others: Sequence[Reason], least: float) -> tuple[Reason, ...]:
    """The weightiest, contradictions, others that weigh at least so much, the second weightiest; sorted by weight."""
    ranked = sorted([*contradictions, *others], key=_lightness)
    fit = [reason for reason in others if abs(reason.weight) >= least]
    second = [reason for reason in ranked[1:2] if abs(reason.weight) >= _LEAST_WEIGHT]
    kept = dict.fromkeys([*ranked[:1], *contradictions, *fit, *second])
    return tuple(sorted([*kept][:MOST_REASONS], key=_lightness))


def _lightness(reason: Reason) -> float:
    return -abs(reason.weight)


_FACTS = tuple(group for group in GROUPS if group not in _PART_OF)
_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        "hash": hash_sentence,
        "image": image_sentence("image", "images look alike", "other images look more alike"),
        "colours": image_sentence("colours", "images have the same colours", "other images have colours more alike"),
        "title": title_sentence,
        "common_hash": common_hash,
        "common_title": common_title,
        "neighbours": neighbours_sentence,
        **{family: fact_sentence(_kinds(family)) for family in _FACTS},
    }
)
"""By family."""


def _printable(text: str) -> str:
    """A text in printable characters, cut where it is too long."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"
