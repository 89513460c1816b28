"""Networks in TensorFlow: those that OpenVINO refuses, and reconstructions."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.encoding.exported_encoder import ExportedEncoder
from pricematch.errors import ArtefactError, ModelOutputError
from pricematch.formats.manifest import find_chain, verify

pytestmark = pytest.mark.tensorflow

PIXELS = np.random.default_rng(0).integers(0, 256, (35, 16, 16, 3), np.uint8)


@pytest.mark.usefixtures("_repeatable_tensorflow")
def test_what_openvino_refuses_runs_in_tensorflow(earlier_models: Path) -> None:
    """A nested network that an earlier version wrote answers its golden inputs, and says what runs it and why."""
    encoder = ExportedEncoder(find_chain(earlier_models, "cnn"))
    runtime = encoder.runtimes["cnn"]
    assert runtime.name.startswith("TensorFlow 2.")
    assert runtime.precision == "float32"
    assert "does not load in OpenVINO" in str(runtime.reason)
    together = encoder.encode(PIXELS)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(PIXELS[34:]), together[34:], atol=1e-5)


@pytest.mark.usefixtures("_repeatable_tensorflow")
def test_both_runtimes_give_the_same(earlier_models: Path) -> None:
    from pricematch.encoding.openvino_network import OpenVinoNetwork
    from pricematch.encoding.tensorflow_network import TensorFlowNetwork

    cae = verify(earlier_models / "cae" / "1")
    one, other = OpenVinoNetwork(cae, "float32", 1, PIXELS), TensorFlowNetwork(cae, "float32", 1, "to compare")
    np.testing.assert_allclose(one(PIXELS), other(PIXELS), atol=1e-5)


@pytest.mark.usefixtures("_repeatable_tensorflow")
def test_a_network_that_fails_is_an_error_of_ours(earlier_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from pricematch.encoding.tensorflow_network import TensorFlowNetwork

    def fail(_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    network = TensorFlowNetwork(verify(earlier_models / "cae" / "1"), "float32", 1, "to fail")
    monkeypatch.setattr(network, "_function", fail)
    with pytest.raises(ModelOutputError, match=r"the network failed \(ResourceExhaustedError\)"):
        network(PIXELS)


@pytest.mark.usefixtures("_repeatable_tensorflow")
def test_reconstructions_are_pixels_of_what_the_decoder_makes(earlier_models: Path) -> None:
    import tensorflow as tf

    from pricematch.encoding.tensorflow_network import reconstruct

    cae = verify(earlier_models / "cae" / "1")
    rebuilt = reconstruct(cae, PIXELS[:3])
    loaded = tf.saved_model.load(str(cae.path))
    plain = loaded.signatures["reconstruct"](pixels=PIXELS[:3])["reconstruction"].numpy()
    assert rebuilt.dtype == np.uint8
    np.testing.assert_array_equal(rebuilt, np.rint(255 * plain))


@pytest.mark.usefixtures("_repeatable_tensorflow")
def test_a_model_without_the_signature_is_refused(earlier_models: Path) -> None:
    from pricematch.encoding.tensorflow_network import reconstruct

    with pytest.raises(ArtefactError, match="autoencoder/1 does not load"):
        reconstruct(verify(earlier_models / "autoencoder" / "1"), PIXELS[:1])
