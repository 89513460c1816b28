"""Writes files as `torch.save` does, with Python's own pickler and modules that stand in for PyTorch's."""

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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
