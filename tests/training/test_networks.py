"""The networks: shapes, parameters and formulas."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pricematch.training.recipes import NOTEBOOK

pytestmark = pytest.mark.tensorflow


def test_the_cae_has_the_notebooks_layers() -> None:
    from pricematch.training.networks import build_cae

    cae, encoder = build_cae(NOTEBOOK.cae)
    halving = ["Conv2D", "AveragePooling2D"]
    doubling = ["Conv2D", "UpSampling2D"]
    assert [type(layer).__name__ for layer in cae.layers] == [
        "InputLayer",
        *halving * 4,
        "Flatten",
        "Reshape",
        *doubling * 4,
        "Conv2D",
    ]
    assert [type(layer).__name__ for layer in encoder.layers] == ["InputLayer", *halving * 4, "Flatten"]
    convolutions = [layer for layer in cae.layers if type(layer).__name__ == "Conv2D"]
    assert [layer.filters for layer in convolutions] == [32, 16, 16, 8, 8, 16, 16, 32, 3]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert {layer.padding for layer in convolutions} == {"same"}
    assert [layer.activation.__name__ for layer in convolutions] == ["relu"] * 8 + ["sigmoid"]


def test_the_cae_has_as_many_weights_as_its_convolutions_need() -> None:
    from pricematch.training.networks import build_cae

    def weights(channels: list[int]) -> int:
        return sum((3 * 3 * given + 1) * taken for given, taken in pairwise(channels))

    cae, encoder = build_cae(NOTEBOOK.cae)
    assert encoder.count_params() == weights([3, 32, 16, 16, 8])
    assert cae.count_params() == weights([3, 32, 16, 16, 8, 8, 16, 16, 32, 3])


def test_the_cae_gives_2048_latents_and_pixels_back() -> None:
    from pricematch.training.networks import build_cae

    cae, encoder = build_cae(NOTEBOOK.cae)
    assert encoder.input_shape == cae.input_shape == cae.output_shape == (None, 256, 256, 3)
    assert encoder.output_shape == (None, 256 // 2**4 * 256 // 2**4 * 8) == (None, 2048)


def test_the_autoencoder_has_the_notebooks_layers_and_weights() -> None:
    from pricematch.training.networks import build_autoencoder

    autoencoder, encoder = build_autoencoder(NOTEBOOK.autoencoder, 2048)
    assert [type(layer).__name__ for layer in autoencoder.layers] == ["InputLayer", *["Dense", "LeakyReLU"] * 4]
    assert [layer.units for layer in autoencoder.layers[1::2]] == [2048, 64, 512, 2048]
    assert {layer.activation.__name__ for layer in autoencoder.layers[1::2]} == {"linear"}
    assert {layer.negative_slope for layer in autoencoder.layers[2::2]} == {0.3}
    assert [layer.units for layer in encoder.layers[1::2]] == [2048, 64]
    assert encoder.count_params() == 2049 * 2048 + 2049 * 64
    assert autoencoder.count_params() == 2049 * 2048 + 2049 * 64 + 65 * 512 + 513 * 2048
    assert encoder.output_shape == (None, 64)


def test_the_encoders_share_their_weights_with_the_networks_that_are_trained() -> None:
    from pricematch.training.networks import build_autoencoder, build_cae

    small = replace(NOTEBOOK.cae, side=16, filters=(2,))
    for network, encoder in (build_cae(small), build_autoencoder(replace(NOTEBOOK.autoencoder, encoder_units=(3,)), 5)):
        network.set_weights([np.full_like(weights, 0.25) for weights in network.get_weights()])
        assert all((weights == 0.25).all() for weights in encoder.get_weights())


def test_the_cae_computes_convolution_relu_and_mean_pooling() -> None:
    from pricematch.training.networks import build_cae

    _, encoder = build_cae(replace(NOTEBOOK.cae, side=4, filters=(1,)))
    kernel, bias = (np.zeros_like(weights) for weights in encoder.get_weights())
    kernel[1, 1] = [[1], [-2], [0]]  # red − 2 green of the pixel itself
    encoder.set_weights([kernel, bias])
    pixels = np.random.default_rng(0).random((1, 4, 4, 3), np.float32)
    feature_map = np.maximum(pixels[0, :, :, 0] - 2 * pixels[0, :, :, 1], 0)
    expected = feature_map.reshape(2, 2, 2, 2).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(encoder.predict_on_batch(pixels)[0], expected, atol=1e-6)


pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("power", [1.0, 3.0, 10.0])
def test_pooling_is_the_generalised_mean_of_each_channel(power: float) -> None:
    from pricematch.training.networks import GeneralisedMean

    maps = np.random.default_rng(0).uniform(0, 6, (2, 3, 4, 5)).astype(np.float32)
    pooled = np.asarray(GeneralisedMean(power)(maps))
    expected = [
        [(sum(float(x) ** power for x in maps[n, :, :, c].ravel()) / 12) ** (1 / power) for c in range(5)]
        for n in range(2)
    ]
    assert np.allclose(pooled, expected, rtol=1e-4)


def test_pooling_goes_from_mean_to_maximum() -> None:
    """Power 1 averages, a large power nears the maximum; negative values count as next to nothing."""
    from pricematch.training.networks import GeneralisedMean

    maps = np.array([0.0, 1.0, 2.0, 5.0], np.float32).reshape(1, 2, 2, 1)
    assert float(np.asarray(GeneralisedMean(1.0)(maps))[0, 0]) == pytest.approx(2)
    assert float(np.asarray(GeneralisedMean(60.0)(maps))[0, 0]) == pytest.approx(5, rel=0.03)
    assert float(np.asarray(GeneralisedMean(3.0)(-maps))[0, 0]) == pytest.approx(1e-6)


def test_an_embedding_is_linear_and_of_unit_length() -> None:
    """Linear in features of unit length."""
    import keras

    from pricematch.training.networks import build_encoder, build_head, build_pooled

    maps = keras.Input((8, 8, 3))
    pooled = build_pooled(keras.Model(maps, keras.layers.ReLU()(maps)), 2.0)
    head = build_head(3, 2)
    encoder = build_encoder(pooled, head)
    images = np.random.default_rng(0).uniform(0.1, 1, (4, 8, 8, 3)).astype(np.float32)
    features = np.sqrt((images**2).mean(axis=(1, 2)))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    kernel, bias = head.get_weights()
    expected = features @ kernel + bias
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(encoder.predict_on_batch(images), expected, atol=1e-5)
    assert encoder.output_shape == (None, 2)
