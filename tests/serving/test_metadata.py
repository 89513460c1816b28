"""Metadata in memory: what it changes, and what it must not disturb."""

import asyncio
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Patch, Put
from pricematch.errors import ConditionFailed, PostingNotFound
from pricematch.matching.queries import Options, Query
from pricematch.serving import snapshots as live_catalogue
from pricematch.serving.caches import ResultCache
from pricematch.serving.snapshot import Snapshot
from tests.support.applications import judged_matcher
from tests.support.fakes import COLOURS
from tests.support.product_shop import ProductShop, hashed, in_memory, on_disk
from tests.support.served import Told, served, titles_and_hashes
from tests.support.shop import NoNumbers, Shop, told


@pytest.fixture(params=["in memory", "on disk"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProductShop]:
    """A catalogue with three products, over a store of each kind."""
    if request.param == "in memory":
        yield filled(in_memory())
    else:
        with on_disk(tmp_path) as shop:
            yield filled(shop)


def filled(shop: ProductShop) -> ProductShop:
    for posting_id, bits in (("a", 0), ("b", 1), ("c", 30), ("d", 60)):
        shop.put(posting_id, bits)
    return shop


def priced(price: int) -> Metadata:
    return Metadata({"price": price})


def put_priced(shop: ProductShop, posting_id: str, bits: int, price: int) -> Snapshot:
    """Put a posting with its price."""
    return shop.intake.put(Put(replace(hashed(posting_id, bits), metadata=priced(price))))[1]


def test_metadata_alone_makes_a_version_and_disturbs_nothing(shop: ProductShop) -> None:
    """Neither search, products, nor what counts towards scoring all anew; what others hold stays as it was."""
    before, events = shop.snapshots.current, len(shop.events())
    after = put_priced(shop, "a", 0, 5)
    assert after.version == before.version + 1
    assert after.matcher.catalogue.posting("a").metadata == priced(5)
    assert after.matcher.probability is before.matcher.probability
    assert after.matcher.similarity == before.matcher.similarity
    assert after.products is before.products
    assert len(shop.events()) == events
    assert before.matcher.catalogue.posting("a").metadata is NO_METADATA
    for price in range(300):
        put_priced(shop, "b", 1, price)
    assert not shop.snapshots.current.stale
    assert shop.snapshots.current.matcher.catalogue.span == before.matcher.catalogue.span
    assert before.changed == shop.snapshots.current.changed
    assert shop.built == 1
    shop.check()


def test_a_change_of_more_than_metadata_brings_its_metadata(shop: ProductShop) -> None:
    """And keeps that of the others; what was deleted and comes again has its own."""
    put_priced(shop, "b", 1, 1)
    put_priced(shop, "a", 31, 2)
    shop.intake.remove("c")
    put_priced(shop, "c", 30, 3)
    put_priced(shop, "e", 61, 4)
    catalogue = shop.snapshots.current.matcher.catalogue
    expected = {"a": priced(2), "b": priced(1), "c": priced(3), "d": NO_METADATA, "e": priced(4)}
    assert {it.posting_id: it.metadata for it in catalogue} == expected
    shop.put("b", 1)
    assert shop.snapshots.current.matcher.catalogue.posting("b").metadata is NO_METADATA
    shop.check()


@pytest.mark.parametrize("seed", range(4))
def test_after_any_changes_all_is_as_read_anew(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes them: what is searched, and what metadata there is."""
    for name, size in {"_PIECE": 2, "_ENCODED": 3}.items():
        monkeypatch.setattr(live_catalogue, name, size)
    draw, shop = random.Random(seed), Shop()
    held = list[tuple[Snapshot, dict[str, Metadata]]]()
    for _ in range(80):
        name, metadata = f"p{draw.randrange(8)}", priced(draw.randrange(5))
        stored = shop.store.get(name)
        match draw.choice(["put", "metadata", "metadata", "others", "others", "remove", "complete"]):
            case "put":
                shop.put(name, draw.choice([*COLOURS, None]))
            case "metadata" if stored is not None:
                shop.intake.put(Put(replace(stored.posting, metadata=metadata)))
                assert shop.snapshots.current.matcher.catalogue.posting(name).metadata == metadata
            case "others" if stored is not None and draw.random() < 0.7:
                shop.store.put([Put(replace(stored.posting, metadata=metadata))])
            case "others":
                shop.put_elsewhere(name, draw.choice(COLOURS))
            case "remove":
                shop.intake.remove(name)
            case "complete":
                shop.snapshots.complete()
        current = shop.snapshots.current
        held.append((current, {it.posting_id: it.metadata for it in current.matcher.catalogue}))
    matcher, anew = shop.snapshots.complete().matcher, shop.build().matcher
    assert told(matcher) == told(anew)
    assert {it.posting_id: it for it in matcher.catalogue} == {it.posting_id: it for it in anew.catalogue}
    for snapshot, expected in held:
        assert {it.posting_id: it.metadata for it in snapshot.matcher.catalogue} == expected


def test_nothing_is_encoded_for_metadata() -> None:
    """Nor is anything looked up of the image."""
    shop = Shop()
    shop.put("a", COLOURS[0])
    stored = shop.store.get("a")
    assert stored is not None
    shop.encoder, shop.store.vectors = NoNumbers(), {}
    shop.intake.put(Put(replace(stored.posting, metadata=priced(1))))
    shop.store.put([Put(replace(stored.posting, metadata=priced(2)))])
    assert shop.snapshots.complete().matcher.catalogue.posting("a").metadata == priced(2)


def test_much_metadata_of_others_is_taken_in_without_reading_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever writes next, or at the next look, in one piece; one posting too many that is searched is not."""
    monkeypatch.setattr(live_catalogue, "_MANY", 5)
    shop = Shop()
    for row in range(20):
        shop.put(f"p{row}", COLOURS[row % 3])

    def all_priced(price: int) -> None:
        shop.store.put([Put(replace(it.posting, metadata=priced(price))) for it in shop.store.page("", 99)])

    all_priced(1)
    shop.put("q", None)
    assert {it.metadata for it in shop.snapshots.current.matcher.catalogue} == {priced(1), NO_METADATA}
    all_priced(2)
    shop.put_elsewhere("r", COLOURS[0])
    shop.snapshots.complete()
    assert shop.built == 1
    assert {it.metadata for it in shop.snapshots.current.matcher.catalogue} == {priced(2), NO_METADATA}
    for row in range(6):
        shop.put_elsewhere(f"s{row}", COLOURS[0])
    shop.snapshots.complete()
    assert shop.built == 2


def test_answers_that_are_kept_outlast_metadata() -> None:
    """But no other change: the matcher of before is gone, and what it found is found at once."""

    async def run() -> None:
        matcher, cache, times = judged_matcher(), ResultCache(10**6), list[object]()

        async def asked(work: Any, *args: Any) -> Any:
            times.append(work)
            return work(*args)

        for step in range(3):
            found = await cache.match_posting(matcher, "scene", Options(), asked)
            assert [it.posting_id for it in found.matches] == ["twin"]
            matcher = matcher.with_metadata({matcher.catalogue.row("twin"): priced(step)})
        assert len(times) == 1
        matcher = matcher.changed([], ["twin"], [])
        found = await cache.match_posting(matcher, "scene", Options(), asked)
        assert [it.posting_id for it in found.matches] == ["worded"]
        await cache.match(matcher.with_metadata({0: priced(1)}), Query("kopi"), Options(), asked)
        assert len(times) == 3

    asyncio.run(run())


@pytest.mark.slow
def test_a_start_behind_metadata_scores_nothing(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    with served(settings) as running:
        [first, *_] = running.store.postings.page("", 9)
        running.store.postings.put([Put(replace(first.posting, metadata=priced(3)))])
    progress = Told()
    with served(settings, progress) as running:
        assert running.snapshots.current.matcher.catalogue.posting(first.posting.posting_id).metadata == priced(3)
    assert "Scoring pairs" not in progress.what
    assert "Scoring changes" not in progress.what


# --- patches -------------------------------------------------------------------------------------------------------


def patch(posting_id: str, fields: Mapping[str, Any], condition: Condition = ANYHOW) -> Patch:
    """A patch that sets fields of metadata."""

    def change(posting: Posting) -> Posting:
        return replace(posting, metadata=Metadata({**posting.metadata.as_json(), **fields}))

    return Patch(posting_id, change, (), condition)


def test_a_patch_changes_what_it_names(shop: ProductShop) -> None:
    shop.intake.patch(patch("a", {"price": 1}))
    posting, kept, snapshot = shop.intake.patch(patch("a", {"seller": "x"}))
    assert posting == replace(hashed("a", 0), metadata=Metadata({"price": 1, "seller": "x"}))
    assert snapshot.matcher.catalogue.posting("a") == posting
    assert kept.outcome == "replaced"
    assert shop.intake.patch(patch("a", {"seller": "x"}))[1] == replace(kept, outcome="unchanged")
    with pytest.raises(PostingNotFound):
        shop.intake.patch(patch("nobody", {"price": 1}))
    with pytest.raises(ConditionFailed):
        shop.intake.patch(patch("a", {"price": 2}, Condition(revisions=frozenset({kept.revision - 1}))))
    assert shop.intake.patch(patch("a", {"price": 2}, Condition(revisions=frozenset({kept.revision}))))[1].revision > 0


def test_patches_at_once_lose_nothing(shop: ProductShop) -> None:
    """Each of another field of the same posting."""

    def work(writer: int) -> None:
        for number in range(10):
            shop.intake.patch(patch("a", {f"{writer}-{number}": number}))

    writers = [threading.Thread(target=work, args=(writer,)) for writer in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    expected = {f"{writer}-{number}": number for writer in range(6) for number in range(10)}
    assert shop.snapshots.current.matcher.catalogue.posting("a").metadata == Metadata(expected)
    shop.check()
