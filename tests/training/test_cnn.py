"""Trainings of the encoder `cnn` from images to an exported version."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels
from pricematch.errors import ArtefactExists, CatalogueError, ImageError, SettingsError, TrainingInterrupted
from pricematch.evaluation.splits import group_digest, training_groups
from pricematch.formats.manifest import find, find_chain, side_of_pixels, versions
from tests.support.fakes import MAX_PIXELS, FolderlessImages
from tests.support.networks import CNN_SIDE, GROUPS, PICTURES, labelled_images, recipe, train_cnn
from tests.support.vectors import naive_best, naive_f1

if TYPE_CHECKING:
    from pricematch.training.fit import Step

pytestmark = pytest.mark.tensorflow


def weights(models: Path, version: str = "1") -> str:
    return find(models, "cnn", version).manifest.weights_digest


def pixels() -> Pixels:
    decoder = PillowDecoder(CNN_SIDE, MAX_PIXELS)
    return np.stack([decoder.decode(content) for content in labelled_images()[0].contents.values()])


def evaluated_groups(train_share: float = 1, seed: int = 0) -> list[str]:
    """The groups that a training does not learn from: those held out, 0.4 of its share, and those beyond it."""
    labels = sorted(set(labelled_images()[1].values()))
    trained, held_out = (training_groups(labels, part, seed) for part in (train_share, train_share * 0.4))
    return [label for label, learnt in zip(labels, trained & ~held_out, strict=True) if not learnt]


def assert_threshold_is_best(models: Path, evaluated: list[str]) -> None:
    """The threshold of the newest version is the best there is for the embeddings it gives."""
    from pricematch.encoding.exported_encoder import ExportedEncoder

    chain = find_chain(models, "cnn")
    embeddings, labels = ExportedEncoder(chain).encode(pixels()), list(labelled_images()[1].values())
    manifest, best = chain[0].manifest, naive_best(embeddings, labels, evaluated)
    assert manifest.threshold is not None
    assert -1 <= manifest.threshold <= 1
    assert naive_f1(embeddings, labels, evaluated, manifest.threshold) == pytest.approx(best)
    picked_on, counts = manifest.threshold_picked_on, (PICTURES * len(evaluated), len(evaluated), len(labels))
    assert picked_on is not None
    assert (picked_on.postings, picked_on.groups, picked_on.catalogue) == counts
    assert picked_on.mean_f1 == pytest.approx(best)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, _repeatable_tensorflow: None) -> Path:
    """Version 1 is trained on all label groups; not to be written to."""
    folder = tmp_path_factory.mktemp("cnn")
    train_cnn(folder)
    return folder


def test_an_export_passes_the_checks_of_the_service(models: Path) -> None:
    from pricematch.encoding.exported_encoder import ExportedEncoder

    [artefact] = find_chain(models, "cnn")
    assert side_of_pixels(artefact) == CNN_SIDE
    encoder = ExportedEncoder([artefact])
    embeddings = encoder.encode(pixels())
    assert embeddings.shape == (GROUPS * PICTURES, 6)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert encoder.versions == {"cnn": "1"}
    alone = np.concatenate([encoder.encode(image[np.newaxis]) for image in pixels()])
    assert np.allclose(alone, embeddings, atol=1e-4)


def test_without_labels_embeddings_are_whitened_and_there_is_no_threshold(tmp_path: Path) -> None:
    from pricematch.encoding.exported_encoder import ExportedEncoder

    trained = train_cnn(tmp_path, recipe(shrinkage=0.0), labels={})
    manifest = find(tmp_path, "cnn").manifest
    assert (trained.fitted.losses, manifest.trained_on) == ({}, None)
    assert (trained.threshold, manifest.threshold, manifest.threshold_picked_on) == (None, None, None)
    assert trained.fitted.training_rows == manifest.counts["images"] == GROUPS * PICTURES
    embeddings = ExportedEncoder(find_chain(tmp_path, "cnn")).encode(pixels()).astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(embeddings.T @ embeddings)
    assert eigenvalues.max() < 4 * eigenvalues.min()


@pytest.mark.long  # trains two networks anew
def test_a_training_share_of_0_is_as_no_labels(
    tmp_path: Path,
) -> None:
    """But for a threshold, which is picked on all groups."""
    train_cnn(tmp_path, labels={})
    train_cnn(tmp_path, recipe(train_share=0.0))
    assert weights(tmp_path, "1") == weights(tmp_path, "2")
    assert_threshold_is_best(tmp_path, evaluated_groups(0))


def test_a_manifest_names_weights_and_training_groups(tmp_path: Path, models: Path) -> None:
    whole = find(models, "cnn").manifest
    assert whole.weights is not None
    assert whole.weights.source == "drawn at random"
    assert whole.recipe["cnn"]["dimension"] == 6
    train_cnn(tmp_path, recipe(train_share=0.6), seed=3)
    record = find(tmp_path, "cnn").manifest.trained_on
    assert record is not None
    labels = sorted(set(labelled_images()[1].values()))
    chosen = [label for label, taken in zip(labels, training_groups(labels, 0.6, 3), strict=True) if taken]
    assert 0 < len(chosen) < GROUPS
    assert record.groups == tuple(sorted(map(group_digest, chosen)))
    assert (record.share, record.seed) == (0.6, 3)
    assert 0 < len(set(evaluated_groups(0.6, 3)) & set(chosen)) < len(chosen)  # some of those trained on were held out
    assert_threshold_is_best(tmp_path, evaluated_groups(0.6, 3))


def test_each_epoch_is_evaluated_on_held_out_groups(models: Path) -> None:
    manifest = find(models, "cnn").manifest
    assert len(manifest.losses["loss"]) == manifest.counts["epochs"] == 2
    assert len(manifest.losses["held_out_map"]) == 3
    assert manifest.counts["training"] + manifest.counts["validation"] == GROUPS * PICTURES
    assert manifest.counts["validation"] > 0


def test_without_held_out_groups_the_embedding_is_the_closed_form(tmp_path: Path, models: Path) -> None:
    trained = train_cnn(tmp_path, recipe(validation_share=0.0))
    assert trained.fitted.losses == {}
    assert trained.fitted.training_rows == GROUPS * PICTURES
    assert weights(tmp_path) != weights(models)
    assert trained.threshold is None  # nothing is left to evaluate on


@pytest.mark.long  # trains a backbone
def test_fine_tuning_trains_the_upper_layers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threshold is picked afterwards."""
    from pricematch.training.metric_learning import MetricLearning

    trained_variables: list[str] = []

    def noted(*arguments: object) -> MetricLearning:
        learning = MetricLearning(*arguments)  # type: ignore[arg-type]
        before = {variable.path: np.array(variable.numpy()) for variable in learning.model.variables}
        run = learning.run

        def ran() -> object:
            fitted = run()
            trained_variables.extend(
                variable.path
                for variable in learning.model.variables
                if (variable.numpy() != before[variable.path]).any()
            )
            return fitted

        monkeypatch.setattr(learning, "run", ran)
        return learning

    monkeypatch.setattr("pricematch.training.cnn_stages.MetricLearning", noted)
    monkeypatch.setattr("pricematch.training.metric_learning.held_out_map", _rising())
    chosen = recipe(epochs=0, fine_tune=True, fine_tune_layers=2, fine_tune_epochs=2, fine_tune_rate=0.01)
    reported: list[str] = []
    trained = train_cnn(tmp_path, chosen, progress=lambda what, *_: reported.append(what))
    assert {path.split("/")[0] for path in trained_variables} == {"block15_project", "head"}
    assert len(trained.fitted.losses["fine_tune_loss"]) == 2
    assert trained.fitted.kept_epoch == 2
    assert reported[-2:] == ["Encoding images", "Picking the threshold of cnn"]
    assert_threshold_is_best(tmp_path, evaluated_groups())


