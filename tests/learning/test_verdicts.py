"""Verdicts move the default pair model, and no other."""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.records import Decision, FeedbackChange
from pricematch.formats.default_matcher import read_default
from pricematch.learning.verdicts import VerdictTeacher
from pricematch.pairs.default_model import TERMS, TaughtScorer
from pricematch.pairs.feature_names import SIGNALS
from pricematch.pairs.model import PairModel, ScoredPairs, first_scores, second_scores
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.progress import silent
from tests.support.catalogues import drawn
from tests.support.matchers import tiny_model

COUNT = 40
ROWS: Mapping[str, int] = {f"p{row}": row for row in range(COUNT)}
OWN = np.arange(COUNT)
"""Each posting is a node of its own."""


@cache
def extractor() -> PairFeatureExtractor:
    return PairFeatureExtractor(drawn(COUNT, 5), SIGNALS)


@cache
def model() -> PairModel:
    return read_default().model


def feedback(said: Iterable[tuple[int, int, Decision]]) -> Feedback:
    """Decisions on pairs of rows."""
    return NO_FEEDBACK.changed(
        FeedbackChange(f"p{one}", f"p{other}", number, decision) for number, (one, other, decision) in enumerate(said)
    )


def taught(
    said: Iterable[tuple[int, int, Decision]], of_row: NDArray[np.integer] = OWN, rows: Mapping[str, int] = ROWS
) -> tuple[PairModel, int]:
    return VerdictTeacher(feedback(said), rows)(model(), extractor(), first(), of_row)


def weights(taught_model: PairModel) -> NDArray[np.float64]:
    assert isinstance(taught_model.second, TaughtScorer)
    return taught_model.second.weights


@cache
def first() -> NDArray[np.float64]:
    """First scores of all candidate pairs."""
    return first_scores(extractor(), model(), silent)


def scored(by: PairModel) -> ScoredPairs:
    """All candidate pairs."""
    return second_scores(extractor(), by, first(), silent)


def uncertain(count: int) -> list[tuple[int, int]]:
    """Candidate pairs whose probability is nearest a half."""
    pairs = scored(model())
    order = np.argsort(np.abs(pairs.probabilities - 0.5), kind="stable")[:count]
    return [(int(pairs.left[place]), int(pairs.right[place])) for place in order]


@pytest.mark.parametrize("decision", ["same", "different"])
def test_verdicts_move_probabilities_in_their_direction(decision: Decision) -> None:
    """Those of the very pairs on average, and of the others that are like them."""
    pairs = uncertain(12)
    found, count = taught([(*pair, decision) for pair in pairs])
    assert count == 12
    asked = np.array([extractor().candidates[0], extractor().candidates[1]]).T.tolist()
    places = [asked.index(list(pair)) for pair in pairs]
    moved = scored(found).probabilities - scored(model()).probabilities
    sign = 1 if decision == "same" else -1
    assert sign * moved[places].mean() > 0.05
    assert sign * moved.mean() > 0


def test_more_verdicts_move_it_further() -> None:
    """A few move it a little."""
    before = scored(model()).probabilities
    models = [taught([(*pair, "different") for pair in uncertain(count)])[0] for count in (1, 5, 25)]
    steps = [float(np.abs(scored(it).probabilities - before).sum()) for it in models]
    assert 0 < steps[0] < steps[1] < steps[2]


def test_the_order_of_verdicts_does_not_matter() -> None:
    """Nor which of the two postings is named first."""
    said: list[tuple[int, int, Decision]] = [
        (*pair, "same" if place % 3 else "different") for place, pair in enumerate(uncertain(20))
    ]
    turned: list[tuple[int, int, Decision]] = [(other, one, decision) for one, other, decision in reversed(said)]
    assert np.array_equal(weights(taught(said)[0]), weights(taught(turned)[0]))


def test_without_verdicts_nothing_is_learned() -> None:
    """The very model stays."""
    assert taught([]) == (model(), 0)


