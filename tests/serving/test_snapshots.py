"""A catalogue in memory that follows its store, and changes that are stored first."""

import hashlib
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, ImageFeatures, Wanted, unit_rows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Changes, Condition, Put
from pricematch.encoding.ports import Encoder, Pixels
from pricematch.encoding.stored_images import StoredImages, digests_of
from pricematch.errors import (
    ConditionFailed,
    HistoryLost,
    ImageCorrupt,
    ImageError,
    ImageUnavailable,
    ModelOutputError,
    StoreUnavailable,
)
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Matches, Options, Query
from pricematch.matching.similarity import SimilaritySearch
from pricematch.serving import snapshots as live_catalogue
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.snapshots import Snapshot, Snapshots
from tests.support.encoding import TinyEncoding, image_features
from tests.support.fakes import (
    COLOURS,
    MEAN_COLOUR,
    MeanColourEncoder,
    by_similarity,
    image_bytes,
)
from tests.support.matchers import hashed, scored_search
from tests.support.memory_store import MemoryStore
from tests.support.served import put

_HANGS = 30
"""Seconds after which a thread that waits for another one in vain fails."""


@dataclass
class Forgetful(MemoryStore):
    """A store that may have forgotten what has changed, or fail.

    Attributes:
        fails_at: which read of embeddings from now on fails, from 1; 0: none.
    """

    forgotten: bool = False
    fails_at: int = 0

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        self.fails_at -= 1
        if self.fails_at == 0:
            raise StoreUnavailable("locked")
        return super().embeddings(key, digests)

    def changes(self, since: int) -> Changes:
        if self.forgotten:
            raise HistoryLost("too long ago")
        return super().changes(since)


class NoNumbers(MeanColourEncoder):
    """Its numbers are none."""

    def encode(self, pixels: Pixels) -> Embeddings:
        return unit_rows(np.full((len(pixels), self.dimension), np.nan), self.dimension)


class Gated(MeanColourEncoder):
    """Encodes once it may.

    Attributes:
        entered: set as soon as it is asked to encode something.
        gate: to be set so that it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.gate = threading.Event(), threading.Event()

    def encode(self, pixels: Pixels) -> Embeddings:
        self.entered.set()
        assert self.gate.wait(_HANGS)
        return super().encode(pixels)


@dataclass
class Shop:
    """A store, what its images are compared by, and how often all was read."""

    store: Forgetful = field(default_factory=Forgetful)
    bad: dict[bytes, ImageError] = field(default_factory=dict)
    built: int = 0

    def __post_init__(self) -> None:
        self.encoder: Encoder = MeanColourEncoder()
        self.stored = StoredImages(self.store, self.store, self.encode, self.bad.__setitem__)
        self.snapshots = Snapshots(self.store, self.stored, self.build)
        self.intake = Intake(self.store, self.store, self.stored, self.snapshots)

    def build(self) -> Snapshot:
        """Everything anew, by similarity."""
        self.built += 1
        version, postings = self.store.version(), [it.posting for it in self.store.page("", 10_000)]
        digests = digests_of(posting.image for posting in postings)
        self.stored.ensure(digests, Wanted(frozenset({MEAN_COLOUR.key})))
        vectors = self.stored.embeddings(MEAN_COLOUR.key, MEAN_COLOUR.dimension, digests)
        return Snapshot(version, by_similarity(SimilaritySearch.of(MEAN_COLOUR, Catalogue(postings), vectors)))

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """Encode with whatever encoder there is now."""
        return TinyEncoding(self.encoder).encode(images, wanted)

    def put(self, posting_id: str, colour: str | None, title: str = "x") -> int:
        """Put a posting; the version in which it is found."""
        image = None if colour is None else image_bytes(colour)
        return put(self.intake, Offered(Posting(posting_id, None, title), image))[2]

    def put_elsewhere(self, posting_id: str, colour: str) -> str:
        """Store a posting as another process does, which encodes nothing; the name of its image."""
        image = image_bytes(colour)
        name = hashlib.sha256(image).hexdigest()
        self.store.put([Put(Posting(posting_id, name), image)])
        return name


def _matches(matcher: Matcher, colour: str) -> Matches:
    return matcher.match(Query("", image_features(image_bytes(colour))), Options(50)).matches


def found(matcher: Matcher, colour: str) -> list[str]:
    """Ids of all postings, the most similar first."""
    return [
        match.posting_id for match in matcher.match(Query("", image_features(image_bytes(colour))), Options(50)).matches
    ]


def told(matcher: Matcher) -> dict[str, list[tuple[str, float | None]]]:
    """All that can be asked of a small catalogue."""
    return {colour: [(it.posting_id, it.similarity) for it in _matches(matcher, colour)] for colour in COLOURS}


def test_each_change_is_seen_by_the_next_query() -> None:
    shop = Shop()
    version = shop.put("a", "#ff0000")
    assert shop.snapshots.current.version == version == 1
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]
    shop.put("b", "#00ff00")
    shop.put("a", "#0000ff")
    assert found(shop.snapshots.current.matcher, "#00ff00")[0] == "b"
    assert found(shop.snapshots.current.matcher, "#0000ff")[0] == "a"
    assert shop.intake.remove("b") == (True, 4)
    assert shop.intake.remove("b") == (False, 4)
    assert found(shop.snapshots.current.matcher, "#00ff00") == ["a"]
    assert shop.built == 1


@pytest.mark.parametrize("seed", range(5))
def test_after_changes_answers_are_those_of_a_fresh_start(seed: int) -> None:
    draw, shop = random.Random(seed), Shop()
    for _ in range(60):
        posting_id = f"p{draw.randrange(8)}"
        if draw.random() < 0.3:
            shop.intake.remove(posting_id)
        else:
            shop.put(posting_id, draw.choice([*COLOURS, None]))
        assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_the_same_again_makes_no_new_version() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    assert shop.put("a", "#ff0000") == 1
    assert shop.put("a", "#ff0000", "another title") == 2


def test_what_somebody_else_has_written_is_seen_once_it_is_followed() -> None:
    shop = Shop()
    other = Intake(shop.store, shop.store, shop.stored, Snapshots(shop.store, shop.stored, shop.build))
    put(other, Offered(Posting("a", None), image_bytes("#ff0000")))
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
    assert encoder.entered.wait(_HANGS)
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
    assert encoder.entered.wait(_HANGS)
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


def test_who_writes_takes_in_little_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded for it, and where others have changed much, theirs is left as well: fault F16."""
    monkeypatch.setattr(live_catalogue, "AT_ONCE", 3)
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


