"""Reads pickles without executing them: what a pickle would import and call is only named.

Python's own unpickler runs what a file tells it to. Here the opcodes are read with `pickletools` and interpreted on a
stack of plain values: names stay names and calls stay calls, and the reader decides which of them mean something.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any


@dataclass(frozen=True)
class Name:
    """Something a pickle would import, such as `collections OrderedDict`."""

    text: str


@dataclass(frozen=True)
class Reference:
    """Something kept outside the pickle (a persistent id)."""

    identity: object


@dataclass(frozen=True, eq=False)
class Call:
    """Something a pickle would call; what it would set on the result is in `items`, or dropped if it is a state."""

    function: str
    arguments: tuple[Any, ...]
    items: dict[str | int, Any] = field(default_factory=dict)


def read_pickle(file: IO[bytes]) -> Any:
    """The value of the pickle that begins here; the file is left behind its end.

    Values are None, bool, int, float, str, tuple, list, dict with keys str or int, `Name`, `Reference` and `Call`.

    Raises:
        ValueError: it is no pickle, is cut short, or holds an opcode that plain values and calls do not need.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"it is no sound pickle ({error})") from error
    raise ValueError("its pickle has no end")


@dataclass
class _Machine:
    """The stack of a pickle, the places of its marks, and its memo."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _LITERALS:
            self.stack.append(argument)
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME"):
            raise ValueError(f"expected a pickle of plain values, got its opcode {opcode}")

    def marked(self) -> list[Any]:
        """What was pushed since the last mark, taken off the stack."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def last(self, count: int) -> tuple[Any, ...]:
        """The last `count` values, taken off the stack."""
        return tuple(reversed([self.stack.pop() for _ in range(count)]))


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _memoize(machine: _Machine, _: object) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _stack_global(machine: _Machine, _: object) -> None:
    module, name = machine.last(2)
    machine.stack.append(Name(f"{module} {name}"))


def _drop(machine: _Machine, _: object) -> None:
    machine.stack.pop()


def _reduce(machine: _Machine, _: object) -> None:
    function, arguments = machine.last(2)
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise TypeError("expected a call of something imported")
    machine.stack.append(Call(function.text, arguments))


def _set(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    items = target.items if isinstance(target, Call) else target
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(items, dict) or not isinstance(key, str | int):
            raise TypeError("expected a mapping with plain keys")
        items[key] = value


def _append(machine: _Machine, values: list[Any]) -> None:
    if not isinstance(machine.stack[-1], list):
        raise TypeError("expected a list to add to")
    machine.stack[-1].extend(values)


_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_LITERALS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING"}
)
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.stack.append(machine.last(1)),
    "TUPLE2": lambda machine, _: machine.stack.append(machine.last(2)),
    "TUPLE3": lambda machine, _: machine.stack.append(machine.last(3)),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "GLOBAL": lambda machine, name: machine.stack.append(Name(name)),
    "STACK_GLOBAL": _stack_global,
    "BINPERSID": lambda machine, _: machine.stack.append(Reference(machine.stack.pop())),
    "REDUCE": _reduce,
    "BUILD": _drop,
    "SETITEM": lambda machine, _: _set(machine, list(machine.last(2))),
    "SETITEMS": lambda machine, _: _set(machine, machine.marked()),
    "APPEND": lambda machine, _: _append(machine, list(machine.last(1))),
    "APPENDS": lambda machine, _: _append(machine, machine.marked()),
}
