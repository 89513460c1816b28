"""Where a trained matcher is at home, and what becomes of it elsewhere."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.formats.default_matcher import read_default
from pricematch.matching.probability import ProbabilitySearch
from pricematch.pairs.calibration import PLATT, Calibration, log_odds
from pricematch.pairs.home import Home, Homing, MixedScorer, Shrunk, share_away
from pricematch.pairs.model import PairModel
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.thresholds import F1, SizeThresholds, Thresholds
from tests.support.catalogues import labelled_postings

DEFAULT, SIGNALS = read_default(), ("hash", "title")


def extractor(titles: Sequence[str], hashes: Sequence[str | None]) -> PairFeatureExtractor:
    return PairFeatureExtractor(Features.of(titles, hashes), SIGNALS)


def shop(seed: int) -> PairFeatureExtractor:
    postings = labelled_postings(300, seed)
    return extractor([it.title for it in postings], [it.image_phash for it in postings])


def foreign() -> PairFeatureExtractor:
    """A shop where every title is of the same words, in another order, and no two hashes are near."""
    random = np.random.default_rng(0)
    titles = [" ".join(random.permutation(["red", "tin", "cup", "lid"])[:3]) for _ in range(300)]
    return extractor(titles, [f"{value:016x}" for value in random.integers(0, 2**63, 300)])


@pytest.fixture(scope="module")
def homing() -> Homing:
    return Homing(Home.of(shop(0), DEFAULT.model), DEFAULT.model, DEFAULT.size_thresholds)


def test_the_catalogue_that_taught_is_at_home(homing: Homing) -> None:
    distance, away = homing.away(shop(0))
    assert distance == pytest.approx(0, abs=1e-6)
    assert away == 0


def test_another_draw_of_the_same_shop_is_at_home_and_another_shop_is_not(homing: Homing) -> None:
    (near, at_home), (far, away) = homing.away(shop(1)), homing.away(foreign())
    assert near < far
    assert at_home == 0
    assert away == 1


@pytest.mark.parametrize(("distance", "postings"), [(0.062, 365), (0.082, 269), (0.098, 63), (0.099, 2106)])
def test_the_other_half_of_a_shop_is_at_home(distance: float, postings: int) -> None:
    """The farthest that were measured of clothes, drawn goods, groceries and a marketplace."""
    assert share_away(distance, postings) == 0


@pytest.mark.parametrize(("distance", "postings"), [(0.145, 4001), (0.205, 600), (0.167, 714), (0.408, 150)])
def test_another_shop_is_not_at_home_at_all(distance: float, postings: int) -> None:
    """The nearest that were measured of matchers that are worse there than the default; but for a fiftieth."""
    assert share_away(distance, postings) >= 0.97


def test_a_sentence_says_what_is_better_where_the_encoder_is_foreign_too() -> None:
    model, thresholds = DEFAULT.model, DEFAULT.size_thresholds
    assert Shrunk(model, thresholds).sentence("matcher/1") == ""
    assert (
        Shrunk(model, thresholds, 0.05).sentence("matcher/1")
        == "matcher/1 is at home in this catalogue (distance 0.05)"
    )
    assert "of this catalogue's own" in Shrunk(model, thresholds, 0.5, 1.0).sentence("matcher/1")
    without = Shrunk(narrowed(model, SIGNALS), thresholds, 0.5, 1.0).sentence("matcher/1")
    assert without.endswith("shrunk by 100 % towards those of the default matcher")


def test_nothing_is_at_home_everywhere(homing: Homing) -> None:
    assert homing.away(extractor([], [])) == (0.0, 0.0)


def test_a_home_is_kept_as_json(homing: Homing) -> None:
    found = Home.from_description(json.loads(json.dumps(homing.home.describe())), homing.home.pairs)
    assert np.array_equal(found.means, homing.home.means)
    assert np.array_equal(found.spreads, homing.home.spreads)
    with pytest.raises(ValueError, match="expected mean and spread of scaled"):
        Home.from_description({}, 0)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_log_odds_lie_a_share_of_the_way_to_the_default(homing: Homing, share: float) -> None:
    catalogue = shop(0)
    left, right = catalogue.candidates
    features = catalogue.features(catalogue.own, left[:200], right[:200])
    still = narrowed(DEFAULT.model, SIGNALS).first
    double = Calibration(PLATT, (0.0,), (0.0,), 2.0)
    mixed = log_odds(MixedScorer(still, still, double, share).predict(features))
    np.testing.assert_allclose(mixed, (2 - share) * log_odds(still.predict(features)), atol=1e-6)


def test_thresholds_move_with_the_log_odds(homing: Homing) -> None:
    trained = SizeThresholds((100, 1000), {F1: [Thresholds(0.9, 0.8), Thresholds(0.95, 0.9)]})
    away = homing.settled(trained, 1.0)
    for size in (100, 1000):
        assert away.at(F1, size).match == pytest.approx(DEFAULT.size_thresholds.at(F1, size).match)
        assert homing.settled(trained, 0.0).at(F1, size).match == pytest.approx(trained.at(F1, size).match)


def test_a_search_of_a_foreign_catalogue_says_that_it_estimates(homing: Homing) -> None:
    """It is scored as the default would score it, though its weights were moved."""
    random = np.random.default_rng(0)
    titles = [" ".join(random.permutation(["red", "tin", "cup", "lid"])[:3]) for _ in range(100)]
    postings = [Posting(f"p{row:03d}", None, title) for row, title in enumerate(titles)]
    features = Features.of(titles, [None] * len(titles))
    still = narrowed(DEFAULT.model, SIGNALS)
    trained = replace(still, calibration=Calibration(PLATT, (0.0,), (3.0,), 1.0))
    thresholds = SizeThresholds((100,), {F1: [Thresholds(0.9, 0.9)]})

    def search(model: PairModel, teacher: Homing | None) -> ProbabilitySearch:
        return ProbabilitySearch.build("matcher/1", Catalogue(postings), features, model, thresholds, teacher=teacher)

    found = search(trained, homing)
    assert found.shrunk is not None
    assert (found.shrunk.away, found.probabilities) == (1, "estimated")
    assert search(trained, None).probabilities == "calibrated"
    expected = search(still, None).index.base.probabilities
    np.testing.assert_allclose(found.index.base.probabilities, expected, atol=1e-9)
    assert found.thresholds.at(F1, 100).match == pytest.approx(DEFAULT.size_thresholds.at(F1, 100).match)
