"""The default pair model: terms, bounds of weights, and that more likeness never makes a pair less probable."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.pairs.default_model import (
    FEATURES,
    TERMS,
    AgreementScorer,
    EvidenceScorer,
    TaughtScorer,
    agreement_terms,
    default_pair_model,
    taught_pair_model,
    terms,
)
from pricematch.pairs.graph_features import GRAPH_FEATURES

NAMES = [term.name for term in TERMS]
LIKENESSES = {
    "image_scaled": (0.0, 8.0),
    "hash_similarity": (0.0, 1.0),
    "colours_similarity": (0.0, 1.0),
    "grams_similarity": (0.0, 1.0),
    "blend_similarity": (0.0, 1.0),
    "blend_lead_low": (-1.0, 1.0),
    "kinds_agreeing": (0.0, 6.0),
    "same_title": (0.0, 1.0),
}
"""Features by which a pair is the more alike the higher they are, and where they lie."""
DIFFERENCES = {"colours_rank_high": (0.0, 100.0), "kinds_clashing": (0.0, 6.0)}
"""Features by which it is the less alike the higher they are."""
TAKEN = LIKENESSES | DIFFERENCES


def pairs(**features: Any) -> NDArray[np.float32]:
    """Pairs of which these features are known and no others."""
    count = max((np.size(values) for values in features.values()), default=1)
    found = np.full((count, len(FEATURES)), np.nan, np.float32)
    for name, values in features.items():
        found[:, FEATURES.index(name)] = values
    return found


def told(**features: Any) -> dict[str, float]:
    """The terms of one pair by their names, without those that are 0."""
    [values] = terms(pairs(**features))
    return {name: value for name, value in zip(NAMES, values.tolist(), strict=True) if value}


@st.composite
def weights(draw: st.DrawFn) -> list[float]:
    """Weights within their bounds."""
    return [draw(st.floats(max(term.least, -8), min(term.most, 8))) for term in TERMS]


@st.composite
def known_features(draw: st.DrawFn) -> dict[str, float]:
    """What may be known of a pair; any of it may be lacking."""
    return {name: draw(st.just(np.nan) | st.floats(*ends, width=32)) for name, ends in TAKEN.items()}


def test_what_an_end_lacks_adds_nothing_and_is_told() -> None:
    """Of a pair of which nothing is known only the terms of lacking images and titles are left."""
    assert told() == {"no_image": 1, "no_title": 1, "always": 1}


def test_terms_are_zero_where_likeness_says_nothing() -> None:
    """What is usual around a posting, and hashes as far as any, are no evidence."""
    assert sum(told(image_scaled=1.2, grams_similarity=0.3).values()) == pytest.approx(1, abs=1e-6)
    assert "hash" not in told(hash_similarity=0.5)
    assert told(hash_similarity=1.0)["hash"] == 1
    assert told(hash_similarity=1 - 8 / 64)["hash"] == 0.5


def test_a_hash_says_more_without_an_embedding() -> None:
    """`hash_alone` is there only where no embedding says it better."""
    assert told(hash_similarity=1.0)["hash_alone"] == 1
    assert "hash_alone" not in told(hash_similarity=1.0, image_scaled=2.0)


def test_contradicting_titles_take_from_the_likeness_of_images() -> None:
    """`firm` is left out where they are alike, not where they are less so than usual; facts count up to three."""
    assert told(image_scaled=2.2, kinds_clashing=0)["firm"] == pytest.approx(1)
    assert told(image_scaled=0.2, kinds_clashing=1)["firm"] == pytest.approx(-1)
    clashing = told(image_scaled=2.2, kinds_clashing=5)
    assert "firm" not in clashing
    assert clashing["scaled"] == pytest.approx(1)
    assert clashing["contradicting"] == 3


def test_images_many_times_nearer_say_no_more_than_five_times() -> None:
    """Beyond, an embedding of next to nothing would decide alone."""
    assert told(image_scaled=5.0)["scaled"] == told(image_scaled=500.0)["scaled"]


@given(weights(), known_features(), st.sampled_from(list(TAKEN)), st.data())
def test_a_more_similar_pair_is_never_less_probable(
    given_weights: list[float], features: dict[str, float], name: str, data: st.DataObject
) -> None:
    """Whatever the weights, if one feature says more likeness and all others stay."""
    low, high = sorted(data.draw(st.tuples(*[st.floats(*TAKEN[name], width=32)] * 2)))
    less, more = (low, high) if name in LIKENESSES else (high, low)
    scorer = EvidenceScorer(given_weights)
    before, after = (scorer.predict(pairs(**{**features, name: value})) for value in (less, more))
    assert after >= before - 1e-12


@given(st.floats(0, 8), st.floats(0, 8), st.floats(-8, 8), *[st.lists(st.floats(0, 1), min_size=2, max_size=2)] * 2)
def test_more_agreement_is_never_less_probable(
    first: float, agreement: float, always: float, scores: list[float], cosines: list[float]
) -> None:
    """A higher first score or a higher cosine of the ends' neighbours."""
    scorer = AgreementScorer(first, agreement, always)
    found = np.zeros((2, len(FEATURES) + len(GRAPH_FEATURES)), np.float32)
    for name, values in (("first", scores), ("cosine", cosines)):
        found[:, len(FEATURES) + GRAPH_FEATURES.index(name)] = sorted(values)
    less, more = scorer.predict(found)
    assert 0 < less <= more + 1e-12
    assert more < 1


