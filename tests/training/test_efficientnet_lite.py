"""EfficientNet-Lite with ImageNet weights, on photos that scikit-learn carries, against a forward pass in NumPy."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.encoding.decoder import PillowDecoder
from pricematch.errors import ArtefactError
from pricematch.formats.torch_file import Tensors, read_tensors
from tests.support import efficientnet_oracle as oracle

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
    from pricematch.training.pretrained import _package

    return read_tensors(_package(name)[0])


def feature_map(name: str, tensors: Tensors, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    from pricematch.encoding.saved_model import use_precision
    from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights, scale

    use_precision("float32")  # another test may have served in bfloat16, which holds for the whole process
    network = build_efficientnet_lite(name, len(pixels))
    load_weights(network, tensors)
    found: NDArray[np.float32] = network.predict_on_batch(scale(pixels[np.newaxis].astype(np.float32)))[0]
    return found


def test_a_photo_gives_the_features_of_a_forward_pass_in_numpy_and_the_class_it_shows() -> None:
    tensors, pixels = tensors_of("efficientnet-lite0"), photo("flower.jpg", 224)
    expected = oracle.features(tensors, pixels, "lite0")
    found = feature_map("efficientnet-lite0", tensors, pixels)
    assert found.shape == expected.shape == (7, 7, 1280)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    pooled = [values.mean(axis=(0, 1)) for values in (found, expected)]
    assert np.linalg.norm(pooled[0] - pooled[1]) < 1e-4 * np.linalg.norm(pooled[1])
    assert np.argmax(oracle.logits(tensors, found.astype(np.float64))) == DAISY


@pytest.mark.parametrize(("name", "side"), [("efficientnet-lite1", 64), ("efficientnet-lite2", 65)])
def test_the_larger_networks_give_the_features_of_the_same_forward_pass(name: str, side: int) -> None:
    tensors, pixels = tensors_of(name), photo("china.jpg", side)
    expected = oracle.features(tensors, pixels, name.removeprefix("efficientnet-"))
    found = feature_map(name, tensors, pixels)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "side"), [("efficientnet-lite0", 224), ("efficientnet-lite1", 240), ("efficientnet-lite2", 260)]
)
def test_a_temple_is_taken_for_a_building(name: str, side: int) -> None:
    tensors = tensors_of(name)
    answer = oracle.logits(tensors, feature_map(name, tensors, photo("china.jpg", side)).astype(np.float64))
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
