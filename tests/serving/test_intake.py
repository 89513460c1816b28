"""Changes to a catalogue: stored, then found by whoever asks next."""

from collections.abc import Sequence

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Condition, Kept
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ConditionFailed, ImageUnavailable
from pricematch.matching.queries import Options
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.posting_images import BadImage
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from tests.support.encoding import TinyEncoding
from tests.support.fakes import COLOURS, MeanColourEncoder, image_bytes, tiny_matcher
from tests.support.memory_store import MemoryStore
from tests.support.served import put

NEW = Condition(exists=False)


class Shop:
    """A store in memory, a catalogue that follows it, and what changes both."""

    def __init__(self) -> None:
        self.encoder, matcher = MeanColourEncoder(), tiny_matcher()
        self.store = MemoryStore.holding(list(matcher.catalogue))
        encode = TinyEncoding(self.encoder).encode
        self.stored = StoredImages(self.store, self.store, encode, lambda *_: None)
        self.snapshots = Snapshots(self.store, self.store, self.stored, lambda: Snapshot(self.store.version(), matcher))
        self.intake = Intake(self.store, self.store, self.stored, self.snapshots)

    def matched(self, posting_id: str) -> list[str]:
        """Ids of a posting's two best matches."""
        found = self.snapshots.current.matcher.match_posting(posting_id, Options(2)).matches
        return [match.posting_id for match in found]

    def holds(self, posting_id: str) -> bool:
        """Whether whoever asks now finds a posting."""
        return self.snapshots.current.matcher.catalogue.holds(posting_id)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def offered(posting_id: str, image: bytes | None, condition: Condition | None = None) -> Offered:
    """A posting that somebody brings."""
    return Offered(
        Posting(posting_id, None, f"Product {posting_id}"), [] if image is None else [image], condition or Condition()
    )


def test_what_is_put_is_found_at_its_version(shop: Shop) -> None:
    posting, kept, version = put(shop.intake, offered("new", image_bytes("#fa0404")))
    assert (kept.outcome, kept.revision, version) == ("created", len(COLOURS) + 1, len(COLOURS) + 1)
    assert shop.snapshots.current.version == version
    assert sorted(shop.matched("new")) == ["p0", "p1"]
    assert shop.store.read(posting.image or "") == image_bytes("#fa0404")


def test_good_postings_are_stored_and_encoded_together(shop: Shop) -> None:
    images = [image_bytes("#fa0404"), image_bytes("red")[:60], None, image_bytes("#04fa04"), b"text"]
    found: Sequence[Kept | BadImage] = shop.intake.put_each(
        [offered(f"q{number}", image) for number, image in enumerate(images)]
    )
    assert [isinstance(it, BadImage) for it in found] == [False, True, False, False, True]
    assert [it.outcome for it in found if isinstance(it, Kept)] == ["created"] * 3
    assert [shop.holds(f"q{number}") for number in range(5)] == [True, False, True, True, False]
    assert shop.encoder.batches == [2]
    assert sorted(shop.matched("q3")) == ["p2", "p3"]


def test_images_are_stored_without_what_stands_behind_them(shop: Shop) -> None:
    """As an import puts them; the same once more is unchanged: fault F10."""
    image = image_bytes("#fa0404")
    for sent, outcome in ((image + b"<script>", "created"), (image + b"other", "unchanged"), (image, "unchanged")):
        [kept] = shop.intake.put_each([offered("new", sent)])
        assert isinstance(kept, Kept)
        assert kept.outcome == outcome
    stored = shop.store.get("new")
    assert stored is not None
    assert shop.store.read(stored.posting.image or "") == image


def test_of_each_an_image_that_is_stored_may_be_named(shop: Shop) -> None:
    first, _, _ = put(shop.intake, offered("first", image_bytes("#fa0404")))
    [kept] = shop.intake.put_each([Offered(Posting("second", first.image))])
    assert isinstance(kept, Kept)
    assert shop.matched("second")[0] == "first"
    with pytest.raises(ImageUnavailable):
        shop.intake.put_each([offered("other", None), Offered(Posting("third", "0" * 64))])
    assert not shop.holds("other")


def test_where_a_condition_fails_nothing_is_stored(shop: Shop) -> None:
    with pytest.raises(ConditionFailed):
        shop.intake.put_each([offered("new", None), offered("p0", None, NEW)])
    assert not shop.holds("new")
    with pytest.raises(ConditionFailed):
        put(shop.intake, offered("p0", None, NEW))


def test_what_is_removed_is_found_no_more(shop: Shop) -> None:
    assert shop.intake.remove("p1") == (True, len(COLOURS) + 1)
    assert "p1" not in shop.matched("p0")
    assert shop.intake.remove("p1") == (False, len(COLOURS) + 1)
    with pytest.raises(ConditionFailed):
        shop.intake.remove("p0", Condition(revisions=frozenset({99})))
    assert shop.holds("p0")


def test_a_decision_holds_from_decision_to_withdrawal(shop: Shop) -> None:
    best = shop.matched("p0")[0]
    _, new = shop.intake.decide("p0", "p4", "same")
    assert new
    assert shop.matched("p0")[0] == "p4"
    shop.intake.decide("p0", best, "different")
    assert best not in shop.matched("p0")
    assert shop.intake.withdraw("p0", "p4")[0]
    assert shop.intake.withdraw(best, "p0")[0]
    assert shop.matched("p0")[0] == best
