"""The script that makes the general statistics of folders of images, without TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.training.general_whitening import images_below, main, pooled_features
from tests.support.fakes import encoded, scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten images, one of them below, one file that is none, and one that pretends."""
    folder = tmp_path / "shop"
    (folder / "below").mkdir(parents=True)
    for number in range(10):
        place = folder / "below" if number == 9 else folder
        (place / f"{number}.png").write_bytes(encoded(scene().rotate(35 * number)))
    (folder / "labels.csv").write_text("no image", encoding="utf-8")
    (folder / "x.jpg").write_text("no image either", encoding="utf-8")
    return folder


def test_images_of_a_folder_are_found_and_drawn_by_the_seed(folder: Path) -> None:
    """By their endings, wherever they are below; as many as are wanted, and the same ones again."""
    assert len(images_below(folder, 100)) == 11
    some = images_below(folder, 4)
    assert len(some) == 4
    assert some == images_below(folder, 4)
    assert some != images_below(folder, 4, seed=1)


def test_features_have_unit_length_and_bad_images_are_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the default encoder pools them; how many threads there are changes nothing but their order."""
    files = images_below(folder, 100)
    features = pooled_features(files)
    assert features.shape == (10, 1280)
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-5)
    assert "x.jpg is left out" in caplog.text
    again = pooled_features(files, threads=3)
    assert np.abs(np.sort(again, axis=0) - np.sort(features, axis=0)).max() < 1e-6
    assert pooled_features([]).shape == (0, 1280)


def test_the_script_writes_the_file(folder: Path, tmp_path: Path) -> None:
    """Where it is told to, with names and licences, and nothing of where the images were."""
    output = tmp_path / "general.npz"
    shops = [f"Hats: MIT={folder}", f"Shoes below:BSD-3-Clause={folder / 'below'}/.."]
    main([*shops, "--output", str(output), "--threads", "1", "--most", "8"])
    with np.load(output) as kept:
        assert kept["directions"].shape[0] == 1280
        assert kept["directions"].shape[1] < 16  # two times eight images
        assert (kept["names"].tolist(), kept["licences"].tolist()) == (["Hats", "Shoes below"], ["MIT", "BSD-3-Clause"])
        assert kept["images"].max() <= 8
    assert str(tmp_path).encode() not in output.read_bytes()


@pytest.mark.parametrize("text", ["{}", "Hats={}", ":MIT={}", "Hats:={}", "Hats:MIT={}/absent"])
def test_a_shop_without_name_licence_or_folder_is_refused(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose images they are has to be known."""
    with pytest.raises(SystemExit):
        main([text.format(folder)])
    assert "expected NAME:LICENCE=FOLDER" in capsys.readouterr().err