@given(weights(), st.floats(0, 8), known_features(), st.sampled_from(list(TAKEN)), st.data())
def test_whatever_verdicts_teach_a_more_similar_pair_is_never_less_probable(
    given_weights: list[float], agreement: float, features: dict[str, float], name: str, data: st.DataObject
) -> None:
    """Nor one whose neighbours agree more."""
    low, high = sorted(data.draw(st.tuples(*[st.floats(*TAKEN[name], width=32)] * 2)))
    values = (low, high) if name in LIKENESSES else (high, low)
    own = np.concatenate([pairs(**{**features, name: value}) for value in values])
    graph = np.zeros((2, len(GRAPH_FEATURES)), np.float32)
    graph[:, GRAPH_FEATURES.index("cosine")] = sorted(data.draw(st.tuples(*[st.floats(0, 1)] * 2)))
    before, after = TaughtScorer(given_weights, agreement).predict(np.concatenate([own, graph], axis=1))
    assert after >= before - 1e-12


@pytest.mark.parametrize("agreement", [-0.1, np.nan, np.inf])
def test_a_taught_weight_of_agreement_is_finite_and_no_less_than_zero(agreement: float) -> None:
    """Else pairs whose neighbours agree would be less probable."""
    with pytest.raises(ValueError, match="expected a weight of 0 or more"):
        TaughtScorer([0.0] * len(TERMS), agreement)


@given(weights(), known_features())
def test_contributions_of_the_first_score_sum_to_its_log_odds(
    given_weights: list[float], features: dict[str, float]
) -> None:
    """Each term is accounted to the feature that it is made of."""
    pair = pairs(**features)
    scorer = EvidenceScorer([weight / 8 for weight in given_weights])
    [score] = scorer.predict(pair)
    [found] = scorer.contributions(pair)
    assert found.sum() == pytest.approx(np.log(score / (1 - score)), rel=1e-6, abs=1e-6)
    assert {FEATURES[place] for place in np.flatnonzero(found)} <= {term.feature for term in TERMS}


@pytest.mark.parametrize("taught", [False, True])
def test_contributions_of_the_model_sum_to_the_log_odds(*, taught: bool) -> None:
    """Those of the neighbours stand under `first`, so that reasons add up to the probability, taught or not."""
    rng = np.random.default_rng(0)
    model = default_pair_model([0.5 if term.most > 0 else -0.5 for term in TERMS], (0.7, 0.4, 1.0))
    if taught:
        model = taught_pair_model(model, [0.2 if term.most > 0 else -0.1 for term in TERMS] + [0.6])
    own = pairs(**{name: rng.uniform(*ends, 30).astype(np.float32) for name, ends in TAKEN.items()})
    first = model.first.predict(own)
    graph = np.zeros((30, len(GRAPH_FEATURES)), np.float32)
    graph[:, GRAPH_FEATURES.index("first")] = first
    graph[:, GRAPH_FEATURES.index("cosine")] = rng.random(30)
    features = np.concatenate([own, graph], axis=1)
    probabilities = model.predict_proba(features)
    odds = np.log(probabilities / (1 - probabilities))
    np.testing.assert_allclose(model.contributions(features, first, probabilities).sum(axis=1), odds, atol=1e-6)
    second = model.second.predict(features)
    np.testing.assert_allclose(
        model.second.contributions(features).sum(axis=1), np.log(second / (1 - second)), atol=1e-6
    )


