"""Explanation of matches: match type, similarity by each signal, and the features that weighed most, in words.

Features that say nearly the same, such as the similarity of two titles by words and by characters, are one family: what
they add to the log odds is summed, and makes one reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import evidence_families, is_evidence
from pricematch.catalogue.fields import Field
from pricematch.catalogue.hashes import BITS
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.reason_sentences import NEAR_BITS, Sentences, sentences
from pricematch.pairs.title_features import WORDS
from pricematch.pairs.title_sentences import FACTS, PART_OF
from pricematch.titles.comparison import SUMMARY
from pricematch.titles.normalise import ParsedTitle

MatchType: TypeAlias = Literal["identical", "near", "same_product"]

MOST_REASONS = 3
_LEAST_SHARE, _LEAST_WEIGHT = 0.03, 0.1
"""What a family must weigh to be a reason: of all families together, and in log odds; a contradiction, and the second
weightiest, in log odds only."""
LONGEST_TEXT = 160
_SIMILARITY = "_similarity"
_FAMILIES = ("hash", "image", "colours", "title", "common_hash", "common_title", "neighbours", *FACTS)


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
        counts: by word, how many titles of the catalogue hold it (`PairFeatureExtractor.word_counts`).
        fields: evidence fields whose features are among them.
    """

    def __init__(self, names: Sequence[str], counts: Mapping[str, int], fields: Sequence[Field] = ()) -> None:
        self._names, self._counts, self._fields = tuple(names), counts, fields
        self._families = (*_FAMILIES, *evidence_families(fields))
        families = [family_of(name) for name in names]
        self._similarities = {name: name.removesuffix(_SIMILARITY) for name in names if name.endswith(_SIMILARITY)}
        self._members = np.array(
            [[other == name for name in (*self._families, "facts")] for other in families], np.float64
        )

    def explain(
        self,
        features: NDArray[np.float32],
        contributions: NDArray[np.float64],
        title: ParsedTitle,
        titles: Sequence[ParsedTitle],
    ) -> list[Explanation]:
        """Explain the pairs of one posting and m others.

        Three reasons at most. The weightiest family that has a true sentence for its sign always is one, the second if
        it weighs 0.1, a third if it weighs as much as 0.03 of all. Where the titles contradict each other, and that
        weighs 0.1 against the pair, it goes before what weighs more: it is what people would look at, and trees that
        know the same from rare words give it little weight.

        Args:
            features: [m, f].
            contributions: [m, f], what each feature adds to the log odds (`PairModel.contributions`).
            title: of the one posting.
            titles: m, of the others.
        """
        known = [
            dict(zip(compress(self._names, there), compress(values, there), strict=True))
            for values, there in zip(features.tolist(), (~np.isnan(features)).tolist(), strict=True)
        ]
        worded = sentences(known, title, titles, self._counts, self._fields)
        return [
            Explanation(
                match_type(values), self._signals(values), _reasons(_weights(self._families, added, texts), texts)
            )
            for values, added, texts in zip(known, (contributions @ self._members).tolist(), worded, strict=True)
        ]

    def _signals(self, values: Mapping[str, float]) -> Mapping[str, float]:
        return {signal: values[name] for name, signal in self._similarities.items() if name in values}


def match_type(values: Mapping[str, float]) -> MatchType:
    """The match type of a pair.

    `identical`: the same bytes, or equal hashes and equal titles; equal hashes alone are not enough, since flat images
    of all kinds share one. `near`: hashes within `NEAR_BITS`. `same_product`: all others, also where no hash is known.

    Args:
        values: by name, the features that are known; `same_image`, `hash_similarity` and `same_title` count.

    >>> match_type({"same_image": 0, "hash_similarity": 1, "same_title": 1}), match_type({"hash_similarity": 0.9375})
    ('identical', 'near')
    """
    similarity = values.get("hash_similarity", 0)
    if values.get("same_image") == 1 or (similarity == 1 and values.get("same_title") == 1):
        return "identical"
    return "near" if similarity >= 1 - NEAR_BITS / BITS else "same_product"


def family_of(feature: str) -> str | None:
    """The family of a feature; `facts` for facts in general, None for the size of the catalogue.

    Each evidence field is one, named by its number.

    >>> names = ("grams_rank_low", "number_conflict", "hash_repeats_low", "paths", "catalogue_size")
    >>> [family_of(name) for name in names]
    ['title', 'model', 'common_hash', 'neighbours', None]
    """
    if feature in GRAPH_FEATURES:
        return "neighbours"
    if feature in SUMMARY:
        group, _, what = feature.rpartition("_")
        return PART_OF.get(group, group) if what == "conflict" else "facts"
    if is_evidence(feature):
        return feature.rpartition("_")[0]
    if "_repeats_" in feature:
        return f"common_{feature.partition('_')[0]}"
    if feature in WORDS or feature.startswith(("words_", "grams_", "blend_")):
        return "title"
    return {"hash": "hash", "same": "hash", "image": "image", "colours": "colours"}.get(feature.partition("_")[0])


def _weights(families: Sequence[str], added: Sequence[float], texts: Sentences) -> dict[str, float]:
    """What each family adds; that of facts in general, the last, is shared out among the families with a sentence."""
    *of_families, facts = added
    weights = dict(zip(families, of_families, strict=True))
    sentences_of = _speaking(texts, facts)
    stated = [family for family in FACTS if family in sentences_of]
    return weights | {family: weights[family] + facts / len(stated) for family in stated}


def _reasons(weights: Mapping[str, float], texts: Sentences) -> tuple[Reason, ...]:
    """The weightiest, contradictions, others that weigh enough, the second weightiest; sorted by weight."""
    least = max(_LEAST_WEIGHT, _LEAST_SHARE * sum(map(abs, weights.values())))
    contradictions, others = list[Reason](), list[Reason]()
    for family in sorted(weights, key=lambda family: -abs(weights[family])):
        weight = weights[family]
        if weight and (text := _speaking(texts, weight).get(family)):
            kept = contradictions if weight <= -_LEAST_WEIGHT and family in texts.contradicted else others
            kept.append(Reason(text, weight))
    ranked = sorted([*contradictions, *others], key=_lightness)
    fit = [reason for reason in others if abs(reason.weight) >= least]
    second = [reason for reason in ranked[1:2] if abs(reason.weight) >= _LEAST_WEIGHT]
    chosen = dict.fromkeys([*ranked[:1], *contradictions, *fit, *second])
    shown = sorted([*chosen][:MOST_REASONS], key=_lightness)
    return tuple(Reason(_printable(reason.text), reason.weight) for reason in shown)


def _speaking(texts: Sentences, weight: float) -> Mapping[str, str]:
    """By family, the sentences for the same product where a weight is above 0, else those against it."""
    return texts.supporting if weight > 0 else texts.opposing


def _lightness(reason: Reason) -> float:
    return -abs(reason.weight)


def _printable(text: str) -> str:
    """A text in printable characters, cut where it is too long."""
    plain = text
    if not text.isprintable():
        plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= LONGEST_TEXT else plain[: LONGEST_TEXT - 1] + "…"
