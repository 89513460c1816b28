"""The search by probability over a match index: matches of queries and of stored postings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import Catalogue
from pricematch.errors import SignalNeeded, TargetUnknown
from pricematch.matching.index import MatchIndex, QueryPairs, ScoredFeatures
from pricematch.matching.nodes import Nodes, ScoredNodes, node_keys, spread
from pricematch.matching.probability_clusters import ProbabilityClusters
from pricematch.matching.queries import Calibrated
from pricematch.pairs.default_model import EvidenceScorer
from pricematch.pairs.explanation import Explainer, Explanation
from pricematch.pairs.home import Homing
from pricematch.pairs.model import PairModel, ScoredPairs
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, DecisionRule, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress, silent
from pricematch.stages import stage
from pricematch.titles.normalise import ParsedTitle, parse_shown_title

Teacher: TypeAlias = Callable[[PairModel, PairFeatureExtractor, NDArray[np.integer]], tuple[PairModel, int]]
"""Teaches a model by feedback, given what extracts the features of nodes and the node of each row; see
`pricematch.learning.verdicts.VerdictTeacher`."""
ENOUGH_VERDICTS = 20
"""Verdicts from which on the probabilities of the default model count as calibrated on this catalogue."""
FOREIGN = 0.5
"""Share of being away from which on a trained model's probabilities count as estimated."""
_OF_IMAGES, _OF_TITLES = {"hash", "image"}, {"title"}


@dataclass(frozen=True, eq=False)
class RankedMatches:
    """The matches of one posting: decided ones, then the most probable, equally probable ones by their ids.

    Attributes:
        title: of the query; None for a stored posting, whose title is read where matches are explained.
        row: of the posting; −1 for a query.
        image: its image key, 0 where it has none.
        rows: int32 [m], of its matches.
        probabilities: float64 [m].
        features: of the pairs; None where they are computed from the rows.
        decided: how many of the matches, the first ones, are the same by feedback.
    """

    title: ParsedTitle | None
    row: int
    image: int
    rows: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    features: ScoredFeatures | None = None
    decided: int = 0


