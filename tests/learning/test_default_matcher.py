"""The default matcher, learned from two tiny drawn shops."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.learning.default_matcher import FittedDefault, Shop, fit_default
from pricematch.pairs.default_model import FEATURES, TERMS
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.thresholds import F1, TARGETS
from tests.support.catalogues import groups_of, labelled_postings

SEED = 3


@cache
def shop(name: str, seed: int, count: int = 70) -> Shop:
    """A shop of hashes and titles, which teaches with both and with its titles alone."""
    postings = labelled_postings(count, seed)
    groups = np.unique(groups_of(postings), return_inverse=True)[1].astype(np.intp)
    titles, hashes = [it.title for it in postings], [it.image_phash for it in postings]
    images = {name: np.zeros((count, 3), np.float32) for name in IMAGE_RETRIEVERS}
    return Shop(name, [Features.of(titles, hashes, images), Features.of(titles, [None] * count, images)], groups)


@cache
def fitted() -> FittedDefault:
    """The default matcher of two shops."""
    return fit_default([shop("one", 1), shop("two", 2)], SEED)


def test_more_likeness_is_more_evidence() -> None:
    """What right pairs have more of has a weight above 0; what no shop has seen keeps 0."""
    weights = dict(zip([term.name for term in TERMS], fitted().evidence.tolist(), strict=True))
    assert weights["hash"] > 0
    assert weights["blend"] + weights["grams"] > 0
    assert weights["always"] < 0  # most candidates are wrong
    for term in TERMS:
        assert term.least <= weights[term.name] <= term.most
        assert term.travels or weights[term.name] == 0
    assert weights["scaled"] == 0  # there was no embedding
    assert min(fitted().agreement[:2]) >= 0


def test_it_tells_the_pairs_of_its_shops_apart() -> None:
    """Equal hashes and words are probable, others are not."""
    features = np.full((2, len(FEATURES)), np.nan, np.float32)
    for name, values in {
        "hash_similarity": (1.0, 0.5),
        "grams_similarity": (0.95, 0.05),
        "blend_similarity": (0.95, 0.05),
        "blend_lead_low": (0.1, -0.6),
        "kinds_clashing": (0, 2),
        "kinds_agreeing": (1, 0),
    }.items():
        features[:, FEATURES.index(name)] = values
    alike, unlike = fitted().model.first.predict(features)
    assert unlike < 0.1
    assert alike > 0.6


def test_every_shop_is_measured_by_a_model_of_the_others() -> None:
    """And every target has one threshold, for a precision that very probability at least."""
    found = fitted()
    assert list(found.held_out) == ["one", "two"]
    for figures in found.held_out.values():
        assert set(figures) == {"f1", "alone", "calibration_error_likely"}
        assert 0 <= figures["alone"] < figures["f1"] <= 1
    for target in TARGETS:
        thresholds = found.thresholds.at(target, 500)
        assert 0 <= thresholds.fallback <= thresholds.match
        if target != F1:
            assert target.precision is not None
            assert thresholds.match == thresholds.fallback >= target.precision


def test_the_order_of_the_shops_does_not_matter() -> None:
    """They are averaged."""
    other = fit_default([shop("two", 2), shop("one", 1)], SEED)
    np.testing.assert_allclose(other.evidence, fitted().evidence, atol=2e-3)
    np.testing.assert_allclose(other.agreement, fitted().agreement, atol=2e-3)
    assert {name: it["f1"] for name, it in other.held_out.items()} == pytest.approx(
        {name: it["f1"] for name, it in fitted().held_out.items()}, abs=0.02
    )


def test_the_same_shops_teach_the_same() -> None:
    """To the bit, so that the file that is shipped can be made again."""
    again = fit_default([shop("one", 1), shop("two", 2)], SEED)
    assert np.array_equal(again.evidence, fitted().evidence)
    assert again.agreement == fitted().agreement
    assert again.thresholds.describe() == fitted().thresholds.describe()


def test_postings_of_unknown_groups_teach_nothing_right() -> None:
    """Each is a group of its own."""
    one = shop("one", 1)
    unknown = replace(one, groups=np.full(len(one.groups), -1, np.intp))
    found = fit_default([one, replace(unknown, name="unknown"), shop("two", 2)], SEED)
    assert found.held_out["unknown"]["alone"] == 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_shop_is_no_shop(count: int) -> None:
    """What holds in every shop is not learned from one."""
    with pytest.raises(ValueError, match=f"expected at least two shops to learn from, got {count}"):
        fit_default([shop("one", 1)][:count], SEED)
