"""Trainings from images to exported versions: reproducible, resumable, whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels
from pricematch.errors import ArtefactError, ArtefactExists, CatalogueError, ImageEmpty, ImageError, TrainingInterrupted
from pricematch.formats.manifest import digests, find, find_chain, versions
from tests.support.fakes import COLOURS, MAX_PIXELS, MIN_SIDE, FolderlessImages, tiny_images
from tests.support.networks import EMBEDDING, LATENTS, RECIPE, TinyArtefacts, train
from tests.support.vectors import naive_best, naive_f1
from tests.support.waiting import SAFETY_SECONDS

if TYPE_CHECKING:
    from pricematch.training.fit import Step

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]
STEPS_OF_EACH = 2 * 2
"""Epochs times steps an epoch, of the CAE and of the autoencoder."""


def reached(shown: "Sequence[Step]", count: int) -> bool:
    """Whether so many steps have been shown."""
    return len(shown) >= count


def weights(models: Path, version: str = "1") -> list[str]:
    """Digests of both networks' weights."""
    return [find(models, name, version).manifest.weights_digest for name in ("cae", "autoencoder")]


def leftovers(models: Path) -> list[str]:
    from pricematch.training.trainer import FOLDER

    return [name for name in os.listdir(models / FOLDER) if name != "lock"]  # noqa: PTH208 — hidden names too


@pytest.mark.long
def test_another_seed_trains_other_weights_and_versions_stand_side_by_side(
    tmp_path: Path, tiny_artefacts: TinyArtefacts
) -> None:
    models = Path(shutil.copytree(tiny_artefacts.models, tmp_path / "models"))
    assert [trained.path for trained in train(models, seed=1, version="5")] == [
        models / "cae" / "5",
        models / "autoencoder" / "5",
    ]
    assert weights(models, "1") == weights(tiny_artefacts.models)
    assert not set(weights(models, "5")) & set(weights(tiny_artefacts.models))
    assert [artefact.label for artefact in find_chain(models, "autoencoder", "1")] == ["cae/1", "autoencoder/1"]
    assert [artefact.label for artefact in find_chain(models, "autoencoder")] == ["cae/5", "autoencoder/5"]
    assert leftovers(models) == []