@dataclass(frozen=True, eq=False)
class ProbabilitySearch:
    """A catalogue with a match index over it. Immutable, safe to use from several threads.

    Attributes:
        label: name and version of the matcher, `matcher/1` or `matcher/default`.
        catalogue: the postings.
        index: of the nodes that they are of.
        nodes: which posting is of which.
        images: uint64 [span], image keys of the rows, 0 where there is none that says anything.
        thresholds: the matcher's.
        changes: how many postings came or went, or got another node, since all were scored together.
        feedback: people's decisions on pairs of postings, which overrule probabilities.
        verdicts: how many of them the model has learned from.
        untaught: whether there is feedback that it could learn from and has not.
        distance, away: of the catalogue from those the model learned on, and the share by which it is shrunk for that.
    """

    label: str
    catalogue: Catalogue
    index: MatchIndex
    nodes: Nodes
    images: NDArray[np.uint64]
    thresholds: SizeThresholds
    changes: int = 0
    feedback: Feedback = NO_FEEDBACK
    verdicts: int = 0
    untaught: bool = False
    distance: float = 0.0
    away: float = 0.0

    @classmethod
    def build(
        cls,
        label: str,
        catalogue: Catalogue,
        features: Features | ParsedFeatures,
        model: PairModel,
        thresholds: SizeThresholds,
        progress: Progress = silent,
        scored: ScoredNodes | None = None,
        teacher: Teacher | Homing | None = None,
    ) -> "ProbabilitySearch":
        """The search of a catalogue whose first n rows, alive or not, are scored together; others are to be `placed`.

        The other arguments are those of `MatchIndex.build`; `scored` is what was found of the same rows before, and
        `teacher` teaches the model before they are scored, or shrinks it where it is not at home.
        """
        parsed = ParsedFeatures.of(features) if isinstance(features, Features) else features
        rows = np.arange(len(parsed))
        nodes, first = Nodes.of(node_keys(parsed, model.signals) if scored is None else scored.keys)
        alive = catalogue.alive[: len(parsed)]
        standing = nodes.standing(alive, rows)  # embeddings are known of those that are there
        chosen = parsed.select(np.where(standing < 0, first, standing))
        pairs, found = (None, None) if scored is None else (scored.pairs, scored.found)
        verdicts, distance, away = 0, 0.0, 0.0

        def taught(extractor: PairFeatureExtractor) -> PairModel:
            nonlocal verdicts, distance, away
            if teacher is None:
                return model
            if isinstance(teacher, Homing):
                distance, away = teacher.away(extractor)
                return teacher.model(model, away) if away else model
            better, verdicts = teacher(model, extractor, nodes.of_row)
            return better

        index = MatchIndex.build(chosen, model, progress, pairs, found, nodes.copies, taught)
        index = replace(index, alive=standing >= 0)
        gone = int((~alive).sum())
        if isinstance(teacher, Homing) and away:
            thresholds = teacher.settled(thresholds, away)
        search = cls(label, catalogue, index, nodes, parsed.features.images, thresholds, gone, verdicts=verdicts)
        return replace(search, distance=distance, away=away)

    @property
    def signals(self) -> Sequence[str]:
        """What the pair model compares."""
        return self.index.model.signals

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Length of the embeddings it compares, by retriever."""
        return self.index.extractor.dimensions

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of the matcher."""
        name, _, version = self.label.partition("/")
        return {name: version}

    @property
    def probabilities(self) -> Calibrated:
        """Whether label groups or enough verdicts of this catalogue, or one like it, have taught the probabilities."""
        if self.away >= FOREIGN:
            return "estimated"
        return "calibrated" if not self.teachable or self.verdicts >= ENOUGH_VERDICTS else "estimated"

    @property
    def teachable(self) -> bool:
        """Whether verdicts move the pair model: the default one only."""
        return isinstance(self.index.model.first, EvidenceScorer)

    @property
    def scored(self) -> ScoredNodes:
        """What was found when all were scored together; of a search that has not changed since."""
        return ScoredNodes(self.nodes.keys[self.nodes.of_row], self.index.extractor.found, self.index.base)

    @property
    def pairs(self) -> ScoredPairs:
        """The candidate pairs of all postings by their rows, those of equal ones among them."""
        rows = self.catalogue.rows
        left, right, probabilities = spread(self.nodes.of_row[rows], self.index.pairs, self.nodes)
        left, right = rows[left].astype(np.int32), rows[right].astype(np.int32)
        return ScoredPairs(left, right, probabilities, probabilities)

    @cached_property
    def clusters(self) -> ProbabilityClusters:
        """The clusters of the catalogue."""
        return ProbabilityClusters(self.catalogue, self.nodes, self.index, self.feedback, self.query)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.index.model.feature_names, self.index.extractor.word_counts)

    def placed(self, catalogue: Catalogue, rows: NDArray[np.integer], features: Features) -> "ProbabilitySearch":
        """The search of a changed catalogue.

        Args:
            catalogue: the changed one.
            rows: [k], new ones, the first of them that are not placed yet, and such as have other features now.
            features: k, of these rows.
        """
        before, alive = len(self.nodes.of_row), catalogue.alive
        gone = self.catalogue.alive[:before] & ~alive[:before]
        parsed = ParsedFeatures.of(features)
        nodes, fresh = self.nodes.placed(rows, node_keys(parsed, self.signals), self.index.alive)
        there = nodes.alive(alive[: len(nodes.of_row)])
        index = replace(self.index, alive=there[: self.index.span])
        if len(fresh):
            index = index.with_added(features.select(fresh))
        images = np.zeros(len(nodes.of_row), np.uint64)
        images[:before] = self.images
        images[rows] = features.images
        return replace(
            self,
            catalogue=catalogue,
            index=replace(index, alive=there),
            nodes=nodes,
            images=images,
            changes=self.changes + len(rows) + int(gone.sum()),
        )

    def with_feedback(self, feedback: Feedback) -> "ProbabilitySearch":
        """The same with other feedback, which overrules probabilities at once and teaches when all is scored anew."""
        return replace(self, feedback=feedback, untaught=self.teachable)

    def rule(self, target: Target | None, min_probability: float | None) -> DecisionRule:
        """The decision rule: a probability, or the thresholds of a target (F1 where none is named) at this size.

        Raises:
            TargetUnknown: the matcher has none for that target.
        """
        if min_probability is not None:
            return DecisionRule(None, Thresholds(min_probability, min_probability))
        try:
            return DecisionRule(target or F1, self.thresholds.at(target or F1, max(1, len(self.catalogue))))
        except ValueError as error:
            raise TargetUnknown(str(error)) from error

    def compares(self, *, image: bool = False, title: bool = False) -> bool:
        """Whether the pair model compares anything of an image, a title, or both."""
        return not ((_OF_IMAGES if image else set()) | (_OF_TITLES if title else set())).isdisjoint(self.signals)

    def check_signals(self, *, image: bool = False, title: bool = False) -> None:
        """Raise SignalNeeded where the pair model compares nothing of what is sent: an image, a title, or both."""
        if not self.compares(image=image, title=title):
            raise SignalNeeded(f"the matcher compares by {' and '.join(self.signals)}: send what it needs")

    def query(self, features: Features) -> QueryPairs:
        """Score postings that are not there, see `MatchIndex.query`; those equal to a node are the same for sure."""
        found, span = self.index.query(features), self.index.span
        keys = np.concatenate([self.nodes.keys, node_keys(ParsedFeatures(features, found.titles), self.signals)])
        left, right = keys[found.pairs.left], keys[found.pairs.right]
        equal = (left == right) & (left != 0) & (found.pairs.left >= span)
        probabilities = np.where(equal, 1.0, found.pairs.probabilities)
        return replace(found, pairs=replace(found.pairs, probabilities=probabilities))

    def matches_of(self, row: int, rule: DecisionRule) -> RankedMatches:
        """The matches of a stored posting; those that are the same by feedback come first."""
        feedback = self.feedback.of(self.catalogue[row].posting_id)
        decided = self.catalogue.located(sorted(feedback))
        same = np.array([other for posting_id, other in decided.items() if feedback[posting_id] == "same"], np.int32)
        rows, probabilities = self._candidates_of(row)
        free = ~np.isin(rows, [row, *decided.values()])
        rows, probabilities = rows[free], probabilities[free]
        image = int(self.images[row])
        order = self._order(rows, probabilities, rule, self._same_image(rows, image), fallback=not len(same))
        return RankedMatches(
            None,
            row,
            image,
            np.concatenate([same, rows[order]]),
            np.concatenate([np.ones(len(same)), probabilities[order]]),
            decided=len(same),
        )

    def pair(self, row: int, other: int) -> RankedMatches:
        """A pair of stored postings as if it matched; its probability is 0 where it is no candidate."""
        candidates, probabilities = self._candidates_of(row)
        found = probabilities[candidates == other]
        image = int(self.images[row])
        return RankedMatches(None, row, image, np.array([other], np.int32), found if len(found) else np.zeros(1))

    def matches(self, features: Features, rule: DecisionRule) -> RankedMatches:
        """The matches of one posting that is not stored.

        Raises:
            SignalNeeded: it has nothing that the pair model compares.
        """
        shown = features.hashes.known.any() or any(vectors.any() for vectors in features.embeddings.values())
        self.check_signals(image=bool(shown), title=any(features.titles))
        found, image = self.query(features), int(features.images[0])
        rows, place = self.nodes.rows_of(found.pairs.right, self.catalogue.alive)
        same = self._same_image(rows, image)
        every, probabilities = found.features.select(place), found.pairs.probabilities[place]
        # features are of nodes, and images of one node may differ in their bytes
        every, changed = every.with_feature(self.index.model, "same_image", same)
        probabilities[changed & (probabilities < 1)] = every.probabilities[changed & (probabilities < 1)]
        order = self._order(rows, probabilities, rule, same)
        return RankedMatches(found.titles[0], -1, image, rows[order], probabilities[order], every.select(order))

    def explain(self, found: RankedMatches, kept: NDArray[np.intp]) -> list[Explanation]:
        """Why the matches at some positions are matches; costs about a millisecond each."""
        with stage("score"):
            rows, of_row = found.rows[kept], self.nodes.of_row
            titles = [parse_shown_title(posting.title) for posting in self.catalogue.select(rows)]
            if found.features is None:
                scored = self.index.features_of(int(of_row[found.row]), of_row[rows])
            else:
                scored = found.features.select(kept)
            features, contributions = scored.values.copy(), scored.contributions(self.index.model)
            # features are of nodes, and images of one node may differ in their bytes
            features[:, self.index.model.feature_names.index("same_image")] = self._same_image(rows, found.image)
            title = parse_shown_title(self.catalogue[found.row].title) if found.title is None else found.title
            return self._explainer.explain(features, contributions, title, titles)

    def _candidates_of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The rows of a posting's candidates and of those equal to it, itself among them, and their probabilities."""
        node = int(self.nodes.of_row[row])
        candidates, probabilities = self.index.candidates_of(node)
        found, place = self.nodes.rows_of(np.append(candidates, node), self.catalogue.alive)
        return found, np.append(probabilities, 1.0)[place]

    def _same_image(self, rows: NDArray[np.integer], image: int) -> NDArray[np.float32]:
        """Whether some rows have the image of a key, float32 [m]; NaN where there is none."""
        if image == 0:
            return np.full(len(rows), np.nan, np.float32)
        return np.where(self.images[rows] == 0, np.nan, self.images[rows] == np.uint64(image)).astype(np.float32)

    def _order(
        self,
        rows: NDArray[np.int32],
        probabilities: NDArray[np.float64],
        rule: DecisionRule,
        same_image: NDArray[np.float32],
        *,
        fallback: bool = True,
    ) -> NDArray[np.intp]:
        """Which candidates match, the most probable first, of equal ones the same image first, then by their ids."""
        near = np.flatnonzero(probabilities >= rule.thresholds.fallback)
        posting_ids = np.array(self.catalogue.ids_of(rows[near]), np.str_)
        order = near[np.lexsort((posting_ids, same_image[near] != 1, -probabilities[near]))]
        return order[: rule.count(probabilities[order], fallback=fallback)]
