"""Products of what is served: kept with every change, each under a number that lasts."""

import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.feed import FeedPage, Position
from pricematch.catalogue.feedback_batches import PairDecision
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Remark
from pricematch.errors import PricematchError, ProductsChanged, ProductsUnknown, StoreFull, StoreUnavailable
from pricematch.matching.products import followed
from pricematch.serving import products
from pricematch.serving.intake import Offered
from pricematch.serving.product_pages import ProductReader
from pricematch.serving.scored_catalogue import FILE
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.startup import start
from pricematch.settings import Settings
from pricematch.store.sqlite.store import DATABASE
from tests.support.matchers import export_matcher
from tests.support.product_shop import IDS, ProductShop, hashed, in_memory, on_disk
from tests.support.products import check_products, contents
from tests.support.served import Loaded, Told, put, served, titles_and_hashes

WRITTEN_BY_3 = Path(__file__).parents[1] / "store" / "sqlite" / "store_3.sql"


@pytest.fixture(params=["in memory", "on disk"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProductShop]:
    """An empty catalogue, over a store of each kind."""
    if request.param == "in memory":
        yield in_memory()
    else:
        with on_disk(tmp_path) as shop:
            yield shop


# --- changes -----------------------------------------------------------------------------------------------------


def test_arrivals_make_products_and_join_them(shop: ProductShop) -> None:
    shop.put("a", 0)
    shop.put("b", 40)
    shop.put("c", 1)
    assert shop.groups() == {"a": "p1", "b": "p2", "c": "p1"}
    assert shop.told() == [("p1", "created", "arrival"), ("p2", "created", "arrival"), ("p1", "changed", "arrival")]
    assert (shop.events()[-1].joined, shop.events()[-1].size) == (("c",), 2)
    shop.check()


def test_a_change_moves_a_posting(shop: ProductShop) -> None:
    """Into a product of its own, and what was its product keeps its number."""
    for posting_id, bits in (("a", 0), ("b", 1), ("c", 2)):
        shop.put(posting_id, bits)
    count = len(shop.events())
    shop.put("c", 60)
    assert shop.groups() == {"a": "p1", "b": "p1", "c": "p2"}
    assert sorted(shop.told(count)) == [("p1", "split", "change"), ("p2", "created", "change")]
    shop.put("c", 2)
    assert sorted(shop.told(count + 2)) == [("p1", "changed", "change"), ("p2", "merged", "change")]
    assert shop.put("c", 2, "another title").version > shop.events()[-1].revision
    assert len(shop.events()) == count + 4
    shop.check()


def test_a_deletion_takes_a_posting_out(shop: ProductShop) -> None:
    """With the last one the product is gone, and who comes later gets another number."""
    shop.put("a", 0)
    shop.put("b", 1)
    shop.intake.remove("a")
    shop.intake.remove("b")
    assert shop.told(2) == [("p1", "changed", "deletion"), ("p1", "removed", "deletion")]
    assert shop.groups() == {}
    shop.put("a", 0)
    assert shop.groups() == {"a": "p2"}
    shop.check()


def test_feedback_merges_products_and_its_withdrawal_splits_them(shop: ProductShop) -> None:
    for posting_id, bits in (("a", 0), ("b", 60), ("c", 30), ("d", 30)):
        shop.put(posting_id, bits)
    count = len(shop.events())
    shop.intake.decide("a", "b", "same")
    assert shop.groups() == {"a": "p1", "b": "p1", "c": "p3", "d": "p3"}
    shop.intake.withdraw("a", "b")
    shop.intake.decide("c", "d", "different")
    assert shop.groups() == {"a": "p1", "b": "p4", "c": "p3", "d": "p5"}
    assert sorted(shop.told(count)[:2]) == [("p1", "changed", "feedback"), ("p2", "merged", "feedback")]
    assert sorted(shop.told(count + 2)) == [
        ("p1", "split", "feedback"),
        ("p3", "split", "feedback"),
        ("p4", "created", "feedback"),
        ("p5", "created", "feedback"),
    ]
    shop.check()


def test_another_note_scores_nothing_anew(shop: ProductShop) -> None:
    """Nor does another author: the version grows, and what answers stays what it was."""
    for posting_id, bits in (("a", 0), ("b", 60)):
        shop.put(posting_id, bits)
    shop.intake.decide("a", "b", "same", Remark("Ann"))
    before, events = shop.snapshots.current, len(shop.events())
    shop.intake.decide("a", "b", "same", Remark("Bob", "one box"))
    now = shop.snapshots.current
    assert now.version == before.version + 1
    assert now.matcher is before.matcher
    assert len(shop.events()) == events
    shop.check()


def test_a_batch_is_taken_in_as_one_change(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products are followed once, and so is its end."""
    for place in range(12):
        shop.put(f"p{place:02}", place * 5)
    made = list[int]()

    def counted(*given: Any) -> Any:
        made.append(1)
        return followed(*given)

    monkeypatch.setattr(products, "followed", counted)
    pairs = [PairDecision(f"p{one:02}", f"p{other:02}", "different") for one, other in combinations(range(12), 2)]
    batch, version = shop.intake.decide_each(pairs, Remark("Ann"))
    assert (len(made), version) == (1, shop.snapshots.current.version)
    assert len(set(shop.groups().values())) == 12
    shop.check()
    shop.intake.undo(batch.batch_id)
    assert len(made) == 2
    shop.check()


def test_feedback_that_joins_nothing_is_no_event(shop: ProductShop) -> None:
    shop.put("a", 0)
    shop.put("b", 0)
    shop.put("c", 60)
    shop.intake.decide("a", "c", "different")
    shop.intake.decide("a", "nobody", "same")
    assert len(shop.events()) == 3
    shop.check()


def test_postings_that_come_together_are_one_product_at_once(shop: ProductShop) -> None:
    """A row that changes in the same step has the cause of its own."""
    shop.put("a", 0)
    shop.intake.put_each([Offered(hashed(*it)) for it in (("a", 60), ("b", 1), ("c", 2), ("d", 61))])
    assert shop.groups() == {"a": "p1", "b": "p2", "c": "p2", "d": "p1"}
    assert shop.told(1) == [("p1", "changed", "arrival"), ("p2", "created", "arrival")]
    shop.check()


def test_postings_of_others_get_products_in_pieces(shop: ProductShop) -> None:
    """They are more than are taken in at once."""
    shop.put("a", 0)
    shop.put_elsewhere(*(hashed(f"n{number:03}", number % 60) for number in range(100)))
    assert shop.groups() == {"a": "p1"}
    shop.snapshots.complete()
    assert len(shop.groups()) == 101
    assert {cause for _, _, cause in shop.told()} == {"arrival"}
    shop.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_products_are_the_clusters_after_whatever_changes(seed: int, tmp_path: Path) -> None:
    """In memory, in the store and clustered anew; also in a catalogue so young that all is scored at once."""
    drawn, few = random.Random(seed), 6 if seed % 3 == 0 else 0
    if seed % 2:
        _change_at_random(in_memory(few), drawn)
    else:
        with on_disk(tmp_path, few) as shop:
            _change_at_random(shop, drawn)


def _change_at_random(shop: ProductShop, drawn: random.Random) -> None:
    version = 0
    for _ in range(40):
        one, other = drawn.sample(IDS, 2)
        match drawn.randrange(8):
            case 0:
                shop.intake.remove(one)
            case 1:
                shop.intake.decide(one, other, drawn.choice(["same", "different"]))
            case 2:
                shop.intake.withdraw(one, other)
            case 3:
                shop.intake.put_each([Offered(hashed(it, drawn.randrange(65))) for it in drawn.sample(IDS, 3)])
            case 4:
                shop.put_elsewhere(hashed(one, drawn.randrange(65)))
                shop.snapshots.complete()
            case 5 if drawn.random() < 0.3:
                shop.snapshots.rebuild()
            case _:
                shop.put(one, drawn.randrange(65))
        assert shop.snapshots.current.version >= version
        version = shop.snapshots.current.version
        shop.check()
    assert len({kind for _, kind, _ in shop.told()}) >= 4


# --- rebuilds ----------------------------------------------------------------------------------------------------


def filled(shop: ProductShop) -> ProductShop:
    """With products of one to three postings."""
    for posting_id, bits in (("a", 0), ("b", 1), ("c", 2), ("d", 30), ("e", 31), ("f", 62)):
        shop.put(posting_id, bits)
    return shop


def test_a_rebuild_without_change_is_no_event(shop: ProductShop) -> None:
    """Though it is another version of the catalogue."""
    filled(shop)
    before, version = contents(shop.products), shop.snapshots.current.version
    assert shop.snapshots.rebuild().version > version
    assert contents(shop.products) == before
    shop.check()


def test_another_matcher_is_the_cause(shop: ProductShop) -> None:
    """And none once it has made them."""
    filled(shop)
    count = len(shop.events())
    shop.label, shop.signal = "matcher/2", "title"  # of which no posting has any
    shop.snapshots.rebuild()
    assert {cause for _, _, cause in shop.told(count)} == {"model"}
    assert sorted(kind for _, kind, _ in shop.told(count)) == ["created"] * 3 + ["split"] * 2
    assert shop.products.state().matcher == "matcher/2"
    count, shop.signal = len(shop.events()), "hash"
    shop.snapshots.rebuild()
    assert sorted(shop.told(count)) == [
        ("p1", "changed", "rescoring"),
        ("p2", "changed", "rescoring"),
        *((f"p{number}", "merged", "rescoring") for number in (4, 5, 6)),
    ]
    shop.check()


def test_what_comes_during_a_rebuild_is_in_its_products(shop: ProductShop) -> None:
    """Under the numbers that were told meanwhile."""
    filled(shop)
    told = dict[str, str]()

    def slow() -> Snapshot:
        built = shop.build()
        shop.put("g", 3)
        shop.put("h", 45)
        shop.intake.remove("f")
        shop.intake.decide("a", "e", "same")
        told.update(shop.groups())
        return built

    shop.snapshots.rebuild(slow)
    assert shop.groups() == told
    assert {"g", "h"} < set(told)
    assert not [it for it in shop.told() if it[2] in {"rescoring", "model"}]
    shop.check()


def test_what_comes_last_in_a_rebuild_is_in_its_products(shop: ProductShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it has caught up, before it takes the place of what serves."""
    filled(shop)
    changes, read = shop.feed.changes, list[Position]()

    def then_somebody_puts(since: Position, **given: Any) -> FeedPage:
        found = changes(since, **given)
        read.append(since)
        if len(read) == 1:
            shop.put("g", 3)
        return found

    monkeypatch.setattr(shop.feed, "changes", then_somebody_puts)
    shop.snapshots.rebuild()
    assert shop.groups()["g"] == "p1"
    assert [it for it in shop.told() if it[2] != "arrival"] == []
    shop.check()


def test_a_young_catalogue_keeps_its_ids(tmp_path: Path) -> None:
    """Though all of it is scored together with each of its first changes."""
    with on_disk(tmp_path, few=100) as shop:
        filled(shop)
        assert shop.built >= 4
        assert shop.groups() == {"a": "p1", "b": "p1", "c": "p1", "d": "p2", "e": "p2", "f": "p3"}
        assert {cause for _, _, cause in shop.told()} == {"arrival"}
        shop.check()


def test_versions_never_go_back_while_many_write(shop: ProductShop) -> None:
    """Every answer is of a version that has the events of its products."""
    done, faults, seen = threading.Event(), list[str](), list[int]()

    def write(writer: int) -> None:
        drawn = random.Random(writer)
        for number in range(20):
            posting_id = f"{writer}-{number % 5}"
            snapshot = shop.put(posting_id, drawn.randrange(65))
            if snapshot.product_of(posting_id) is None:
                faults.append(f"{posting_id} has no product")
            if number % 7 == 6:
                shop.intake.remove(posting_id)

    def watch() -> None:
        while not done.is_set():
            snapshot = shop.snapshots.current
            products = snapshot.products
            seen.append(snapshot.version)
            if products is not None and products.version > snapshot.version:
                faults.append(f"{products.version} > {snapshot.version}")

    watcher = threading.Thread(target=watch)
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in (watcher, *writers):
        thread.start()
    shop.snapshots.rebuild()
    for writer in writers:
        writer.join()
    done.set()
    watcher.join()
    assert faults == []
    assert seen == sorted(seen)
    shop.check()


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreUnavailable("locked"), StoreFull("no room"), ProductsChanged("another")])
def test_where_products_cannot_be_kept_the_posting_is(
    shop: ProductShop, monkeypatch: pytest.MonkeyPatch, error: PricematchError, caplog: pytest.LogCaptureFixture
) -> None:
    """No product is known until they can be kept; then each has the number that it had."""
    filled(shop)
    before = dict(shop.groups())

    def fail(*_: object, **__: object) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(shop.products, "keep", fail)
        assert shop.put("g", 3).product_of("g") is None
        shop.put("h", 45)
        shop.intake.remove("b")
        assert shop.snapshots.current.matcher.catalogue.holds("g")
        assert shop.groups() == {}
        with pytest.raises(ProductsUnknown):
            ProductReader(shop.snapshots.current, shop.snapshots.settled, shop.products).page("size", None, 10)
        assert ProductReader(shop.snapshots.current, shop.snapshots.settled, shop.products).history(1, None, 9).events
        shop.snapshots.rebuild()
        assert shop.groups() == {}
    assert [str(error) in it.getMessage() for it in caplog.records] == [True]
    shop.snapshots.complete()
    after = {"g": "p1", "h": "p4"}
    assert shop.groups() == {posting_id: it for posting_id, it in (before | after).items() if posting_id != "b"}
    assert sorted(shop.told(6)) == [("p1", "changed", "arrival"), ("p4", "created", "arrival")]
    shop.check()


