"""The network of the encoder `cnn`: generalised-mean pooling and the linear embedding."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("power", [1.0, 3.0, 10.0])
def test_pooling_is_the_generalised_mean_of_each_channel(power: float) -> None:
    from pricematch.training.networks.gem import GeneralisedMean

    maps = np.random.default_rng(0).uniform(0, 6, (2, 3, 4, 5)).astype(np.float32)
    pooled = np.asarray(GeneralisedMean(power)(maps))
    expected = [
        [(sum(float(x) ** power for x in maps[n, :, :, c].ravel()) / 12) ** (1 / power) for c in range(5)]
        for n in range(2)
    ]
    assert np.allclose(pooled, expected, rtol=1e-4)


def test_power_1_averages_a_large_one_nears_the_maximum_and_what_is_not_positive_counts_as_next_to_nothing() -> None:
    from pricematch.training.networks.gem import GeneralisedMean

    maps = np.array([0.0, 1.0, 2.0, 5.0], np.float32).reshape(1, 2, 2, 1)
    assert float(np.asarray(GeneralisedMean(1.0)(maps))[0, 0]) == pytest.approx(2)
    assert float(np.asarray(GeneralisedMean(60.0)(maps))[0, 0]) == pytest.approx(5, rel=0.03)
    assert float(np.asarray(GeneralisedMean(3.0)(-maps))[0, 0]) == pytest.approx(1e-6)


def test_an_embedding_is_linear_in_the_features_of_unit_length_and_of_unit_length_itself() -> None:
    import keras

    from pricematch.training.networks.cnn import build_encoder, build_head, build_pooled

    maps = keras.Input((8, 8, 3))
    pooled = build_pooled(keras.Model(maps, keras.layers.ReLU()(maps)), 2.0)
    head = build_head(3, 2)
    encoder = build_encoder(pooled, head)
    pictures = np.random.default_rng(0).uniform(0.1, 1, (4, 8, 8, 3)).astype(np.float32)
    features = np.sqrt((pictures**2).mean(axis=(1, 2)))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    kernel, bias = head.get_weights()
    expected = features @ kernel + bias
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(encoder.predict_on_batch(pictures), expected, atol=1e-5)
    assert encoder.output_shape == (None, 2)
