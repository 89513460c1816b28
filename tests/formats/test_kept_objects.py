"""Objects that are kept between starts, without any code in the file."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.errors import SettingsError
from pricematch.formats.kept_objects import KeptObjects


def double(number: int) -> int:
    return 2 * number


class Slotted:
    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True, eq=False)
class Shelf:
    """Holds one of each."""

    array: NDArray[Any]
    sparse: csr_array
    words: Mapping[str, int]
    parts: Mapping[str, Any]
    inner: "Shelf | Slotted | None"
    function: Any
    model: object

    @cached_property
    def total(self) -> float:
        """Computed, so not kept."""
        return float(self.array.sum())


KEPT = KeptObjects([Shelf, Slotted], [double])
MODEL = object()
OUTSIDE: Mapping[str, object] = {"model": MODEL}


def shelf(inner: "Shelf | Slotted | None" = None) -> Shelf:
    return Shelf(
        np.array([[1.5, np.nan], [0, -2]], np.float32),
        csr_array(np.array([[0, 3, 0], [0, 0, 0]], np.float32)),
        {"kopi": 0, "": 1, "é\udc80": 2},
        {"pair": (1, "two", None, True), "list": [np.arange(3)], "empty": {}, "float": 0.1},
        inner,
        double,
        MODEL,
    )


def test_what_is_kept_is_read_again_bit_by_bit(tmp_path: Path) -> None:
    path, thing = tmp_path / "folder" / "kept.npz", shelf(shelf(Slotted(7)))
    assert thing.total != 0
    KEPT.save(path, "key", thing, OUTSIDE)
    found = KEPT.load(path, "key", OUTSIDE)
    assert isinstance(found, Shelf)
    np.testing.assert_array_equal(found.array, thing.array)
    assert found.array.dtype == np.float32
    np.testing.assert_array_equal(found.sparse.toarray(), thing.sparse.toarray())
    assert found.words == thing.words
    assert found.parts["pair"] == (1, "two", None, True)
    assert found.parts["list"][0].tolist() == [0, 1, 2]
    assert (found.parts["empty"], found.parts["float"]) == ({}, 0.1)
    assert isinstance(found.inner, Shelf)
    assert isinstance(found.inner.inner, Slotted)
    assert found.inner.inner.number == 7
    assert found.function is double
    assert found.model is MODEL
    assert "total" not in vars(found)


def test_what_depends_on_something_else_is_not_read(tmp_path: Path) -> None:
    KEPT.save(tmp_path / "kept.npz", "key", shelf(), OUTSIDE)
    assert KEPT.load(tmp_path / "kept.npz", "other key", OUTSIDE) is None
    assert KEPT.load(tmp_path / "absent.npz", "key", OUTSIDE) is None
    assert KEPT.load(tmp_path / "kept.npz", "key", {}) is None


def test_a_file_that_is_cut_off_or_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    KEPT.save(path, "key", shelf(), OUTSIDE)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        assert KEPT.load(path, "key", OUTSIDE) is None
    for at in range(30, len(whole) - 30, 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        KEPT.load(path, "key", OUTSIDE)  # a byte that says nothing may be another; it does not raise


@pytest.mark.parametrize(
    "node",
    [
        {"object": ["Path", {}]},
        {"object": ["eval", {}]},
        {"function": "system"},
        {"array": "absent"},
        {"unknown kind": 1},
        {"outside": "absent"},
        {"one": 1, "two": 2},
    ],
)
def test_only_what_the_reader_names_is_made(tmp_path: Path, node: object) -> None:
    tree = np.frombuffer(json.dumps({"key": "key", "thing": node}).encode(), np.uint8)
    np.savez(tmp_path / "kept.npz", tree=tree)
    assert KEPT.load(tmp_path / "kept.npz", "key", OUTSIDE) is None


def test_pickles_in_a_file_are_not_read(tmp_path: Path) -> None:
    tree = np.frombuffer(json.dumps({"key": "key", "thing": {"array": "0"}}).encode(), np.uint8)
    arrays: dict[str, Any] = {"tree": tree, "0": np.array([object], object)}
    np.savez(tmp_path / "kept.npz", **arrays)
    assert zipfile.is_zipfile(tmp_path / "kept.npz")
    assert KEPT.load(tmp_path / "kept.npz", "key", OUTSIDE) is None


@pytest.mark.parametrize("thing", [{1, 2}, Path(), len, KeptObjects])
def test_what_cannot_be_kept_is_an_error_and_leaves_what_was_kept(tmp_path: Path, thing: object) -> None:
    path = tmp_path / "kept.npz"
    KEPT.save(path, "key", shelf(), OUTSIDE)
    with pytest.raises(TypeError, match="cannot keep a"):
        KEPT.save(path, "key", thing, OUTSIDE)
    assert isinstance(KEPT.load(path, "key", OUTSIDE), Shelf)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError):
        KEPT.save(tmp_path / "file" / "kept.npz", "key", shelf(), OUTSIDE)
