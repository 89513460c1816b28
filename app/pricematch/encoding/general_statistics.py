"""What the package knows of shops' images in general: mean and covariance of pooled features, in one file of numbers.

Each shop counts alike, however many images it has, and each around its own mean: how far shops are from each other
says nothing of what tells the images of one apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError, CatalogueError
from pricematch.formats.array_files import read_kept
from pricematch.formats.atomic_writes import whole_file
from pricematch.formats.manifest import ImageSet

DIRECTIONS = 256
"""Directions whose variance is kept, at most; the covariance is taken for the same in all others."""
GENERAL = Path(__file__).with_name("general_statistics.npz")
"""The statistics that come with the package, of 1,280 pooled features by EfficientNet-Lite0."""
NOTHING = 1e-6
"""Directions with less than this share of the largest variance are rounding, and are dropped."""
_FORMS = {
    "mean": (1, np.float32),
    "directions": (2, np.float16),
    "variances": (1, np.float32),
    "rest": (0, np.float32),
    "names": (1, np.str_),
    "licences": (1, np.str_),
    "images": (1, np.int64),
}
"""Dimensions and type of each array in the file, in their order there."""
_ROUNDING = 0.01
"""Much more than a direction's length is off by in float16."""


@dataclass(frozen=True, eq=False)
class GeneralStatistics:
    """Mean and covariance of the features of shops' images, the covariance in low rank.

    Attributes:
        mean: float64 [f], of the shops' means.
        directions: float64 [f, d], those of the largest variances, as columns of unit length at right angles.
        variances: float64 [d], falling.
        rest: the variance in every other direction; 0 where there is none.
        sources: what it was made of.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    variances: NDArray[np.float64]
    rest: float
    sources: tuple[ImageSet, ...]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Float64 [f, f]."""
        above: NDArray[np.float64] = (self.directions * (self.variances - self.rest)) @ self.directions.T
        return above + self.rest * np.eye(len(self.mean))

    @property
    def mean_variance(self) -> float:
        """Of all f directions."""
        others = len(self.mean) - len(self.variances)
        return float(self.variances.sum() + others * self.rest) / len(self.mean)


def moments(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [f] and covariance [f, f] of features [n, f], n at least 1; of one row alone the covariance is 0."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    return mean, centred.T @ centred / max(1, len(features) - 1)


def general_statistics(shops: Sequence[tuple[str, str, NDArray[np.float32]]]) -> GeneralStatistics:
    """Averages over shops of the mean of each and of its covariance around its own mean.

    Args:
        shops: name, licence and features [n, f] of each shop's images.

    Raises:
        CatalogueError: there is no shop, or one whose features do not vary.
    """
    if not shops:
        raise CatalogueError("expected images of one shop or more, got none")
    for name, _, features in shops:
        if not len(features) or not np.ptp(features, axis=0).any():
            raise CatalogueError(
                f"{name}: expected images that differ from each other, got {len(features)} that do not"
            )
    means, covariances = zip(*(moments(features) for _, _, features in shops), strict=True)
    mean, covariance = np.mean(means, axis=0), np.mean(covariances, axis=0)
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = np.maximum(variances[::-1], 0), directions[:, ::-1]
    kept = min(DIRECTIONS, int((variances > NOTHING * variances[0]).sum()))
    rest = float(variances[kept:].mean()) if kept < len(variances) else 0.0
    sources = tuple(ImageSet(name=name, licence=licence, images=len(features)) for name, licence, features in shops)
    return GeneralStatistics(mean, directions[:, :kept], variances[:kept], rest, sources)


def write_general_statistics(statistics: GeneralStatistics, file: Path = GENERAL) -> None:
    """Write the file that the package holds: directions in float16, other numbers in float32, without pickle.

    Raises:
        SettingsError: it cannot be written.
    """
    with whole_file(file) as opened:
        np.savez_compressed(
            opened,
            mean=statistics.mean.astype(np.float32),
            directions=statistics.directions.astype(np.float16),
            variances=statistics.variances.astype(np.float32),
            rest=np.float32(statistics.rest),
            names=np.array([source.name for source in statistics.sources]),
            licences=np.array([source.licence for source in statistics.sources]),
            images=np.array([source.images for source in statistics.sources], np.int64),
        )


def read_general_statistics() -> GeneralStatistics:
    """The statistics that the package holds.

    Raises:
        ArtefactError: their file is missing or damaged.
    """
    kept = read_kept(GENERAL, tuple(_FORMS))
    if kept is None or not _whole(*kept):
        raise ArtefactError(f"{GENERAL} is missing or damaged; install pricematch again")
    mean, directions, variances, rest, names, licences, images = kept
    columns = directions.astype(np.float64)
    sources = tuple(
        ImageSet(name=str(name), licence=str(licence), images=int(count))
        for name, licence, count in zip(names, licences, images, strict=True)
    )
    return GeneralStatistics(
        mean.astype(np.float64),
        columns / np.linalg.norm(columns, axis=0),  # float16 is off by up to 0.0005 of it
        variances.astype(np.float64),
        float(rest),
        sources,
    )


def _whole(*arrays: NDArray[Any]) -> bool:
    """Whether arrays that were read, in the order of `_FORMS`, have the shapes, dtypes and values of statistics."""
    forms = tuple((array.ndim, array.dtype.type) for array in arrays)
    if forms != tuple(_FORMS.values()):
        return False
    mean, directions, variances, rest, names, licences, images = arrays
    return bool(
        directions.shape == (len(mean), len(variances))
        and names.shape == licences.shape == images.shape
        and len(variances)
        and np.isfinite(mean).all()
        and np.isfinite(variances).all()
        and (np.abs(np.linalg.norm(directions.astype(np.float64), axis=0) - 1) < _ROUNDING).all()
        and (np.diff(variances) <= 0).all()
        and 0 <= rest <= variances[-1]
        and variances[-1] > 0
    )
