"""Linear embeddings in closed form."""

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pricematch.encoding.default_encoder import general_whitening
from pricematch.encoding.general_statistics import GeneralStatistics, general_statistics, read_general_statistics
from pricematch.encoding.whitening import DIMENSION, Linear, blended_whitening, whitening, within_group_whitening
from pricematch.errors import CatalogueError


def correlated(rows: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Features of unequal variance that vary together, off the origin."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)) + 3).astype(np.float32)


def test_without_shrinkage_whitened_features_are_uncorrelated_and_of_variance_1() -> None:
    features = correlated(200, 6)
    values = whitening(features, 6, 0.0)(features)
    assert np.allclose(values.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(np.cov(values.T), np.eye(6), atol=1e-4)


def test_with_full_shrinkage_features_are_only_centred_turned_and_scaled() -> None:
    features = correlated(50, 4)
    values = whitening(features, 4, 1.0)(features)
    mean_variance = np.trace(np.cov(features.T.astype(np.float64))) / 4
    distances = [np.linalg.norm(each[:, None] - each[None], axis=2) for each in (features.astype(float), values)]
    assert np.allclose(distances[0] / np.sqrt(mean_variance), distances[1], rtol=1e-3, atol=1e-3)


def test_components_are_those_of_the_largest_variance_shrunk_towards_the_mean() -> None:
    features = np.diag([4.0, 2.0, 1.0]).astype(np.float32)
    features = np.concatenate([features, -features])
    variances = np.array([2 * 16, 2 * 4, 2 * 1]) / 5
    values = whitening(features, 2, 0.25)(features)
    shrunk = 0.75 * variances + 0.25 * variances.mean()
    assert np.allclose(np.abs(values[[0, 1], [0, 1]]), np.array([4, 2]) / np.sqrt(shrunk[:2]), rtol=1e-5)
    assert np.allclose(values[2], 0, atol=1e-6)


def test_few_images_give_as_many_values_as_they_vary() -> None:
    features = correlated(5, 30)
    values = whitening(features, 256, 0.3)(features)
    assert values.shape == (5, 4)
    assert np.isfinite(values).all()
    assert np.linalg.norm(values, axis=1).min() > 0


def test_images_that_all_look_the_same_are_refused() -> None:
    for features in (np.ones((3, 4), np.float32), np.ones((1, 4), np.float32)):
        with pytest.raises(CatalogueError, match="images that differ"):
            whitening(features, 2, 0.3)


def test_what_differs_within_groups_is_evened_out_as_their_covariance_says() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    centres, spread = rng.normal(size=(40, 3)) * 4, np.array([3.0, 1.0, 0.2])
    values = centres[groups] + rng.normal(size=(200, 3)) * spread
    within = within_group_whitening(values, groups, 1e-9)
    assert within is not None
    found = within(values)
    deviations = np.concatenate([found[groups == group] - found[groups == group].mean(axis=0) for group in range(40)])
    assert np.allclose(deviations.T @ deviations / (200 - 40), np.eye(3), atol=1e-6)


def test_rows_without_a_group_and_groups_of_one_row_teach_nothing() -> None:
    values = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0], [5.0, -7.0], [1.0, 1.0]])
    groups = np.array([0, 0, 1, -1, -1])
    alone = within_group_whitening(values[:2], groups[:2], 0.5)
    both = within_group_whitening(values, groups, 0.5)
    assert alone is not None
    assert both is not None
    # W = diag(2, 0), its trace 2, so half of W and half of the sphere of radius 1: diag(1.5, 0.5)
    assert np.allclose(both.kernel, np.diag([1.5, 0.5]) ** 0.5 @ np.diag([1 / 1.5, 1 / 0.5]))
    assert np.allclose(both.kernel, alone.kernel)
    assert within_group_whitening(values, np.array([0, 1, 2, -1, -1]), 0.5) is None
    assert within_group_whitening(np.zeros((2, 2)), np.array([0, 0]), 0.5) is None


