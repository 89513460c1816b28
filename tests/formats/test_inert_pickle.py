"""Pickles read without executing them."""

import io
import os
import pickle
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.formats.inert_pickle import Call, Name, read_pickle

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def read(content: bytes) -> Any:
    return read_pickle(io.BytesIO(content))


@given(VALUES, st.integers(2, 5))
def test_plain_values_come_back_as_python_reads_them(value: object, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    assert read(content) == value
    file = io.BytesIO(content + b"behind")
    read_pickle(file)
    assert file.read() == b"behind"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_would_be_called_is_only_named(protocol: int) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("exit 1",)

    call = read(pickle.dumps([Hostile()], protocol))[0]
    assert isinstance(call, Call)
    assert (call.function, call.arguments) == ("posix system", ("exit 1",))
    ordered = read(pickle.dumps(OrderedDict(a=1, b=(2, 3)), protocol))
    assert (ordered.function, ordered.items) == ("collections OrderedDict", {"a": 1, "b": (2, 3)})
    assert read(pickle.dumps(len, protocol)) in (Name("__builtin__ len"), Name("builtins len"))


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x02", b"\x80\x02.", b"\x80\x02K", b"\x80\x02h\x05.", b"\x80\x02t."]
)
def test_what_is_no_whole_pickle_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"pickle|exhausted|expected|not enough|argument"):
        read(content)


@pytest.mark.parametrize("value", [{1, 2}, 1j, slice(1), {(1,): 2}, bytearray(b"x"), b"x" * 300])
def test_what_plain_values_do_not_need_is_refused_or_only_named(value: object) -> None:
    try:
        found = read(pickle.dumps(value, 5))
    except ValueError:
        return
    assert isinstance(found, Call)


@given(st.binary(max_size=60))
def test_random_bytes_are_read_or_refused_but_never_anything_else(content: bytes) -> None:
    with suppress(ValueError):
        read(b"\x80\x02" + content)
