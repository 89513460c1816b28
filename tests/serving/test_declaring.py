"""Columns of declared fields are built while others change the catalogue, and have what these wrote."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest

from pricematch.catalogue.fields import Field, Fields
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Put
from pricematch.serving.filtered_pages import field_counts
from tests.support.product_shop import ProductShop, hashed, in_memory

PRICE, SELLER = Field("price", "number"), Field("seller", "text")


def priced(posting_id: str, bits: int, price: float) -> Posting:
    return replace(hashed(posting_id, bits), metadata=Metadata({"price": price, "seller": "x"}))


@pytest.fixture
def shop() -> ProductShop:
    """Three postings of three prices."""
    shop = in_memory()
    for number, name in enumerate("abc"):
        shop.intake.put(Put(priced(name, number * 20, number)))
    return shop


def found(shop: ProductShop, condition: str) -> set[str]:
    """The postings that a filter by columns holds of."""
    matcher = shop.snapshots.current.matcher
    assert list(matcher.fields.columns) == [it.name for it in matcher.fields.declared.values()]
    mask = replace(matcher.fields, max_scanned=0).mask(read_filter(condition, 100), matcher.catalogue)
    return set(matcher.catalogue.ids_of(np.flatnonzero(mask)))


def meanwhile(monkeypatch: pytest.MonkeyPatch, *changes: Callable[[], object]) -> None:
    """Make a change, in another thread and to its end, whenever columns have been built and are not in place yet."""
    build, left = Fields.declaring, list(changes)

    def declaring(self: Fields, declared: Sequence[Field], catalogue: Catalogue) -> Fields:
        fields = build(self, declared, catalogue)
        if left:
            thread = Thread(target=left.pop(0))
            thread.start()
            thread.join(60)
            assert not thread.is_alive(), "changes wait for columns"
        return fields

    monkeypatch.setattr(Fields, "declaring", declaring)


def test_what_changes_while_columns_are_built_is_in_them(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """New postings, other metadata, another image, deletions; before and behind what was built."""

    def change() -> None:
        shop.intake.put(Put(priced("a", 0, 7)))
        shop.intake.put(Put(priced("b", 30, 8)))
        shop.intake.put(Put(priced("d", 60, 9)))
        shop.intake.remove("c")

    meanwhile(monkeypatch, change)
    shop.snapshots.declare(lambda: [PRICE])
    assert found(shop, "price=7..9") == {"a", "b", "d"}
    assert found(shop, "price=0..6") == set()
    assert [(it.numbers, it.texts) for it in field_counts(shop.snapshots.current.matcher)] == [(3, 0)]
    shop.intake.put(Put(priced("a", 0, 1)))
    assert found(shop, "price=1") == {"a"}


def test_columns_are_built_again_where_all_was_read_anew(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, shop.snapshots.rebuild, lambda: shop.intake.put(Put(priced("a", 0, 7))))
    shop.snapshots.declare(lambda: [PRICE])
    assert found(shop, "price=1..9") == {"a", "b", "c"}


def test_columns_that_are_there_stay_and_others_go(shop: ProductShop) -> None:
    shop.snapshots.declare(lambda: [PRICE])
    before = shop.snapshots.current.matcher.fields.columns["price"]
    shop.snapshots.declare(lambda: [PRICE, SELLER])
    assert shop.snapshots.current.matcher.fields.columns["price"] is before
    assert found(shop, "seller=x") == {"a", "b", "c"}
    shop.snapshots.declare(lambda: [SELLER])
    assert set(shop.snapshots.current.matcher.fields.columns) == {"seller"}


def test_the_last_declaration_holds(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for another's columns reads what is declared once it is its turn."""
    declared, read = [PRICE], Event()

    def told() -> Sequence[Field]:
        read.set()
        return list(declared)

    later = Thread(target=lambda: shop.snapshots.declare(told))

    def declare_otherwise() -> None:
        later.start()
        read.wait(0.2)
        declared[:] = [SELLER]

    meanwhile(monkeypatch, declare_otherwise)
    shop.snapshots.declare(lambda: list(declared))
    later.join(60)
    assert list(shop.snapshots.current.matcher.fields.declared.values()) == [SELLER]


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_changed_since_are_found(seed: int) -> None:
    """As comparing each row finds them."""
    rng = np.random.default_rng(seed)
    first = catalogue = Catalogue([Posting(f"p{row}", None, "a") for row in range(int(rng.integers(1, 700)))])
    for turn in range(int(rng.integers(0, 6))):
        rows = rng.choice(catalogue.rows, min(len(catalogue), 3), replace=False).tolist()
        if rng.random() < 0.5:
            catalogue = catalogue.with_metadata({row: Metadata({"turn": turn}) for row in rows})
        else:
            put = [Posting(name, None, "b") for name in (*catalogue.ids_of(rows), f"new-{turn}")]
            catalogue = catalogue.changed(put, [])
    naive = [row for row in range(catalogue.span) if row >= first.span or catalogue[row] is not first[row]]
    changed = catalogue.changed_since(first)
    assert changed is not None
    assert changed.tolist() == naive
    assert Catalogue(list(catalogue)).changed_since(first) is None
