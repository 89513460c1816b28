"""Writes the encoder `cnn` without training: for OpenVINO, and as a SavedModel where TensorFlow is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pricematch.encoding.default_encoder import BACKBONE, write_pretrained
from pricematch.encoding.efficientnet_lite import POWER, VARIANTS
from pricematch.encoding.tensorflow_import import import_tensorflow
from pricematch.encoding.whitening import Linear
from pricematch.formats.torch_file import Tensors


def export_pretrained(models: Path, version: str | None) -> Path:
    """Write the next version of `cnn` with the general whitening, or the one that is named; its folder.

    Raises:
        ArtefactExists, SettingsError, ArtefactError: see `write_pretrained`.
    """
    return write_pretrained(models, version, None if find_spec("tensorflow") is None else _save_in_keras)


def _save_in_keras(folder: Path, tensors: Tensors, linear: Linear) -> None:
    """The same network as a SavedModel."""
    import_tensorflow()
    from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights, scale
    from pricematch.training.export import export_cnn
    from pricematch.training.networks import build_encoder, build_head, build_pooled

    backbone = build_efficientnet_lite(BACKBONE, VARIANTS[BACKBONE].side)
    load_weights(backbone, tensors)
    head = build_head(*linear.kernel.shape)
    head.set_weights([linear.kernel.astype(np.float32), linear.bias.astype(np.float32)])
    export_cnn(folder, build_encoder(build_pooled(backbone, POWER), head), scale)