def test_one_linear_map_then_another_is_one_linear_map() -> None:
    rng = np.random.default_rng(1)
    first, second = (Linear(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in ((4, 3), (3, 2)))
    rows = rng.normal(size=(5, 4))
    assert np.allclose(first.then(second)(rows), second(first(rows)))


def cosines(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of all pairs of rows [n, d], n × n."""
    rows: NDArray[np.floating] = values / np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(rows @ rows.T)


def general(width: int = 6) -> GeneralStatistics:
    """Of two drawn shops, with all directions that there are."""
    return general_statistics([(name, "", correlated(80, width, seed)) for seed, name in enumerate("ab", 7)])


def test_without_own_images_the_blend_is_the_general_whitening() -> None:
    """Features of the general mean and covariance come out uncorrelated, centred and of variance 1."""
    statistics = general()
    linear = blended_whitening(statistics, np.empty((0, 6), np.float32), 6, 0.0)
    assert linear(statistics.mean) == pytest.approx(0)
    assert linear.kernel.T @ statistics.covariance @ linear.kernel == pytest.approx(np.eye(6), abs=1e-6)


def test_shrinkage_of_the_general_whitening_is_that_of_any_other() -> None:
    """Also in low rank, where all directions but two are left out, and count for the mean variance."""
    statistics = GeneralStatistics(np.ones(5), np.eye(5)[:, :2], np.array([9.0, 4.0]), 1.0, ())
    linear = blended_whitening(statistics, np.empty((0, 5), np.float32), 4, 0.5)
    assert statistics.mean_variance == pytest.approx((9 + 4 + 3) / 5) == np.trace(statistics.covariance) / 5
    assert linear.kernel == pytest.approx(np.eye(5)[:, :2] / np.sqrt([4.5 + 1.6, 2 + 1.6]))
    assert linear.bias == pytest.approx(-linear.kernel.sum(axis=0))


def test_one_image_hardly_moves_the_blend() -> None:
    """A first image is a hundred-and-first of the covariance, and an eleventh of the mean."""
    statistics, own = general(), correlated(40, 6)
    moved = blended_whitening(statistics, own[:1], 6)
    nothing = blended_whitening(statistics, own[:0], 6)
    mean = own[0] / 11 + statistics.mean * 10 / 11
    assert moved(mean) == pytest.approx(0, abs=1e-6)
    before, after = (np.linalg.norm(linear(own) - linear(own[1]), axis=1) for linear in (nothing, moved))
    assert after == pytest.approx(before, rel=0.01, abs=1e-9)


def test_the_blend_is_between_both_by_the_number_of_images() -> None:
    """A hundred of its own make half of the covariance, and ten of eleven parts of the mean."""
    statistics, own = general(), correlated(100, 6)
    linear = blended_whitening(statistics, own, 6, 0.0)
    covariance = (np.cov(own.T.astype(np.float64)) + statistics.covariance) / 2
    assert linear.kernel.T @ covariance @ linear.kernel == pytest.approx(np.eye(6), abs=1e-6)
    mean = own.mean(axis=0, dtype=np.float64) * 10 / 11 + statistics.mean / 11
    assert linear(mean) == pytest.approx(0, abs=1e-6)


def test_of_very_many_images_the_blend_is_their_own_whitening() -> None:
    """The general statistics have no share in it that can be seen."""
    own = correlated(400_000, 6)
    blended, alone = (linear(own[:50]) for linear in (blended_whitening(general(), own, 4), whitening(own, 4, 0.3)))
    assert cosines(blended) == pytest.approx(cosines(alone), abs=2e-3)
    assert np.linalg.norm(blended, axis=1) == pytest.approx(np.linalg.norm(alone, axis=1), rel=2e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 30])
def test_few_images_give_as_many_finite_values_as_many_do(count: int) -> None:
    """Of the network's width: what they do not vary in, the general statistics do."""
    statistics = read_general_statistics()
    rng = np.random.default_rng(count)
    own = np.abs(rng.normal(size=(count, 1280))).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    values = blended_whitening(statistics, own)(own)
    assert values.shape == (count, DIMENSION)
    assert np.isfinite(values).all()
    assert np.linalg.norm(values, axis=1).min() > 0


def test_images_that_all_look_the_same_leave_the_general_directions() -> None:
    """Only their mean has a share; other images are told apart as before."""
    statistics, others = general(), correlated(40, 6)
    same = np.tile(others[:1], (50, 1))
    values = blended_whitening(statistics, same, 6)(others)
    assert np.isfinite(values).all()
    before = blended_whitening(statistics, others[:0], 6)(others)
    distances, old = (np.linalg.norm(rows[:, None] - rows[None], axis=2) for rows in (values, before))
    scale = np.sqrt(150 / 100)  # a third of the covariance is nothing
    assert distances == pytest.approx(old * scale, rel=1e-5, abs=1e-5)


def test_the_general_whitening_fits_the_network() -> None:
    """From 1,280 values it makes 256."""
    linear, made_of = general_whitening()
    assert linear.kernel.shape == (1280, DIMENSION)
    assert linear.bias.shape == (DIMENSION,)
    assert np.isfinite(linear.kernel).all()
    assert made_of.what == "general"
    assert made_of.images == sum(source.images for source in made_of.general) > DIMENSION


def test_threads_are_no_part_of_a_whitening() -> None:
    """Directions of equal variance, and the sign of each, are a matter of what is rounded off."""
    general, own = read_general_statistics(), np.abs(np.random.default_rng(0).normal(size=(60, 1280)))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(blended_whitening(general, own.astype(np.float32)))
    assert np.array_equal(found[0].kernel, found[1].kernel)
    assert np.array_equal(found[0].bias, found[1].bias)