def _rising() -> object:
    """Finds each embedding better than the last."""
    found = iter(np.linspace(0, 1, 100).tolist())
    return lambda *_: next(found)


def test_the_threshold_is_the_best_on_held_out_groups(models: Path) -> None:
    assert 1 < len(evaluated_groups()) < GROUPS
    assert_threshold_is_best(models, evaluated_groups())


def test_interrupted_in_its_second_view_it_keeps_the_first(tmp_path: Path, models: Path) -> None:
    """It encodes the first view once, and trains the same."""
    from pricematch.training.trainer import FOLDER

    reported: list[tuple[str, int]] = []

    def progress(what: str, done: int, _: int) -> None:
        reported.append((what, done))

    def in_second_view() -> bool:
        return ("Encoding features", 2 * GROUPS * PICTURES) in reported

    with pytest.raises(TrainingInterrupted, match="stopped while encoding features, 48 of 48"):
        train_cnn(tmp_path, progress=progress, interrupted=in_second_view)
    assert versions(tmp_path, "cnn") == []
    reported.clear()
    train_cnn(tmp_path, progress=progress)
    assert [done for what, done in reported if what == "Encoding features"] == [2 * GROUPS * PICTURES]
    assert weights(tmp_path) == weights(models)
    assert [name for name in os.listdir(tmp_path / FOLDER) if name != "lock"] == []  # noqa: PTH208 — hidden names too