def test_two_postings_of_one_node_teach_nothing() -> None:
    """They are equal in all that is compared, so the verdict says nothing of what is compared; it counts as heeded."""
    of_row = OWN.copy()
    of_row[7] = 3
    assert taught([(3, 7, "different")], of_row) == (model(), 1)
    [pair] = uncertain(1)
    both, count = taught([(3, 7, "different"), (*pair, "same")], of_row)
    assert count == 2
    assert np.array_equal(weights(both), weights(taught([(*pair, "same")], of_row)[0]))


def test_verdicts_of_unknown_postings_are_ignored() -> None:
    """They are by id, and may be of postings that are no more or not yet there."""
    [pair] = uncertain(1)
    rows = {posting_id: row for posting_id, row in ROWS.items() if row != pair[0]}
    assert taught([(*pair, "same"), (COUNT, COUNT + 1, "same")], rows=rows) == (model(), 0)


def test_weights_stay_within_their_bounds() -> None:
    """Though all verdicts say that the most alike pairs are different."""
    left, right = extractor().candidates
    order = np.argsort(-first(), kind="stable")[:200]
    found, _ = taught([(int(left[place]), int(right[place]), "different") for place in order])
    *evidence, agreement = weights(found)
    for term, weight in zip(TERMS, evidence, strict=True):
        assert term.least <= weight <= term.most
    assert agreement >= 0


def test_what_does_not_travel_is_learned_here() -> None:
    """The weights of colours are 0 until verdicts of this catalogue teach them."""
    found, _ = taught([(*pair, "same") for pair in uncertain(25)])
    assert isinstance(found.second, TaughtScorer)
    by_name = found.second.evidence.by_term
    assert by_name["colours"] + by_name["colours_rank"] > 0


def test_the_graph_of_probabilities_stays() -> None:
    """The first regression is as shipped: what moves is what a pair's features and its neighbours' agreement mean."""
    found, _ = taught([(*pair, "same") for pair in uncertain(5)])
    assert found.first is model().first
    assert found.calibration is model().calibration


def test_a_verdict_of_what_was_said_moves_hardly_anything() -> None:
    """Where people say of pairs what the default does, at all probabilities, they confirm it.

    Of the pairs that are chosen by their final probability the first regression says something else: were it fitted to
    them, it would move though all is right.
    """
    pairs = scored(model())
    said: list[tuple[int, int, Decision]] = []
    for low in (0.1, 0.3, 0.5, 0.7):
        places = np.flatnonzero((pairs.probabilities >= low) & (pairs.probabilities < low + 0.2))[:40]
        right = round(float(pairs.probabilities[places].sum()))
        said += [
            (int(pairs.left[place]), int(pairs.right[place]), "same" if number < right else "different")
            for number, place in enumerate(np.random.default_rng(0).permutation(places))
        ]
    after = scored(taught(said)[0]).probabilities
    assert len(said) > 20
    assert abs(after.mean() - pairs.probabilities.mean()) < 0.02


def test_pairs_that_nobody_asks_about_stay_improbable() -> None:
    """Though all verdicts are `same`: they are on pairs of some probability, and most pairs have hardly any."""
    pairs = scored(model())
    low = pairs.probabilities < 0.02
    found, _ = taught([(*pair, "same") for pair in uncertain(6)])
    assert scored(found).probabilities[low].mean() < 2 * pairs.probabilities[low].mean() + 0.01


def test_a_trained_matcher_is_untouched() -> None:
    """Its label groups have taught it; `train matcher --verdicts` teaches it anew."""
    trained = tiny_model(("hash", "title"))
    own = PairFeatureExtractor(drawn(COUNT, 5), ("hash", "title"))
    teacher = VerdictTeacher(feedback([(0, 1, "same")]), ROWS)
    assert teacher(trained, own, first_scores(own, trained, silent), OWN) == (trained, 0)
