"""Linear embeddings in closed form: whitening of all features, and whitening of what differs within label groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from pricematch.encoding.general_statistics import NOTHING, GeneralStatistics, moments
from pricematch.errors import CatalogueError

DIMENSION, SHRINKAGE = 256, 0.3
"""Values of an embedding by the encoder `cnn`, at most, and how far variances are shrunk, unless a recipe says else."""
COVARIANCE_IMAGES, MEAN_IMAGES = 100, 10
"""So many images of a catalogue's own count as much as the general covariance, and as the general mean."""
MOST_IMAGES = 4000
"""Images of a catalogue whose features are computed; more would not change a covariance of 1,280 values by much."""


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
    mean, covariance = moments(features)
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = variances[::-1], directions[:, ::-1]
    if not variances[0] > np.finfo(np.float32).eps ** 2:
        raise CatalogueError("expected images that differ from each other, got images that all look the same")
    mean_variance = variances.sum() / min(len(features) - 1, features.shape[1])
    return _whitening(mean, variances, directions[:, :dimension], mean_variance, shrinkage)


def blended_whitening(
    general: GeneralStatistics,
    own: NDArray[np.float32],
    dimension: int = DIMENSION,
    shrinkage: float = SHRINKAGE,
) -> Linear:
    """PCA whitening by a covariance between that of own features [n, f] and the general one, their target.

    It is w · S + (1 − w) · G with w = n / (n + 100), S being the covariance of the own features and G the general one
    (shrinkage towards a target: Ledoit and Wolf, 2004, with w by the number of images instead of estimated), and the
    mean accordingly with n / (n + 10), which fewer images tell. Then variances are shrunk and divided by as in
    `whitening`. Without own features it is the general whitening; images that all look the same only move the mean.
    The same features give the same whitening to the last bit, on as many cores as there are: trees that learn from few
    pairs of its embeddings may be others for the last one.

    Args:
        general: of f features.
        own: features of a catalogue's images, n of them, 0 or more.
        dimension: values of an embedding, at most.
        shrinkage: of variances towards their mean, 0 to 1.
    """
    with threadpool_limits(1, user_api="blas"):  # how much is rounded off depends on how many threads there are
        return _blended(general, own, dimension, shrinkage)


def _blended(general: GeneralStatistics, own: NDArray[np.float32], dimension: int, shrinkage: float) -> Linear:
    count, width = own.shape
    if not count:
        directions = general.directions[:, :dimension]
        return _whitening(general.mean, general.variances, directions, general.mean_variance, shrinkage)
    own_mean, own_covariance = moments(own)
    by_covariance, by_mean = count / (count + COVARIANCE_IMAGES), count / (count + MEAN_IMAGES)
    mean = by_mean * own_mean + (1 - by_mean) * general.mean
    covariance = by_covariance * own_covariance + (1 - by_covariance) * general.covariance
    variances, directions = eigh(covariance, subset_by_index=(max(0, width - dimension), width - 1))
    return _whitening(mean, variances[::-1], directions[:, ::-1], np.trace(covariance) / width, shrinkage)


def _whitening(
    mean: NDArray[np.float64],
    variances: NDArray[np.float64],
    directions: NDArray[np.float64],
    mean_variance: float,
    shrinkage: float,
) -> Linear:
    """Off with the mean [f], along directions [f, d] of falling variances [d or more], each by its shrunk deviation."""
    kept = min(directions.shape[1], int((variances > NOTHING * variances[0]).sum()))
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
