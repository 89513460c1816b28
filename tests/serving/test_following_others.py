"""Changes that other processes have stored, taken in beside those that are made here."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ModelOutputError, StoreUnavailable
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options
from pricematch.serving import snapshots as live_catalogue
from pricematch.serving.changes import Held
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from tests.support.encoding import TinyEncoding
from tests.support.fakes import COLOURS, image_bytes
from tests.support.served import put
from tests.support.shop import HANGS, Gated, NoNumbers, Shop, found, told
from tests.support.waiting import eventually


def test_what_somebody_else_has_written_is_seen_once_it_is_followed() -> None:
    shop = Shop()
    other = Intake(shop.store, shop.store, shop.stored, Snapshots(shop.store, shop.store, shop.stored, shop.build))
    put(other, Offered(Posting("a", None), [image_bytes("#ff0000")]))
    assert shop.snapshots.current.version == 0
    assert shop.snapshots.follow(()).version == 1
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]


def test_a_put_does_not_wait_for_images_of_others() -> None:
    """Nobody who writes waits while images are encoded that another process stored: fault F16."""
    shop, encoder, completed = Shop(), Gated(), list[Snapshot]()
    shop.encoder = encoder
    shop.put_elsewhere("a", "#ff0000")
    completing = threading.Thread(target=lambda: completed.append(shop.snapshots.complete()))
    completing.start()
    assert encoder.entered.wait(HANGS)
    assert shop.put("b", None) == 3
    assert shop.intake.decide("a", "b", "different")[1]
    assert shop.snapshots.current.matcher.catalogue.posting_ids == ("b",)
    encoder.gate.set()
    completing.join()
    assert told(completed[0].matcher) == told(shop.build().matcher)
    assert list(completed[0].matcher.match_posting("a", Options()).matches) == []


def test_what_is_written_meanwhile_is_not_taken_back() -> None:
    """What others wrote before is taken in later, and is older: fault F16."""
    shop, encoder = Shop(), Gated()
    shop.encoder = encoder
    for posting_id in "abc":
        shop.put_elsewhere(posting_id, "#ff0000")
    shop.store.decide("a", "c", "same")
    completing = threading.Thread(target=shop.snapshots.complete)
    completing.start()
    assert encoder.entered.wait(HANGS)
    shop.put("a", None, "mine")
    shop.intake.remove("b")
    shop.intake.decide("a", "c", "different")
    encoder.gate.set()
    completing.join()
    current = shop.snapshots.current.matcher
    assert current.catalogue.posting("a").title == "mine"
    assert set(current.catalogue.posting_ids) == {"a", "c"}
    assert list(current.match_posting("c", Options()).matches) == []
    shop.snapshots.complete()
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_what_was_taken_in_meanwhile_is_not_taken_back() -> None:
    """What `complete` has read is older than what whoever wrote has taken in: fault F16."""
    shop, encoder = Shop(), Gated()
    shop.encoder = encoder
    name = shop.put_elsewhere("a", "#ff0000")
    completing = threading.Thread(target=shop.snapshots.complete)
    completing.start()
    assert encoder.entered.wait(HANGS)
    others = StoredImages(shop.store, shop.store, TinyEncoding().encode, shop.bad.__setitem__)
    others.ensure([bytes.fromhex(name)], shop.snapshots.current.matcher.wanted_of_stored)
    shop.put("b", None)
    assert shop.snapshots.current.held == Held(2, 2)
    shop.put("a", None, "mine")
    encoder.gate.set()
    completing.join()
    assert shop.snapshots.current.matcher.catalogue.posting("a").title == "mine"


def test_who_writes_takes_in_little_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded for it, and where others have changed much, theirs is left as well: fault F16."""
    monkeypatch.setattr(live_catalogue, "_PIECE", 2)
    shop = Shop()
    shop.encoder, working = NoNumbers(), shop.encoder
    shop.put_elsewhere("a", "#ff0000")
    shop.put("b", None)
    for posting_id in "cd":
        shop.store.put([Put(Posting(posting_id, None))])
    shop.intake.put_each([Offered(Posting("e", None)), Offered(Posting("f", None))])
    shop.intake.remove("b")
    assert shop.snapshots.current.matcher.catalogue.posting_ids == ("e", "f")
    with pytest.raises(ModelOutputError):
        shop.snapshots.complete()
    assert shop.snapshots.current.matcher.catalogue.posting_ids == ("e", "f")
    shop.encoder = working
    assert set(shop.snapshots.complete().matcher.catalogue.posting_ids) == set("acdef")
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)
    shop.store.put([Put(Posting("g", None))])
    assert shop.put("h", None) == shop.store.version()  # of others a little that lacks nothing
    assert {"g", "h"} <= set(shop.snapshots.current.matcher.catalogue.posting_ids)
    shop.store.put([Put(Posting(posting_id, None)) for posting_id in "ijk"])
    shop.put("l", None)
    assert set(shop.snapshots.current.matcher.catalogue.posting_ids) == set("acdefghl")


