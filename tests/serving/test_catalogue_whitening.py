"""The default encoder whitened anew on the catalogue's images: when there are enough, once, against nobody's choice."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Posting
from pricematch.encoding.general_statistics import read_general_statistics
from pricematch.errors import CatalogueError, SettingsError
from pricematch.formats.manifest import MANIFEST, Origin, WhitenedOn, find, versions
from pricematch.serving.intake import Offered
from pricematch.serving.models import activate
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.serving.startup import start
from pricematch.settings import Settings, load_settings
from tests.support.fakes import encoded, marked_bytes, scene
from tests.support.matchers import export_matcher
from tests.support.served import Loaded, Told, matched, put, served, worker_processes


@pytest.fixture
def folder(tmp_path: Path, default_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds the default encoder, and no catalogue file."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(default_models, tmp_path / "models")
    return tmp_path


def settings_for(folder: Path, **given: Any) -> Settings:
    """Settings of a service that four images are enough for, and that follows nothing by itself."""
    paths = {"models": folder / "models", "data": folder / "data"}
    return load_settings(**(paths | {"whiten_images": 4, "follow_seconds": 3600, "precision": "float32"} | given))


def fill(running: ServedCatalogue, numbers: Sequence[int]) -> None:
    """Put postings whose images differ in colour."""
    for number in numbers:
        colour = f"#{37 * number % 256:02x}{91 * number % 256:02x}{151 * number % 256:02x}"
        put(running.intake, Offered(Posting(f"p{number}", None), [marked_bytes(colour)]))


def whitened_on(settings: Settings) -> WhitenedOn | None:
    """Of the newest version."""
    return find(settings.models, "cnn").manifest.whitened_on


def blended(images: int) -> WhitenedOn:
    """What a manifest says of so many images of the catalogue's own, and of the general ones beside."""
    return WhitenedOn(what="catalogue", images=images, general=read_general_statistics().sources)


def test_it_is_whitened_on_the_catalogue_once_there_are_enough_images(folder: Path) -> None:
    """The next version serves, says what it was made of, and a posting with an image that was there counts for none."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(3))
        put(running.intake, Offered(Posting("again", None), [marked_bytes("#000000")]))
        running.tick()
        assert (running.models["cnn"], versions(settings.models, "cnn")) == ("1", ["1"])
        fill(running, [3])
        running.tick()
        assert running.models["cnn"] == "2"
        assert whitened_on(settings) == blended(4)
        assert matched(running, "p0", limit=1) == ["again"]
        running.tick()
    assert versions(settings.models, "cnn") == ["1", "2"]
    assert sorted(path.name for path in settings.models.iterdir()) == ["cnn"]


def test_a_restart_does_not_repeat_it(folder: Path, loaded: Loaded) -> None:
    """The newest version serves, and nothing is encoded again."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(4))
        running.tick()
    loaded.encoded.clear()
    with served(settings) as running:
        running.tick()
        assert running.models["cnn"] == "2"
    assert loaded.encoded == {}
    assert versions(settings.models, "cnn") == ["1", "2"]


def test_it_is_repeated_when_there_are_four_times_as_many(folder: Path) -> None:
    """Not before."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(4))
        running.tick()
        fill(running, range(4, 15))
        running.tick()
        assert running.models["cnn"] == "2"
        fill(running, [15])
        running.tick()
        assert running.models["cnn"] == "3"
    assert whitened_on(settings) == blended(16)


@pytest.mark.parametrize("given", [{"whiten_images": 0}, {"encoder_version": "1"}])
def test_settings_may_forbid_it(folder: Path, given: dict[str, Any]) -> None:
    """By the number of images, or by naming a version."""
    settings = settings_for(folder, **given)
    with served(settings) as running:
        fill(running, range(6))
        running.tick()
        assert running.models["cnn"] == "1"
    assert versions(settings.models, "cnn") == ["1"]


def test_an_activated_version_stays(folder: Path) -> None:
    """Also one that was whitened in general: somebody has chosen it."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(3))
        activate(settings, "cnn/1")
        fill(running, range(3, 6))
        running.tick()
        running.tick()
        assert running.models["cnn"] == "1"
    assert versions(settings.models, "cnn") == ["1"]


