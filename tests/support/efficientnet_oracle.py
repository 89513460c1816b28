"""EfficientNet-Lite in NumPy, written from the papers and nothing of ours: the oracle of the rebuilt networks.

Convolutions are sums over the taps of the kernel, batch normalisation stands where it stood; depth, widths and kernels
are those of the weights' shapes. Only the strides and the padding come from the papers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]
FIRST_OF_STAGE = {"lite0": (1, 3, 5, 11), "lite1": (1, 4, 7, 15), "lite2": (1, 4, 7, 15)}
"""The blocks that halve the side: the first of stages 2, 3, 4 and 6 of 1, 2, 2, 3, 3, 4, 1 blocks times the depth."""


def features(tensors: Tensors, pixels: NDArray[np.uint8], variant: str) -> NDArray[np.float64]:
    """The feature map [h, w, 1280] of one image uint8 [side, side, 3]."""
    values = (pixels.astype(np.float64) - 127) / 128
    values = relu6(normal(tensors, "_bn0", convolved(values, tensors["_conv_stem.weight"], 2)))
    count = len({name.split(".")[1] for name in tensors if name.startswith("_blocks.")})
    for number in range(count):
        values = block(tensors, f"_blocks.{number}", values, 2 if number in FIRST_OF_STAGE[variant] else 1)
    return relu6(normal(tensors, "_bn1", convolved(values, tensors["_conv_head.weight"], 1)))


def logits(tensors: Tensors, feature_map: NDArray[np.float64]) -> NDArray[np.float64]:
    """The classifier's answer [1000]."""
    answer: NDArray[np.float64] = tensors["_fc.weight"] @ feature_map.mean(axis=(0, 1)) + tensors["_fc.bias"]
    return answer


def block(tensors: Tensors, name: str, inputs: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    values = inputs
    if f"{name}._expand_conv.weight" in tensors:
        values = relu6(normal(tensors, f"{name}._bn0", convolved(values, tensors[f"{name}._expand_conv.weight"], 1)))
    values = relu6(
        normal(tensors, f"{name}._bn1", convolved(values, tensors[f"{name}._depthwise_conv.weight"], stride))
    )
    values = normal(tensors, f"{name}._bn2", convolved(values, tensors[f"{name}._project_conv.weight"], 1))
    return values + inputs if values.shape == inputs.shape else values


def convolved(values: NDArray[np.float64], kernel: NDArray[Any], stride: int) -> NDArray[np.float64]:
    """A convolution of [h, w, c] with [out, c or 1, k, k]; padded so that ⌈h / stride⌉ rows come out, more behind."""
    size = kernel.shape[2]
    outputs = [-(-side // stride) for side in values.shape[:2]]
    missing = [max(0, (out - 1) * stride + size - side) for out, side in zip(outputs, values.shape, strict=False)]
    padded = np.pad(values, [(total // 2, total - total // 2) for total in missing] + [(0, 0)])
    result = np.zeros((*outputs, kernel.shape[0]))
    for y in range(size):
        for x in range(size):
            seen = padded[y : y + stride * outputs[0] : stride, x : x + stride * outputs[1] : stride]
            seen = seen[: outputs[0], : outputs[1]]
            tap = kernel[:, :, y, x]
            result += seen * tap[:, 0] if kernel.shape[1] == 1 else seen @ tap.T
    return result


def normal(tensors: Tensors, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    gamma, beta, mean, variance = (
        tensors[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def relu6(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(values, 0, 6)
