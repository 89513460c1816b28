"""Folders that appear complete, or not at all."""

import os
from pathlib import Path

import pytest

from pricematch.errors import ArtefactExists, SettingsError
from pricematch.formats.whole_folder import move_whole, remove_abandoned


def staged(folder: Path, name: str = ".new") -> Path:
    (folder / name / "below").mkdir(parents=True)
    (folder / name / "below" / "file.txt").write_text("kept", encoding="utf-8")
    return folder / name


def test_a_folder_gets_its_name_with_all_that_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "made" / "when" / "absent"
    assert move_whole(staged(tmp_path), target) == target
    assert (target / "below" / "file.txt").read_text(encoding="utf-8") == "kept"
    assert not (tmp_path / ".new").exists()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "older.txt").write_text("older", encoding="utf-8")
    with pytest.raises(ArtefactExists, match="versions are never overwritten"):
        move_whole(staged(tmp_path), tmp_path / "1")
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["older.txt"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(SettingsError, match=r"models/1 cannot be written \((File exists|Not a directory)\)"):
        move_whole(staged(tmp_path), tmp_path / "models" / "1")
    with pytest.raises(SettingsError, match=r"cannot be written \(No such file or directory\)"):
        move_whole(tmp_path / "gone", tmp_path / "1")


def test_what_was_left_an_hour_ago_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    old, new, other = (staged(tmp_path, name) for name in (".matcher-old", ".matcher-new", "matcher"))
    for path in (old, other):
        os.utime(path, (0, 0))
    remove_abandoned(tmp_path, ".matcher-")
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
