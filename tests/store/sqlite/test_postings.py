"""Postings in SQLite, their images in files."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pricematch.catalogue.feed import Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Condition, Kept, Patch, Put, Removal
from pricematch.errors import ConditionFailed, FieldInvalid, ImageUnavailable, PostingNotFound, RowDamaged
from pricematch.store.sqlite.store import Store, open_store
from tests.support.stores import check_whole, everything, image_bytes, image_names, name_of, put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def test_a_posting_comes_back_as_it_was_put_with_its_image(store: Store) -> None:
    posting = Posting("a", name_of(b"image"), "Title\0 of é 😀", "0f" * 8, "group")
    [kept] = store.postings.put([Put(posting, [b"image"])])
    assert (kept.revision, kept.outcome) == (1, "created")
    stored = store.postings.get("a")
    assert stored is not None
    assert (stored.posting, stored.revision) == (posting, 1)
    assert store.images.read(name_of(b"image")) == b"image"
    assert store.postings.get("b") is None


def test_fault_42_another_process_reads_what_was_written(store: Store) -> None:
    other = open_store(store.folder)
    for number in range(20):
        store.postings.put([put(f"{number}")])
        assert other.postings.get(f"{number}") is not None
        assert other.postings.version() == number + 1
    other.close()


def test_pages_are_in_ascending_order_of_code_points_and_end(store: Store) -> None:
    ids = ["a", "B", "_", "0", "aa", "a.b", "Z", "~"]
    store.postings.put([put(posting_id) for posting_id in [name for name in ids if name != "~"]])
    first = store.postings.page("", 4)
    assert [stored.posting.posting_id for stored in first] == sorted(ids)[:4]
    rest = store.postings.page(sorted(ids)[3], 100)
    assert [stored.posting.posting_id for stored in rest] == sorted(ids)[4:-1]
    assert store.postings.page("z", 100) == []


def test_a_condition_that_fails_changes_nothing_of_all_that_was_put(store: Store) -> None:
    store.postings.put([put("a", image_bytes(1), "old")])
    for condition in (Condition(exists=False), Condition(frozenset({2, 3})), Condition(frozenset())):
        with pytest.raises(ConditionFailed, match="'a'"):
            store.postings.put([put("b", image_bytes(2)), put("a", image_bytes(3), "new", condition)])
        with pytest.raises(ConditionFailed):
            store.postings.delete("a", condition)
    for condition in (Condition(exists=True), Condition(frozenset({1}))):
        with pytest.raises(ConditionFailed, match="'c'"):
            store.postings.put([put("b"), put("c", condition=condition)])
        with pytest.raises(ConditionFailed):
            store.postings.delete("c", condition)
    assert store.postings.version() == 1
    assert everything(store) == {"a": put("a", image_bytes(1), "old").posting}
    check_whole(store)


def test_a_condition_that_holds_lets_the_change_through(store: Store) -> None:
    store.postings.put([put("a", condition=Condition(exists=False))])
    [kept] = store.postings.put([put("a", title="new", condition=Condition(frozenset({7, 1}), exists=True))])
    assert (kept.revision, kept.outcome) == (2, "replaced")
    assert store.postings.delete("a", Condition(frozenset({2})))
    assert not store.postings.delete("a", Condition(exists=False))


def test_an_image_of_another_digest_is_refused(store: Store) -> None:
    posting = Posting("a", name_of(b"one"))
    wrong = [
        Put(posting, [b"other"]),
        Put(Posting("a", None), [b"one"]),
        Put(Posting("a", "AB" * 32)),
        Put(Posting("a", "x")),
    ]
    for each in wrong:
        with pytest.raises(ValueError, match=r"digest|SHA-256|hexadecimal"):
            store.postings.put([each])
    assert store.postings.count() == 0
    assert image_names(store.folder) == set()


def test_a_stored_image_need_not_be_given_again(store: Store) -> None:
    named = Put(Posting("b", name_of(image_bytes(1))))
    with pytest.raises(ImageUnavailable, match="was not given"):
        store.postings.put([named])
    assert store.postings.count() == 0
    store.postings.put([put("a", image_bytes(1))])
    store.postings.put([named])
    store.postings.delete("a")
    check_whole(store)
    store.postings.delete("b")
    assert image_names(store.folder) == set()
    with pytest.raises(ImageUnavailable):
        store.postings.put([named])


def test_a_damaged_image_is_healed_by_putting_it_again(store: Store) -> None:
    store.postings.put([put("a", image_bytes(1))])
    path = store.images.path(bytes.fromhex(name_of(image_bytes(1))))
    for damage in (b"", b"other", image_bytes(2)):
        path.write_bytes(damage)
        with pytest.raises(ImageUnavailable, match="does not hold the image"):
            store.images.read(name_of(image_bytes(1)))
        [kept] = store.postings.put([put("a", image_bytes(1))])
        assert kept.outcome == "unchanged"
        check_whole(store)
    path.unlink()
    with pytest.raises(ImageUnavailable, match="No such file"):
        store.images.read(name_of(image_bytes(1)))


def test_the_last_of_several_with_one_id_is_stored(store: Store) -> None:
    """No image of the others stays."""
    kept = store.postings.put([put("a", image_bytes(1)), put("a", image_bytes(2)), put("a", image_bytes(2))])
    assert [(each.revision, each.outcome) for each in kept] == [(1, "created"), (2, "replaced"), (2, "unchanged")]
    check_whole(store)


def test_concurrent_threads_read_whole_versions(store: Store) -> None:
    def write(thread: int) -> None:
        for number in range(25):
            store.postings.put([put(f"{thread}-{number}-{half}", image_bytes(number)) for half in (1, 2)])

    def read() -> None:
        for _ in range(50):
            page = store.feed.changes(Position(0))
            assert len(page.changes) == page.version
            assert page.version % 2 == 0, "half of a batch was seen"

    with ThreadPoolExecutor(12) as threads:
        works = [threads.submit(write, thread) for thread in range(4)] + [threads.submit(read) for _ in range(8)]
    for work in works:
        work.result()
    assert store.postings.version() == store.postings.count() == 4 * 25 * 2
    revisions = [store.postings.get(posting_id).revision for posting_id in everything(store)]  # type: ignore[union-attr]
    assert sorted(revisions) == list(range(1, 201))
    check_whole(store)


def test_of_several_changes_those_that_cannot_be_made_fail_alone(store: Store) -> None:
    """Each for its own reason; none leaves an image behind that nobody shows."""

    def refused(_: Posting) -> Posting:
        raise FieldInvalid("title", "expected another one")

    store.postings.put([put("damaged"), put("patched")])
    with closing(sqlite3.connect(store.database.path)) as connection, connection:
        connection.execute("UPDATE posting SET title = 'altered' WHERE posting_id = 'damaged'")
    outcomes = store.postings.change_each(
        [
            put("a", image_bytes(1)),
            put("a", image_bytes(2), condition=Condition(exists=False)),
            Put(Posting("b", name_of(image_bytes(3)))),
            Patch("none", lambda posting: posting, [image_bytes(4)]),
            Patch("patched", refused, [image_bytes(5)]),
            Removal("damaged", when=lambda _: True),
            put("c", image_bytes(6)),
        ]
    )
    kinds = [type(it) for it in outcomes]
    assert kinds == [Kept, ConditionFailed, ImageUnavailable, PostingNotFound, FieldInvalid, RowDamaged, Kept]
    assert image_names(store.folder) == {name_of(image_bytes(1)), name_of(image_bytes(6))}
    assert [it is None for it in map(store.postings.get, "abc")] == [False, True, False]
