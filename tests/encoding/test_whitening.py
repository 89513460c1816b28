"""Linear embeddings in closed form."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.encoding.whitening import (
    DIMENSION,
    GENERAL,
    Linear,
    read_general_whitening,
    whitening,
    within_group_whitening,
    write_general_whitening,
)
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


def test_the_general_whitening_is_small_and_fits_the_network() -> None:
    """It comes with the package, in less than 700 kB."""
    linear, made_of = read_general_whitening()
    assert linear.kernel.shape[0] == 1280
    assert linear.kernel.shape[1] == linear.bias.shape[0] <= DIMENSION
    assert made_of.what == "general"
    assert made_of.images >= linear.kernel.shape[1]
    assert GENERAL.stat().st_size < 700_000


def test_a_whitening_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for rounding, features whitened by it have no mean, and no correlations."""
    features = np.random.default_rng(0).normal(size=(500, 20)).astype(np.float32) * np.arange(1, 21) + 3
    write_general_whitening(features, tmp_path / "general.npz")
    monkeypatch.setattr("pricematch.encoding.whitening.GENERAL", tmp_path / "general.npz")
    linear, made_of = read_general_whitening()
    assert made_of.images == 500
    whitened = linear(features)
    assert whitened.mean(axis=0) == pytest.approx(0, abs=1e-3)
    covariance = np.cov(whitened.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.01
