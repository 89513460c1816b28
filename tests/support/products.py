"""Products to keep, and what must be true of those that are kept."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pricematch.catalogue.products import Cause, CausedChange, ProductEvent, repartitioned
from pricematch.store.ports import ProductStore


def parts(products: ProductStore) -> Mapping[int, list[str]]:
    """Members by number."""
    found = defaultdict[int, list[str]](list)
    for posting_id, number in products.members().items():
        found[number].append(posting_id)
    return found


def partition(
    products: ProductStore,
    clusters: Iterable[Iterable[str]],
    doubts: Mapping[int, float] | None = None,
    *,
    cause: Cause = "change",
    matcher: str = "one",
) -> Sequence[ProductEvent]:
    """Make products of all postings that there are, given as clusters; the events."""
    state = products.state()
    changes = repartitioned(parts(products), [tuple(cluster) for cluster in clusters], state.last_number + 1)
    caused = [CausedChange(change, cause) for change in changes]
    return products.keep(caused, doubts or {}, matcher=matcher, expected=state.revision)[0]


def contents(products: ProductStore) -> dict[str, Any]:
    """All that is kept of them, but for the times."""
    numbers = range(1, products.state().last_number + 1)
    found = [products.product(number) for number in numbers]
    events = [event for number in numbers for event in products.events_of(number, None, 10**6)]
    return {
        "state": products.state(),
        "members": products.members(),
        "products": [(it.number, it.size, it.into, it.doubt, it.revision) for it in found if it is not None],
        "events": [(it.revision, it.number, it.kind, it.cause, it.joined, it.left, it.size, it.into) for it in events],
    }


def check_products(products: ProductStore) -> None:
    """Products, members and redirects are what the events make of nothing, whose history is whole."""
    numbers = range(1, products.state().last_number + 1)
    events = [event for number in numbers for event in products.events_of(number, None, 10**6)]
    made, into = defaultdict[int, set[str]](set), dict[int, int | None]()
    for event in sorted(events, key=lambda event: event.revision):
        assert (event.kind == "created") == (event.number not in into) or event.cause == "restore", "given twice"
        assert made[event.number] >= set(event.left)
        made[event.number] -= set(event.left)
        assert not made[event.number] & set(event.joined)
        made[event.number] |= set(event.joined)
        assert len(made[event.number]) == event.size
        into[event.number] = event.into
    assert len({event.revision for event in events}) == len(events)
    assert {number: sorted(members) for number, members in made.items() if members} == parts(products)
    assert sum(map(len, made.values())) == len(products.members()), "a posting is in two"
    there = {number: product for number in numbers if (product := products.product(number)) is not None}
    assert there.keys() == into.keys()
    for number, product in there.items():
        last = products.events_of(number, None, 1)[0]
        assert (product.size, product.revision) == (len(made[number]), last.revision)
        assert list(products.members_of(number)) == sorted(made[number])
        assert product.into == _end(number, into)
        assert product.into is None or there[product.into].into is None
        assert product.size or not product.doubt
    assert products.count() == sum(product.size > 0 for product in there.values())


def _end(number: int, into: Mapping[int, int | None]) -> int | None:
    """What a product has merged into in the end; None where it has not merged."""
    found = into[number]
    while found is not None and into[found] is not None:
        found = into[found]
    return found
