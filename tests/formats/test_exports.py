"""Golden inputs, which version is the next, and how it gets its name."""

import os
from pathlib import Path

import numpy as np
import pytest

from pricematch.errors import ArtefactExists, SettingsError
from pricematch.formats.exports import golden_pixels, next_version, publish
from pricematch.formats.manifest import Manifest, verify
from tests.support.networks import export


def test_golden_pixels_are_distinct_images_that_use_the_whole_range() -> None:
    pixels = golden_pixels(64)
    assert pixels.shape == (4, 64, 64, 3)
    assert pixels.dtype == np.uint8
    assert len({image.tobytes() for image in pixels}) == 4
    for image in pixels:
        assert image.min() < 40
        assert image.max() > 215
    np.testing.assert_array_equal(pixels, golden_pixels(64))


def staged(folder: Path) -> Path:
    """A version that waits for its name."""
    path = folder / "staged"
    (path / "variables").mkdir(parents=True)
    for relative in ("saved_model.pb", "golden.npz", "variables/variables.index"):
        (path / relative).write_bytes(relative.encode("ascii"))
    return path


def manifest(version: str, folder: Path) -> Manifest:
    """Of a CAE, without files."""
    described = verify(export(folder / "described", "cae", version)).manifest
    return described.model_copy(update={"files": {}})


def test_a_published_version_is_moved_whole_with_a_manifest_that_fits(tmp_path: Path) -> None:
    path = publish(staged(tmp_path), manifest("7", tmp_path), tmp_path / "models")
    assert path == tmp_path / "models" / "cae" / "7"
    assert not (tmp_path / "staged").exists()
    assert sorted(verify(path).manifest.files) == ["golden.npz", "saved_model.pb", "variables/variables.index"]


def test_an_existing_version_is_left_as_it_is(tmp_path: Path) -> None:
    existing = tmp_path / "models" / "cae" / "7"
    existing.mkdir(parents=True)
    (existing / "saved_model.pb").write_bytes(b"old")
    with pytest.raises(ArtefactExists, match="cae/7 exists; versions are never overwritten"):
        publish(staged(tmp_path), manifest("7", tmp_path), tmp_path / "models")
    assert [path.name for path in existing.iterdir()] == ["saved_model.pb"]
    assert (existing / "saved_model.pb").read_bytes() == b"old"


@pytest.mark.parametrize("moment", ["pricematch.formats.exports.write_manifest", "os.fsync", "pathlib.Path.rename"])
def test_a_publication_that_breaks_off_leaves_no_version(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, stop)
    with pytest.raises(KeyboardInterrupt):
        publish(staged(tmp_path), manifest("7", tmp_path), tmp_path / "models")
    assert list((tmp_path / "models").glob("*/*")) == []


def test_everything_is_on_the_disk_before_the_version_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        synced.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    publish(staged(tmp_path), manifest("7", tmp_path), tmp_path / "models")
    before, after = synced[: synced.index("rename")], synced[synced.index("rename") + 1 :]
    assert sorted(before) == sorted(
        ["saved_model.pb", "golden.npz", "manifest.json", "variables.index", "variables", "staged"]
    )
    assert after == ["cae"]


NETWORKS = ("cae", "autoencoder")


def test_the_next_version_is_after_the_newest_of_any_network(tmp_path: Path) -> None:
    assert next_version(tmp_path, NETWORKS, None) == "1"
    for name in ("cae/9", "cae/10", "autoencoder/3", "other/70"):
        (tmp_path / name).mkdir(parents=True)
    assert next_version(tmp_path, NETWORKS, None) == "11"
    (tmp_path / "autoencoder" / "12").mkdir()
    assert next_version(tmp_path, NETWORKS, None) == "13"


def test_a_wanted_version_is_taken_unless_a_network_has_it(tmp_path: Path) -> None:
    (tmp_path / "autoencoder" / "3").mkdir(parents=True)
    assert next_version(tmp_path, NETWORKS, "2") == "2"
    assert next_version(tmp_path, NETWORKS, "999999999") == "999999999"
    with pytest.raises(ArtefactExists, match="autoencoder/3 exists; versions are never overwritten"):
        next_version(tmp_path, NETWORKS, "3")


@pytest.mark.parametrize("version", ["", "v1", "1.0", "-1", "01", "1 ", "../1", "٣", "1234567890", "1e3", "one", "1.5"])
def test_a_version_that_is_no_whole_number_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(SettingsError, match="whole number"):
        next_version(tmp_path, NETWORKS, version)
