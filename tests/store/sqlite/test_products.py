"""Products in SQLite, and those in dictionaries that stand for them in tests."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricematch.catalogue.feed import LASTING, Position
from pricematch.catalogue.products import Cause, CausedChange, ProductChange, ProductSort, ProductState, place_of
from pricematch.errors import ProductsChanged
from pricematch.store.ports import ProductStore
from pricematch.store.sqlite.store import Store, open_store
from tests.support.memory_products import MemoryProducts
from tests.support.products import check_products, contents, partition, parts
from tests.support.stores import put

SORTS: Sequence[ProductSort] = ("size", "doubt", "changed")


def because(cause: Cause, changes: Sequence[ProductChange]) -> list[CausedChange]:
    return [CausedChange(change, cause) for change in changes]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


@pytest.fixture(params=["sqlite", "memory"])
def products(request: pytest.FixtureRequest) -> ProductStore:
    """Either implementation, empty."""
    if request.param == "memory":
        return MemoryProducts()
    store: Store = request.getfixturevalue("store")
    return store.products


def test_a_new_store_has_no_products(products: ProductStore) -> None:
    assert products.state() == ProductState(0, 0, "", 0)
    assert products.members() == {}
    assert (products.product(1), products.members_of(1), products.events_of(1, None, 9)) == (None, [], [])
    assert [products.page(sort, None, 9) for sort in SORTS] == [[]] * 3
    assert products.count() == 0


def test_products_are_kept_with_an_event_each(products: ProductStore) -> None:
    before = time.time()
    changes = [ProductChange(1, "created", (), ("a", "c")), ProductChange(2, "created", (), ("b",))]
    caused = [CausedChange(changes[0], "arrival"), CausedChange(changes[1], "change")]
    events, state = products.keep(caused, {1: 0.25}, matcher="m", expected=0)
    assert state == products.state() == ProductState(1, 2, "m")
    assert [(it.number, it.kind, it.cause, it.joined, it.left, it.size, it.into) for it in events] == [
        (1, "created", "arrival", ("a", "c"), (), 2, None),
        (2, "created", "change", ("b",), (), 1, None),
    ]
    assert products.members() == {"a": 1, "b": 2, "c": 1}
    assert products.members_of(1) == ["a", "c"]
    first, second = products.product(1), products.product(2)
    assert first is not None
    assert second is not None
    assert (first.size, first.into, first.doubt, first.revision) == (2, None, 0.25, events[0].revision)
    assert second.doubt == 0
    assert products.doubts() == {1: 0.25}
    assert before <= first.created_at == first.changed_at == events[0].at <= time.time()
    assert products.events_of(1, None, 9) == [events[0]]
    check_products(products)


def test_every_kind_of_change_is_kept(products: ProductStore) -> None:
    partition(products, ["abc", "de", "f", "g"])
    events = partition(products, ["ab", "cx", "def", "y"], {1: 0.5}, cause="feedback")
    assert [(it.number, it.kind, it.joined, it.left, it.size, it.into) for it in events] == [
        (1, "split", (), ("c",), 2, None),
        (2, "changed", ("f",), (), 3, None),
        (3, "merged", (), ("f",), 0, 2),
        (4, "removed", (), ("g",), 0, None),
        (5, "created", ("c", "x"), (), 2, None),
        (6, "created", ("y",), (), 1, None),
    ]
    assert {it.cause for it in events} == {"feedback"}
    assert products.members() == {"a": 1, "b": 1, "c": 5, "d": 2, "e": 2, "f": 2, "x": 5, "y": 6}
    merged = products.product(3)
    assert merged is not None
    assert (merged.size, merged.into, merged.created_at <= merged.changed_at) == (0, 2, True)
    check_products(products)


def test_what_merged_into_a_merged_product_follows_it(products: ProductStore) -> None:
    """Also where it merges at the same time, and along stored ends."""
    partition(products, ["a", "bc", "defh", "g"])
    partition(products, ["abc", "defh", "g"])
    partition(products, ["abcdefh", "g"])
    merged = [products.product(number) for number in (1, 2)]
    assert [it and it.into for it in merged] == [3, 3]
    changes = [
        ProductChange(3, "merged", tuple("abcdefh"), (), into=4),
        ProductChange(4, "merged", ("g",), (), into=5),
        ProductChange(5, "created", (), tuple("abcdefgh")),
    ]
    events, _ = products.keep(because("model", changes), {}, matcher="m", expected=3)
    assert [it.into for it in events] == [5, 5, None]
    assert [it and it.into for it in map(products.product, range(1, 6))] == [5, 5, 5, 5, None]
    check_products(products)


def test_another_revision_is_refused_and_nothing_changes(products: ProductStore) -> None:
    partition(products, ["ab"])
    before = contents(products)
    for expected in (0, 2):
        with pytest.raises(ProductsChanged):
            products.keep(
                because("arrival", [ProductChange(2, "created", (), ("c",))]), {1: 0.5}, matcher="m", expected=expected
            )
    assert contents(products) == before


AB = ("a", "b")
MISFITS: dict[str, tuple[list[ProductChange], dict[int, float]]] = {
    "a number that was given": ([ProductChange(3, "created", (), ("x",))], {}),
    "the number of a living product": ([ProductChange(1, "created", (), ("x",))], {}),
    "a number that was not given": ([ProductChange(9, "changed", ("x",), ("x", "y"))], {}),
    "a product twice": ([ProductChange(1, "changed", AB, ("a",)), ProductChange(1, "changed", AB, ("b",))], {}),
    "a number twice": ([ProductChange(4, "created", (), ("x",)), ProductChange(4, "created", (), ("y",))], {}),
    "a posting in two": ([ProductChange(4, "created", (), ("a",))], {}),
    "a posting that was not there": ([ProductChange(1, "changed", ("a", "x"), ("a",))], {}),
    "fewer members than there are": ([ProductChange(1, "changed", ("a",), ("a", "x"))], {}),
    "a merged product that comes back": ([ProductChange(3, "changed", ("d",), ("d", "x"))], {}),
    "into one that never was": ([ProductChange(1, "merged", AB, (), 8)], {}),
    "into itself": ([ProductChange(1, "merged", AB, (), 1)], {}),
    "into one that is removed": (
        [ProductChange(1, "merged", AB, (), 2), ProductChange(2, "removed", ("c", "d"), ())],
        {},
    ),
    "into none": ([ProductChange(1, "merged", AB, ())], {}),
    "into one though it goes on": ([ProductChange(1, "changed", AB, ("a",), 2)], {}),
    "removed with a posting": ([ProductChange(1, "removed", AB, ("a",))], {}),
    "changed without one": ([ProductChange(1, "changed", AB, ())], {}),
    "doubt of none": ([], {7: 0.5}),
    "doubt of one that is no more": ([], {3: 0.5}),
    "doubt of one that goes": ([ProductChange(1, "removed", AB, ())], {1: 0.5}),
}


@pytest.mark.parametrize("what", MISFITS)
def test_changes_that_do_not_fit_are_refused(what: str, products: ProductStore) -> None:
    """All of them: one that fits beside them is not made."""
    partition(products, ["ab", "c", "d"])
    partition(products, ["ab", "cd"])
    before = contents(products)
    changes, doubts = MISFITS[what]
    fits = ProductChange(5, "created", (), ("z",))
    with pytest.raises(ValueError, match=r"expected|fit"):
        products.keep(because("change", [fits, *changes]), doubts, matcher="m", expected=2)
    assert contents(products) == before


def test_doubts_change_without_an_event(products: ProductStore) -> None:
    partition(products, ["ab", "cd"], {1: 0.1, 2: 0.2})
    before = products.product(1)
    assert before is not None
    assert partition(products, ["ab", "cd"], {1: 0.3}, matcher="two") == []
    assert products.product(1) == replace(before, doubt=0.3)
    second = products.product(2)
    assert second is not None
    assert second.doubt == 0.2
    assert products.state() == ProductState(2, 2, "two")
    partition(products, ["abcd"])
    assert [it and it.doubt for it in map(products.product, (1, 2))] == [0.3, 0]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_follow_each_other_in_order(sort: ProductSort, limit: int, products: ProductStore) -> None:
    """Products that are no more are on none."""
    partition(products, ["ab", "c", "d", "efg", "hi", "jkl", "m"], {1: 0.5, 4: 0.25, 5: 0.5})
    partition(products, ["abc", "d", "efg", "hi", "jkl", "m"])
    found = list(page := products.page(sort, None, limit))
    while page := products.page(sort, place_of(page[-1], sort), limit):
        found += page
    expected = {
        "size": [1, 4, 6, 5, 3, 7],
        "doubt": [1, 5, 4, 3, 6, 7],
        "changed": [1, 7, 6, 5, 4, 3],
    }
    assert [product.number for product in found] == expected[sort]
    assert found == [products.product(product.number) for product in found]


def test_events_are_paged_from_the_newest(products: ProductStore) -> None:
    for cluster in ("a", "ab", "abc", "ab"):
        partition(products, [cluster])
    events = products.events_of(1, None, 9)
    assert [event.size for event in events] == [2, 3, 2, 1]
    assert products.events_of(1, None, 2) == events[:2]
    assert products.events_of(1, events[1].revision, 2) == events[2:]
    assert products.events_of(1, events[-1].revision, 2) == []


def test_events_are_in_the_sequence_of_other_changes(store: Store) -> None:
    store.postings.put([put("a"), put("b")])
    [event] = partition(store.products, ["ab"])
    store.feedback.decide("a", "b", "same")
    assert event.revision == 3
    assert store.postings.version() == 4
    page = store.feed.changes(Position(2))
    assert (page.version, [it.revision for it in page.changes]) == (4, [3, 4])


def test_ids_of_any_text_are_kept(products: ProductStore) -> None:
    ids = ("", "a\0b", "é 😀", '"]', "ß")
    partition(products, [ids])
    assert set(products.members_of(1)) == set(products.events_of(1, None, 1)[0].joined) == set(ids)


def test_old_events_are_forgotten_at_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products and redirects stay, and so does what is known of postings."""
    monkeypatch.setattr("pricematch.store.sqlite.store.KEPT_EVENTS", 3)
    with closing(open_store(tmp_path)) as store:
        store.postings.put([put("a"), put("b")])
        for clusters in (["a", "b"], ["ab"], ["a", "b"]):
            partition(store.products, clusters)
        before = contents(store.products)
    for _ in range(2):
        with closing(open_store(tmp_path, serve=True)) as store:
            after = contents(store.products)
            assert [event[0] for event in after["events"]] == [7, 6, 8]
            assert after["state"] == replace(before["state"], floor=5)
            assert {**after, "events": 0, "state": 0} == {**before, "events": 0, "state": 0}
            assert len(store.feed.changes(Position(0), kinds=LASTING).changes) == 2


