"""Verbs that work on a file whiten the default encoder as a service does."""

from pathlib import Path

import pytest

from pricematch.encoding.encoders import find_artefacts
from pricematch.encoding.offline_whitening import whiten_offline
from pricematch.formats.image_folder import ImageFolder
from pricematch.progress import silent
from pricematch.settings import Settings
from tests.support.fakes import encoded, scene

pytestmark = pytest.mark.slow


@pytest.fixture
def images(tmp_path: Path) -> ImageFolder:
    """Six images, and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.png").write_bytes(encoded(scene().rotate(40 * number)))
    (folder / "none.png").write_text("no image", encoding="utf-8")
    return ImageFolder(folder, 1 << 20)


NAMES = [*(f"{number}.png" for number in range(6)), "none.png"]


def newest(settings: Settings) -> tuple[str, str, int]:
    """Version of the encoder that is taken, and what it is whitened on."""
    manifest = find_artefacts(settings)[-1].manifest
    assert manifest.whitened_on is not None
    return manifest.version, manifest.whitened_on.what, manifest.whitened_on.images


def test_a_version_is_written_on_the_images_that_can_be_used(tmp_path: Path, images: ImageFolder) -> None:
    """Once: what is whitened on a catalogue stays, whatever is evaluated next."""
    settings = Settings(models=tmp_path / "models", whiten_images=6)
    for _ in range(2):
        whiten_offline(settings, NAMES, images, silent)
        assert newest(settings) == ("2", "catalogue", 6)


@pytest.mark.parametrize("given", [{"whiten_images": 0}, {"whiten_images": 7}, {"encoder_version": "1"}])
def test_nothing_is_written_where_that_is_not_wanted(
    tmp_path: Path, images: ImageFolder, given: dict[str, int | str]
) -> None:
    """Never, with too few images that can be used, or where a version is named."""
    models = tmp_path / "models"
    find_artefacts(Settings(models=models))
    whiten_offline(Settings(models=models, **({"whiten_images": 6} | given)), NAMES, images, silent)  # type: ignore[arg-type]
    assert newest(Settings(models=models))[:2] == ("1", "general")