@pytest.mark.parametrize("seed", range(5))
def test_every_version_has_one_answer_and_is_later_than_those_before(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes, takes in or builds: faults C6 and F16."""
    monkeypatch.setattr(live_catalogue, "AT_ONCE", 2)
    monkeypatch.setattr(live_catalogue, "_ENCODED", 3)
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


def test_changes_of_others_are_taken_in_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whoever writes meanwhile comes in between: fault F16."""
    monkeypatch.setattr(live_catalogue, "AT_ONCE", 2)
    shop = Shop()
    for number in range(7):
        shop.put_elsewhere(f"p{number}", COLOURS[number % len(COLOURS)])
    changed, sizes = Matcher.changed, list[int]()

    def counted(self: Matcher, put: Sequence[Posting], *rest: Any) -> Matcher:
        sizes.append(len(put))
        return changed(self, put, *rest)

    monkeypatch.setattr(Matcher, "changed", counted)
    shop.snapshots.complete()
    assert sizes == [2, 2, 2, 1]
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
    assert encoder.entered.wait(_HANGS)
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


def test_a_snapshot_that_somebody_holds_never_changes_while_others_write() -> None:
    shop = Shop()
    for row, colour in enumerate(COLOURS):
        shop.put(f"p{row}", colour)
    held = shop.snapshots.current
    before = told(held.matcher)
    writing, seen = threading.Event(), list[dict[str, list[tuple[str, float | None]]]]()

    def read() -> None:
        while not writing.is_set():
            seen.append(told(held.matcher))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(40):
        shop.put(f"p{number % 12}", COLOURS[number % 5])
        shop.intake.remove(f"p{(number + 5) % 12}")
    writing.set()
    for reader in readers:
        reader.join()
    assert seen
    assert all(answer == before for answer in seen)
    assert held.version < shop.snapshots.current.version


def test_fault_42_concurrent_writers_each_see_their_change() -> None:
    shop, missing = Shop(), list[str]()

    def write(writer: int) -> None:
        for number in range(15):
            posting_id = f"{writer}-{number}"
            shop.put(posting_id, COLOURS[number % len(COLOURS)])
            if posting_id not in {posting.posting_id for posting in shop.snapshots.current.matcher.catalogue}:
                missing.append(posting_id)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert missing == []
    assert len(shop.snapshots.current.matcher.catalogue) == 60
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


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

    def then_somebody_puts(since: int) -> Changes:
        found = changes(since)
        caught_up.append(since)
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
    anew = Snapshots(shop.store, shop.stored, shop.build, replace(after, anew=True))
    assert anew.current.version == 3


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


def test_taking_in_that_breaks_off_means_reading_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    held = shop.snapshots.current

    def broken(*_: object) -> SimilaritySearch:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(SimilaritySearch, "changed", broken)
        with pytest.raises(MemoryError):
            shop.put("b", "#00ff00")
    assert shop.snapshots.current is held
    assert found(held.matcher, "#ff0000") == ["a"]
    assert shop.put("c", "#0000ff") == 3
    assert shop.built == 2
    assert told(shop.snapshots.current.matcher) == told(shop.build().matcher)


def test_fault_28_an_image_without_embedding_is_not_stored() -> None:
    shop = Shop()
    shop.encoder = NoNumbers()
    for _ in range(2):
        with pytest.raises(ModelOutputError):
            shop.put("a", "#ff0000")
    assert (shop.store.version(), shop.store.vectors, shop.store.hashed) == (0, {}, {})
    assert shop.put("b", None) == 1
    assert shop.snapshots.current.matcher.catalogue.posting_ids == ("b",)


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


def test_postings_put_together_are_seen_together() -> None:
    shop, done = Shop(), threading.Event()
    shop.intake.put_each([Offered(Posting(name, None, "round 0")) for name in "abc"])
    seen: list[tuple[int, dict[str, str]]] = []

    def read() -> None:
        while not done.is_set():
            held = shop.snapshots.current
            seen.append((held.version, {it.posting_id: it.title for it in held.matcher.catalogue}))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 60):
        shop.intake.put_each([Offered(Posting(name, None, f"round {number}")) for name in "abc"])
    done.set()
    for reader in readers:
        reader.join()
    for version, titles in seen:
        assert titles == dict.fromkeys("abc", f"round {version // 3 - 1}")


