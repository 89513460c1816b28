"""The search by probability over a match index: a catalogue that is scored, changes, and is decided on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import NO_EVIDENCE, EvidenceFields
from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.layers import Layered, layers_replaced
from pricematch.catalogue.postings import Catalogue
from pricematch.errors import SignalNeeded, TargetUnknown
from pricematch.matching.index import MatchIndex, QueryPairs
from pricematch.matching.nodes import Nodes, ScoredNodes, node_keys, spread
from pricematch.matching.probability_clusters import ProbabilityClusters
from pricematch.matching.queries import Calibrated
from pricematch.pairs.default_model import EvidenceScorer
from pricematch.pairs.explanation import Explainer
from pricematch.pairs.home import Homing, Shrunk
from pricematch.pairs.model import PairModel, ScoredPairs
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, DecisionRule, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress, silent

Teacher: TypeAlias = Callable[
    [PairModel, PairFeatureExtractor, NDArray[np.float64], NDArray[np.integer]], tuple[PairModel, int]
]
"""Teaches a model's second scorer by feedback, given what extracts the features of nodes, the first scores of their
candidate pairs and the node of each row; see `pricematch.learning.verdicts.VerdictTeacher`."""
ENOUGH_VERDICTS = 20
"""Verdicts from which on the probabilities of the default model count as calibrated on this catalogue."""
FOREIGN = 0.5
"""Share of being away from which on a trained model's probabilities count as estimated."""
_OF_IMAGES, _OF_TITLES = {"hash", "image"}, {"title"}


@dataclass(frozen=True, eq=False)
class ProbabilitySearch:
    """A catalogue with a match index over it. Immutable, safe to use from several threads.

    Attributes:
        label: name and version of the matcher, `matcher/1` or `matcher/default`.
        catalogue: the postings.
        index: of the nodes that they are of.
        nodes: which posting is of which.
        images: uint64 [span], image keys of the rows, 0 where there is none that says anything; of all their images.
        thresholds: the matcher's.
        changes: how many postings came or went, or got another node, since all were scored together.
        feedback: people's decisions on pairs of postings, which overrule probabilities.
        verdicts: how many of them the model has learned from.
        untaught: whether there is feedback that it could learn from and has not.
        shrunk: how the matcher decides in this catalogue, and how far it is from home; `build` knows.
        evidence: the fields of metadata that features of postings are made of.
    """

    label: str
    catalogue: Catalogue
    index: MatchIndex
    nodes: Nodes
    images: Layered[NDArray[np.uint64]]
    thresholds: SizeThresholds
    changes: int = 0
    feedback: Feedback = NO_FEEDBACK
    verdicts: int = 0
    untaught: bool = False
    shrunk: Shrunk | None = None
    evidence: EvidenceFields = NO_EVIDENCE

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
        nodes, first = Nodes.of(node_keys(parsed, model.signals, model.fields) if scored is None else scored.keys)
        alive = catalogue.alive[: len(parsed)]
        standing = nodes.standing(alive, rows)  # embeddings are known of those that are there
        chosen = parsed.select(np.where(standing < 0, first, standing))
        pairs, found = (None, None) if scored is None else (scored.pairs, scored.found)
        verdicts, shrunk = 0, Shrunk(model, thresholds)

        def at_home(extractor: PairFeatureExtractor) -> PairModel:
            nonlocal shrunk
            if isinstance(teacher, Homing):
                shrunk = teacher.shrunk(extractor, model, thresholds)
            return shrunk.model

        def taught(now: PairModel, extractor: PairFeatureExtractor, first: NDArray[np.float64]) -> PairModel:
            nonlocal verdicts
            if teacher is None or isinstance(teacher, Homing):
                return now
            better, verdicts = teacher(now, extractor, first, nodes.of_row)
            return better

        index = MatchIndex.build(chosen, model, progress, pairs, found, nodes.copies, at_home, taught)
        index = replace(index, alive=standing >= 0)
        gone = int((~alive).sum())
        images = parsed.features.image_keys
        search = cls(label, catalogue, index, nodes, images, shrunk.thresholds, gone, verdicts=verdicts)
        return replace(search, shrunk=shrunk)

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
        if self.shrunk is not None and self.shrunk.away >= FOREIGN:
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
    def explainer(self) -> Explainer:
        """Says why two postings match."""
        model = self.index.model
        return Explainer(model.feature_names, self.index.extractor.word_counts, model.fields)

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
        nodes, fresh = self.nodes.placed(rows, self._keys(parsed), self.index.alive)
        there = nodes.alive(alive[: len(nodes.of_row)])
        index = replace(self.index, alive=there[: self.index.span])
        if len(fresh):
            index = index.with_added(features.select(fresh))
        images = np.zeros(len(nodes.of_row), np.uint64)
        images[:before] = self.images.first
        images[rows] = features.images
        more = layers_replaced(self.images.more, rows, features.image_keys.more)
        return replace(
            self,
            catalogue=catalogue,
            index=replace(index, alive=there),
            nodes=nodes,
            images=Layered(images, more),
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

    def allowed_nodes(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bool [nodes], which have one of some rows, bool [span], that are alive."""
        return self.nodes.alive(allowed[: len(self.nodes.of_row)])

    def query(self, features: Features, allowed: NDArray[np.bool_] | None = None) -> QueryPairs:
        """Score postings that are not there; those equal to a node are the same for sure.

        Args:
            features: of the postings.
            allowed: bool [span], rows that are alive, of which one posting may get more candidates; None: it gets none.
                See `MatchIndex.query_among`.
        """
        index, span = self.index, self.index.span
        found = index.query(features) if allowed is None else index.query_among(features, self.allowed_nodes(allowed))
        keys = np.concatenate([self.nodes.keys, self._keys(ParsedFeatures(features, found.titles))])
        left, right = keys[found.pairs.left], keys[found.pairs.right]
        equal = (left == right) & (left != 0) & (found.pairs.left >= span)
        probabilities = np.where(equal, 1.0, found.pairs.probabilities)
        return replace(found, pairs=replace(found.pairs, probabilities=probabilities))

    def _keys(self, features: ParsedFeatures) -> NDArray[np.uint64]:
        return node_keys(features, self.signals, self.index.model.fields)
