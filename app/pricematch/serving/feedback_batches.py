"""Batches of feedback: which decisions are meant, what they would do, and how many of them are expected to be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

from pricematch.catalogue.feedback import Contradiction, Feedback, contradictions
from pricematch.catalogue.feedback_batches import BatchCounts, FeedbackBatch, PairDecision, counted
from pricematch.catalogue.products import Kind
from pricematch.catalogue.records import NO_REMARK, Decision, FeedbackChange, Remark
from pricematch.errors import ConditionFailed, ItemsRefused, LimitExceeded
from pricematch.matching.pair_probabilities import pair_probabilities, undecided_pairs
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.products import followed
from pricematch.matching.queries import Calibrated
from pricematch.serving.intake import Intake
from pricematch.serving.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class PairSelection:
    """One decision on all undecided pairs of some probabilities, both included."""

    decision: Decision
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Which decisions a batch makes.

    Attributes:
        decisions: each by itself, or on all pairs of a selection.
        remark: of all.
        version: the catalogue's, if it has to be that one.
        max_pairs: of a selection.
    """

    decisions: Sequence[PairDecision] | PairSelection
    remark: Remark = NO_REMARK
    version: int | None = None
    max_pairs: int = 10_000


@dataclass(frozen=True, slots=True)
class BatchPreview:
    """What a batch would do.

    Attributes:
        version: of the catalogue that it is of.
        counts: by pairs.
        expected_wrong: of the decisions that it would make, the number of wrong ones to be expected; None where there
            are no probabilities.
        probabilities: what these are.
        contradictions: those that it would make.
        merged, split: products that would be part of others, or lose postings to others; None where none are kept.
    """

    version: int
    counts: BatchCounts
    expected_wrong: float | None
    probabilities: Calibrated | None
    contradictions: Sequence[Contradiction]
    merged: int | None
    split: int | None


def decide_each(intake: Intake, options: BatchOptions) -> tuple[FeedbackBatch, int]:
    """Make the decisions of a batch, all of them or none, and the catalogue's version that has them.

    Raises:
        ConditionFailed: the catalogue is of another version.
        ItemsRefused, LimitExceeded, MatcherNeeded: they cannot be made.
        StoreError: they cannot be kept.
    """
    decisions = _decisions(intake.snapshots.settled(), options)
    selected = isinstance(options.decisions, PairSelection)
    return intake.decide_each(decisions, options.remark, options.version, undecided=selected)


def preview(intake: Intake, options: BatchOptions) -> BatchPreview:
    """What `decide_each` would do; nothing is changed. Raises as it does, but for StoreError."""
    snapshot = intake.snapshots.settled()
    decisions, feedback, search = _decisions(snapshot, options), snapshot.matcher.feedback, snapshot.matcher.probability
    before = [feedback.of(it.left).get(it.right) for it in decisions]
    changes = [it for it, was in zip(decisions, before, strict=True) if was != it.decision]
    after = feedback.changed(FeedbackChange(*it.pair, 0, it.decision) for it in changes)
    known = {(it.first, it.second) for it in contradictions(feedback)}
    made = [it for it in contradictions(after) if (it.first, it.second) not in known]
    kinds = _product_changes(snapshot, after)
    return BatchPreview(
        version=snapshot.version,
        counts=counted(decisions, before),
        expected_wrong=None if search is None else _expected_wrong(search, changes),
        probabilities=None if search is None else search.probabilities,
        contradictions=made,
        merged=None if kinds is None else kinds.count("merged"),
        split=None if kinds is None else kinds.count("split"),
    )


def _decisions(snapshot: Snapshot, options: BatchOptions) -> Sequence[PairDecision]:
    """The decisions that are meant, on pairs of a snapshot; raises as `decide_each`."""
    if options.version not in (None, snapshot.version):
        raise ConditionFailed(
            f"expected version {options.version} of the catalogue, and it is of version {snapshot.version}"
        )
    chosen = options.decisions
    if isinstance(chosen, PairSelection):
        pairs = undecided_pairs(snapshot.matcher.trained("a selection of pairs"), chosen.least, chosen.most)
        if len(pairs) > options.max_pairs:
            raise LimitExceeded(f"expected at most {options.max_pairs} pairs of these probabilities, got {len(pairs)}")
        return [PairDecision(*pair, chosen.decision) for pair in pairs]
    if faults := list(_faults(snapshot, chosen)):
        raise ItemsRefused(faults)
    return chosen


def _faults(snapshot: Snapshot, decisions: Sequence[PairDecision]) -> list[tuple[str, str]]:
    """What is wrong with decisions, and with which."""
    catalogue, first, faults = snapshot.matcher.catalogue, dict[tuple[str, str], int](), list[tuple[str, str]]()
    for place, it in enumerate(decisions):
        name = f"decisions.{place}"
        ends = {"left": it.left, "right": it.right}
        gone = [
            (f"{name}.{end}", f"no posting has the id {ends[end]!r}") for end in ends if not catalogue.holds(ends[end])
        ]
        if it.left == it.right:
            faults.append((f"{name}.right", "expected another posting, got the same"))
        elif gone:
            faults += gone
        elif (earlier := first.setdefault(it.pair, place)) != place:
            faults.append((name, f"expected each pair once, got that of decisions.{earlier} again"))
    return faults


def _expected_wrong(search: ProbabilitySearch, decisions: Sequence[PairDecision]) -> float:
    """The sum of 1 − p over pairs that are said to be the same, and of p over the others."""
    same = pair_probabilities(search, [it.pair for it in decisions if it.decision == "same"])
    different = pair_probabilities(search, [it.pair for it in decisions if it.decision == "different"])
    return float((1 - same).sum() + different.sum())


def _product_changes(snapshot: Snapshot, feedback: Feedback) -> list[Kind] | None:
    """How products would change with other feedback; None where there are none."""
    search, products = snapshot.matcher.probability, snapshot.products
    if search is None or products is None:
        return None
    first = 1 + int(products.partition.numbers.max(initial=0))
    _, changes = followed(products.partition, search, search.with_feedback(feedback), first)
    return [it.kind for it in changes]
