"""Drawn filters and metadata, and what a filter means, read naively from its JSON."""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

FIELDS = ("seller", "price", "size", "size.eu", "new", "tags")
SCALARS = ("acme", "lg", "38", "true", "", 38, 38.5, -1, 0, True, False)
_COMPARED = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}


def scalars() -> st.SearchStrategy[Any]:
    """Values of few texts, numbers and truth values, so that equal ones are drawn."""
    return st.sampled_from(SCALARS)


def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """Metadata of a posting."""
    inner = st.dictionaries(st.sampled_from(["eu", "us"]), st.one_of(scalars(), st.none()), max_size=2)
    plain = st.one_of(scalars(), st.none(), inner)
    value = st.one_of(plain, st.lists(st.one_of(plain, st.lists(scalars(), max_size=2)), max_size=3))
    return st.dictionaries(st.sampled_from([name for name in FIELDS if "." not in name]), value, max_size=5)


def tests_of_fields() -> st.SearchStrategy[Any]:
    """What a filter may ask of one field."""
    ends = st.sampled_from([("gte", "lt"), ("gt", "lte"), ("gte",), ("lt",), ("gt", "lt")])
    numbers: st.SearchStrategy[Any] = st.sampled_from([-1, 0, 38, 38.5])
    texts: st.SearchStrategy[Any] = st.sampled_from(["", "38", "acme", "m"])
    ranges: list[st.SearchStrategy[Any]] = [
        st.builds(lambda names, values: dict(zip(names, values, strict=False)), ends, st.tuples(some, some))
        for some in (numbers, texts)
    ]
    one_of = st.fixed_dictionaries({"in": st.lists(scalars(), max_size=4)})
    there = st.fixed_dictionaries({"exists": st.booleans()})
    return st.one_of(scalars(), one_of, *ranges, there, st.builds(operator.or_, one_of, there))


def json_filters(depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Filters as JSON has them."""
    flat = st.dictionaries(st.sampled_from(FIELDS), tests_of_fields(), max_size=2)
    if not depth:
        return flat
    inner = json_filters(depth - 1)
    several = st.lists(inner, max_size=3)
    return st.one_of(
        flat,
        st.builds(lambda parts: {"and": parts}, several),
        st.builds(lambda parts: {"or": parts}, several),
        st.builds(lambda part: {"not": part}, inner),
        st.builds(lambda parts, more: {"or": parts, **more}, several, flat),
    )


def naive_holds(given: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a filter, as JSON has it, holds of metadata."""
    return all(_part_holds(name, value, fields) for name, value in given.items())


def _part_holds(name: str, value: Any, fields: Mapping[str, Any]) -> bool:
    if name == "and":
        return all(naive_holds(part, fields) for part in value)
    if name == "or":
        return any(naive_holds(part, fields) for part in value)
    if name == "not":
        return not naive_holds(value, fields)
    there = [it for it in _reached(fields, name.split(".")) if it is not None]
    return _passes(value, there)


def _passes(test: Any, there: list[Any]) -> bool:
    if not isinstance(test, dict):
        return any(_same(it, test) for it in there)
    if "in" in test and not any(_same(it, wanted) for it in there for wanted in test["in"]):
        return False
    if "exists" in test and test["exists"] != bool(there):
        return False
    bounds = {name: test[name] for name in _COMPARED if name in test}
    return not bounds or any(all(_within(it, *bound) for bound in bounds.items()) for it in there)


def _within(value: Any, name: str, bound: Any) -> bool:
    return _kind(value) == _kind(bound) and bool(_COMPARED[name](value, bound))


def _same(one: Any, other: Any) -> bool:
    return _kind(one) == _kind(other) != "other" and bool(one == other)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def _reached(value: Any, path: list[str]) -> Iterator[Any]:
    """What a path leads to, through lists."""
    if isinstance(value, list | tuple):
        for element in value:
            yield from _reached(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _reached(value[path[0]], path[1:])