@pytest.mark.parametrize("seed", range(5))
def test_every_version_has_one_answer_and_is_later_than_those_before(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes, takes in or builds: faults C6 and F16."""
    for name, size in {"_PIECE": 2, "_ENCODED": 3}.items():
        monkeypatch.setattr(live_catalogue, name, size)
    draw, shop = random.Random(seed), Shop()
    seen = {0: told(shop.snapshots.current.matcher)}
    for _ in range(80):
        name = f"p{draw.randrange(9)}"
        match draw.choice(["put", "put", "remove", "others", "others", "others", "decide", "complete", "rebuild"]):
            case "put":
                version = shop.put(name, draw.choice(COLOURS[:6]))
                assert shop.snapshots.current.matcher.catalogue.holds(name)
                assert version >= shop.store.postings[name].revision
            case "remove":
                shop.intake.remove(name)
                assert not shop.snapshots.current.matcher.catalogue.holds(name)
            case "others":
                shop.put_elsewhere(name, draw.choice(COLOURS[:6]))
            case "decide":
                shop.intake.decide(name, "p9", draw.choice(["same", "different"]))
            case "complete":
                assert shop.snapshots.complete().version >= shop.store.version()
                assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)
            case "rebuild":
                shop.snapshots.rebuild()
                assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)
        current = shop.snapshots.current
        assert current.version >= max(seen)
        assert seen.setdefault(current.version, told(current.matcher)) == told(current.matcher)


def test_whoever_writes_comes_before_the_next_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of others are taken in piece by piece, and who waits comes in between: fault F16."""
    monkeypatch.setattr(live_catalogue, "_PIECE", 2)
    shop = Shop()
    for number in range(7):
        shop.put_elsewhere(f"p{number}", COLOURS[number % len(COLOURS)])
    changed, taken = Matcher.changed, list[list[str]]()
    writing = threading.Thread(target=shop.put, args=("mine", None))

    def recorded(self: Matcher, put: Sequence[Posting], *rest: Any) -> Matcher:
        taken.append([posting.posting_id for posting in put])
        if len(taken) == 1:
            writing.start()
            eventually(shop.snapshots._next.locked)
        return changed(self, put, *rest)

    monkeypatch.setattr(Matcher, "changed", recorded)
    shop.snapshots.complete()
    writing.join()
    assert taken == [["p0", "p1"], ["mine"], ["p2", "p3"], ["p4", "p5"], ["p6"]]
    assert shop.snapshots.complete().version == shop.store.version()
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_a_damaged_image_is_not_encoded_again_and_again() -> None:
    """It is tried once, and missing from then on."""
    shop = Shop()
    name = shop.put_elsewhere("a", "#ff0000")
    shop.store.images[name] = b"no image"
    shop.put("b", "#00ff00")
    assert shop.bad == {}
    shop.snapshots.complete()
    assert list(shop.bad) == [bytes.fromhex(name)]
    shop.bad.clear()
    shop.put("b", "#ff0000")
    before = shop.snapshots.complete()
    assert shop.snapshots.complete() is before
    assert shop.bad == {}
    assert set(before.matcher.catalogue.posting_ids) == {"a", "b"}


def test_two_that_complete_encode_each_image_once() -> None:
    shop, encoder = Shop(), Gated()
    shop.encoder = encoder
    for posting_id, colour in zip("abcd", COLOURS, strict=False):
        shop.put_elsewhere(posting_id, colour)
    completing = [threading.Thread(target=shop.snapshots.complete) for _ in range(2)]
    for thread in completing:
        thread.start()
    assert encoder.entered.wait(HANGS)
    shop.snapshots.follow(())
    encoder.gate.set()
    for thread in completing:
        thread.join()
    assert sum(encoder.batches) == 4
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_a_lost_history_means_reading_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    assert shop.built == 1
    shop.store.forgotten = True
    shop.put("b", "#00ff00")
    assert shop.built == 2
    assert found(shop.snapshots.current.matcher, "#00ff00") == ["b", "a"]
    shop.store.forgotten = False
    monkeypatch.setattr(live_catalogue, "_MANY", 0)
    shop.put("c", "#0000ff")
    assert shop.built == 2
    shop.put_elsewhere("d", "#ffffff")
    shop.snapshots.complete()
    assert shop.built == 3
    assert found(shop.snapshots.current.matcher, "#ffffff")[0] == "d"


@pytest.mark.parametrize("read", [1, 4])
def test_fault_41_a_failing_store_is_caught_up_with_later(monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    """It fails before changes are taken in, or between two pieces of them."""
    shop = Shop()
    shop.put("a", "#ff0000")
    for row, colour in enumerate(COLOURS[2:6]):
        shop.put_elsewhere(f"b{row}", colour)
    monkeypatch.setattr(live_catalogue, "_ENCODED", 2)
    shop.store.fails_at = read  # of each piece it is read what lacks features, and then what there is
    with pytest.raises(StoreUnavailable):
        shop.snapshots.complete()
    held = ["a"] if read == 1 else ["a", "b0", "b1"]
    assert sorted(found(shop.snapshots.current.matcher, "#ff0000")) == held
    assert shop.snapshots.complete().version == 5
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)
    assert shop.put("c", "#ffffff") == 6
    assert "c" in found(shop.snapshots.current.matcher, "#ffffff")
