"""Where unfinished trainings live: one at a time, the same folder for the same training."""

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.errors import ArtefactError, SettingsError
from pricematch.training.recipes import NOTEBOOK

pytestmark = pytest.mark.tensorflow


def enter(models: Path) -> None:
    from pricematch.training.trainer import locked

    with locked(models):
        pass


def test_a_second_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    from pricematch.training.trainer import FOLDER, locked

    with locked(tmp_path / "models") as root:
        assert root == tmp_path / "models" / FOLDER
        with pytest.raises(ArtefactError, match=r"another training is at work in .*models"):
            enter(tmp_path / "models")
        enter(tmp_path / "others")
    enter(tmp_path / "models")


def test_a_training_that_fails_gives_the_folder_free(tmp_path: Path) -> None:
    from pricematch.training.trainer import locked

    def fail() -> None:
        with locked(tmp_path):
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        fail()
    enter(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"a file")
    with pytest.raises(SettingsError, match="models cannot be written to"):
        enter(tmp_path / "models")


def unfinished_folder(root: Path, *, seed: int = 0, digest: str = "c", epochs: int = 1) -> Path:
    """The folder of a training that does not come to its end."""
    from pricematch.training.trainer import unfinished

    recipe = replace(NOTEBOOK, cae=replace(NOTEBOOK.cae, epochs=epochs))
    with ExitStack() as stack:
        folder = stack.enter_context(unfinished(root, recipe, seed, digest))
        stack.pop_all()
    assert folder.is_dir()
    return folder


def test_the_same_training_finds_its_folder_again(tmp_path: Path) -> None:
    first = unfinished_folder(tmp_path)
    (first / "checkpoint").write_bytes(b"kept")
    assert unfinished_folder(tmp_path) == first
    assert (first / "checkpoint").read_bytes() == b"kept"
    others = {
        unfinished_folder(tmp_path, seed=1),
        unfinished_folder(tmp_path, digest="d"),
        unfinished_folder(tmp_path, epochs=2),
    }
    assert len(others | {first}) == 4


def test_a_training_that_ends_well_leaves_no_folder(tmp_path: Path) -> None:
    from pricematch.training.trainer import unfinished

    with unfinished(tmp_path, NOTEBOOK, 0, "c") as folder:
        (folder / "checkpoint").write_bytes(b"done")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 — hidden names too
