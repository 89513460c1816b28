"""Training and drawing, put together from settings."""

from pathlib import Path

import pytest
from PIL import Image

from app.adapters.manifest import find_chain, versions
from app.errors import CatalogueError
from app.offline import TrainOptions, show_reconstructions, train
from app.settings import Settings, load_settings
from tests.fakes import tiny_catalogue
from tests.training.tiny import RECIPE, TinyArtefacts

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


def test_reconstructions_are_drawn_below_their_pictures(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = settings_of(tmp_path, tiny_artefacts.models)
    sizes = []
    for count in (1, 3, 32):
        show_reconstructions(settings, None, count, tmp_path / "sheet.png", seed=0)
        with Image.open(tmp_path / "sheet.png") as sheet:
            sizes.append(sheet.size)
    one, three, all_seven = sizes
    assert one[1] == three[1] == all_seven[1] > 2 * 256
    assert all_seven[0] - three[0] == 2 * (three[0] - one[0])


def test_a_missing_picture_is_named_instead_of_drawn(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = settings_of(tmp_path, tiny_artefacts.models)
    (settings.images / "p1.png").unlink()
    with pytest.raises(CatalogueError, match=r"row 3, column image: 'p1\.png' is not in"):
        show_reconstructions(settings, "1", 7, tmp_path / "sheet.png", seed=0)
