"""Products as they are asked for while others change them: every answer is whole, and of one version."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pricematch.errors import ProductGone, ProductMerged
from pricematch.serving.product_pages import (
    PastEvent,
    ProductDetails,
    ProductReader,
)
from pricematch.serving.snapshot import Snapshot
from tests.support.product_shop import ProductShop, in_memory
from tests.support.shop import HANGS


@pytest.fixture
def shop() -> ProductShop:
    """`p1` is of `a` and `b`, `p2` of `c`."""
    shop = in_memory()
    for posting_id, bits in (("a", 0), ("b", 1), ("c", 60)):
        shop.put(posting_id, bits)
    return shop


def details(shop: ProductShop, number: int, snapshot: Snapshot | None = None) -> ProductDetails:
    """Of a product, as who had an older snapshot gets it."""
    return ProductReader(snapshot or shop.snapshots.current, shop.snapshots.settled, shop.products).details(number)


def test_a_product_that_was_just_made_is_found(shop: ProductShop) -> None:
    """By who had a snapshot without it."""
    before = shop.snapshots.current
    shop.put("d", 30)
    found = details(shop, 3, before)
    assert (found.product.size, [it.posting_id for it in found.members]) == (1, ["d"])
    assert found.version == shop.snapshots.current.version


def test_a_product_that_has_just_merged_leads_on(shop: ProductShop) -> None:
    """Also who had a snapshot in which it had postings; one that is gone is gone."""
    before = shop.snapshots.current
    shop.put("c", 2)
    with pytest.raises(ProductMerged) as caught:
        details(shop, 2, before)
    assert caught.value.into == 1
    before = shop.snapshots.current
    for posting_id in "abc":
        shop.intake.remove(posting_id)
    with pytest.raises(ProductGone):
        details(shop, 1, before)


@pytest.fixture
def between(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Snapshot]]:
    """Puts `d` into `p1`, which is kept and not served yet; gives the snapshot before, and waits for the next."""
    kept, gate = threading.Event(), threading.Event()
    keep = shop.products.keep

    def then_wait(*given: Any, **named: Any) -> Any:
        found = keep(*given, **named)
        kept.set()
        assert gate.wait(HANGS)
        return found

    monkeypatch.setattr(shop.products, "keep", then_wait)
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(shop.put, "d", 2)
        assert kept.wait(HANGS)
        settled = shop.snapshots.settled

        def newest() -> Snapshot:
            gate.set()
            return settled()

        yield newest
        gate.set()
        putting.result()


def test_what_is_kept_and_not_served_yet_is_waited_for(shop: ProductShop, between: Callable[[], Snapshot]) -> None:
    before = shop.snapshots.current
    found = ProductReader(before, between, shop.products).details(1)
    assert found.version >= shop.events()[-1].revision > before.version
    assert found.product.size == len(found.members) == 3


def test_a_page_has_the_version_of_its_products(shop: ProductShop, between: Callable[[], Snapshot]) -> None:
    found = ProductReader(shop.snapshots.current, between, shop.products).page("size", None, 1)
    assert [it.posting_id for it in found.products[0].examples] == ["a", "b", "d"]
    assert found.version >= found.products[0].product.revision


def test_a_history_has_the_version_of_its_events(shop: ProductShop, between: Callable[[], Snapshot]) -> None:
    found = ProductReader(shop.snapshots.current, between, shop.products).history(1, None, 9)
    assert found.version >= found.events[0].event.revision
    assert found.events[0].after == ["a", "b", "d"]


def test_a_product_that_goes_while_a_page_is_read_is_not_listed(
    shop: ProductShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next page begins where it would have."""
    page = shop.products.page

    def then_somebody_removes(*given: Any) -> Any:
        found = page(*given)
        shop.intake.remove("c")
        return found

    shop.put("d", 30)
    monkeypatch.setattr(shop.products, "page", then_somebody_removes)
    found = ProductReader(shop.snapshots.current, shop.snapshots.settled, shop.products).page("size", None, 2)
    assert ([it.product.number for it in found.products], found.next) == ([1], (1, 2))


def test_a_history_is_whole_though_it_changes_while_it_is_read(
    shop: ProductShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members of before an event are not those behind it."""
    members_of, asked = shop.products.members_of, list[int]()

    def then_somebody_puts(number: int) -> Any:
        found = members_of(number)
        asked.append(number)
        if len(asked) == 1:
            shop.put("d", 2)
        return found

    monkeypatch.setattr(shop.products, "members_of", then_somebody_puts)
    found = ProductReader(shop.snapshots.current, shop.snapshots.settled, shop.products).history(1, None, 9)
    assert [_shown(it) for it in found.events] == [
        (["a", "b"], ["a", "b", "d"]),
        (["a"], ["a", "b"]),
        ([], ["a"]),
    ]


def test_a_history_of_many_members_comes_in_smaller_pages(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One event at least; together all."""
    monkeypatch.setattr("pricematch.serving.product_pages._MOST_IDS", 8)
    for number in range(6):
        shop.put(f"d{number}", 2)
    pages, before = list[int](), None
    events = list[PastEvent]()
    while True:
        page = ProductReader(shop.snapshots.current, shop.snapshots.settled, shop.products).history(1, before, 100)
        pages.append(len(page.events))
        events += page.events
        before = page.events[-1].event.revision
        if not page.more:
            break
    assert pages == [1, 1, 1, 1, 1, 2, 1]
    assert [len(it.after) for it in events] == list(range(8, 0, -1))


def _shown(past: PastEvent) -> tuple[list[str], list[str]]:
    return [*past.before], [*past.after]
