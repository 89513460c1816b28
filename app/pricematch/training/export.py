"""Exports encoders as SavedModels that TensorFlow Serving loads, and describes them."""

import hashlib
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pricematch.formats.manifest import Manifest, TensorDescription


def export_cae(folder: Path, cae: keras.Model, encoder: keras.Model) -> None:
    """Write the CAE's encoder: `serving_default` takes uint8 `pixels`, gives float32 `latents`.

    A second signature, `reconstruct`, gives the pixels that the decoder makes of them, float32 in [0, 1].
    """
    specification = tf.TensorSpec((None, *encoder.input_shape[1:]), tf.uint8, name="pixels")

    def encode(pixels: Any) -> dict[str, Any]:
        return {"latents": encoder(tf.cast(pixels, tf.float32) / 255.0)}

    def reconstruct(pixels: Any) -> dict[str, Any]:
        return {"reconstruction": cae(tf.cast(pixels, tf.float32) / 255.0)}

    _save(folder, [cae, encoder], specification, {"serving_default": encode, "reconstruct": reconstruct})


def export_autoencoder(folder: Path, encoder: keras.Model) -> None:
    """Write the dense autoencoder's encoder: `serving_default` takes float32 `latents`, gives float32 `embedding`."""

    def encode(latents: Any) -> dict[str, Any]:
        return {"embedding": encoder(latents)}

    specification = tf.TensorSpec(encoder.input_shape, tf.float32, name="latents")
    _save(folder, [encoder], specification, {"serving_default": encode})


def export_cnn(folder: Path, encoder: keras.Model, scale: Callable[[Any], Any]) -> None:
    """Write the CNN: `serving_default` takes uint8 `pixels`, gives float32 `embedding` of unit length.

    `scale` makes of pixels 0…255 what the encoder takes.
    """
    specification = tf.TensorSpec((None, *encoder.input_shape[1:]), tf.uint8, name="pixels")

    def encode(pixels: Any) -> dict[str, Any]:
        return {"embedding": encoder(scale(tf.cast(pixels, tf.float32)), training=False)}

    _save(folder, [encoder], specification, {"serving_default": encode})


def describe(signature_input: TensorDescription, signature_output: TensorDescription, **fields: Any) -> Manifest:
    """A manifest with the libraries and the time of now; `fields` are those of `Manifest`."""
    return Manifest(
        input=signature_input,
        output=signature_output,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        libraries={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        **fields,
    )


def weights_digest(model: keras.Model) -> str:
    """SHA-256 over the weights' shapes and bytes, in order."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(repr(weights.shape).encode("ascii") + weights.astype("<f4").tobytes())
    return digest.hexdigest()


def _save(
    folder: Path, parts: Sequence[keras.Model], specification: tf.TensorSpec, calls: Mapping[str, Callable[[Any], Any]]
) -> None:
    """Write one SavedModel with a signature per call; the parts are the models whose weights the calls use.

    It holds their weights as a plain list, by which OpenVINO finds them also where models are nested.
    """
    shutil.rmtree(folder, ignore_errors=True)
    module = tf.Module()
    module.weights = list({id(weights): weights.value for part in parts for weights in part.weights}.values())
    signatures = {name: tf.function(call, input_signature=[specification]) for name, call in calls.items()}
    tf.saved_model.save(module, str(folder), signatures=signatures)
