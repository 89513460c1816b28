"""EfficientNet-Lite in Keras, of the architecture and the weights of `pricematch.encoding.efficientnet_lite`."""

import math
from collections.abc import Mapping

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pricematch.encoding.efficientnet_lite import (
    HEAD,
    PIXEL_MEAN,
    PIXEL_SCALE,
    STEM,
    VARIANTS,
    Block,
    blocks,
    folded_weights,
)
from pricematch.errors import ArtefactError


def build_efficientnet_lite(name: str, side: int) -> keras.Model:
    """A network of `VARIANTS` without its classifier, its weights drawn at random.

    float32 [n, side, side, 3], scaled by `scale` → feature map float32 [n, ⌈side / 32⌉, ⌈side / 32⌉, 1280] in 0…6.
    """
    inputs = keras.Input((side, side, 3), name="scaled")
    values = _relu6(_convolution(STEM, 3, 2, "stem")(inputs))
    for number, block in enumerate(blocks(VARIANTS[name])):
        values = _bottleneck(values, block, f"block{number}")
    return keras.Model(inputs, _relu6(_convolution(HEAD, 1, 1, "head")(values)), name=name)


def scale(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels 0…255 as the weights want them, −0.992…1."""
    return (pixels - PIXEL_MEAN) / PIXEL_SCALE


def load_weights(network: keras.Model, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Give a network weights named as in PyTorch (`_blocks.3._expand_conv.weight`), batch normalisation folded in.

    Raises:
        ArtefactError: a tensor is missing or has another shape.
    """
    for layer in network.layers:
        if layer.weights:
            kernel, bias = folded_weights(tensors, layer.name)
            if isinstance(layer, layers.DepthwiseConv2D):
                kernel = kernel.transpose(2, 3, 0, 1)
            else:
                kernel = kernel.transpose(2, 3, 1, 0)
            if kernel.shape != layer.kernel.shape:
                raise ArtefactError(f"expected weights of {layer.name} {layer.kernel.shape}, got {kernel.shape}")
            layer.set_weights([kernel, bias])


def _bottleneck(inputs: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    values = inputs
    if block.expansion > 1:
        values = _relu6(_convolution(block.inputs * block.expansion, 1, 1, f"{name}_expand")(values))
    # each channel is a convolution of its own: Keras's initialisers count all channels as inputs
    spread = keras.initializers.RandomNormal(stddev=math.sqrt(2) / block.kernel)
    depthwise = layers.DepthwiseConv2D(
        block.kernel, block.stride, "same", depthwise_initializer=spread, name=f"{name}_depthwise"
    )
    values = _convolution(block.outputs, 1, 1, f"{name}_project")(_relu6(depthwise(values)))
    if block.stride == 1 and block.inputs == block.outputs:
        values = layers.Add(name=f"{name}_add")([values, inputs])
    return values


def _convolution(filters: int, kernel: int, stride: int, name: str) -> layers.Layer:
    return layers.Conv2D(filters, kernel, stride, "same", kernel_initializer="he_normal", name=name)


def _relu6(values: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6.0)(values)
