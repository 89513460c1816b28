"""Tensors out of PyTorch's files: strided views of storages, and nothing executed."""

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.errors import ArtefactError
from pricematch.formats.torch_file import read_tensors

MAGIC = 0x1950A86A20F9469CFC6C


class Torch:
    """Modules `torch` and `torch._utils` with what a state dict names, for as long as a test runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
        for name in ("FloatStorage", "LongStorage", "CharStorage"):
            setattr(torch, name, type(name, (), {"__module__": "torch"}))
        utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]  # a module takes any name
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "torch._utils", utils)
        monkeypatch.setattr(_rebuild_tensor_v2, "__module__", "torch._utils")
        self.module = torch

    def storage(self, kind: str, key: str, count: int) -> "Storage":
        return Storage(getattr(self.module, kind), key, count)


def _rebuild_tensor_v2(*arguments: object) -> None:
    raise AssertionError("a pickle was executed")


class Storage:
    """What a tensor is a view of; pickled as a persistent id."""

    def __init__(self, kind: type, key: str, count: int) -> None:
        self.identity = ("storage", kind, key, "cpu", count)


class View:
    """A tensor: offset, shape and strides, in elements, of a storage."""

    def __init__(self, storage: Storage, offset: Any, shape: Any, strides: Any) -> None:
        self.arguments: tuple[Any, ...] = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return value.identity if isinstance(value, Storage) else None


def pickled(value: object, protocol: int = 2) -> bytes:
    """The pickle of a state dict."""
    file = io.BytesIO()
    _Pickler(file, protocol).dump(value)
    return file.getvalue()


def write_archive(path: Path, state: object, storages: Mapping[str, NDArray[Any]]) -> Path:
    """PyTorch's layout since 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state if isinstance(state, bytes) else pickled(state))
        for key, values in storages.items():
            archive.writestr(f"archive/data/{key}", values.tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(
    path: Path, state: object, storages: Mapping[str, NDArray[Any]], *, little_endian: bool = True
) -> Path:
    """PyTorch's layout before 1.6."""
    head = [MAGIC, 1001, {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"long": 4}}]
    content = b"".join(pickle.dumps(value, 2) for value in head)
    content += state if isinstance(state, bytes) else pickled(state)
    content += pickle.dumps(sorted(storages), 2)
    for key in sorted(storages):
        content += struct.pack("<q", storages[key].size) + storages[key].tobytes()
    path.write_bytes(content)
    return path


def numbers(count: int) -> NDArray[np.float32]:
    """A storage whose elements tell where they are."""
    return np.arange(count, dtype=np.float32)


LAYOUTS = pytest.mark.parametrize("write", [write_archive, write_legacy])
Write = Callable[..., Path]


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Torch:
    return Torch(monkeypatch)


@LAYOUTS
def test_tensors_are_read_by_offset_shape_and_stride(tmp_path: Path, torch: Torch, write: Write) -> None:
    floats, longs = torch.storage("FloatStorage", "0", 30), torch.storage("LongStorage", "1", 1)
    state = OrderedDict(
        plain=View(floats, 0, (2, 3), (3, 1)),
        turned=View(floats, 6, (3, 2, 4), (1, 12, 3)),
        count=View(longs, 0, (), ()),
        nothing=View(floats, 30, (0, 4), (4, 1)),
    )
    tensors = read_tensors(write(tmp_path / "w.pth", state, {"0": numbers(30), "1": np.array([7])}))
    assert list(tensors) == ["plain", "turned", "count", "nothing"]
    assert tensors["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    expected = [[[6 + i + 12 * j + 3 * k for k in range(4)] for j in range(2)] for i in range(3)]
    assert tensors["turned"].tolist() == expected
    assert tensors["turned"].flags.c_contiguous
    assert tensors["turned"].flags.owndata
    assert tensors["count"].shape == ()
    assert tensors["count"].dtype == np.int64
    assert int(tensors["count"]) == 7
    assert tensors["nothing"].shape == (0, 4)


@LAYOUTS
@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (31,), (1,)),
        (25, (2, 3), (3, 1)),
        (0, (2, 2), (29, 1)),
        (0, (1_000, 1_000, 1_000), (0, 0, 0)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2, 2), (1,)),
        (0, (2.0,), (1,)),
        (0, [2], [1]),
        (2**62, (1,), (1,)),
    ],
)
def test_a_tensor_that_is_not_within_its_storage_is_refused(
    tmp_path: Path, torch: Torch, write: Write, offset: Any, shape: Any, strides: Any
) -> None:
    state = {"bad": View(torch.storage("FloatStorage", "0", 30), offset, shape, strides)}
    with pytest.raises(ArtefactError, match=r"w\.pth holds no named tensors of PyTorch"):
        read_tensors(write(tmp_path / "w.pth", state, {"0": numbers(30)}))


