"""Pooled features, which whitening is made of, are those that the default encoder whitens."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.default_encoder import general_whitening
from pricematch.encoding.exported_encoder import ExportedEncoder
from pricematch.encoding.pooled_features import pooling
from pricematch.formats.manifest import find
from tests.support.fakes import encoded, scene


@pytest.mark.slow
def test_whitened_they_are_the_embedding(default_models: Path) -> None:
    """Of the same pixels, whatever side the decoder was made for."""
    image = encoded(scene())
    pooled = pooling()(PillowDecoder(1, 10**7).decoded(image))
    assert (pooled.shape, pooled.dtype) == ((1280,), np.dtype(np.float32))
    assert np.linalg.norm(pooled) == pytest.approx(1, abs=1e-5)
    whitened = general_whitening()[0](pooled)
    pixels = PillowDecoder(224, 10**7).decode(image)[np.newaxis]
    expected = ExportedEncoder([find(default_models, "cnn")]).encode(pixels)[0]
    assert whitened / np.linalg.norm(whitened) == pytest.approx(expected, abs=1e-5)
