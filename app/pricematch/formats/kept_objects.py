"""Immutable objects kept on disk between starts, as NumPy arrays and a JSON text of how they belong together.

No code is in such a file and none is run by reading it: only objects of classes that the reader names are made, and
their attributes are arrays, numbers, texts, or such objects again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from inspect import isfunction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.formats.whole_file import whole_file

_TREE = "tree"
Node: TypeAlias = Any
"""A JSON value: a number, text, true, false or null as such, and an object of one field, its kind, for all else."""


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
        arrays: dict[str, Any] = {_TREE: np.frombuffer(tree.encode(), np.uint8), **writer.arrays}
        with whole_file(path) as file:
            np.savez(file, **arrays)

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
        if thing is None or isinstance(thing, bool | int | float | str):
            return thing
        kind, held = self._named(thing) or self._held(thing)
        return {kind: held}

    def _named(self, thing: Any) -> tuple[str, Node] | None:
        """What is not kept but known by its name when it is read."""
        if id(thing) in self._outside:
            return "outside", self._outside[id(thing)]
        if isfunction(thing) and self._functions.get(thing.__name__) is thing:
            return "function", thing.__name__
        return None

    def _held(self, thing: Any) -> tuple[str, Node]:
        match thing:
            case np.ndarray():
                return "array", self._keep(thing)
            case csr_array():
                return "sparse", [*map(self._keep, (thing.data, thing.indices, thing.indptr)), thing.shape]
            case dict():
                return self._mapping(thing)
            case tuple() | list():
                return type(thing).__name__, [self.node(item) for item in thing]
        if self._classes.get(type(thing).__name__) is not type(thing):
            raise TypeError(f"cannot keep a {type(thing).__name__}")
        return "object", [type(thing).__name__, {name: self.node(it) for name, it in _attributes(thing)}]

    def _mapping(self, thing: Mapping[str, Any]) -> tuple[str, Node]:
        if thing and all(type(value) is int for value in thing.values()):  # a vocabulary, which may be large
            keys = [key.encode("utf-8", "surrogatepass") for key in thing]
            lengths = np.fromiter(map(len, keys), np.int64, len(keys))
            text = np.frombuffer(b"".join(keys), np.uint8)
            values = np.fromiter(thing.values(), np.int64, len(keys))
            return "numbers", [self._keep(part) for part in (text, lengths, values)]
        return "mapping", [[key, self.node(value)] for key, value in thing.items()]

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
        self._classes, self._arrays = classes, arrays
        self._kinds: Mapping[str, Callable[[Any], Any]] = {
            "outside": outside.__getitem__,
            "function": functions.__getitem__,
            "array": arrays.__getitem__,
            "sparse": self._sparse,
            "numbers": lambda held: self._numbers(*map(arrays.__getitem__, held)),
            "mapping": lambda held: {key: self.thing(value) for key, value in held},
            "tuple": lambda held: tuple(map(self.thing, held)),
            "list": lambda held: list(map(self.thing, held)),
            "object": lambda held: self._object(*held),
        }

    def thing(self, node: Node) -> Any:
        """What a node stands for."""
        if not isinstance(node, dict):
            return node
        [(kind, held)] = node.items()
        return self._kinds[kind](held)

    def _sparse(self, held: Sequence[Any]) -> csr_array:
        *names, shape = held
        return csr_array(tuple(self._arrays[name] for name in names), shape=tuple(shape))

    def _object(self, name: str, holds: Mapping[str, Node]) -> Any:
        made: Any = object.__new__(self._classes[name])
        for attribute, value in holds.items():
            object.__setattr__(made, attribute, self.thing(value))
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