def test_stopped_while_it_trains_it_leaves_no_version(tmp_path: Path) -> None:
    shown: list[Step] = []
    with pytest.raises(TrainingInterrupted, match="cnn: stopped in epoch 1 of 2"):
        train_cnn(tmp_path, watch=shown.append, interrupted=lambda: bool(shown))
    assert versions(tmp_path, "cnn") == []


@pytest.mark.long  # `tests/training/test_autoencoders.py` trains the same way with two seeds
def test_another_seed_trains_other_weights(tmp_path: Path, models: Path) -> None:
    train_cnn(tmp_path, seed=1)
    assert weights(tmp_path) != weights(models)


@pytest.mark.long  # `tests/training/test_autoencoders.py` publishes the same way
def test_versions_are_its_own_and_never_overwritten(tmp_path: Path, models: Path) -> None:
    (tmp_path / "cae" / "7").mkdir(parents=True)
    assert train_cnn(tmp_path, labels={}).path == tmp_path / "cnn" / "1"
    with pytest.raises(ArtefactExists, match="cnn/1 exists"):
        train_cnn(models, version="1")


def test_bad_images_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    images = FolderlessImages(labelled_images()[0].contents | {"g0_0.png": b""})
    evaluated: list[Mapping[str, ImageError]] = []

    def refuse(errors: Mapping[str, ImageError]) -> None:
        evaluated.append(errors)
        raise CatalogueError("bad")

    with pytest.raises(CatalogueError, match="bad"):
        train_cnn(tmp_path, images=images, check=refuse)
    assert list(evaluated[0]) == ["g0_0.png"]
    train_cnn(tmp_path, images=images, labels={})
    assert find(tmp_path, "cnn").manifest.counts["images"] == GROUPS * PICTURES - 1


def test_missing_weights_are_named_before_images_are_read(tmp_path: Path) -> None:
    def never(_: Mapping[str, ImageError]) -> None:
        raise AssertionError("images were looked at")

    with pytest.raises(SettingsError, match="which is no file"):
        train_cnn(tmp_path, recipe(weights="absent"), check=never)


@pytest.mark.long  # Keras takes long to build it
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras, where it writes
def test_a_backbone_of_keras_is_exported_with_the_scaling_it_wants(tmp_path: Path) -> None:
    import keras

    from pricematch.encoding.exported_encoder import ExportedEncoder

    network = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(CNN_SIDE, CNN_SIDE, 3))
    for layer in network.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):  # drawn so small that nothing would come through
            layer.set_weights([10 * weights for weights in layer.get_weights()])
    network.save_weights(tmp_path / "mobile.weights.h5")
    train_cnn(tmp_path, recipe(backbone="MobileNetV2", weights=str(tmp_path / "mobile.weights.h5")))
    [artefact] = find_chain(tmp_path, "cnn")
    assert artefact.manifest.recipe["cnn"]["backbone"] == "MobileNetV2"
    assert ExportedEncoder([artefact]).encode(pixels()).shape == (GROUPS * PICTURES, 6)
