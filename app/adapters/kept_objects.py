"""Immutable objects kept on disk between starts, as NumPy arrays and a JSON text that says how they belong together.

No code is in such a file and none is run by reading it: only objects of classes that the reader names are made, and only
attributes that hold arrays, numbers, texts, or such objects again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.adapters.whole_file import whole_file

_TREE = "tree"
Node: TypeAlias = Any
"""A JSON value: a number, text, true, false or null as such, and an object with one field for anything else."""


class KeptObjects:
    """Writes and reads objects of some classes.

    Args:
        classes: those whose objects may be kept, with all their attributes.
        functions: that attributes may refer to.
    """

    def __init__(self, classes: Sequence[type], functions: Sequence[Callable[..., Any]]) -> None:
        self._classes = {one.__name__: one for one in classes}
        self._functions = {one.__name__: one for one in functions}

    def save(self, path: Path, key: str, thing: Any, outside: Mapping[str, object]) -> None:
        """Replace a file, whole or not at all.

        Args:
            path: of the file; its folder is made if absent.
            key: names everything the object depends on.
            thing: the object.
            outside: objects that it refers to and that are not kept with it, by name.

        Raises:
            SettingsError: the file cannot be written.
            TypeError: it holds something that cannot be kept.
        """
        writer = _Writer(self._classes, self._functions, outside)
        tree = json.dumps({"key": key, "thing": writer.node(thing)})
        with whole_file(path) as file:
            np.savez(file, **{_TREE: np.frombuffer(tree.encode(), np.uint8)}, **writer.arrays)

    def load(self, path: Path, key: str, outside: Mapping[str, object]) -> Any | None:
        """The object; None where the file is absent, damaged, or another key's."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                tree = json.loads(arrays[_TREE].tobytes())
                if tree["key"] != key:
                    return None
                return _Reader(self._classes, self._functions, outside, arrays).thing(tree["thing"])
        except Exception:  # noqa: BLE001 — NumPy, zipfile and JSON raise what they like for damaged files
            return None


class _Writer:
    def __init__(
        self,
        classes: Mapping[str, type],
        functions: Mapping[str, Callable[..., Any]],
        outside: Mapping[str, object],
    ) -> None:
        self._classes, self._functions = classes, functions
        self._outside = {id(thing): name for name, thing in outside.items()}
        self.arrays: dict[str, NDArray[Any]] = {}

    def node(self, thing: Any) -> Node:
        """A thing as JSON; its arrays go to `arrays`."""
        if id(thing) in self._outside:
            return {"outside": self._outside[id(thing)]}
        if thing is None or isinstance(thing, bool | int | float | str):
            return thing
        if isinstance(thing, np.ndarray):
            return {"array": self._keep(thing)}
        if isinstance(thing, csr_array):
            parts = [self._keep(part) for part in (thing.data, thing.indices, thing.indptr)]
            return {"sparse": parts, "shape": thing.shape}
        if isinstance(thing, dict):
            return self._mapping(thing)
        if isinstance(thing, tuple | list):
            return {type(thing).__name__: [self.node(item) for item in thing]}
        if thing.__class__.__name__ in self._classes:
            return {"object": type(thing).__name__, "holds": {name: self.node(it) for name, it in _attributes(thing)}}
        if thing.__name__ in self._functions:
            return {"function": thing.__name__}
        raise TypeError(f"cannot keep a {type(thing).__name__}")

    def _mapping(self, thing: Mapping[str, Any]) -> Node:
        if thing and all(type(value) is int for value in thing.values()):  # a vocabulary, which may be large
            keys = [key.encode("utf-8", "surrogatepass") for key in thing]
            lengths = np.fromiter(map(len, keys), np.int64, len(keys))
            text = np.frombuffer(b"".join(keys), np.uint8)
            values = np.fromiter(thing.values(), np.int64, len(keys))
            return {"numbers": [self._keep(part) for part in (text, lengths, values)]}
        return {"mapping": [[key, self.node(value)] for key, value in thing.items()]}

    def _keep(self, array: NDArray[Any]) -> str:
        name = str(len(self.arrays))
        self.arrays[name] = array
        return name


class _Reader:
    def __init__(
        self,
        classes: Mapping[str, type],
        functions: Mapping[str, Callable[..., Any]],
        outside: Mapping[str, object],
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        self._classes, self._functions, self._outside, self._arrays = classes, functions, outside, arrays

    def thing(self, node: Node) -> Any:
        """What a node stands for."""
        match node:
            case {"outside": name}:
                return self._outside[name]
            case {"array": name}:
                return self._arrays[name]
            case {"sparse": [*names], "shape": [*shape]}:
                return csr_array(tuple(self._arrays[name] for name in names), shape=tuple(shape))
            case {"numbers": [text, lengths, values]}:
                return self._numbers(*(self._arrays[name] for name in (text, lengths, values)))
            case {"mapping": [*pairs]}:
                return {key: self.thing(value) for key, value in pairs}
            case {"tuple": [*items]}:
                return tuple(map(self.thing, items))
            case {"list": [*items]}:
                return list(map(self.thing, items))
            case {"function": name}:
                return self._functions[name]
            case {"object": name, "holds": dict(holds)}:
                return self._object(self._classes[name], {key: self.thing(value) for key, value in holds.items()})
            case _:
                return node

    @staticmethod
    def _object(kind: type, holds: Mapping[str, Any]) -> Any:
        made = kind.__new__(kind)
        for name, value in holds.items():
            object.__setattr__(made, name, value)
        return made

    @staticmethod
    def _numbers(text: NDArray[np.uint8], lengths: NDArray[np.int64], values: NDArray[np.int64]) -> dict[str, int]:
        whole, ends = text.tobytes(), np.cumsum(lengths).tolist()
        keys = [whole[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise([0, *ends])]
        if len(keys) != len(lengths):
            raise ValueError("expected as many texts as lengths")
        return dict(zip(keys, values.tolist(), strict=True))


def _attributes(thing: Any) -> list[tuple[str, Any]]:
    """What an object holds, without what it has computed of that."""
    held = vars(thing) if hasattr(thing, "__dict__") else {name: getattr(thing, name) for name in type(thing).__slots__}
    return [
        (name, it) for name, it in held.items() if not isinstance(getattr(type(thing), name, None), cached_property)
    ]
