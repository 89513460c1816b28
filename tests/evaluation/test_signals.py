"""Signals over parts of a catalogue, and what their similarities are shown as."""

import numpy as np
import pytest

from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.signals import CANDIDATES, MEASURES, ImageSignal, Signal, between, meant, shown
from pricematch.search.candidates import NOBODY
from pricematch.search.neighbours import nearest_neighbours
from tests.support.labelled import labelled_postings, signals_of
from tests.support.vectors import clustered

POSTINGS = labelled_postings(30)


def image_signal(rows: list[int], postings: int) -> ImageSignal:
    return ImageSignal(clustered(len(rows)), np.array(rows, np.intp), postings)


@pytest.mark.parametrize("signal", [*signals_of(POSTINGS), image_signal([1, 2, 5, *range(8, 25), 28], 30)])
def test_a_part_of_a_catalogue_has_the_candidates_of_a_catalogue_of_that_part(signal: Signal) -> None:
    rows = np.array([28, 2, 17, 3, 9, 21, 5, 11, 4, 10])
    if isinstance(signal, ImageSignal):
        places = {row: place for place, row in enumerate(signal.rows.tolist())}
        known = [(place, places[row]) for place, row in enumerate(rows.tolist()) if row in places]
        alone: Signal = ImageSignal(
            signal.embeddings[[at for _, at in known]], np.array([place for place, _ in known]), len(rows)
        )
    else:
        alone = next(one for one in signals_of([POSTINGS[row] for row in rows]) if one.name == signal.name)
    part, expected = signal.select(rows).candidates(), alone.candidates()
    assert (part.rows != NOBODY).any()
    np.testing.assert_array_equal(part.rows, expected.rows)
    np.testing.assert_array_equal(part.similarities, expected.similarities)


def test_postings_without_an_embedding_have_no_candidates_and_are_none() -> None:
    rows = [0, 2, 3, 6]
    signal = image_signal(rows, 8)
    found, nearest = signal.candidates(), nearest_neighbours(signal.embeddings, CANDIDATES)
    assert found.rows.shape == (8, CANDIDATES)
    for row in range(8):
        if row in rows:
            place = rows.index(row)
            expected = [rows[other] for other in nearest.rows[place] if other != NOBODY]
            assert found.rows[row, :3].tolist() == expected
            assert found.similarities[row].tolist() == nearest.similarities[place].tolist()
        else:
            assert (found.rows[row] == NOBODY).all()
            assert (found.similarities[row] == -np.inf).all()


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
