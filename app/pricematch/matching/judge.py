"""A trained matcher over a catalogue: which postings are the same product, how sure that is, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.verdicts import NO_VERDICTS, Verdicts
from pricematch.errors import SignalNeeded, TargetUnknown
from pricematch.matching.index import MatchIndex
from pricematch.matching.judged_clusters import JudgedClusters
from pricematch.pairs.explanation import Explainer, Explanation
from pricematch.pairs.thresholds import F1, DecisionRule, SizeThresholds, Target, Thresholds
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle, parse_title, parse_titles

_OF_PICTURES, _OF_TITLES = {"hash", "image"}, {"title"}


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained matcher, and a catalogue that it has judged. Immutable, safe to use from several threads.

    Attributes:
        label: name and version of the matcher, `matcher/1`.
        catalogue: the postings.
        index: of them, in the same rows.
        thresholds: the matcher's.
        verdicts: what people said of pairs of postings; it overrules probabilities.
    """

    label: str
    catalogue: Catalogue
    index: MatchIndex
    thresholds: SizeThresholds
    verdicts: Verdicts = NO_VERDICTS

    @property
    def signals(self) -> Sequence[str]:
        """What it judges by."""
        return self.index.model.signals

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Length of the embeddings it judges by, by the name of the evidence's space."""
        return self.index.extractor.dimensions

    @property
    def versions(self) -> Mapping[str, str]:
        """Its name and version."""
        name, _, version = self.label.partition("/")
        return {name: version}

    @cached_property
    def clusters(self) -> JudgedClusters:
        """The clusters of the catalogue."""
        return JudgedClusters(self.index, self.catalogue, self.verdicts)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.index.model.feature_names, self.index.extractor.titles_with)

    def features_of(
        self,
        postings: Sequence[Posting],
        embeddings: Mapping[str, Embeddings],
        hashes: Sequence[str | None],
        digests: Sequence[bytes | None],
    ) -> Features:
        """What postings carry for it.

        Args:
            postings: n.
            embeddings: float32 [n, d] of their pictures by the evidence's space, zeros where there is none; a space
                that is left out has none.
            hashes: n, of their pictures, where they bring no hash of their own.
            digests: n, SHA-256 of their pictures.
        """
        every = {name: np.zeros((len(postings), size), np.float32) for name, size in self.dimensions.items()}
        own = [posting.image_phash or computed for posting, computed in zip(postings, hashes, strict=True)]
        return Features.of([posting.title for posting in postings], own, {**every, **embeddings}, digests)

    def changed(self, catalogue: Catalogue, put: Features) -> "Judge":
        """The judge of a changed catalogue, of whose new rows this is what they carry."""
        index = self.index.without(np.flatnonzero(~catalogue.alive[: self.index.span]))
        return replace(self, catalogue=catalogue, index=index.with_added(put) if len(put) else index)

    def bar(self, target: Target | None, min_probability: float | None) -> DecisionRule:
        """What decides: a probability, or the thresholds of a target (F1 where none is named) at this catalogue's size.

        Raises:
            TargetUnknown: the matcher has none for that target.
        """
        if min_probability is not None:
            return DecisionRule(None, Thresholds(min_probability, min_probability))
        try:
            return DecisionRule(target or F1, self.thresholds.at(target or F1, max(1, len(self.index))))
        except ValueError as error:
            raise TargetUnknown(str(error)) from error

    def check_judges_by(self, *, picture: bool = False, title: bool = False) -> None:
        """Raise SignalNeeded where it can make nothing of what is sent: a picture, a title, or both."""
        if not ((_OF_PICTURES if picture else set()) | (_OF_TITLES if title else set())) & set(self.signals):
            raise SignalNeeded(f"the matcher judges by {' and '.join(self.signals)}: send what it needs")

    def of(self, row: int, bar: DecisionRule) -> "Found":
        """The matches of a posting of the catalogue; those that somebody said are the same come first."""
        said = self.verdicts.of(self.catalogue[row].posting_id)
        decided = self.catalogue.located(sorted(said))
        same = np.array([other for posting_id, other in decided.items() if said[posting_id] == "same"], np.int32)
        rows, probabilities = self.index.candidates_of(row)
        free = ~np.isin(rows, list(decided.values()))
        rows, probabilities = self._sorted(rows[free], probabilities[free])
        count = bar.count(probabilities, fallback=not len(same))
        rows = np.concatenate([same, rows[:count]])
        probabilities = np.concatenate([np.ones(len(same)), probabilities[:count]])
        title = parse_title(self.catalogue[row].title)
        return Found(title, rows, probabilities, lambda kept: self.index.features_of(row, rows[kept]), len(same))

    def pair(self, row: int, other: int) -> "Found":
        """One pair of postings of the catalogue, whatever its probability is; told as 0 where it is no candidate."""
        candidates, probabilities = self.index.candidates_of(row)
        said = probabilities[candidates == other] if (candidates == other).any() else np.zeros(1)
        others, title = np.array([other], np.int32), parse_title(self.catalogue[row].title)
        return Found(title, others, said, lambda kept: self.index.features_of(row, others[kept]))

    def new(self, posting: Features, bar: DecisionRule) -> "Found":
        """The matches of a posting that is not of the catalogue.

        Args:
            posting: what the one posting carries.
            bar: what decides.

        Raises:
            SignalNeeded: it carries nothing that the matcher judges by.
        """
        pictured = posting.hashes.known.any() or any(vectors.any() for vectors in posting.embeddings.values())
        self.check_judges_by(picture=bool(pictured), title=any(posting.titles))
        found = self.index.query(posting)
        rows, probabilities = found.pairs.right, found.pairs.probabilities
        order = self._order(rows, probabilities)
        chosen = order[: bar.count(probabilities[order])]
        features = found.features[chosen]
        return Found(found.titles[0], rows[chosen], probabilities[chosen], features.__getitem__)

    def explained(self, found: "Found", kept: NDArray[np.intp]) -> list[Explanation]:
        """How the matches at some positions are the same product, and why; costs about a millisecond each."""
        with stage("score"):
            titles = parse_titles(self.catalogue[row].title for row in found.rows[kept])
            features = found.features(kept)
            return self._explainer.explain(features, self.index.model.contributions(features), found.title, titles)

    def _sorted(
        self, rows: NDArray[np.int32], probabilities: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        order = self._order(rows, probabilities)
        return rows[order], probabilities[order]

    def _order(self, rows: NDArray[np.int32], probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
        """The surest first, equal ones by their ids, whatever rows they got."""
        posting_ids = np.array([self.catalogue[row].posting_id for row in rows], np.str_)
        return np.lexsort((posting_ids, -probabilities))


@dataclass(frozen=True, eq=False)
class Found:
    """The matches of one posting, the surest first, equal ones by their ids.

    Attributes:
        title: its own.
        rows: int32 [m], of the catalogue.
        probabilities: float64 [m].
        features: those (`PairModel.feature_names`) of the matches at positions intp [k], float32 [k, f].
        decided: how many of them, the first ones, somebody said are the same.
    """

    title: ParsedTitle
    rows: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    features: Callable[[NDArray[np.intp]], NDArray[np.float32]]
    decided: int = 0