def test_another_that_changes_products_is_noticed(shop: ProductShop) -> None:
    """What it wrote is read before anything is written over it."""
    filled(shop)
    shop.products.keep([], {}, matcher="matcher/1", expected=shop.products.state().revision)
    assert shop.put("g", 3).product_of("g") == "p1"
    shop.check()


# --- restarts ----------------------------------------------------------------------------------------------------


def test_a_restart_changes_no_product(tmp_path: Path) -> None:
    with on_disk(tmp_path) as shop:
        filled(shop)
        shop.intake.decide("a", "f", "same")
        before, groups = contents(shop.products), shop.groups()
    with on_disk(tmp_path) as shop:
        assert contents(shop.products) == before
        assert shop.groups() == groups
        shop.check()


def test_a_restart_takes_in_what_changed_without_it(tmp_path: Path) -> None:
    """What another process put and deleted is told as such."""
    with on_disk(tmp_path) as shop:
        filled(shop)
        shop.put_elsewhere(hashed("g", 3))
        shop.intake.store.delete("f")
    with on_disk(tmp_path) as shop:
        assert sorted(shop.told(6)) == [("p1", "changed", "arrival"), ("p3", "removed", "deletion")]
        shop.check()


# --- the service -------------------------------------------------------------------------------------------------


def check_served(running: ServedCatalogue) -> dict[str, str | None]:
    """The product of each posting, which the store and the snapshot agree on."""
    snapshot, members = running.snapshots.current, running.store.products.members()
    groups = {it: snapshot.product_of(it) for it in sorted(snapshot.matcher.catalogue.posting_ids)}
    assert groups == {posting_id: f"p{number}" for posting_id, number in members.items()}
    check_products(running.store.products)
    return groups


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
def test_a_restarted_service_has_the_same_products(tmp_path: Path, *, cached: bool) -> None:
    """Whether it finds the scored catalogue that it kept or scores all anew."""
    settings = titles_and_hashes(tmp_path, follow_seconds=3600)
    with served(settings) as running:
        running.intake.decide("p2", "p3", "different")
        put(running.intake, Offered(Posting("new", None, "kopi susu")))
        before, groups = contents(running.store.products), check_served(running)
    assert groups == {"p0": "p1", "p1": "p1", "p2": "p2", "p3": "p3", "new": "p1"}
    if not cached:
        (settings.data / FILE).unlink()
    with served(settings) as running:
        assert contents(running.store.products) == before
        assert check_served(running) == groups


