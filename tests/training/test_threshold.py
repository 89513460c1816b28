"""Which postings a threshold is picked on, and how it gets into a manifest."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.curves import SimilarityThreshold
from pricematch.formats.manifest import PickedOn
from pricematch.training.threshold import described, judged_postings

NAMES = ["a.png", "b.png", "c.png"]
POSTINGS = [
    Posting("p0", "b.png", label_group="1"),
    Posting("p1", "a.png", label_group="1"),
    Posting("p2", None, label_group="1"),
    Posting("p3", "b.png", label_group="2"),
    Posting("p4", "bad.png", label_group="2"),
    Posting("p5", "c.png"),
    Posting("p6", "c.png", label_group="2"),
]


def test_postings_that_show_no_good_picture_are_left_out_and_those_that_share_one_are_not() -> None:
    judged = judged_postings(POSTINGS, NAMES)
    assert judged.pictures.tolist() == [1, 0, 1, 2, 2]  # p0, p1, p3, p5, p6
    assert judged.groups.tolist() == [0, 0, 1, -1, 1]
    assert judged.judged.tolist() == [True, True, True, False, True]


def test_groups_that_were_learnt_from_are_searched_and_not_judged() -> None:
    judged = judged_postings(POSTINGS, NAMES, {"1"})
    assert judged.groups.tolist() == [0, 0, 1, -1, 1]
    assert judged.judged.tolist() == [False, False, True, False, True]


def test_without_postings_nothing_is_judged() -> None:
    assert judged_postings([], NAMES).threshold("cae", lambda: np.ones((3, 2), np.float32), lambda *_: None) is None


@pytest.mark.parametrize("learnt", [{"1"}, {"1", "2"}])
def test_nothing_is_embedded_where_too_few_groups_are_judged(learnt: set[str]) -> None:
    def never() -> NDArray[np.float32]:
        raise AssertionError("embedded")

    assert judged_postings(POSTINGS, NAMES, learnt).threshold("cae", never, lambda *_: None) is None


def test_each_posting_is_searched_by_the_output_of_its_picture() -> None:
    told: list[tuple[str, int, int]] = []
    outputs = np.array([[1, 0], [2, 0.2], [0, 5]], np.float32)
    picked = judged_postings(POSTINGS, NAMES).threshold("cae", lambda: outputs, lambda *step: told.append(step))
    assert picked is not None
    assert (picked.postings, picked.groups, picked.catalogue) == (4, 2, 5)
    assert told == [("Picking the threshold of cae", 5, 5)]


def test_a_threshold_goes_into_the_manifest_with_what_it_was_picked_on() -> None:
    fields = described(SimilarityThreshold(0.75, 0.5, postings=4, groups=2, catalogue=5))
    picked_on = PickedOn(postings=4, groups=2, catalogue=5, mean_f1=0.5)
    assert fields == {"threshold": 0.75, "threshold_picked_on": picked_on}
    assert described(None) == {"threshold": None, "threshold_picked_on": None}
