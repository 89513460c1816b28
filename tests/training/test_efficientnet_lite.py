"""EfficientNet-Lite with ImageNet weights, on photos that scikit-learn carries, against a forward pass in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.efficientnet_lite import packaged_weights
from pricematch.errors import ArtefactError
from pricematch.formats.torch_file import Tensors, read_tensors

pytestmark = pytest.mark.tensorflow

DAISY = 985
BUILDINGS = {442: "bell cote", 483: "castle", 497: "church", 663: "monastery", 698: "palace", 832: "stupa"}
"""Classes of ImageNet (ILSVRC 2012) that a photo of a temple may be taken for."""


def photo(name: str, side: int) -> NDArray[np.uint8]:
    """One of the photos in scikit-learn's package: a flower, and a Chinese temple."""
    import sklearn.datasets

    path = Path(sklearn.datasets.__file__).parent / "images" / name
    return PillowDecoder(side, 10_000_000).decode(path.read_bytes())


def tensors_of(name: str) -> Tensors:
    return read_tensors(packaged_weights(name)[0])


def feature_map(name: str, tensors: Tensors, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights, scale

    network = build_efficientnet_lite(name, len(pixels))
    load_weights(network, tensors)
    found: NDArray[np.float32] = network.predict_on_batch(scale(pixels[np.newaxis].astype(np.float32)))[0]
    return found


def test_a_photo_gives_the_features_of_a_numpy_oracle() -> None:
    """And the class of what it shows."""
    tensors, pixels = tensors_of("efficientnet-lite0"), photo("flower.jpg", 224)
    expected = naive_features(tensors, pixels, "lite0")
    found = feature_map("efficientnet-lite0", tensors, pixels)
    assert found.shape == expected.shape == (7, 7, 1280)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    pooled = [values.mean(axis=(0, 1)) for values in (found, expected)]
    assert np.linalg.norm(pooled[0] - pooled[1]) < 1e-4 * np.linalg.norm(pooled[1])
    assert np.argmax(naive_logits(tensors, found.astype(np.float64))) == DAISY


@pytest.mark.parametrize(("name", "side"), [("efficientnet-lite1", 64), ("efficientnet-lite2", 65)])
def test_the_larger_networks_give_the_features_of_the_same_forward_pass(name: str, side: int) -> None:
    tensors, pixels = tensors_of(name), photo("china.jpg", side)
    expected = naive_features(tensors, pixels, name.removeprefix("efficientnet-"))
    found = feature_map(name, tensors, pixels)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "side"), [("efficientnet-lite0", 224), ("efficientnet-lite1", 240), ("efficientnet-lite2", 260)]
)
def test_a_temple_is_taken_for_a_building(name: str, side: int) -> None:
    tensors = tensors_of(name)
    answer = naive_logits(tensors, feature_map(name, tensors, photo("china.jpg", side)).astype(np.float64))
    assert int(np.argmax(answer)) in BUILDINGS


def test_weights_that_are_missing_or_of_another_network_are_named() -> None:
    from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights

    tensors = tensors_of("efficientnet-lite0")
    network = build_efficientnet_lite("efficientnet-lite0", 32)
    missing = {name: values for name, values in tensors.items() if name != "_blocks.3._bn1.running_var"}
    with pytest.raises(ArtefactError, match=r"expected weights named _blocks\.3\._bn1\.running_var, got none"):
        load_weights(network, missing)
    other = dict(tensors) | {"_conv_stem.weight": tensors["_conv_stem.weight"][:, :, :2, :2]}
    with pytest.raises(ArtefactError, match=r"expected weights of stem \(3, 3, 3, 32\), got \(2, 2, 3, 32\)"):
        load_weights(network, other)


FIRST_OF_STAGE = {"lite0": (1, 3, 5, 11), "lite1": (1, 4, 7, 15), "lite2": (1, 4, 7, 15)}
"""The blocks that halve the side: the first of stages 2, 3, 4 and 6 of 1, 2, 2, 3, 3, 4, 1 blocks times the depth."""


def naive_features(tensors: Tensors, pixels: NDArray[np.uint8], variant: str) -> NDArray[np.float64]:
    """The feature map [h, w, 1280] of one image uint8 [side, side, 3].

    In NumPy, written from the papers and nothing of ours. Convolutions are sums over the taps of the kernel, batch
    normalisation stands where it stood; depth, widths and kernels are those of the weights' shapes. Only the strides
    and the padding come from the papers.
    """
    values = (pixels.astype(np.float64) - 127) / 128
    values = relu6(normal(tensors, "_bn0", convolved(values, tensors["_conv_stem.weight"], 2)))
    count = len({name.split(".")[1] for name in tensors if name.startswith("_blocks.")})
    for number in range(count):
        values = block(tensors, f"_blocks.{number}", values, 2 if number in FIRST_OF_STAGE[variant] else 1)
    return relu6(normal(tensors, "_bn1", convolved(values, tensors["_conv_head.weight"], 1)))


def naive_logits(tensors: Tensors, feature_map: NDArray[np.float64]) -> NDArray[np.float64]:
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
