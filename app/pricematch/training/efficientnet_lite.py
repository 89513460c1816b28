"""EfficientNet-Lite 0 to 2: EfficientNets (Tan and Le, 2019) without squeeze-and-excitation, and with ReLU6.

Sizes follow `lite/efficientnet_lite_builder.py` of Google's TPU repository: stem, head and the first and last stage
keep their size whatever the scale. Batch normalisation is folded into the convolutions, which have a bias instead.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pricematch.errors import ArtefactError

_EPSILON = 1e-3
"""Of the batch normalisation that is folded."""
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class _Variant:
    """How one network is scaled, and the side of the images its weights were trained on."""

    width: float
    depth: float
    side: int


VARIANTS: Mapping[str, _Variant] = {
    "efficientnet-lite0": _Variant(1.0, 1.0, 224),
    "efficientnet-lite1": _Variant(1.0, 1.1, 240),
    "efficientnet-lite2": _Variant(1.1, 1.2, 260),
}

_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class _Block:
    """One inverted bottleneck (Sandler et al., MobileNetV2, 2018)."""

    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int


def _blocks(variant: _Variant) -> Iterator[_Block]:
    """The blocks between stem and head, in order."""
    inputs = _STEM
    for stage, (repeats, kernel, stride, expansion, filters) in enumerate(_STAGES):
        outputs = _scaled_filters(filters, variant.width)
        kept = stage in (0, len(_STAGES) - 1)
        for repeat in range(repeats if kept else math.ceil(repeats * variant.depth)):
            yield _Block(kernel, stride if repeat == 0 else 1, expansion, inputs, outputs)
            inputs = outputs


def build_efficientnet_lite(name: str, side: int) -> keras.Model:
    """A network of `VARIANTS` without its classifier, its weights drawn at random.

    float32 [n, side, side, 3], scaled by `scale` → feature map float32 [n, ⌈side / 32⌉, ⌈side / 32⌉, 1280] in 0…6.
    """
    inputs = keras.Input((side, side, 3), name="scaled")
    values = _relu6(_convolution(_STEM, 3, 2, "stem")(inputs))
    for number, block in enumerate(_blocks(VARIANTS[name])):
        values = _bottleneck(values, block, f"block{number}")
    return keras.Model(inputs, _relu6(_convolution(_HEAD, 1, 1, "head")(values)), name=name)


def scale(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels 0…255 as the weights want them, −0.992…1."""
    return (pixels - 127.0) / 128.0


def load_weights(network: keras.Model, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Give a network weights named as in PyTorch (`_blocks.3._expand_conv.weight`), batch normalisation folded in.

    Raises:
        ArtefactError: a tensor is missing or has another shape.
    """
    for layer in network.layers:
        if layer.weights:
            kernel, bias = _folded(tensors, *_names(layer.name))
            if isinstance(layer, layers.DepthwiseConv2D):
                kernel = kernel.transpose(2, 3, 0, 1)
            else:
                kernel = kernel.transpose(2, 3, 1, 0)
            if kernel.shape != layer.kernel.shape:
                raise ArtefactError(f"expected weights of {layer.name} {layer.kernel.shape}, got {kernel.shape}")
            layer.set_weights([kernel, bias])


_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def _names(layer: str) -> tuple[str, str]:
    """The prefixes of a layer's convolution and batch normalisation in PyTorch's layout."""
    if layer in (ends := {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}):
        return ends[layer]
    block, _, part = layer.removeprefix("block").partition("_")
    convolution, normalisation = _PARTS[part]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{normalisation}"


def _folded(
    tensors: Mapping[str, NDArray[np.float32]], convolution: str, normalisation: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel [out, in, h, w] and bias [out] of a convolution with its batch normalisation: γ (w·x − μ) / σ + β."""
    try:
        kernel = tensors[f"{convolution}.weight"]
        gamma, beta, mean, variance = (
            tensors[f"{normalisation}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
    except KeyError as error:
        raise ArtefactError(f"expected weights named {error.args[0]}, got none") from error
    factor = gamma / np.sqrt(variance + _EPSILON)
    return (kernel * factor[:, None, None, None]).astype(np.float32), (beta - mean * factor).astype(np.float32)


def _bottleneck(inputs: keras.KerasTensor, block: _Block, name: str) -> keras.KerasTensor:
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


def _scaled_filters(filters: int, width: float) -> int:
    """The nearest multiple of 8, but not below nine tenths."""
    scaled = max(8, int(filters * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * filters * width else scaled
