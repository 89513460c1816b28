"""How alike the shades of two images are: which hues, saturations and lightnesses their pixels have.

A histogram of shades, see `pricematch.encoding.colours.ShadeHistogram`, has `LIGHTNESSES` steps from dark to light, and
in each of them the share of grey pixels and those of `COLOURS` hues and saturations.
"""

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings

HUES, SATURATIONS, LIGHTNESSES = 16, 4, 11
COLOURS = HUES * SATURATIONS
GREY = 0
"""Where the pixels without hue stand in each step of lightness; colours stand behind them."""
_STEP = 1 + COLOURS
SHADES = LIGHTNESSES * _STEP
"""Length of an embedding."""
_RELIT = 0.96
"""What the coefficient counts where one image had to be made brighter: the same light is the better match."""
_ALL_GREY = 1 - 1e-5
"""Of the squares of an embedding of unit length."""


def shade_similarities(one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
    """Bhattacharyya coefficients of m pairs of histograms, float32 [m], 0…1, the same for both orders.

    The highest of three coefficients: as the images are, and, less a little, with either one a step of lightness
    brighter, which is a factor of 1.32; what would be brighter than white is white. So another exposure of a photo
    hardly differs, while black, grey and white, which are several steps apart, do. An image of greys has no hue: of
    such a pair the lightnesses alone are compared, since what the hues of a grey copy were is not known.

    Args:
        one: square roots of shares, float32 [m, `SHADES`], rows of unit length.
        other: the same of the other images.
    """
    found = _brightened(one, other)
    grey = _grey(one) | _grey(other)
    if grey.any():
        found[grey] = _brightened(_lightnesses(one[grey]), _lightnesses(other[grey]))
    return found


def _grey(shades: Embeddings) -> NDArray[np.bool_]:
    """Which images have no hue, bool [m]."""
    greys = shades[:, GREY::_STEP]
    return np.asarray(np.einsum("ij,ij->i", greys, greys) >= _ALL_GREY)


def _lightnesses(shades: Embeddings) -> Embeddings:
    """The histograms of lightness alone, [m, `LIGHTNESSES`]."""
    steps = shades.reshape(len(shades), LIGHTNESSES, _STEP)
    return np.asarray(np.sqrt(np.einsum("ijk,ijk->ij", steps, steps)), np.float32)


def _brightened(one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
    """The highest coefficient of histograms [m, `LIGHTNESSES` × k] as they are and with either a step brighter."""
    relit = np.maximum(_step_apart(one, other), _step_apart(other, one))
    return np.asarray(np.maximum(np.einsum("ij,ij->i", one, other), _RELIT * relit), np.float32)


def _step_apart(darker: Embeddings, brighter: Embeddings) -> NDArray[np.float32]:
    """The coefficients with the first histograms a step brighter, of whose two brightest steps one becomes."""
    step = darker.shape[1] // LIGHTNESSES
    white = np.sqrt(darker[:, -2 * step : -step] ** 2 + darker[:, -step:] ** 2)  # hypot takes thrice as long
    found = np.einsum("ij,ij->i", darker[:, : -2 * step], brighter[:, step:-step])
    return np.asarray(found + np.einsum("ij,ij->i", white, brighter[:, -step:]), np.float32)
