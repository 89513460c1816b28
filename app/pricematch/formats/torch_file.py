"""Tensors out of files that PyTorch's `torch.save` wrote, without PyTorch and without executing what they hold.

Both layouts are read: the zip archive of PyTorch 1.6 and later, and the row of pickles and raw storages before it
(PyTorch's `torch/serialization.py`). A tensor is a view of a storage: by offset and strides, in elements.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES: Mapping[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_UNSOUND = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What the readers of pickles and archives raise over files that are damaged."""


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
    except _UNSOUND as error:
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

    def read(self, file: IO[bytes]) -> bytes:
        """The storage that begins here; raises ValueError where the file ends before it does."""
        content = file.read(self.count * self.dtype.itemsize)
        if len(content) != self.count * self.dtype.itemsize:
            raise ValueError("it is cut short")
        return content

    def of(self, storage: bytes) -> NDArray[Any]:
        """The tensor, copied; raises ValueError if it would reach outside its storage or repeat parts of it."""
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        size = self.dtype.itemsize
        if math.prod(self.shape) * size > len(storage):
            raise ValueError(f"expected a tensor within {len(storage)} bytes, got {self.shape} of {self.dtype}")
        steps = [step * size for step in self.strides]
        return np.ndarray(self.shape, self.dtype, storage, self.offset * size, steps).copy()


class _Unpickler(pickle.Unpickler):
    """Reads plain values and ordered mappings; whatever else a pickle would import is refused.

    What PyTorch would rebuild a tensor from stays a tuple, and a type of storage stays its name: neither can be
    changed by what follows in the pickle, so both are checked when all of it is read.
    """

    def find_class(self, module: str, name: str) -> object:
        """What a pickle may import."""
        match f"{module} {name}":
            case "collections OrderedDict":
                return OrderedDict
            case "torch._utils _rebuild_tensor_v2":
                return lambda *arguments: arguments
            case storage if storage in _DTYPES:
                return storage
            case other:
                raise pickle.UnpicklingError(f"expected tensors of numbers, got {other!r}")

    def persistent_load(self, pid: object) -> object:
        """What refers to a storage."""
        return pid


def _read_archive(file: IO[bytes]) -> Tensors:
    with zipfile.ZipFile(file) as archive:
        pickled = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise ValueError("expected one data.pkl in the archive")
        folder = pickled[0].removesuffix("data.pkl")
        tensors = {}
        for name, view in _views(_Unpickler(io.BytesIO(archive.read(pickled[0]))).load()).items():
            with archive.open(f"{folder}data/{view.key}") as storage:
                tensors[name] = view.of(view.read(storage))
        return tensors


def _read_legacy(file: IO[bytes]) -> Tensors:
    if [_Unpickler(file).load() for _ in range(2)] != [_MAGIC, _PROTOCOL]:
        raise ValueError("it does not begin as such a file")
    system = _Unpickler(file).load()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("expected little-endian storages")
    views = _views(_Unpickler(file).load())
    of_storage = {view.key: view for view in views.values()}
    keys = _Unpickler(file).load()  # each pickle ends where the next begins
    if not isinstance(keys, list) or set(map(str, keys)) != set(of_storage):
        raise ValueError("its tensors and its storages do not fit")
    storages = {}
    for key in keys:
        if (count := int.from_bytes(file.read(8), "little")) != of_storage[key].count:
            raise ValueError(f"expected a storage of {of_storage[key].count} elements, got {count}")
        storages[key] = of_storage[key].read(file)
    return {name: view.of(storages[view.key]) for name, view in views.items()}


def _views(state: Any) -> dict[str, _View]:
    if not isinstance(state, dict):
        raise TypeError(f"expected a mapping of names to tensors, got {type(state).__name__}")
    return {str(name): _view(value) for name, value in dict(state).items()}


def _view(value: Any) -> _View:
    match value:
        case (("storage", str(kind), str(key), _, int(count), *_), int(offset), tuple(shape), tuple(strides), *_):
            dtype = _DTYPES.get(kind)
            if (
                dtype
                and len(shape) == len(strides)
                and all(isinstance(it, int) and 0 <= it < 2**40 for it in (count, offset, *shape, *strides))
            ):
                return _View(key, dtype, count, offset, shape, strides)
    raise ValueError(f"expected a tensor of numbers, got {type(value).__name__}")
