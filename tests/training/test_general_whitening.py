"""The script that makes the general whitening of folders of images, without TensorFlow."""

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
    """Where it is told to; two folders count together."""
    output = tmp_path / "general.npz"
    main([str(folder), str(folder / "below"), "--output", str(output), "--threads", "1"])
    with np.load(output) as kept:
        assert kept["kernel"].shape == (1280, 9)
        assert (kept["kernel"].dtype, kept["bias"].dtype, int(kept["images"])) == (np.float16, np.float32, 11)
