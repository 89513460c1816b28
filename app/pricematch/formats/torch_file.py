"""Tensors out of files that PyTorch's `torch.save` wrote, without PyTorch and without executing anything.

Both layouts are read: the zip archive of PyTorch 1.6 and later, and the row of pickles and raw storages before it
(PyTorch's `torch/serialization.py`). A tensor is a view of a storage: offset and strides, in elements, say where it is.
"""

import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError
from pricematch.formats.inert_pickle import Call, Name, Reference, read_pickle

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_MAPPING, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_DTYPES: Mapping[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}


def read_tensors(path: Path) -> Tensors:
    """The tensors of a state dict (a mapping of names to tensors), each a contiguous array of its own.

    Raises:
        ArtefactError: the file cannot be read, is damaged, or holds anything but named tensors of numbers.
    """
    try:
        with path.open("rb") as file:
            zipped = zipfile.is_zipfile(file)
            file.seek(0)
            return _read_archive(file) if zipped else _read_legacy(file)
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ArtefactError(f"{path} holds no named tensors of PyTorch ({reason})") from error


@dataclass(frozen=True)
class _View:
    """Where a tensor is: key, dtype and number of elements of its storage; its offset, shape and strides in there."""

    key: str
    dtype: np.dtype[Any]
    count: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, storage: NDArray[Any]) -> NDArray[Any]:
        """The tensor, copied; raises ValueError if it would reach outside its storage or repeat parts of it."""
        end = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        if end >= len(storage) or math.prod(self.shape) > len(storage):
            raise ValueError(f"expected a tensor within {len(storage)} elements, got {self.shape} by {self.strides}")
        steps = [step * self.dtype.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, steps).copy()


def _read_archive(file: IO[bytes]) -> Tensors:
    with zipfile.ZipFile(file) as archive:
        pickled = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise ValueError("expected one data.pkl in the archive")
        folder = pickled[0].removesuffix("data.pkl")
        tensors = {}
        for name, view in _views(read_pickle(io.BytesIO(archive.read(pickled[0])))).items():
            with archive.open(f"{folder}data/{view.key}") as storage:
                tensors[name] = view.of(_array(storage, view))
        return tensors


def _read_legacy(file: IO[bytes]) -> Tensors:
    if read_pickle(file) != _MAGIC or read_pickle(file) != _PROTOCOL:
        raise ValueError("it does not begin as such a file")
    system = read_pickle(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("expected little-endian storages")
    views = _views(read_pickle(file))
    of_storage = {view.key: view for view in views.values()}
    keys = read_pickle(file)
    if not isinstance(keys, list) or set(map(str, keys)) != set(of_storage):
        raise ValueError("its tensors and its storages do not fit")
    storages = {}
    for key in keys:
        if (count := int.from_bytes(file.read(8), "little")) != of_storage[key].count:
            raise ValueError(f"expected a storage of {of_storage[key].count} elements, got {count}")
        storages[key] = _array(file, of_storage[key])
    return {name: view.of(storages[view.key]) for name, view in views.items()}


def _array(file: IO[bytes], view: _View) -> NDArray[Any]:
    """The storage that begins here; raises ValueError where the file ends before it does."""
    content = file.read(view.count * view.dtype.itemsize)
    if len(content) != view.count * view.dtype.itemsize:
        raise ValueError("it is cut short")
    return np.frombuffer(content, view.dtype)


def _views(state: Any) -> dict[str, _View]:
    match state:
        case dict(items):
            pass
        case Call(function=name, items=items) if name == _MAPPING:
            pass
        case _:
            raise ValueError(f"expected a mapping of names to tensors, got {_shown(state)}")
    return {str(name): _view(value) for name, value in items.items()}


def _view(value: Any) -> _View:
    match value:
        case Call(
            function=name,
            arguments=(
                Reference(("storage", Name(kind), str(key), _, int(count), *_)),
                int(offset),
                shape,
                strides,
                *_,
            ),
        ) if name == _TENSOR and isinstance(shape, tuple) and isinstance(strides, tuple):
            dtype = _DTYPES.get(str(kind))
            if dtype and len(shape) == len(strides) and all(map(_natural, (count, offset, *shape, *strides))):
                return _View(key, dtype, count, offset, shape, strides)
    raise ValueError(f"expected a tensor of numbers, got {_shown(value)}")


def _natural(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**40


def _shown(value: Any) -> str:
    return f"a call of {value.function}" if isinstance(value, Call) else type(value).__name__