def test_the_second_score_is_that_of_its_formula() -> None:
    """The log odds of the first score, and the logarithm of how much the neighbours agree."""
    found = np.zeros((1, len(FEATURES) + len(GRAPH_FEATURES)), np.float32)
    found[:, len(FEATURES) + GRAPH_FEATURES.index("first")] = 0.75
    found[:, len(FEATURES) + GRAPH_FEATURES.index("cosine")] = 0.49
    np.testing.assert_allclose(agreement_terms(found), [[np.log(3), np.log(0.5), 1]], rtol=1e-6)
    [probability] = AgreementScorer(0.5, 2.0, -1.0).predict(found)
    assert probability == pytest.approx(1 / (1 + np.exp(-(0.5 * np.log(3) + 2 * np.log(0.5) - 1))))


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_out_of_its_bounds_is_refused(name: str) -> None:
    """By name, so that nobody has to count."""
    term = TERMS[NAMES.index(name)]
    for beyond in (term.least - 1, term.most + 1):
        if np.isfinite(beyond):
            with pytest.raises(ValueError, match=rf"expected a weight of {name} from "):
                EvidenceScorer([beyond if it == name else 0.0 for it in NAMES])


@pytest.mark.parametrize("damaged", [[], [0.0], [0.0] * (len(TERMS) + 1), [np.nan] * len(TERMS), [np.inf] * len(TERMS)])
def test_damaged_weights_are_refused(damaged: list[float]) -> None:
    """Too few, too many, or no numbers."""
    with pytest.raises(ValueError, match=f"expected {len(TERMS)} finite weights"):
        EvidenceScorer(damaged)


@pytest.mark.parametrize("damaged", [(-1, 0, 0), (0, -1, 0), (np.nan, 0, 0), (0, np.inf, 0), (0, 0, np.nan)])
def test_damaged_weights_of_agreement_are_refused(damaged: tuple[float, float, float]) -> None:
    """A negative one would punish agreement."""
    with pytest.raises(ValueError, match="expected weights of 0 or more"):
        AgreementScorer(*damaged)


def test_no_pairs_have_no_terms() -> None:
    """Of nothing the shapes are still right."""
    empty = np.empty((0, len(FEATURES)), np.float32)
    scorer = EvidenceScorer([0.0] * len(TERMS))
    assert terms(empty).shape == (0, len(TERMS))
    assert scorer.predict(empty).shape == (0,)
    assert scorer.contributions(empty).shape == empty.shape


def test_reasons_are_by_the_weights_that_verdicts_taught() -> None:
    """Not by the shipped ones, of which a person has said that they are wrong here; the neighbours add their own."""
    shipped = default_pair_model([1.0 if term.most > 0 else 0.0 for term in TERMS], (1.0, 0.0, 0.0))
    model = taught_pair_model(shipped, [0.5 if term.name == "hash" else 0.0 for term in TERMS] + [2.0])
    features = np.concatenate(
        [pairs(hash_similarity=1 - 8 / 64), np.zeros((1, len(GRAPH_FEATURES)), np.float32)], axis=1
    )
    features[:, len(FEATURES) + GRAPH_FEATURES.index("cosine")] = 0.5
    first, probabilities = model.first.predict(features[:, : len(FEATURES)]), model.predict_proba(features)
    [found] = model.contributions(features, first, probabilities)
    assert found[FEATURES.index("hash_similarity")] == pytest.approx(0.25)
    assert found[len(FEATURES) + GRAPH_FEATURES.index("first")] == pytest.approx(2 * np.log(0.51))
    [own] = model.second.contributions(features)
    assert own.sum() == pytest.approx(0.25 + 2 * np.log(0.51), abs=1e-6)
