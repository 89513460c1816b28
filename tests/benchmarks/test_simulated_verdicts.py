"""Verdicts are simulated by label groups."""

from dataclasses import replace

import numpy as np
from simulated_verdicts import simulate

from pricematch.catalogue.feedback import Feedback
from pricematch.evaluation.metrics import number_groups
from pricematch.matching.probability import ProbabilitySearch
from tests.support.catalogues import labelled_postings
from tests.support.matchers import scored_search

POSTINGS = labelled_postings(80, 1)
GROUPS = number_groups([posting.label_group or posting.posting_id for posting in POSTINGS])


def unmoved(search: ProbabilitySearch, feedback: Feedback) -> ProbabilitySearch:
    """A matcher that learns nothing."""
    return replace(search, feedback=feedback)


def test_a_matcher_that_learns_nothing_keeps_its_figures() -> None:
    """Verdicts overrule nothing in them."""
    found = list(simulate(scored_search(POSTINGS, ["title"]), GROUPS, unmoved, (0, 10, 15)))
    assert [it.verdicts for it in found] == [0, 10, 15]
    assert len({(it.f1, it.calibration_error, it.right) for it in found}) == 1


def test_a_matcher_is_moved_from_its_start_by_all_verdicts() -> None:
    """One that learns the truth of them at once is right; label groups are what the person says."""
    start, given = scored_search(POSTINGS, ["title"]), list[Feedback]()

    def knowing(search: ProbabilitySearch, feedback: Feedback) -> ProbabilitySearch:
        assert search is start
        given.append(feedback)
        pairs = search.index.base
        rows = search.nodes.standing(search.catalogue.alive, search.catalogue.by_id)
        truth = (GROUPS[rows[pairs.left]] == GROUPS[rows[pairs.right]]).astype(np.float64)
        base = replace(pairs, probabilities=truth)
        return replace(search, index=replace(search.index, base=base), feedback=feedback)

    before, after = simulate(start, GROUPS, knowing, (0, 12))
    assert [len(it) for it in given] == [10, 12]
    group_of = dict(zip((posting.posting_id for posting in POSTINGS), GROUPS.tolist(), strict=True))
    assert all((group_of[one] == group_of[other]) == (said == "same") for one, other, said in given[-1])
    assert after.f1 > before.f1
    assert after.calibration_error < before.calibration_error


def test_where_no_pair_is_left_there_are_fewer_verdicts() -> None:
    found = list(simulate(scored_search(POSTINGS[:3], ["title"]), GROUPS[:3], unmoved, (0, 10)))
    assert found[1].verdicts < 4
