"""A store does what dictionaries do, over long random streams of changes."""

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from pricematch.catalogue.feed import EVERY_KIND, FeedPage, Position
from pricematch.catalogue.feedback_batches import FeedbackBatch, FeedbackFilter, FeedbackSort, PairDecision
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.records import (
    ANYHOW,
    NO_REMARK,
    Condition,
    Decision,
    FeedbackChange,
    PairFeedback,
    Patch,
    Put,
    Remark,
    Removal,
)
from pricematch.errors import ConditionFailed, PostingNotFound, PricematchError
from pricematch.store.ports import ChangeOutcome
from pricematch.store.sqlite.store import Store, open_store
from tests.support.memory_store import MemoryStore
from tests.support.stores import check_whole, everything, image_bytes, name_of, put

pytestmark = pytest.mark.slow

IDS = [f"{letter}{number}" for letter in "aZ_" for number in range(4)]
STEPS = 400
SORTS: tuple[FeedbackSort, ...] = ("ids", "time")
CHOSEN = (
    FeedbackFilter(),
    FeedbackFilter(by="Ann"),
    FeedbackFilter(posting_id="Z2"),
    FeedbackFilter(by="Bob", decision="same"),
)


def told(page: FeedPage) -> FeedPage:
    """The same, without the times."""
    timeless = [
        replace(it, decided_at=None, by=None, note="") if isinstance(it, FeedbackChange) else it for it in page.changes
    ]
    return replace(page, changes=timeless)


def answer(ask: Callable[..., Any], *asked: object) -> object:
    """What is answered, or why nothing was done."""
    try:
        return ask(*asked)
    except (ConditionFailed, PostingNotFound) as error:
        return type(error)


def step(draw: random.Random, store: Store, oracle: MemoryStore) -> None:
    """Do the same thing to both, and compare what they answer."""
    one, other = draw.sample(IDS, 2)
    revisions = frozenset(draw.choices(range(oracle.version() + 1), k=9)) if draw.random() < 0.5 else None
    condition = Condition(revisions, draw.choice((None, True, False))) if draw.random() < 0.3 else ANYHOW
    what = draw.random()
    if what < 0.1:
        puts = [drawn_put(draw, posting_id) for posting_id in draw.choices(IDS, k=4)]
        assert answer(store.postings.put, puts) == answer(oracle.put, puts)
    elif what < 0.5:
        [single] = puts = [drawn_put(draw, one, condition, drawn_metadata(draw))]
        assert answer(store.postings.put, puts) == answer(oracle.put, [single])
    elif what < 0.6:
        images, title, metadata = drawn_images(draw), drawn_title(draw), drawn_metadata(draw)
        whole: dict[str, Any] = {"title": title, "metadata": metadata}
        some = {field: whole[field] for field in whole if draw.random() < 0.5}
        patch = showing(one, images, condition, **some) if draw.random() < 0.5 else changing(one, condition, **some)
        assert answer(store.postings.patch, patch) == answer(oracle.patch, patch)
    elif what < 0.66:
        assert answer(store.postings.delete, one, condition) == answer(oracle.delete, one, condition)
    elif what < 0.7:
        changes = [drawn_change(draw, oracle.version()) for _ in range(5)]
        outcomes = list(map(outcome, store.postings.change_each(changes)))
        assert outcomes == list(map(outcome, oracle.change_each(changes)))
    elif what < 0.9:
        decision: Decision = "same" if draw.random() < 0.5 else "different"
        remark = draw.choice((NO_REMARK, Remark("Ann"), Remark("Ann", "nul\0 é 😀")))
        verdict, new = store.feedback.decide(one, other, decision, remark)
        expected, was_new = oracle.decide(one, other, decision, remark)
        assert (timeless([verdict]), new) == (timeless([expected]), was_new)
    elif what < 0.94:
        assert store.feedback.withdraw(one, other) == oracle.withdraw(one, other)
    elif what < 0.97:
        decide_each(draw, store, oracle)
    elif what < 0.99:
        undo(draw, store, oracle)
    else:
        chosen = draw.choice(("cae", "cnn")), draw.choice("12")
        store.models.activate(*chosen)
        oracle.activate(*chosen)


def drawn_change(draw: random.Random, version: int) -> Put | Patch | Removal:
    """A change of any kind, whose condition may hold."""
    posting_id = draw.choice(IDS)
    revisions = frozenset(draw.choices(range(version + 1), k=9))
    condition = draw.choice((ANYHOW, ANYHOW, Condition(revisions), Condition(exists=True), Condition(exists=False)))
    kind = draw.random()
    if kind < 0.5:
        return drawn_put(draw, posting_id, condition, drawn_metadata(draw))
    if kind < 0.8:
        return showing(posting_id, drawn_images(draw), condition)
    return Removal(posting_id, condition, draw.choice((None, lambda posting: not posting.title)))


def outcome(found: ChangeOutcome) -> object:
    """The outcome of a change, or the kind of its problem."""
    return type(found) if isinstance(found, PricematchError) else found