@pytest.mark.slow
def test_a_store_of_the_version_before_gets_products(tmp_path: Path) -> None:
    """Its postings arrive, in one step; the next start changes nothing."""
    export_matcher(tmp_path / "models", ["hash", "title"])
    settings = Settings(models=tmp_path / "models", data=tmp_path / "data", follow_seconds=3600)
    settings.data.mkdir()
    with closing(sqlite3.connect(settings.data / DATABASE)) as connection:
        connection.executescript(WRITTEN_BY_3.read_text(encoding="utf-8"))
        connection.executescript(f"PRAGMA application_id = {0x50724D63}; PRAGMA user_version = 3")
    with served(settings) as running:
        before, groups = contents(running.store.products), check_served(running)
        assert len(groups) == running.store.postings.count() > 0
        assert {(it[2], it[3]) for it in before["events"]} == {("created", "arrival")}
    with served(settings) as running:
        assert contents(running.store.products) == before


@pytest.mark.slow
def test_products_that_could_not_be_kept_are_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the service looks and the store works, though nothing is due that would score all anew."""
    with served(titles_and_hashes(tmp_path, follow_seconds=3600)) as running:
        before = check_served(running)
        with monkeypatch.context() as patched:
            patched.setattr(running.store.products, "keep", _full)
            running.intake.decide("p2", "p3", "different")
            running.tick()
            assert running.snapshots.current.product_of("p0") is None
        running.tick()
        assert check_served(running) == before | {"p3": "p3"}


def _full(*_: object, **__: object) -> Any:
    raise StoreFull("no room")


@pytest.mark.slow
def test_who_only_reads_changes_no_products(tmp_path: Path) -> None:
    """A command beside a service that goes on writing, with another matcher."""
    settings = titles_and_hashes(tmp_path, follow_seconds=3600)
    with served(settings) as running:
        running.intake.decide("p0", "p3", "same")
        before = contents(running.store.products)
        export_matcher(tmp_path / "models", ["title"], version="2")
        beside = start(settings.model_copy(update={"matcher": "2"}), Loaded(), Told(), serve=False)
        try:
            assert beside.snapshots.current.product_of("p0") is None
        finally:
            beside.close()
        assert contents(running.store.products) == before
        put(running.intake, Offered(Posting("new", None, "teh manis")))
        assert check_served(running)["new"] is not None
