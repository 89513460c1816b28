"""Arrays that were kept, whatever happened to their file."""

import os
import zipfile
from pathlib import Path

import numpy as np

from pricematch.formats.kept_arrays import read_kept


def test_arrays_are_given_in_the_order_of_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "kept.npz", one=np.arange(3), other=np.zeros((2, 2)))
    found = read_kept(tmp_path / "kept.npz", ("other", "one"))
    assert found is not None
    assert [array.tolist() for array in found] == [[[0, 0], [0, 0]], [0, 1, 2]]


def test_what_is_no_whole_archive_with_all_of_them_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    np.savez(path, one=np.arange(3))
    assert read_kept(path, ("one", "other")) is None
    for content in (b"", b"PK", path.read_bytes()[:50]):
        path.write_bytes(content)
        assert read_kept(path, ("one",)) is None
    np.save(tmp_path / "alone.npy", np.arange(3))
    assert read_kept(tmp_path / "alone.npy", ("one",)) is None


def test_a_shape_that_no_memory_holds_gives_nothing(tmp_path: Path) -> None:
    header = str({"descr": "|u1", "fortran_order": False, "shape": (2**60,)}).encode()
    with zipfile.ZipFile(tmp_path / "kept.npz", "w") as archive:
        archive.writestr("one.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert read_kept(tmp_path / "kept.npz", ("one",)) is None


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "pipe", tmp_path / "loop", tmp_path, tmp_path / "absent"):
        assert read_kept(path, ("one",)) is None
