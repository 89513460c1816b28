"""The statistics of shops' images that come with the package: averages, low rank, and a file that is checked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.encoding import general_statistics as module
from pricematch.encoding.general_statistics import (
    DIRECTIONS,
    GENERAL,
    GeneralStatistics,
    general_statistics,
    moments,
    read_general_statistics,
    write_general_statistics,
)
from pricematch.encoding.whitening import blended_whitening
from pricematch.errors import ArtefactError, CatalogueError
from pricematch.formats.manifest import ImageSet

NOTHING = np.empty((0, 300), np.float32)


def features(rows: int, seed: int, width: int = 300) -> NDArray[np.float32]:
    """Pooled features as they are: a few steep directions, many flat ones, unit length, off the origin."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, width)) / np.arange(1, width + 1) ** 0.7 + 1 + seed
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


def written(folder: Path, statistics: GeneralStatistics) -> Path:
    """The file with them."""
    file = folder / "general.npz"
    write_general_statistics(statistics, file)
    return file


@pytest.fixture
def statistics() -> GeneralStatistics:
    """Of two shops, in low rank."""
    return general_statistics([("Hats", "MIT", features(400, 0)), ("Shoes", "BSD-3-Clause", features(900, 1))])


def test_moments_are_mean_and_covariance() -> None:
    """As NumPy has them, and of one row no covariance."""
    rows = features(20, 0, 4)
    mean, covariance = moments(rows)
    assert mean == pytest.approx(rows.mean(axis=0))
    assert covariance == pytest.approx(np.cov(rows.T.astype(np.float64)))
    assert np.array_equal(moments(rows[:1])[1], np.zeros((4, 4)))


def test_shops_count_alike_each_around_its_own_mean() -> None:
    """However many images there are of one, and however far the shops are from each other."""
    few, many = features(50, 0, 5), features(500, 3, 5) + 2
    found = general_statistics([("few", "", few), ("many", "", many)])
    covariances = [np.cov(rows.T.astype(np.float64)) for rows in (few, many)]
    assert found.covariance == pytest.approx((covariances[0] + covariances[1]) / 2, abs=1e-9)
    assert found.mean == pytest.approx((few.mean(axis=0) + many.mean(axis=0)) / 2, abs=1e-6)
    assert found.rest == 0


def test_what_is_left_out_varies_by_its_mean(statistics: GeneralStatistics) -> None:
    """256 directions are kept, the sum of all variances stays, and sources are told."""
    assert statistics.directions.shape == (300, DIRECTIONS)
    assert 0 < statistics.rest <= statistics.variances[-1]
    expected = np.mean([np.trace(moments(rows)[1]) for rows in (features(400, 0), features(900, 1))])
    assert statistics.mean_variance == pytest.approx(expected / 300) == np.trace(statistics.covariance) / 300
    assert statistics.sources == (
        ImageSet(name="Hats", licence="MIT", images=400),
        ImageSet(name="Shoes", licence="BSD-3-Clause", images=900),
    )


@pytest.mark.parametrize("bad", [features(0, 0), np.ones((3, 300), np.float32)], ids=["none", "alike"])
def test_a_shop_whose_images_do_not_differ_is_named(bad: NDArray[np.float32]) -> None:
    """So is that there is no shop at all."""
    with pytest.raises(CatalogueError, match=r"Shoes: expected images that differ.*got [03] that do not"):
        general_statistics([("Hats", "MIT", features(9, 0)), ("Shoes", "MIT", bad)])
    with pytest.raises(CatalogueError, match="one shop or more, got none"):
        general_statistics([])


def test_a_file_is_read_as_it_was_written(
    statistics: GeneralStatistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for rounding, which moves no cosine of embeddings by a thousandth."""
    monkeypatch.setattr(module, "GENERAL", written(tmp_path, statistics))
    found = read_general_statistics()
    assert found.sources == statistics.sources
    assert found.mean == pytest.approx(statistics.mean, rel=1e-6)
    assert found.variances == pytest.approx(statistics.variances, rel=1e-6)
    assert found.rest == pytest.approx(statistics.rest)
    assert np.abs(found.directions - statistics.directions).max() < 1e-3
    rows = features(50, 2)
    for own in (NOTHING, rows):
        embeddings = [blended_whitening(each, own)(rows) for each in (found, statistics)]
        units = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in embeddings]
        assert np.abs(units[0] @ units[0].T - units[1] @ units[1].T).max() < 1e-3


CHANGES: dict[str, dict[str, Any]] = {
    "shape": {"mean": np.zeros(299, np.float32)},
    "dimensions": {"rest": np.zeros(1, np.float32)},
    "dtype": {"directions": np.zeros((300, DIRECTIONS), np.float32)},
    "length": {"directions": np.zeros((300, DIRECTIONS), np.float16)},
    "not finite": {"mean": np.full(300, np.nan, np.float32)},
    "infinite": {"variances": np.full(DIRECTIONS, np.inf, np.float32)},
    "negative": {"variances": np.full(DIRECTIONS, -1, np.float32)},
    "rising": {"variances": np.arange(1, DIRECTIONS + 1, dtype=np.float32)},
    "rest": {"rest": np.float32(9)},
    "no rest": {"rest": np.float32(np.nan)},
    "sources": {"names": np.array(["Hats"])},
    "objects": {"names": np.array(["Hats", None], object)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_of_other_arrays_is_refused(
    statistics: GeneralStatistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """Whatever is wrong with one of them."""
    file = written(tmp_path, statistics)
    with np.load(file) as kept:
        arrays = dict(kept)
    np.savez(file, **(arrays | change))
    monkeypatch.setattr(module, "GENERAL", file)
    with pytest.raises(ArtefactError, match="is missing or damaged; install pricematch again"):
        read_general_statistics()


def test_a_file_that_is_cut_or_lacks_an_array_is_refused(
    statistics: GeneralStatistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is not there."""
    file = written(tmp_path, statistics)
    monkeypatch.setattr(module, "GENERAL", file)
    content = file.read_bytes()
    with np.load(file) as kept:
        arrays = {name: kept[name] for name in kept if name != "licences"}
    for harm in (
        lambda: np.savez(file, **arrays),
        lambda: file.write_bytes(content[: len(content) // 2]),
        lambda: file.write_bytes(b""),
        file.unlink,
    ):
        harm()
        with pytest.raises(ArtefactError, match="is missing or damaged"):
            read_general_statistics()


def test_the_file_of_the_package_is_small_and_names_its_sources() -> None:
    """In less than 700 kB; each set of images has a licence, and no folder is told."""
    found = read_general_statistics()
    assert GENERAL.stat().st_size < 700_000
    assert found.mean.shape == (1280,)
    assert found.directions.shape == (1280, DIRECTIONS)
    assert len(found.sources) > 1
    assert all(source.name and source.licence and source.images > 1 for source in found.sources)
    assert not any(source.name.startswith(("/", ".")) for source in found.sources)
