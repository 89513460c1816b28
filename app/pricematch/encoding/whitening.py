"""Linear embeddings in closed form: whitening of all features, and whitening of what differs within label groups."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError, CatalogueError
from pricematch.formats.array_files import read_kept
from pricematch.formats.atomic_writes import whole_file
from pricematch.formats.manifest import WhitenedOn

DIMENSION, SHRINKAGE = 256, 0.3
"""Values of an embedding by the encoder `cnn`, at most, and how far variances are shrunk, unless a recipe says else."""
GENERAL = Path(__file__).with_name("general_whitening.npz")
"""The whitening that comes with the package: kernel float16 [1280, d], bias float32 [d], number of images."""
_NOTHING = 1e-6
"""Directions with less than this share of the largest variance are rounding, and are dropped."""


@dataclass(frozen=True, eq=False)
class Linear:
    """x ↦ x · kernel + bias.

    Attributes:
        kernel: float64 [f, d].
        bias: float64 [d].
    """

    kernel: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows [n, f] → [n, d]."""
        values: NDArray[np.float64] = rows @ self.kernel + self.bias
        return values

    def then(self, other: "Linear") -> "Linear":
        """This one, and the other on what it gives."""
        return Linear(self.kernel @ other.kernel, other(self.bias))


def whitening(features: NDArray[np.float32], dimension: int, shrinkage: float) -> Linear:
    """Principal components of features [n, f], each divided by its standard deviation (PCA whitening).

    The variances λ are shrunk towards their mean first, (1 − s) λ + s λ̄, so that components in which a small catalogue
    hardly varies are not blown up (Ledoit and Wolf, 2004, with s given, 0 to 1; at 1 this only rotates). There are
    `dimension` components, or fewer where the features vary in fewer directions.

    Raises:
        CatalogueError: the features do not vary.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / max(1, len(features) - 1))
    variances, directions = variances[::-1], directions[:, ::-1]
    if not variances[0] > np.finfo(np.float32).eps ** 2:
        raise CatalogueError("expected images that differ from each other, got images that all look the same")
    kept = min(dimension, int((variances > _NOTHING * variances[0]).sum()))
    mean_variance = variances.sum() / min(len(features) - 1, features.shape[1])
    shrunk = (1 - shrinkage) * variances[:kept] + shrinkage * mean_variance
    kernel = directions[:, :kept] / np.sqrt(shrunk)
    return Linear(kernel, -mean @ kernel)


def within_group_whitening(
    values: NDArray[np.floating], groups: NDArray[np.integer], shrinkage: float
) -> Linear | None:
    """Shrinks the directions in which images of one product differ, so that those between products count.

    Multiplies values [n, d] by W^−½, W being their covariance around their group's mean, shrunk towards a sphere:
    (1 − s) W + s tr(W)/d · I, s above 0 to 1. On whitened values that is Fisher's linear discriminant analysis without
    its last step, which would drop directions. `groups` [n] number the label groups, −1 where a row is not to be learnt
    from. None where no group has two rows that differ.
    """
    deviations = [
        members - members.mean(axis=0)
        for group in np.unique(groups[groups >= 0])
        if len(members := values[groups == group].astype(np.float64)) > 1
    ]
    scatter = np.zeros((values.shape[1], values.shape[1]))
    for deviation in deviations:
        scatter += deviation.T @ deviation
    if not np.trace(scatter) > 0:
        return None
    variances, directions = np.linalg.eigh(scatter / sum(len(deviation) - 1 for deviation in deviations))
    shrunk = (1 - shrinkage) * np.maximum(variances, 0) + shrinkage * variances.mean()
    return Linear((directions / np.sqrt(shrunk)) @ directions.T, np.zeros(values.shape[1]))


def read_general_whitening() -> tuple[Linear, WhitenedOn]:
    """The whitening that the package holds, for catalogues of which nothing is known yet; and what it was made of.

    Raises:
        ArtefactError: its file is missing or damaged.
    """
    kept = read_kept(GENERAL, ("kernel", "bias", "images"))
    if kept is None:
        raise ArtefactError(f"{GENERAL} is missing or damaged; install pricematch again")
    kernel, bias, images = kept
    return Linear(kernel.astype(np.float64), bias.astype(np.float64)), WhitenedOn(what="general", images=int(images))


def write_general_whitening(features: NDArray[np.float32], file: Path = GENERAL) -> None:
    """Whiten pooled features [n, 1280] of many catalogues' images, and write the file that the package holds.

    Raises:
        CatalogueError: the features do not vary.
        SettingsError: the file cannot be written.
    """
    kernel = whitening(features, DIMENSION, SHRINKAGE).kernel.astype(np.float16)
    mean = features.mean(axis=0, dtype=np.float64)
    bias = -mean @ kernel.astype(np.float64)  # of the kernel as it is kept
    with whole_file(file) as opened:
        np.savez_compressed(opened, kernel=kernel, bias=bias.astype(np.float32), images=np.int64(len(features)))