def test_a_trained_version_stays(folder: Path) -> None:
    """Its manifest names no whitening."""
    settings = settings_for(folder)
    file = settings.models / "cnn" / "1" / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(manifest | {"whitened_on": None}), encoding="utf-8")
    with served(settings) as running:
        fill(running, range(6))
        running.tick()
    assert versions(settings.models, "cnn") == ["1"]


def test_a_version_that_was_trained_meanwhile_is_not_passed_over(folder: Path) -> None:
    """The next start takes the newest, which is not to be ours."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(3))
        shutil.copytree(settings.models / "cnn" / "1", settings.models / "cnn" / "2")
        fill(running, range(3, 6))
        running.tick()
        assert running.models["cnn"] == "1"
    assert versions(settings.models, "cnn") == ["1", "2"]


def test_the_encoder_of_a_matcher_stays(folder: Path) -> None:
    """A pair model knows the similarities of one encoder."""
    settings = settings_for(folder)
    origin = find(settings.models, "cnn").manifest.origin
    export_matcher(settings.models, ["image"], Origin(**origin.model_dump()))
    with served(settings) as running:
        fill(running, range(6))
        running.tick()
        assert running.models["cnn"] == "1"
    assert versions(settings.models, "cnn") == ["1"]


def test_one_question_whitens_nothing(folder: Path) -> None:
    """What starts a service for `show matches` leaves the models as they are."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(6))
    running = start(settings, Loaded(), Told(), serve=False)
    try:
        running.tick()
    finally:
        running.close()
    assert versions(settings.models, "cnn") == ["1"]


def test_images_that_all_look_the_same_are_no_failure(folder: Path) -> None:
    """They teach nothing but a mean; the general statistics have variances enough."""
    settings = settings_for(folder)
    with served(settings) as running:
        for side in range(40, 46):
            put(
                running.intake, Offered(Posting(f"p{side}", None), [encoded(Image.new("RGB", (side, side), "#336699"))])
            )
        running.tick()
        assert running.models["cnn"] == "2"
    assert whitened_on(settings) == blended(6)


def test_a_failure_is_told_once(folder: Path, loaded: Loaded) -> None:
    """Where most of the stored images cannot be read, what serves goes on."""
    settings = settings_for(folder)
    with served(settings) as running:
        fill(running, range(6))
        for file in [path for path in (settings.data / "images").rglob("*") if path.is_file()][:4]:
            file.unlink()
        with pytest.raises(CatalogueError, match="not whitened anew: 2 of 6 images can be encoded"):
            running.tick()
        running.tick()
        assert running.models["cnn"] == "1"
        assert loaded.retained
    assert versions(settings.models, "cnn") == ["1"]


def test_a_folder_of_models_that_cannot_be_written_to_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is encoded, and once."""
    settings = settings_for(folder)

    def refuse(path: Path) -> None:
        raise SettingsError(f"{path} cannot be written to (Read-only file system)")

    monkeypatch.setattr("pricematch.serving.catalogue_whitening.check_folder", refuse)
    with served(settings) as running:
        fill(running, range(4))
        with pytest.raises(SettingsError, match="models cannot be written to"):
            running.tick()
        running.tick()
        assert running.models["cnn"] == "1"


@pytest.mark.process
def test_worker_processes_compute_the_pooled_features(folder: Path) -> None:
    """By the new version the catalogue's images, turned ones of one scene, are less alike than in general."""
    settings = settings_for(folder, whiten_images=8, workers=1)
    drawn = scene((96, 96))
    pictures = [encoded(drawn.rotate(40 * number).resize((96 + number, 96))) for number in range(8)]

    def cosines() -> NDArray[np.floating]:
        [name] = running.snapshots.current.matcher.encoders
        key = running.snapshots.current.matcher.named[name]
        found = encoding.encode(pictures, Wanted(frozenset({key})))
        rows = np.array([it.embeddings[key] for it in found if isinstance(it, ImageFeatures)])
        assert rows.shape == (8, 256)
        return np.asarray(rows @ rows.T)

    with worker_processes(settings) as encoding, served(settings, encoding=encoding) as running:
        for number, picture in enumerate(pictures):
            put(running.intake, Offered(Posting(f"p{number}", None), [picture]))
        assert running.models["cnn"] == "1"
        general = cosines()
        running.tick()
        assert running.models["cnn"] == "2"
        assert cosines().mean() < general.mean() - 0.1