def decide_each(draw: random.Random, store: Store, oracle: MemoryStore) -> None:
    """Make the same batch of decisions in both."""
    pairs = list(combinations(IDS, 2))
    decisions = [PairDecision(*it, draw.choice(("same", "different"))) for it in draw.sample(pairs, 6)]
    remark, expected = draw.choice((NO_REMARK, Remark("Bob", "all"))), draw.choice((None, oracle.version(), 0))
    undecided = draw.random() < 0.5
    found = answer(partial(store.feedback.decide_each, undecided=undecided), decisions, remark, expected)
    told = answer(partial(oracle.decide_each, undecided=undecided), decisions, remark, expected)
    if not isinstance(found, FeedbackBatch):
        assert found is told
        return
    assert isinstance(told, FeedbackBatch)
    assert (found.counts, found.by, found.note) == (told.counts, told.by, told.note)


def undo(draw: random.Random, store: Store, oracle: MemoryStore) -> None:
    """Take the same batch back in both; a second time changes nothing."""
    batches = list(zip(store.feedback.batches(None, 10**6), oracle.batches(None, 10**6), strict=True))
    if batches:
        mine, theirs = draw.choice(batches)
        found, told = store.feedback.undo(mine.batch_id), oracle.undo(theirs.batch_id)
        assert (found.restored, found.kept) == (told.restored, told.kept)
        assert store.feedback.undo(mine.batch_id) == found


def timeless(feedback: Sequence[PairFeedback]) -> list[PairFeedback]:
    """The same, whenever it was said."""
    return [replace(it, decided_at=0.0) for it in feedback]


def drawn_images(draw: random.Random) -> list[bytes]:
    """Some of six images, perhaps one of them twice."""
    return draw.choices(list(map(image_bytes, range(6))), k=draw.choice((0, 1, 1, 2, 4)))


def drawn_put(
    draw: random.Random, posting_id: str, condition: Condition = ANYHOW, metadata: Metadata = NO_METADATA
) -> Put:
    images = drawn_images(draw)
    return put(posting_id, next(iter(images), None), drawn_title(draw), condition, metadata, images[1:])


def showing(posting_id: str, images: list[bytes], condition: Condition, **fields: Any) -> Patch:
    """A change of a posting's images, and of some fields."""
    names = list(map(name_of, images))
    return Patch(posting_id, lambda posting: replace(posting.with_images(names), **fields), images, condition)


def changing(posting_id: str, condition: Condition, **fields: Any) -> Patch:
    return Patch(posting_id, lambda posting: replace(posting, **fields), (), condition)


def drawn_title(draw: random.Random) -> str:
    return draw.choice(["", "red shoe", "nul\0 é 😀"])


def drawn_metadata(draw: random.Random) -> Metadata:
    return draw.choice([NO_METADATA, Metadata({"price": draw.randrange(3), "brand": {"name": "é"}})])


def compare(store: Store, oracle: MemoryStore) -> None:
    """Everything both can tell is the same."""
    assert store.postings.version() == oracle.version()
    assert store.postings.count() == oracle.count()
    assert store.postings.has_images() == any(posting.image for posting in everything(store).values())
    assert store.postings.page("", 100) == oracle.page("", 100)
    assert store.postings.page("Z2", 3) == oracle.page("Z2", 3)
    assert [store.postings.get(posting_id) for posting_id in IDS] == [oracle.get(posting_id) for posting_id in IDS]
    assert timeless(store.feedback.all_feedback()) == timeless(oracle.all_feedback())
    for sort, chosen in product(SORTS, CHOSEN):
        total, found = store.feedback.feedback_page(chosen, sort, None, 0, 5)
        expected, told = oracle.feedback_page(chosen, sort, None, 0, 5)
        assert (total, timeless(found)) == (expected, timeless(told))
        if found:
            places = [(it.decided_at, it.first, it.second) for it in (found[-1], told[-1])]
            _, rest = store.feedback.feedback_page(chosen, sort, places[0], 1, 9)
            _, expected_rest = oracle.feedback_page(chosen, sort, places[1], 1, 9)
            assert timeless(rest) == timeless(expected_rest)
    check_whole(store)


@pytest.mark.parametrize("seed", range(2))
def test_a_store_answers_as_dictionaries_do_whatever_is_done_to_it(seed: int, tmp_path: Path) -> None:
    draw, oracle = random.Random(seed), MemoryStore()
    for _ in range(4):
        with closing(open_store(tmp_path, serve=True)) as store:
            for number in range(STEPS // 4):
                step(draw, store, oracle)
                since, limit = Position(draw.randint(0, oracle.version())), draw.choice((None, 1, 7))
                given = {"limit": limit, "upto": draw.choice((None, draw.randint(0, oracle.version())))}
                kinds = frozenset(draw.sample(sorted(EVERY_KIND), draw.randint(0, 4)))
                assert told(store.feed.changes(since, kinds=kinds, **given)) == oracle.changes(
                    since, kinds=kinds, **given
                )
                if number % 40 == 0:
                    compare(store, oracle)
            compare(store, oracle)
            for revision in range(oracle.version() + 1):
                assert told(store.feed.changes(Position(revision))) == oracle.changes(Position(revision))