def test_a_bad_image_or_an_unmet_condition_changes_nothing() -> None:
    shop = Shop()
    shop.put("a", "#ff0000")
    attempts: list[tuple[type[Exception], Offered]] = [
        (ImageError, Offered(Posting("a", None), b"no image")),
        (ConditionFailed, Offered(Posting("a", None, "y"), None, Condition(exists=False))),
        (ConditionFailed, Offered(Posting("b", None, "y"), None, Condition(exists=True))),
        (ConditionFailed, Offered(Posting("a", None, "y"), None, Condition(revisions=frozenset([7])))),
        (ImageUnavailable, Offered(Posting("a", "0" * 64, "y"))),
    ]
    for error, offered in attempts:
        with pytest.raises(error):
            put(shop.intake, offered)
        assert shop.snapshots.follow(()).version == 1
    with pytest.raises(ConditionFailed):
        shop.intake.remove("a", Condition(revisions=frozenset([7])))
    assert found(shop.snapshots.current.matcher, "#ff0000") == ["a"]
    put(shop.intake, Offered(Posting("a", None, "y"), None, Condition(revisions=frozenset([1]))))


def test_a_young_catalogue_is_scored_together_at_once() -> None:
    """An old one when it is due."""

    def snapshot(size: int, come: int) -> Snapshot:
        search = scored_search(hashed(*range(size)), ["hash"])
        more = [Posting(f"n{row}", None, image_phash=f"{row:016x}") for row in range(come)]
        features = Features.of([""] * come, [posting.image_phash for posting in more])
        catalogue = search.catalogue.changed(more, [])
        search = search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features)
        return Snapshot(0, Matcher(search.catalogue, {}, {}, search))

    assert snapshot(0, 1).young(10)
    assert snapshot(3, 2).young(10)
    assert not snapshot(8, 2).young(10)
    assert not snapshot(3, 2).young(4)
    assert not snapshot(3, 2).stale
    assert snapshot(3, 2).changed
    assert not snapshot(3, 0).changed


# --- verdicts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_feedback_orders_matches_by_similarity(
    seed: int,
) -> None:
    """Must-links come first and cannot-links never, whatever is put again."""
    draw, shop, names = random.Random(seed), Shop(), [f"p{row}" for row in range(8)]
    for _ in range(50):
        one, other = draw.sample(names, 2)
        match draw.randrange(5):
            case 0:
                shop.intake.remove(one)
            case 1:
                shop.intake.decide(one, other, "same")
            case 2:
                shop.intake.decide(one, other, "different")
            case 3:
                shop.intake.withdraw(one, other)
            case _:
                shop.put(one, draw.choice([*COLOURS[:4], None]), str(draw.random()))
        current, undecided = shop.snapshots.current.matcher, shop.build().matcher
        for posting in current.catalogue:
            said = {
                it.second if it.first == posting.posting_id else it.first: it.decision
                for it in shop.store.all_feedback()
                if posting.posting_id in (it.first, it.second)
            }
            same = [name for name in names if said.get(name) == "same" and current.catalogue.holds(name)]
            found = list(current.match_posting(posting.posting_id, Options(50)).matches)
            assert sorted(match.posting_id for match in found[: len(same)]) == same
            assert all(match.feedback == "same" for match in found[: len(same)])
            computed = undecided.match_posting(posting.posting_id, Options(50)).matches
            assert found[len(same) :] == [match for match in computed if match.posting_id not in said]
            for limit in (1, 2, 3):
                assert list(current.match_posting(posting.posting_id, Options(limit)).matches) == found[:limit]


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
