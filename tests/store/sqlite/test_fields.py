"""Declared fields, in a store on disk and in its oracle in memory."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.fields import Field
from pricematch.errors import LimitExceeded
from pricematch.store.ports import FieldStore
from pricematch.store.sqlite.store import open_store
from tests.support.memory_store import MemoryStore


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FieldStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with closing(open_store(tmp_path)) as opened:
        yield opened.fields


def test_fields_are_declared_changed_and_withdrawn(store: FieldStore) -> None:
    assert store.fields() == []
    assert store.declare(Field("seller", "text"), 9)
    assert store.declare(Field("brand.name", "text"), 9)
    assert store.fields() == [Field("brand.name", "text"), Field("seller", "text")]
    assert not store.declare(Field("seller", "number"), 9)
    assert not store.declare(Field("seller", "number"), 9)
    assert store.fields()[1] == Field("seller", "number")
    assert store.undeclare("seller")
    assert not store.undeclare("seller")
    assert store.fields() == [Field("brand.name", "text")]


def test_one_more_than_may_be_is_not_declared(store: FieldStore) -> None:
    """One that is declared already may get another type."""
    store.declare(Field("a", "text"), 1)
    with pytest.raises(LimitExceeded, match="at most 1 declared fields"):
        store.declare(Field("b", "text"), 1)
    assert not store.declare(Field("a", "number"), 1)
    assert store.fields() == [Field("a", "number")]