class Hostile:
    """Runs something wherever it is unpickled as Python does it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@LAYOUTS
@pytest.mark.parametrize("place", ["alone", "as a value", "as an argument"])
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path, torch: Torch, write: Write, place: str) -> None:
    hostile = Hostile(tmp_path / "touched")
    storage = torch.storage("FloatStorage", "0", 30)
    states = {
        "alone": hostile,
        "as a value": OrderedDict(good=View(storage, 0, (1,), (1,)), bad=hostile),
        "as an argument": {"bad": View(storage, hostile, (1,), (1,))},
    }
    file = write(tmp_path / "w.pth", states[place], {"0": numbers(30)})
    with pytest.raises(ArtefactError, match="holds no named tensors of PyTorch"):
        read_tensors(file)
    assert not hostile.marker.exists()
    pickle.loads(pickle.dumps(hostile))  # noqa: S301 — shows that it would have
    assert hostile.marker.exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("imported", [eval, os.system, pickle.loads, print, np.dtype, Path, dict, getattr])
def test_a_pickle_imports_tensors_only(tmp_path: Path, imported: Any, protocol: int) -> None:
    """Whatever else a pickle names is refused, under every protocol, whether it is called or not."""
    file = write_archive(tmp_path / "w.pth", pickle.dumps({"a": imported}, protocol), {})
    with pytest.raises(ArtefactError, match=r"holds no named tensors of PyTorch \(expected tensors of numbers, got '"):
        read_tensors(file)


@pytest.mark.parametrize(
    "content",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n}(X\x04\0\0\0__code__NX\x0c\0\0\0__defaults__)ub.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R}(K\x01K\x02ub.",
        b"ccollections\nOrderedDict\n}X\x03\0\0\0getNsb.",
        b"ctorch\nFloatStorage\n)R.",
        b"ctorch\nFloatStorage\n}X\x01\0\0\0aNsb.",
        b"ccollections\nOrderedDict\n(ctorch._utils\n_rebuild_tensor_v2\ntR.",
        b"\x80\x02\x82\x01.",
        b"(iposix\nsystem\n.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    ],
)
def test_a_pickle_changes_nothing_that_it_imports(tmp_path: Path, content: bytes) -> None:
    """Setting states on, and calling, what is allowed ends in the same error."""
    with pytest.raises(ArtefactError, match=r"w\.pth holds no named tensors of PyTorch"):
        read_tensors(write_archive(tmp_path / "w.pth", content, {}))
    assert OrderedDict(a=1).get("a") == 1


@given(content=st.binary(max_size=60).filter(lambda content: b"r" not in content))
def test_random_pickles_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """`r` is left out: it takes memory for as many values as it says."""
    file = write_archive(tmp_path_factory.getbasetemp() / "w.pth", b"\x80\x02" + content, {})
    with suppress(ArtefactError):
        assert read_tensors(file) == {}


@LAYOUTS
def test_other_storages_and_values_are_refused(tmp_path: Path, torch: Torch, write: Write) -> None:
    for state in ({"a": View(torch.storage("CharStorage", "0", 4), 0, (1,), (1,))}, {"a": 3}, [1], None):
        with pytest.raises(ArtefactError, match="holds no named tensors"):
            read_tensors(write(tmp_path / "w.pth", state, {"0": numbers(1)}))


@LAYOUTS
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, torch: Torch, write: Write) -> None:
    state = {"a": View(torch.storage("FloatStorage", "0", 3), 0, (3,), (1,))}
    whole = write(tmp_path / "w.pth", state, {"0": numbers(3)}).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(ArtefactError, match=r"cut\.pth holds no named tensors"):
            read_tensors(cut)


def test_a_broken_legacy_file_is_refused(tmp_path: Path, torch: Torch) -> None:
    """One of another byte order, or whose storages do not fit."""
    state, path = {"a": View(torch.storage("FloatStorage", "0", 3), 0, (3,), (1,))}, tmp_path / "w.pth"
    with pytest.raises(ArtefactError, match="little-endian"):
        read_tensors(write_legacy(path, state, {"0": numbers(3)}, little_endian=False))
    with pytest.raises(ArtefactError, match="expected a storage of 3 elements, got 4"):
        read_tensors(write_legacy(path, state, {"0": numbers(4)}))
    with pytest.raises(ArtefactError, match="do not fit"):
        read_tensors(write_legacy(path, state, {"1": numbers(3)}))


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(MAGIC, 2), pickle.dumps([MAGIC], 2), b"PK\x03\x04"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"w\.pth holds no named tensors of PyTorch"):
        read_tensors(tmp_path / "w.pth")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"w\.pth cannot be read \(No such file or directory\)"):
        read_tensors(tmp_path / "w.pth")
