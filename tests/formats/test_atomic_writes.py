"""Folders that appear complete, or not at all."""

import os
from pathlib import Path

import pytest

from pricematch.errors import ArtefactExists, SettingsError
from pricematch.formats.atomic_writes import (
    check_folder,
    check_output,
    make_folder,
    move_whole,
    remove_abandoned,
    write_whole,
)


def test_a_file_is_made_or_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for content in (b"first", b"", b"x" * 100_000):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_was_there_stays_if_the_new_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SettingsError, match=r"cannot write .*report.json \(No space left on device\)"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    """A folder that is a file is refused."""
    write_whole(tmp_path / "new" / "folder" / "x", b"content")
    assert (tmp_path / "new" / "folder" / "x").read_bytes() == b"content"
    with pytest.raises(SettingsError, match=r"x cannot be written to \(.*x is a file, not a folder\)"):
        write_whole(tmp_path / "new" / "folder" / "x" / "y", b"")


def test_a_pipe_is_refused_a_link_is_followed(tmp_path: Path) -> None:
    """The pipe stays; the file that the link leads to is replaced."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="a device or a pipe, not a file"):
        write_whole(tmp_path / "pipe", b"")
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"content"


def test_links_that_lead_to_each_other_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    for path in (tmp_path / "one", tmp_path / "one" / "below"):
        with pytest.raises(SettingsError, match=r"^cannot write .* \(Too many levels of symbolic links\)$"):
            write_whole(path, b"")
    assert (tmp_path / "one").is_symlink()


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="File name too long"):
        write_whole(tmp_path / ("x" * 300), b"")


def test_checking_a_folder_makes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="is a file, not a folder"):
        check_folder(tmp_path / "file" / "below")


def test_an_output_that_is_also_read_is_refused(tmp_path: Path) -> None:
    catalogue, linked = tmp_path / "catalogue.csv", tmp_path / "linked.csv"
    catalogue.touch()
    linked.symlink_to(catalogue)
    for output in (catalogue, linked, tmp_path / "." / "catalogue.csv"):
        with pytest.raises(SettingsError, match="it is read here, and would be lost"):
            check_output(output, (None, tmp_path / "absent.npy", catalogue))
    check_output(tmp_path / "new.csv", (catalogue,))
    with pytest.raises(SettingsError, match="it is a folder, not a file"):
        check_output(tmp_path, (catalogue,))


def test_folders_are_made_and_one_that_is_a_file_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match="cannot be written to"):
            make_folder(path)


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


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    """Files of an hour ago go; files that are being written stay."""
    old, new, other = (staged(tmp_path, name) for name in (".matcher-old", ".matcher-new", "matcher"))
    for path in (old, other):
        os.utime(path, (0, 0))
    remove_abandoned(tmp_path, ".matcher-")
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
