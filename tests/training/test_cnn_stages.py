"""Features of a catalogue's images, and how they are cached."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.tensorflow


def test_features_are_made_once_and_again_if_broken_off(tmp_path: Path) -> None:
    from pricematch.training.cnn_stages import cached

    made: list[str] = []

    def make() -> NDArray[np.float32]:
        made.append("made")
        return np.arange(6, dtype=np.float32).reshape(2, 3)

    def stop() -> NDArray[np.float32]:
        raise KeyboardInterrupt

    file = tmp_path / "features-0.npy"
    with pytest.raises(KeyboardInterrupt):
        cached(file, stop)
    assert not file.exists()
    for _ in range(2):
        assert cached(file, make).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert made == ["made"]
    assert [path.name for path in tmp_path.iterdir()] == ["features-0.npy"]


def test_images_are_encoded_in_order_in_batches_of_32() -> None:
    import keras

    from pricematch.training.cnn_stages import ImageViews, PixelFunction

    class Shades:
        """Stands for a cache: image i is of the shade i."""

        def rows(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
            return np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 8, 8, 3)).copy()

    pixels = keras.Input((8, 8, 3))
    network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(pixels))
    images = ImageViews(Shades(), np.arange(1, 71), seed=0)  # type: ignore[arg-type]  # as much of it as is needed
    reported: list[int] = []
    encoded = PixelFunction(network, lambda values: values * 2.0).of_all(images, 0, reported.append)
    assert np.allclose(encoded, 2 * np.arange(1, 71)[:, np.newaxis])
    assert reported == [32, 64, 70]
    views = PixelFunction(network, lambda values: values * 2.0).of_all(images, 1, reported.append)
    assert not np.allclose(views, encoded)
