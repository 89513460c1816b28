"""What a trained CAE rebuilds, drawn."""

from pathlib import Path

import pytest
from PIL import Image

from pricematch.errors import CatalogueError
from pricematch.settings import Settings, load_settings
from pricematch.training.reconstructions import draw_reconstructions
from tests.support.fakes import tiny_catalogue
from tests.support.networks import TinyArtefacts


def _settings(folder: Path, models: Path) -> Settings:
    csv_path, images = tiny_catalogue(folder)
    return load_settings(catalogue=csv_path, images=images, models=models, data=folder / "data", precision="float32")


@pytest.mark.tensorflow
def test_reconstructions_are_drawn_below_their_images(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = _settings(tmp_path, tiny_artefacts.models)
    sizes = []
    for count in (1, 3, 32):
        draw_reconstructions(settings, None, count, tmp_path / "sheet.png", seed=0)
        with Image.open(tmp_path / "sheet.png") as sheet:
            sizes.append(sheet.size)
    one, three, all_seven = sizes
    assert one[1] == three[1] == all_seven[1] > 2 * 256
    assert all_seven[0] - three[0] == 2 * (three[0] - one[0])


@pytest.mark.tensorflow
def test_a_missing_image_is_named_instead_of_drawn(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = _settings(tmp_path, tiny_artefacts.models)
    (settings.images / "p1.png").unlink()
    with pytest.raises(CatalogueError, match=r"row 3, column image: 'p1\.png' is not in"):
        draw_reconstructions(settings, "1", 7, tmp_path / "sheet.png", seed=0)