def test_of_threads_that_write_at_once_one_goes_first(store: Store) -> None:
    """The others are told."""
    barrier, refused = threading.Barrier(6), list[ProductsChanged]()

    def write(name: str) -> None:
        change = ProductChange(1, "created", (), (name,))
        barrier.wait()
        try:
            store.products.keep(because("arrival", [change]), {}, matcher="m", expected=0)
        except ProductsChanged as error:
            refused.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5
    check_products(store.products)


def clusters_of(drawn: dict[str, int]) -> list[list[str]]:
    """The letters that have a number in common, for each number."""
    return [[letter for letter in drawn if drawn[letter] == number] for number in sorted(set(drawn.values()))]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 4)), max_size=12))
def test_random_partitions_are_kept_as_dictionaries_keep_them(drawn: list[dict[str, int]]) -> None:
    """Events, from nothing, make what is stored."""
    oracle = MemoryProducts()
    with TemporaryDirectory() as folder, closing(open_store(Path(folder))) as store:
        for number, each in enumerate(drawn):
            for kept in (oracle, store.products):
                partition(kept, clusters_of(each), cause="rescoring", matcher=f"{number % 3}")
                doubts = {product: number / 100 / product for product in parts(kept)}
                partition(kept, clusters_of(each), doubts)
            check_products(store.products)
            assert contents(store.products) == contents(oracle)
            for sort in SORTS:
                found = [it.number for it in store.products.page(sort, None, 99)]
                assert found == [it.number for it in oracle.page(sort, None, 99)]
