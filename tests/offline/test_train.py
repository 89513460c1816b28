"""Training, put together from settings."""

from pathlib import Path

import pytest

from app.adapters.manifest import find_chain, versions
from app.errors import CatalogueError
from app.offline.train import TrainOptions, train
from app.settings import Settings, load_settings
from tests.fakes import tiny_catalogue
from tests.training.tiny import RECIPE

pytestmark = pytest.mark.tensorflow

OPTIONS = TrainOptions(seed=0, version=None, memory_bytes=1 << 20, disk_bytes=0)


def settings_of(folder: Path, models: Path, *, skip_bad_images: bool = False) -> Settings:
    csv_path, images = tiny_catalogue(folder)
    return load_settings(catalogue=csv_path, images=images, models=models, skip_bad_images=skip_bad_images)


def run(settings: Settings) -> list[str]:
    trained = train(settings, RECIPE, OPTIONS, lambda *_: None, lambda _: None, lambda: False)
    return [network.name for network in trained]


def test_a_catalogue_is_trained_on_each_picture_once_and_bad_ones_are_skipped_where_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path / "models", skip_bad_images=True)
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("again,p0.png,the same file\n")
    (settings.images / "p1.png").unlink()
    assert run(settings) == ["cae", "autoencoder"]
    for artefact in find_chain(settings.models, "autoencoder"):
        assert artefact.manifest.counts["images"] == 6


def test_bad_rows_and_pictures_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path / "models")
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("p0,p0.png,again\n")
    (settings.images / "p1.png").unlink()
    with pytest.raises(CatalogueError) as caught:
        run(settings)
    assert [problem.row for problem in caught.value.problems] == [3, 9]
    assert versions(settings.models, "cae") == []
