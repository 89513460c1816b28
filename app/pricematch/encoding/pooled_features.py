"""Pooled features of images by the network of the default encoder, before any whitening: what whitening is made of.

A service has its worker processes compute the same, see `pricematch.serving.catalogue_whitening`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.decoder import DecodedImage
from pricematch.encoding.default_encoder import BACKBONE
from pricematch.encoding.efficientnet_lite import POWER, VARIANTS, packaged_weights
from pricematch.encoding.openvino_efficientnet import compose, in_float32
from pricematch.formats.torch_file import read_tensors


def pooling() -> Callable[[DecodedImage], NDArray[np.float32]]:
    """What gives an image its pooled features, float32 [1280] of unit length, the same on every processor.

    Not for several threads, each of which may have its own.

    Raises:
        SettingsError: the package of the weights is not installed.
        ArtefactError: it is damaged.
    """
    outputs = in_float32(compose(BACKBONE, read_tensors(packaged_weights(BACKBONE)[0]), POWER, None))
    side = VARIANTS[BACKBONE].side

    def pooled(image: DecodedImage) -> NDArray[np.float32]:
        features: NDArray[np.float32] = outputs(image.squeezed(side)[np.newaxis])[0]
        return features

    return pooled
