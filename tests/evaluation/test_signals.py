"""Signals over parts of a catalogue, and what their similarities are shown as."""

import numpy as np
import pytest

from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.signals import CANDIDATES, MEASURES, SIGNALS, between, meant, shown, signal_candidates
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.search.candidates import NOBODY
from tests.support.drawn import drawn

FEATURES = ParsedFeatures.of(drawn(30))


@pytest.mark.parametrize("signal", SIGNALS)
def test_candidates_of_a_signal_are_of_the_catalogue(signal: str) -> None:
    """At most 49 other postings each, the best first; a signal that lacks of a posting gives it none."""
    found = signal_candidates(signal, FEATURES)
    assert found.rows.shape == found.similarities.shape == (30, CANDIDATES)
    assert (found.rows != NOBODY).any()
    assert not (found.rows == np.arange(30)[:, np.newaxis]).any()
    assert (np.sort(found.similarities)[:, ::-1] == found.similarities).all()
    lacking = {
        "hash": ~FEATURES.features.hashes.known,
        "title": np.array([not title.words for title in FEATURES.titles]),
        "image": ~FEATURES.features.embeddings["image"].any(axis=1),
    }[signal]
    assert lacking.any()
    assert (found.rows[lacking] == NOBODY).all()
    assert not np.isin(found.rows, np.flatnonzero(lacking)).any()


def test_what_is_no_signal_has_no_candidates() -> None:
    """Names of retrievers that are none of the three signals are refused."""
    with pytest.raises(ValueError, match="expected one of hash, title, image, got grams"):
        signal_candidates("grams", FEATURES)


@pytest.mark.parametrize(
    ("signal", "values"), [("hash", [0, 8, 16, None]), ("title", [0.25, 1.0, None]), ("image", [-1.0, 0.5])]
)
def test_what_is_shown_is_what_is_meant(signal: str, values: list[float | None]) -> None:
    for value in values:
        assert shown(signal, meant(signal, value)) == value


@pytest.mark.parametrize(
    ("signal", "value", "reason"),
    [
        ("hash", 17, "a whole number of bits in 0…16, got 17"),
        ("hash", -1, "a whole number of bits in 0…16, got -1"),
        ("hash", 7.5, "a whole number of bits in 0…16, got 7.5"),
        ("hash", float("nan"), "a whole number of bits in 0…16, got nan"),
        ("title", 1.5, "a cosine in −1…1, got 1.5"),
        ("image", float("nan"), "a cosine in −1…1, got nan"),
        ("image", float("inf"), "a cosine in −1…1, got inf"),
        ("matcher", -0.5, "a probability in 0…1, got -0.5"),
        ("matcher", float("nan"), "a probability in 0…1, got nan"),
    ],
)
def test_a_value_that_no_similarity_has_is_refused(signal: str, value: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        meant(signal, value)


def test_a_threshold_takes_what_is_accepted_and_not_what_is_refused() -> None:
    for signal in MEASURES:
        assert 0.75 < between(signal, 0.875, 0.75) <= 0.875
        assert between(signal, 0.5, 0.5) == 0.5
        assert between(signal, np.inf, 1.0) == np.inf
    assert between("hash", 0.875, 0.75) == 0.875


def test_the_curve_of_hashes_is_shown_at_every_distance_and_others_at_no_more_than_asked() -> None:
    similarities = np.array([np.inf, 1.0, 0.875])
    curve = Curve(similarities, np.array([0.1, 0.2, 0.3]), np.zeros(3), np.ones(3))
    hashes = shown_curve("hash", curve, 5)
    assert [shown("hash", similarity) for similarity in hashes.similarities] == list(range(17))
    assert hashes.f1.tolist() == [0.2] * 8 + [0.3] * 9
    assert shown_curve("title", curve, 5).f1.tolist()[-1] == 0.3
    assert len(shown_curve("title", curve, 5)) <= 5
