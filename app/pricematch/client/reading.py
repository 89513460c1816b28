"""JSON as results: dataclasses by their annotations. What a newer service adds is ignored."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Read: TypeAlias = Callable[[Any, str], Any]
"""Makes a value of one of JSON; the text is its place, for errors."""
T = TypeVar("T")
_KIND = "kind"
"""The field that tells the results of a union apart."""


def read(kind: type[T], value: Any) -> T:
    """A result of what JSON has; raises ValueError where that is something else."""
    found: T = _reader(cast("Any", kind))(value, kind.__name__)
    return found


@cache
def _reader(kind: Any) -> Read:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _of_fields(cast("type[Any]", kind))
    if origin in (Union, UnionType):
        return _optional([it for it in arguments if it is not NoneType], NoneType in arguments)
    if origin is tuple:
        return _each(arguments[0])
    if origin is Literal:  # a newer service may have more of them
        return _scalar(*{type(it) for it in arguments})
    return _OTHERS.get(origin or kind, _as_it_is)


def _of_fields(kind: type[Any]) -> Read:
    hints = get_type_hints(kind)
    readers = {it.name: _reader(hints[it.name]) for it in fields(kind)}
    needed = {it.name for it in fields(kind) if it.default is MISSING and it.default_factory is MISSING}

    def made(value: Any, place: str) -> Any:
        if not isinstance(value, Mapping):
            raise _unexpected("an object", value, place)
        if lacking := needed - value.keys():
            raise ValueError(f"expected {place}.{min(lacking)}, got none")
        return kind(**{name: it(value[name], f"{place}.{name}") for name, it in readers.items() if name in value})

    return made


def _optional(kinds: list[Any], nullable: bool) -> Read:  # noqa: FBT001
    """What one of these reads: of several results the one of that `kind`, or the one that is of any."""
    if len(kinds) == 1:
        only = _reader(kinds[0])
        return lambda value, place: None if value is None and nullable else only(value, place)
    names = {it: get_args(get_type_hints(it)[_KIND]) for it in kinds}
    by_kind = {name: _reader(it) for it in kinds for name in names[it]}
    [other] = [_reader(it) for it in kinds if not names[it]]

    def made(value: Any, place: str) -> Any:
        if not isinstance(value, Mapping):
            raise _unexpected("an object", value, place)
        return by_kind.get(value.get(_KIND), other)(value, place)

    return made


def _each(kind: Any) -> Read:
    item = _reader(kind)

    def made(value: Any, place: str) -> Any:
        if not isinstance(value, list):
            raise _unexpected("a list", value, place)
        return tuple(item(it, f"{place}[{index}]") for index, it in enumerate(value))

    return made


def _scalar(*kinds: type) -> Read:
    def made(value: Any, place: str) -> Any:
        if not isinstance(value, kinds):
            raise _unexpected(" or ".join(it.__name__ for it in kinds), value, place)
        return value

    return made


def _moment(value: Any, place: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unexpected("a time", value, place) from None


def _as_it_is(value: Any, _: str) -> Any:
    return value


def _unexpected(what: str, value: Any, place: str) -> ValueError:
    return ValueError(f"expected {place} to be {what}, got {repr(value)[:80]}")


_OTHERS: dict[Any, Read] = {
    str: _scalar(str),
    bool: _scalar(bool),
    int: _scalar(int),
    float: _scalar(float, int),
    datetime: _moment,
    dict: _scalar(dict),
}
