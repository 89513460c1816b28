"""Composes EfficientNet-Lite with pooling and a linear embedding as an OpenVINO model, without TensorFlow.

    pixels → scaling → backbone → generalised mean → unit length [→ linear → unit length]

It computes what `pricematch.training.networks` builds in Keras; a test holds one against the other.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.efficientnet_lite import PIXEL_MEAN, PIXEL_SCALE, VARIANTS, Block, blocks, folded_weights
from pricematch.encoding.openvino_import import openvino, opset
from pricematch.encoding.ports import Pixels
from pricematch.encoding.whitening import Linear

_Node: TypeAlias = Any
"""A node of OpenVINO's graph, which has no types."""
_LEAST = np.float32(1e-6)
"""What smaller activations are raised to, as `GeneralisedMean` does."""
_NOTHING = np.float32(1e-12)
"""The least length that a vector is divided by."""


def compose(
    name: str, tensors: Mapping[str, NDArray[np.float32]], power: float, linear: Linear | None
) -> openvino.Model:
    """A whole encoder: `pixels` uint8 [n, side, side, 3] → `embedding` float32 [n, d] of unit length.

    Args:
        name: a key of `VARIANTS`.
        tensors: its weights, named as in PyTorch.
        power: of the generalised mean that pools.
        linear: kernel [1280, d] and bias [d]; None ends with the pooled features, whose d is 1280.

    Raises:
        ArtefactError: a tensor is missing.
    """
    side = VARIANTS[name].side
    pixels = opset.parameter([-1, side, side, 3], np.uint8, name="pixels")
    pixels.output(0).set_names({"pixels"})
    scaled = opset.divide(
        opset.subtract(opset.convert(pixels, np.float32), np.float32(PIXEL_MEAN)), np.float32(PIXEL_SCALE)
    )
    channels_first = opset.transpose(scaled, np.array([0, 3, 1, 2]))
    values = _unit_length(_generalised_mean(_backbone(name, tensors, channels_first), power))
    if linear is not None:
        projected = opset.matmul(values, _constant(linear.kernel), transpose_a=False, transpose_b=False)
        values = _unit_length(opset.add(projected, _constant(linear.bias)))
    result = opset.result(values, name="embedding")
    result.output(0).set_names({"embedding"})
    return openvino.Model([result], [pixels], "cnn")


def in_float32(model: openvino.Model) -> Callable[[Pixels], NDArray[np.float32]]:
    """What such a model gives, ready to be called: pixels [n, side, side, 3] → float32 [n, d], one image after another.

    It computes in float32 on every processor, in one thread of its own.
    """
    fixed = model.clone()
    fixed.reshape([1, *list(model.input().get_partial_shape())[1:]])
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
    compiled = openvino.Core().compile_model(fixed, "CPU", properties)

    def outputs(pixels: Pixels) -> NDArray[np.float32]:
        return np.concatenate([compiled(pixels[row : row + 1])[0].copy() for row in range(len(pixels))])

    return outputs


def _backbone(name: str, tensors: Mapping[str, NDArray[np.float32]], scaled: _Node) -> _Node:
    """The feature map float32 [n, 1280, h, w] of scaled pixels [n, 3, side, side]."""
    values = _relu6(_convolution(tensors, "stem", scaled, 2))
    for number, block in enumerate(blocks(VARIANTS[name])):
        values = _bottleneck(tensors, f"block{number}", values, block)
    return _relu6(_convolution(tensors, "head", values))


def _bottleneck(tensors: Mapping[str, NDArray[np.float32]], name: str, inputs: _Node, block: Block) -> _Node:
    values = inputs
    if block.expansion > 1:
        values = _relu6(_convolution(tensors, f"{name}_expand", values))
    values = _relu6(_convolution(tensors, f"{name}_depthwise", values, block.stride))
    values = _convolution(tensors, f"{name}_project", values)
    return opset.add(values, inputs) if block.stride == 1 and block.inputs == block.outputs else values


def _convolution(tensors: Mapping[str, NDArray[np.float32]], layer: str, values: _Node, stride: int = 1) -> _Node:
    """A convolution with its bias; padded as TensorFlow does, more behind than before."""
    kernel, bias = folded_weights(tensors, layer)
    ends: list[int] = [0, 0]
    how = [stride, stride], ends, ends, [1, 1], "same_upper"
    if layer.endswith("_depthwise"):
        convolved = opset.group_convolution(values, kernel[:, np.newaxis], *how)
    else:
        convolved = opset.convolution(values, kernel, *how)
    return opset.add(convolved, bias.reshape(1, -1, 1, 1))


def _relu6(values: _Node) -> _Node:
    return opset.clamp(values, 0.0, 6.0)


def _generalised_mean(feature_map: _Node, power: float) -> _Node:
    """(mean over height and width of x^p)^(1/p), [n, c, h, w] → [n, c]."""
    axes = np.array([2, 3])
    positive = opset.maximum(feature_map, _LEAST)
    largest = opset.reduce_max(positive, axes, keep_dims=True)  # taken out, so that no power overflows
    powers = opset.reduce_mean(opset.power(opset.divide(positive, largest), np.float32(power)), axes, keep_dims=False)
    return opset.multiply(opset.squeeze(largest, axes), opset.power(powers, np.float32(1 / power)))


def _unit_length(values: _Node) -> _Node:
    length = opset.reduce_l2(values, np.array([1]), keep_dims=True)
    return opset.divide(values, opset.maximum(length, _NOTHING))


def _constant(values: NDArray[np.float64]) -> _Node:
    return opset.constant(values.astype(np.float32))
