"""Everything read anew, while what was before goes on serving."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feed import FeedPage, Position
from pricematch.catalogue.postings import Posting
from pricematch.errors import ImageCorrupt
from pricematch.matching.queries import Options
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from tests.support.matchers import hashed, matcher_over, scored_search
from tests.support.shop import Shop, found, told


def test_changes_during_a_rebuild_are_in_the_new_snapshot() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")

    def slow() -> Snapshot:
        snapshot = shop.build()
        shop.put("b", "#00ff00")  # is answered while the other is being built
        assert found(shop.snapshots.current.matcher, "#00ff00")[0] == "b"
        return snapshot

    assert shop.snapshots.rebuild(slow).version == 3  # of its own, since it may answer otherwise
    assert found(shop.snapshots.current.matcher, "#00ff00") == ["b", "a"]


def test_a_rebuild_never_takes_back_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    caught_up, changes = list[int](), shop.store.changes

    def then_somebody_puts(since: Position, **given: Any) -> FeedPage:
        found = changes(since, **given)
        caught_up.append(since.revision)
        if len(caught_up) == 1:  # after the rebuild has caught up, before it takes the place of what serves
            assert shop.put("b", "#00ff00") == 2
        return found

    monkeypatch.setattr(shop.store, "changes", then_somebody_puts)
    assert shop.snapshots.rebuild().version == 3
    assert found(shop.snapshots.current.matcher, "#00ff00") == ["b", "a"]


def test_a_rebuild_does_not_hold_up_who_follows_meanwhile() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    building, put = threading.Event(), threading.Event()

    def slow() -> Snapshot:
        building.set()
        assert put.wait(10)
        return shop.build()

    rebuilding = threading.Thread(target=shop.snapshots.rebuild, args=(slow,))
    rebuilding.start()
    assert building.wait(10)
    assert shop.put("b", "#00ff00") == 2
    put.set()
    rebuilding.join()
    assert shop.snapshots.current.version == 3


def test_what_is_scored_anew_is_a_new_version() -> None:
    """So the same version has the same answer; fault C6."""
    shop = Shop()
    shop.put("a", "#ff0000")
    before = shop.snapshots.current
    after = shop.snapshots.rebuild()
    assert (before.version, after.version) == (1, 2)
    assert shop.snapshots.follow(()) is not before
    assert shop.snapshots.follow(()).version == shop.store.version() == 2
    anew = Snapshots(shop.store, shop.store, shop.stored, shop.build, replace(after, anew=True))
    assert anew.current.version == 3
    shop.put_elsewhere("b", "#00ff00")  # is not taken in before it is encoded
    anew = Snapshots(shop.store, shop.store, shop.stored, shop.build, replace(after, anew=True))
    assert (anew.current.version, anew.complete().matcher.catalogue.posting_ids) == (5, ("a", "b"))


def test_a_rebuild_that_fails_leaves_what_serves() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")

    def fail() -> Snapshot:
        raise ImageCorrupt("no")

    with pytest.raises(ImageCorrupt):
        shop.snapshots.rebuild(fail)
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]
    shop.store.forgotten = True
    shop.put("b", "#00ff00")  # is not built by what failed either
    assert found(shop.snapshots.current.matcher, "#00ff00")[0] == "b"


def test_changes_taken_in_twice_do_no_harm() -> None:
    """They come after a rebuild has read the version."""
    shop = Shop()
    for posting_id in "abc":
        shop.put(posting_id, "#ff0000")

    def torn() -> Snapshot:
        version = shop.store.version()
        shop.intake.remove("a")
        shop.put("b", "#0000ff")
        shop.put("d", "#00ff00")
        return replace(shop.build(), version=version)

    assert shop.snapshots.rebuild(torn).version == 7
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)
    assert sorted(shop.snapshots.current.matcher.catalogue.posting_ids) == ["b", "c", "d"]


def test_a_young_catalogue_is_scored_together_at_once() -> None:
    """An old one when it is due."""

    def snapshot(size: int, come: int) -> Snapshot:
        search = scored_search(hashed(*range(size)), ["hash"])
        more = [Posting(f"n{row}", None, image_phash=f"{row:016x}") for row in range(come)]
        features = Features.of([""] * come, [posting.image_phash for posting in more])
        catalogue = search.catalogue.changed(more, [])
        search = search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features)
        return Snapshot(0, matcher_over(search.catalogue, {}, {}, search))

    assert snapshot(0, 1).young(10)
    assert snapshot(3, 2).young(10)
    assert not snapshot(8, 2).young(10)
    assert not snapshot(3, 2).young(4)
    assert not snapshot(3, 2).stale
    assert snapshot(3, 2).changed
    assert not snapshot(3, 0).changed


def test_decisions_during_a_rebuild_are_in_the_new_snapshot() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    shop.put("b", "#00ff00")

    def slow() -> Snapshot:
        snapshot = shop.build()
        shop.intake.decide("b", "a", "same")
        return snapshot

    assert shop.snapshots.rebuild(slow).version == 4
    assert shop.intake.decide("a", "b", "same")[1] is False
    assert shop.snapshots.current.version == 4
    assert [
        (it.posting_id, it.feedback) for it in shop.snapshots.current.matcher.match_posting("a", Options(9)).matches
    ] == [("b", "same")]
    assert shop.intake.withdraw("a", "b") == (True, 5)
    assert shop.intake.withdraw("a", "b") == (False, 5)
    with pytest.raises(ValueError, match="expected two postings"):
        shop.intake.decide("a", "a", "same")
