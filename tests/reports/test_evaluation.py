"""The page of an evaluation, read as a browser reads it."""

from collections.abc import Sequence
from math import inf

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.errors import ImageUnavailable
from pricematch.evaluation.matcher_evaluation import MatcherCase, evaluate_matcher
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signal_evaluation import Evaluation, evaluate
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from pricematch.reports.evaluation import evaluation_page, shown_names
from pricematch.reports.page import Thumbnails, thumbnail
from tests.support.browser import Page
from tests.support.catalogues import features_of, groups_of, labelled_postings
from tests.support.matchers import tiny_model

POSTINGS = labelled_postings(120)


def evaluated(postings: Sequence[Posting], *names: str) -> Evaluation:
    return evaluate(features_of(postings), names, number_groups(groups_of(postings)), 2, 0, lambda *_: None)


def page_of(postings: Sequence[Posting], *names: str, images: Thumbnails | None = None) -> Page:
    return Page(evaluation_page(evaluated(postings, *names), postings, "catalogue.csv", images, 0))


@pytest.fixture(scope="module")
def both() -> Evaluation:
    return evaluated(POSTINGS, "hash", "title")


@pytest.fixture(scope="module")
def html(both: Evaluation) -> str:
    """The page of both signals, without images."""
    return evaluation_page(both, POSTINGS, "catalogue.csv", None, 0)


def test_the_page_is_whole_and_loads_nothing(both: Evaluation, html: str) -> None:
    page = Page(html)
    assert page.headings() == ["signals", "recall", "sizes", "catalogues", "mistakes", "worst", "best"]
    assert page.alts() == [
        "hash: F1, precision and recall over the threshold",
        "hash: similarity of pairs of the same and of different groups",
        "title: F1, precision and recall over the threshold",
        "title: similarity of pairs of the same and of different groups",
        "recall at k",
        "F1 by group size",
        "F1 by catalogue size",
    ]
    assert page.needs_nothing_beside_itself()
    for figure in (both.together.scores.mean_f1, both.alone["hash"].scores.mean_f1, *both.together.interval):
        assert f"{figure:.4f}" in page.text
    assert f"{both.curves['hash'].at(np.array([1 - 8 / 64])).f1[0]:.10f}" in page.text
    assert "Name their folder with --images" in page.text


def test_no_share_is_shown_of_answers_nobody_got(both: Evaluation) -> None:
    groups, never, sure = number_groups(groups_of(POSTINGS)), Thresholds(inf, inf), Thresholds(0.9, 0.9)
    stored = SizeThresholds((1,), {F1: [sure], Target(0.9): [sure], Target(0.99): [never]})
    features = features_of(POSTINGS)
    everybody = np.ones(len(POSTINGS), bool)
    case = MatcherCase(features, groups, everybody, tiny_model(["hash", "title"]), stored)
    found = evaluate_matcher(case, 0, lambda *_: None)
    rows = Page(evaluation_page(both, POSTINGS, "catalogue.csv", None, 0, found, "matcher/1")).rows()
    right, answered = (f"{value:.4f}" for value in (found.pairwise.precision, found.pairwise.recall))
    assert ["precision:0.90", right, answered] in rows
    assert ["120", "precision:0.90", "0.9000", right, answered, right, answered] in rows
    assert ["precision:0.99", "–", "0.0000"] in rows
    assert ["120", "precision:0.99", "never", "–", "0.0000", "–", "0.0000"] in rows


def test_what_stands_in_the_catalogue_is_escaped() -> None:
    evil = '<script>alert("1")</script>'
    postings = [
        Posting(f"p{row}", evil, f"{evil} tas", "0" * 16, evil if row < 3 else f"{evil}{row}") for row in range(8)
    ]
    for images in (None, Thumbnails({}, {evil: ImageUnavailable(f"no {evil}")})):
        page = page_of(postings, "hash", "title", images=images)
        assert page.text.count(evil) >= 8
        assert "script" not in {tag for tag, _ in page.tags}


def test_groups_and_mistakes_are_shown_with_images(both: Evaluation) -> None:
    """Missing images are named."""
    names = shown_names(both, POSTINGS)
    drawn = {name: thumbnail(np.zeros((8, 8, 3), np.uint8), f"image {name}") for name in names[1:]}
    images = Thumbnails(drawn, {names[0]: ImageUnavailable("it is gone")})
    page = Page(evaluation_page(both, POSTINGS, "catalogue.csv", images, 0))
    assert set(page.alts()[7:]) == {f"image {name}" for name in names[1:]}
    assert f"{names[0]}: it is gone" in page.text
    assert "1 image could not be shown" in page.text
    assert "no usable image" in page.text
    first, second = (POSTINGS[row] for row in (both.mistakes[0].first, both.mistakes[0].second))
    assert {first.image, second.image} <= set(names)
    for group in [*both.worst, *both.best]:
        assert {POSTINGS[row].image for row in group.rows[:8]} <= set(names)


def test_without_images_titles_are_listed_instead(both: Evaluation, html: str) -> None:
    page = Page(html)
    for mistake in both.mistakes:
        for row in (mistake.first, mistake.second):
            assert POSTINGS[row].title in page.text
            assert POSTINGS[row].posting_id in page.text


def test_one_signal_needs_no_line_for_all_together(html: str) -> None:
    assert "together" in Page(html).text.split("Thresholds are those")[0]
    assert "together" not in page_of(POSTINGS, "title").text.split("Thresholds are those")[0]


@pytest.mark.parametrize("title", ["tas", ""])
def test_a_catalogue_without_matches_has_a_page(title: str) -> None:
    postings = [Posting(f"p{row}", None, title, None, f"group {row}") for row in range(4)]
    page = page_of(postings, "hash", "title")
    assert "None: every group is found whole." in page.text
    assert "None: no match is wrong." in page.text
    assert "None: no group has two postings." in page.text
    assert "hash nevertitle never" in page.text