def test_a_resumed_training_gives_the_same_weights(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    shown: list[Step] = []
    for count in (1, STEPS_OF_EACH + 1):
        shown.clear()
        enough = partial(reached, shown, count)
        with pytest.raises(TrainingInterrupted):
            train(tmp_path, memory_bytes=0, watch=shown.append, interrupted=enough)
        assert versions(tmp_path, "cae") == []
    shown.clear()
    train(tmp_path, watch=shown.append)
    assert [step.network for step in shown] == ["autoencoder"] * (STEPS_OF_EACH - 2)
    assert weights(tmp_path) == weights(tiny_artefacts.models)


def test_stopped_while_it_decodes_it_trains_nothing(tmp_path: Path) -> None:
    shown: list[Step] = []
    with pytest.raises(TrainingInterrupted, match="stopped while decoding images"):
        train(tmp_path, watch=shown.append, interrupted=lambda: True)
    assert shown == []


KILLED = """
import os, signal, sys
from pathlib import Path
from pricematch.training import fit
from tests.support.networks import train

fit.SECONDS_BETWEEN_CHECKPOINTS = -1.0

def watch(step):
    if (step.network, step.epoch, step.step) == ("autoencoder", 2, 1):
        os.kill(os.getpid(), signal.SIGKILL)

train(Path(sys.argv[1]), watch=watch)
"""


@pytest.mark.long
def test_a_killed_training_goes_on_from_its_checkpoint(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=SAFETY_SECONDS)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert versions(tmp_path, "cae") == versions(tmp_path, "autoencoder") == []
    shown: list[Step] = []
    train(tmp_path, watch=shown.append)
    assert [(step.network, step.epoch, step.step) for step in shown] == [("autoencoder", 2, 1), ("autoencoder", 2, 2)]
    assert weights(tmp_path) == weights(tiny_artefacts.models)
    assert leftovers(tmp_path) == []


@pytest.mark.long  # a kill stays in `make test`
def test_stopped_while_it_publishes_it_leaves_whole_versions(
    tmp_path: Path, tiny_artefacts: TinyArtefacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def stop_at(name: str) -> None:
        def stop(staged: Path, target: Path) -> Path:
            if target.parent.name == name:
                raise KeyboardInterrupt
            return rename(staged, target)

        monkeypatch.setattr(Path, "rename", stop)

    stop_at("cae")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    assert versions(tmp_path, "cae") == versions(tmp_path, "autoencoder") == []

    shown: list[Step] = []
    stop_at("autoencoder")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, watch=shown.append)
    assert find(tmp_path, "cae").label == "cae/1"
    assert versions(tmp_path, "autoencoder") == []

    monkeypatch.undo()
    train(tmp_path, watch=shown.append)
    assert [artefact.label for artefact in find_chain(tmp_path, "autoencoder")] == ["cae/2", "autoencoder/2"]
    assert weights(tmp_path, "2") == weights(tiny_artefacts.models)
    assert shown == []


def test_an_existing_version_is_refused_before_any_work(tiny_artefacts: TinyArtefacts) -> None:
    before = dict(digests(tiny_artefacts.models))

    def check(_: Mapping[str, ImageError]) -> None:
        raise AssertionError("images were looked at")

    with pytest.raises(ArtefactExists, match="cae/1 exists"):
        train(tiny_artefacts.models, version="1", check=check)
    assert dict(digests(tiny_artefacts.models)) == before


def test_a_second_training_at_the_same_time_is_refused(tmp_path: Path) -> None:
    from pricematch.training.trainer import locked

    with locked(tmp_path), pytest.raises(ArtefactError, match="another training is at work"):
        train(tmp_path)


def test_bad_images_are_refused_before_training(tmp_path: Path) -> None:
    images = FolderlessImages(tiny_images().contents | {"p3.png": b""})
    evaluated: list[Mapping[str, ImageError]] = []

    def refuse(errors: Mapping[str, ImageError]) -> None:
        evaluated.append(errors)
        raise CatalogueError("bad")

    def never(_: object) -> None:
        raise AssertionError("trained")

    with pytest.raises(CatalogueError, match="bad"):
        train(tmp_path, images=images, check=refuse, watch=never)
    assert {name: type(error) for name, error in evaluated[0].items()} == {"p3.png": ImageEmpty}
    assert versions(tmp_path, "cae") == []


def test_only_training_images_are_augmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pricematch.training import batches
    from pricematch.training.augmentation import augment_batch

    augmented: list[tuple[int, int]] = []

    def noted(pixels: Pixels, rows: NDArray[np.int64], seed: int, epoch: int) -> Pixels:
        augmented.extend((int(row), epoch) for row in rows)
        return augment_batch(pixels, rows, seed, epoch)

    monkeypatch.setattr(batches, "augment_batch", noted)
    images = FolderlessImages(tiny_images().contents | {"p3.png": b""})
    recipe = replace(RECIPE, cae=replace(RECIPE.cae, validation_share=0.3, patience=1, augment=True))
    [cae, autoencoder] = train(tmp_path, images=images, recipe=recipe)
    assert (cae.fitted.training_rows, cae.fitted.validation_rows) == (4, 2)
    assert autoencoder.fitted.training_rows == len(COLOURS) - 1
    assert set(cae.fitted.losses) == {"loss", "validation_loss"}
    assert set(autoencoder.fitted.losses) == {"loss"}
    assert {epoch for _, epoch in augmented} == {0, 1}
    training, _ = batches.split(len(COLOURS) - 1, 0.3, seed=0)
    assert {row for row, _ in augmented} == set(training.tolist())


def test_a_manifest_says_everything_about_its_training(tiny_artefacts: TinyArtefacts) -> None:
    [cae, autoencoder] = (artefact.manifest for artefact in tiny_artefacts.chain())
    for manifest in (cae, autoencoder):
        assert manifest.version == "1"
        assert manifest.recipe["name"] == "tiny"
        assert manifest.recipe["cae"]["filters"] == [4, 3]
        assert manifest.seed == 0
        assert len(manifest.losses["loss"]) == 2
        assert {name: manifest.counts[name] for name in ("images", "training", "validation", "epochs")} == {
            "images": len(COLOURS),
            "training": len(COLOURS),
            "validation": 0,
            "epochs": 2,
        }
        assert manifest.counts["kept_epoch"] == 2
        assert manifest.counts["seconds"] > 0
        assert len(manifest.catalogue_digest) == len(manifest.weights_digest) == 64
        assert {"saved_model.pb", "golden.npz", "variables/variables.index"} < set(manifest.files)
    assert (cae.input.name, cae.input.shape, cae.input.dtype) == ("pixels", (None, 16, 16, 3), "uint8")
    assert (cae.output.name, cae.output.shape, cae.output.dtype) == ("latents", (None, LATENTS), "float32")
    assert autoencoder.input == cae.output
    assert (autoencoder.output.name, autoencoder.output.shape) == ("embedding", (None, EMBEDDING))
    assert cae.input_encoder is None
    assert autoencoder.input_encoder is not None
    assert autoencoder.input_encoder.weights_digest == cae.weights_digest
    assert cae.catalogue_digest == autoencoder.catalogue_digest


LABELS = ("red", "red", "green", "green", "dark", "dark", None)
"""Of the tiny catalogue's colours."""


def labelled() -> list[Posting]:
    """A posting of each image of the tiny catalogue, one without a image, and one more that shows a red."""
    postings = [Posting(f"p{row}", f"p{row}.png", label_group=label) for row, label in enumerate(LABELS)]
    return [Posting("bare", None, label_group="red"), *postings, Posting("again", "p1.png", label_group="red")]


@pytest.fixture(scope="module")
def labelled_models(tmp_path_factory: pytest.TempPathFactory, _repeatable_tensorflow: None) -> Path:
    """Version 1 is trained on the tiny catalogue, labelled; not to be written to."""
    folder = tmp_path_factory.mktemp("labelled")
    train(folder, postings=labelled())
    return folder


@pytest.mark.parametrize("name", ["cae", "autoencoder"])
def test_the_threshold_is_the_best_on_labelled_postings(labelled_models: Path, name: str) -> None:
    from pricematch.encoding.exported_encoder import ExportedEncoder

    chain = find_chain(labelled_models, name)
    decoder = PillowDecoder(RECIPE.cae.side, MAX_PIXELS, MIN_SIDE)
    shown = [posting for posting in labelled() if posting.image is not None]
    pixels = np.stack([decoder.decode(tiny_images().contents[str(posting.image)]) for posting in shown])
    embeddings = ExportedEncoder(chain).encode(pixels)
    manifest, labels = chain[-1].manifest, [posting.label_group for posting in shown]
    assert manifest.threshold is not None
    assert -1 <= manifest.threshold <= 1
    best = naive_best(embeddings, labels, ["red", "green", "dark"])
    assert naive_f1(embeddings, labels, ["red", "green", "dark"], manifest.threshold) == pytest.approx(best)
    picked_on = manifest.threshold_picked_on
    assert picked_on is not None
    assert (picked_on.postings, picked_on.groups, picked_on.catalogue) == (7, 3, 8)
    assert picked_on.mean_f1 == pytest.approx(best)


def test_labels_change_no_weights_and_without_them_there_is_no_threshold(
    labelled_models: Path, tiny_artefacts: TinyArtefacts
) -> None:
    assert weights(labelled_models) == weights(tiny_artefacts.models)
    for artefact in tiny_artefacts.chain():
        assert (artefact.manifest.threshold, artefact.manifest.threshold_picked_on) == (None, None)


@pytest.mark.long  # a kill stays in `make test`
def test_stopped_while_it_picks_a_threshold_it_goes_on(tmp_path: Path, labelled_models: Path) -> None:
    """It publishes nothing at first, and the same in the end."""
    reported: list[str] = []

    def picks() -> bool:
        return reported[-1:] == ["Picking the threshold of autoencoder"]

    with pytest.raises(TrainingInterrupted, match="stopped while picking the threshold of autoencoder, 8 of 8"):
        train(tmp_path, postings=labelled(), progress=lambda what, *_: reported.append(what), interrupted=picks)
    assert versions(tmp_path, "cae") == versions(tmp_path, "autoencoder") == []
    shown: list[Step] = []
    train(tmp_path, postings=labelled(), watch=shown.append)
    assert shown == []
    for name in ("cae", "autoencoder"):
        again, before = find(tmp_path, name).manifest, find(labelled_models, name).manifest
        assert (again.threshold, again.threshold_picked_on) == (before.threshold, before.threshold_picked_on)
