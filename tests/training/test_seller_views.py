"""Pictures as other sellers might show a product."""

import numpy as np
import pytest

from pricematch.training.seller_views import seller_view, seller_views
from tests.support.fakes import scene


def pixels(side: int = 48) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(scene((side, side)))


def test_a_view_is_a_picture_of_the_same_size_and_leaves_the_original_as_it_is() -> None:
    original = pixels()
    for seed in range(50):
        view = seller_view(original, np.random.default_rng(seed))
        assert view.shape == original.shape
        assert view.dtype == np.uint8
    assert (original == pixels()).all()


def test_views_differ_but_are_nearer_to_their_picture_than_noise_is() -> None:
    original = pixels().astype(float)
    views = [seller_view(pixels(), np.random.default_rng(seed)).astype(float) for seed in range(30)]
    assert len({view.tobytes() for view in views}) == 30
    noise = np.abs(np.random.default_rng(0).integers(0, 256, original.shape) - original).mean()
    away = [min(np.abs(view - original).mean(), np.abs(view[:, ::-1] - original).mean()) for view in views]
    assert np.median(away) < noise


def test_what_a_view_is_depends_on_seed_turn_and_row_only() -> None:
    batch = np.stack([pixels()] * 3)
    together = seller_views(batch, np.array([4, 5, 6]), seed=1, turn=2)
    assert (seller_views(batch[:1], np.array([5]), seed=1, turn=2)[0] == together[1]).all()
    others = [
        seller_views(batch[:1], np.array([row]), seed=seed, turn=turn)[0]
        for row, seed, turn in ((4, 1, 2), (5, 0, 2), (5, 1, 3))
    ]
    assert all((other != together[1]).any() for other in others)


@pytest.mark.parametrize("side", [8, 224])
def test_the_smallest_pictures_have_views_too(side: int) -> None:
    for seed in range(20):
        assert seller_view(pixels(side), np.random.default_rng(seed)).shape == (side, side, 3)
