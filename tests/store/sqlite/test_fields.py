"""Declared fields, in a store on disk and in its oracle in memory."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.fields import Field
from pricematch.errors import LimitExceeded, RowDamaged
from pricematch.store.service_ports import FieldStore
from pricematch.store.sqlite.checksums import row_checksum
from pricematch.store.sqlite.migrations import MIGRATIONS
from pricematch.store.sqlite.store import DATABASE, open_store
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


def test_a_field_is_evidence_until_it_is_declared_otherwise(store: FieldStore) -> None:
    assert store.declare(Field("price", "number", evidence=True), 9)
    assert store.fields() == [Field("price", "number", evidence=True)]
    assert not store.declare(Field("price", "number"), 9)
    assert store.fields() == [Field("price", "number")]


def test_fields_of_an_earlier_version_are_no_evidence(tmp_path: Path) -> None:
    """One that a disk has altered is told as damaged, as it was before."""
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as connection:
        connection.executescript("".join(MIGRATIONS[:9]))
        connection.execute(f"PRAGMA application_id = {0x50724D63}")
        connection.execute("PRAGMA user_version = 9")
        connection.executemany(
            "INSERT INTO field VALUES (?, ?, ?)",
            [(*it, row_checksum(it)) for it in (("price", "number"), ("seller", "text"))],
        )
    with closing(open_store(tmp_path)) as store:
        assert store.fields.fields() == [Field("price", "number"), Field("seller", "text")]
        assert not store.fields.declare(Field("price", "number", evidence=True), 9)
        with store.database.write() as connection:
            connection.execute("UPDATE field SET evidence = 1 WHERE name = 'seller'")
        with pytest.raises(RowDamaged, match="declared field 'seller' is damaged"):
            store.fields.fields()


def test_one_more_than_may_be_is_not_declared(store: FieldStore) -> None:
    """One that is declared already may get another type."""
    store.declare(Field("a", "text"), 1)
    with pytest.raises(LimitExceeded, match="at most 1 declared fields"):
        store.declare(Field("b", "text"), 1)
    assert not store.declare(Field("a", "number"), 1)
    assert store.fields() == [Field("a", "number")]
