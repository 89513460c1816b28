"""Exported SavedModels, and how a version gets its name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.formats.manifest import TensorDescription
from tests.support.networks import EMBEDDING, LATENTS, RECIPE, TinyArtefacts

pytestmark = pytest.mark.tensorflow

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


def plain(path: Path) -> Any:
    """What TensorFlow alone makes of it."""
    import tensorflow as tf

    return tf.saved_model.load(str(path))


def test_the_cae_takes_uint8_pixels_and_gives_latents(tiny_artefacts: TinyArtefacts) -> None:
    loaded = plain(tiny_artefacts.models / "cae" / "1")
    assert sorted(loaded.signatures) == ["reconstruct", "serving_default"]
    function = loaded.signatures["serving_default"]
    [(name, specification)] = function.structured_input_signature[1].items()
    assert (name, specification.shape.as_list(), specification.dtype.name) == ("pixels", [None, 16, 16, 3], "uint8")
    assert {name: output.dtype.name for name, output in function.structured_outputs.items()} == {"latents": "float32"}
    together = function(pixels=PIXELS)["latents"].numpy()
    assert together.shape == (5, LATENTS)
    alone = [function(pixels=PIXELS[row : row + 1])["latents"].numpy()[0] for row in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_autoencoder_is_served_as_latents_to_embeddings_for_any_batch(tiny_artefacts: TinyArtefacts) -> None:
    loaded = plain(tiny_artefacts.models / "autoencoder" / "1")
    assert list(loaded.signatures) == ["serving_default"]
    function = loaded.signatures["serving_default"]
    for count in (1, 3):
        latents = np.ones((count, LATENTS), np.float32)
        assert function(latents=latents)["embedding"].shape == (count, EMBEDDING)


def test_an_export_computes_what_the_network_does(tmp_path: Path) -> None:
    from pricematch.training.export import export_autoencoder, export_cae
    from pricematch.training.networks import build_autoencoder, build_cae

    cae, encoder = build_cae(RECIPE.cae)
    export_cae(tmp_path / "cae", cae, encoder)
    loaded = plain(tmp_path / "cae")
    latents = encoder.predict_on_batch(PIXELS / np.float32(255))
    np.testing.assert_allclose(loaded.signatures["serving_default"](pixels=PIXELS)["latents"], latents, atol=1e-5)
    rebuilt = loaded.signatures["reconstruct"](pixels=PIXELS)["reconstruction"].numpy()
    np.testing.assert_allclose(rebuilt, cae.predict_on_batch(PIXELS / np.float32(255)), atol=1e-5)
    assert rebuilt.shape == PIXELS.shape
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1

    _, dense = build_autoencoder(RECIPE.autoencoder, LATENTS)
    export_autoencoder(tmp_path / "dense", dense)
    embedded = plain(tmp_path / "dense").signatures["serving_default"](latents=latents)["embedding"]
    np.testing.assert_allclose(embedded, dense.predict_on_batch(latents), atol=1e-5)


def test_an_export_over_the_leftovers_of_another_is_whole(tmp_path: Path) -> None:
    from pricematch.training.export import export_autoencoder
    from pricematch.training.networks import build_autoencoder

    (tmp_path / "staged" / "variables").mkdir(parents=True)
    (tmp_path / "staged" / "leftover").write_bytes(b"half")
    export_autoencoder(tmp_path / "staged", build_autoencoder(RECIPE.autoencoder, LATENTS)[1])
    assert not (tmp_path / "staged" / "leftover").exists()
    plain(tmp_path / "staged")


def test_a_weights_digest_is_of_values_shapes_and_order() -> None:
    import keras

    from pricematch.training.export import weights_digest

    def digest(shape: tuple[int, int], value: float) -> str:
        dense = keras.Sequential([keras.Input((shape[0],)), keras.layers.Dense(shape[1], use_bias=False)])
        dense.set_weights([np.full(shape, value, np.float32)])
        return weights_digest(dense)

    assert digest((2, 3), 0.5) == digest((2, 3), 0.5)
    assert len({digest((2, 3), 0.5), digest((3, 2), 0.5), digest((6, 1), 0.5), digest((2, 3), 0.5000001)}) == 4


def test_the_cnn_takes_uint8_pixels_and_gives_embeddings(tmp_path: Path) -> None:
    import keras

    from pricematch.training.export import export_cnn

    scaled = keras.Input((16, 16, 3))
    encoder = keras.Model(scaled, keras.layers.GlobalAveragePooling2D()(scaled))
    export_cnn(tmp_path / "cnn", encoder, lambda pixels: (pixels - 100.0) / 50.0)
    loaded = plain(tmp_path / "cnn")
    assert list(loaded.signatures) == ["serving_default"]
    function = loaded.signatures["serving_default"]
    for rows in (PIXELS, PIXELS[:1]):
        expected = (rows.astype(np.float64).mean(axis=(1, 2)) - 100) / 50
        np.testing.assert_allclose(function(pixels=rows)["embedding"], expected, atol=1e-4)


def test_a_description_names_the_libraries_and_the_time() -> None:
    from pricematch.training.export import describe

    tensor = TensorDescription(name="x", shape=(None, 1), dtype="float32")
    described = describe(
        tensor,
        replace_name(tensor, "y"),
        name="cae",
        version="1",
        recipe=replace(RECIPE, name="r").describe(),
        seed=0,
        losses={},
        counts={},
        catalogue_digest="",
        weights_digest="",
        input_encoder=None,
        files={},
    )
    assert sorted(described.libraries) == ["keras", "numpy", "python", "tensorflow"]
    assert described.libraries["numpy"] == np.__version__
    assert described.created.endswith("+00:00")
    assert (described.input.name, described.output.name) == ("x", "y")


def replace_name(tensor: TensorDescription, name: str) -> TensorDescription:
    return tensor.model_copy(update={"name": name})
