"""Rows on their way into a store, a batch at a time, and images that are kept together."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.job_records import Counts
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Kept, Put
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ImageUnavailable, ModelOutputError
from pricematch.formats.row_checks import PostingRow, RowChecker
from pricematch.serving import row_imports as importing
from pricematch.serving.intake import Offered, put_each, try_each
from pricematch.serving.posting_images import BadImage
from pricematch.serving.row_imports import AT_ONCE, ImportedBatch, RowImport
from tests.support.encoding import TinyEncoding
from tests.support.fakes import FolderlessImages, MeanColourEncoder, image_bytes
from tests.support.memory_store import MemoryStore

RED, GREEN, TEAL = image_bytes("red"), image_bytes("lime"), image_bytes("teal")


def rows(*values: dict[str, str]) -> Iterator[PostingRow]:
    """Rows of a file, numbered from 1."""
    checker = RowChecker()
    return (checker.row(number, value) for number, value in enumerate(values, start=1))


def titled(count: int) -> list[dict[str, str]]:
    """Rows of titles."""
    return [{"posting_id": f"p{number}", "title": f"title {number}"} for number in range(count)]


class Shop:
    """A store in memory, and all that goes into it.

    Attributes:
        encoder: embeds images.
        batches: ids that were put together.
    """

    def __init__(self, images: FolderlessImages | None = None) -> None:
        self.store, self.encoder = MemoryStore(), MeanColourEncoder()
        self.batches: list[list[str]] = []
        encode = TinyEncoding(self.encoder).encode
        self.pictures = StoredImages(self.store, self.store, encode, lambda *_: None)
        self._put = partial(put_each, self.store, self.pictures, Wanted(frozenset({"mean-colour"}), phash=True))
        self.rows = RowImport(images, self.store.get, self.put, max_title_chars=20)

    def put(self, offered: Sequence[Offered]) -> Any:
        """Put postings."""
        self.batches.append([it.posting.posting_id for it in offered])
        return self._put(offered)


def test_rows_are_put_in_batches_and_the_last_is_shorter() -> None:
    shop = Shop()
    found = list(shop.rows.batches(rows(*titled(AT_ONCE + 3))))
    assert found == [
        ImportedBatch(AT_ONCE, Counts(created=AT_ONCE), []),
        ImportedBatch(3, Counts(created=3), []),
    ]
    assert [len(batch) for batch in shop.batches] == [AT_ONCE, 3]


def test_rows_done_before_are_skipped_but_count() -> None:
    shop = Shop()
    again = [*titled(3), {"posting_id": "p0", "title": "twice"}, {"posting_id": "p9", "title": "new"}]
    [batch] = shop.rows.batches(rows(*again), skip=3)
    assert (batch.rows, batch.counts) == (2, Counts(created=1, failed=1))
    assert [(it.row, it.posting_id) for it in batch.problems] == [(4, "p0")]
    assert shop.batches == [["p9"]]


def test_large_images_make_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_BYTES_AT_ONCE", len(RED))
    shop = Shop(FolderlessImages({"red": RED}))
    given = [{"posting_id": f"p{number}", "image": "red"} for number in range(5)]
    assert [batch.rows for batch in shop.rows.batches(rows(*given))] == [2, 2, 1]


def test_images_of_a_batch_are_encoded_together_once() -> None:
    shop = Shop(FolderlessImages({"red": RED, "again": RED, "green": GREEN}))
    given = [{"posting_id": name, "image": name} for name in ("red", "again", "green")]
    [batch] = shop.rows.batches(rows(*given))
    assert batch.counts == Counts(created=3)
    assert shop.encoder.batches == [2]
    shown = [shop.store.postings[name].posting for name in ("red", "again", "green")]
    assert [shop.store.read(it.image or "") for it in shown if it is not None] == [RED, RED, GREEN]


def test_a_bad_image_fails_alone_and_says_its_name() -> None:
    shop = Shop(FolderlessImages({"red": RED, "cut": RED[:60], "empty": b""}))
    given = [{"posting_id": name, "image": name} for name in ("red", "cut", "gone", "empty")]
    [batch] = shop.rows.batches(rows(*given))
    assert batch.counts == Counts(created=1, failed=3)
    assert [(it.row, it.posting_id, it.column) for it in batch.problems] == [
        (2, "cut", "image"),
        (3, "gone", "image"),
        (4, "empty", "image"),
    ]
    assert all(repr(it.posting_id) in it.message for it in batch.problems)
    assert set(shop.store.postings) == {"red"}


@pytest.mark.parametrize(
    ("values", "column", "message"),
    [
        ({"title": "x" * 21}, "title", "expected at most 20 characters, got 21"),
        ({"title": "x", "label_group": "g" * 257}, "label_group", "expected at most 256 characters, got more"),
        ({"label_group": "g"}, None, "expected an image or a title, got neither"),
        ({"title": "x", "image_phash": "zz"}, "image_phash", "expected 16 hexadecimal digits, got 'zz'"),
    ],
)
def test_a_row_that_says_too_much_or_nothing_fails(values: dict[str, str], column: str | None, message: str) -> None:
    shop = Shop()
    [batch] = shop.rows.batches(rows({"posting_id": "p", **values}))
    [problem] = batch.problems
    assert (problem.row, problem.column, problem.message, problem.posting_id) == (1, column, message, "p")


def test_a_row_with_several_faults_counts_once() -> None:
    [batch] = Shop().rows.batches(rows({"posting_id": "..", "image_phash": "zz"}))
    assert (len(batch.problems), batch.counts) == (2, Counts(failed=1))


def test_without_images_a_stored_posting_keeps_its_own() -> None:
    shop = Shop()
    digest = hashlib.sha256(RED).hexdigest()
    shop.store.put([Put(Posting("p", digest, "old"), [RED])])
    [batch] = shop.rows.batches(rows({"posting_id": "p", "image": "elsewhere.png", "title": "new"}))
    assert batch.counts == Counts(replaced=1)
    stored = shop.store.get("p")
    assert stored is not None
    assert stored.posting == Posting("p", digest, "new")


@pytest.mark.parametrize("error", [ModelOutputError("NaN"), ImageUnavailable("gone meanwhile")])
def test_where_all_fail_together_they_are_put_one_by_one(error: Exception) -> None:
    shop = Shop()

    def poisoned(offered: Sequence[Offered]) -> Sequence[Kept | BadImage]:
        if "p1" in [it.posting.posting_id for it in offered]:
            raise error
        return [Kept(1, "created") for _ in offered]

    [batch] = RowImport(None, shop.store.get, poisoned, 20).batches(rows(*titled(3)))
    assert batch.counts == Counts(created=2, failed=1)
    assert [(it.posting_id, it.column, it.message) for it in batch.problems] == [("p1", "image", str(error))]


_ROW = st.fixed_dictionaries(
    {"posting_id": st.sampled_from(["a", "b", "c", "..", ""])},
    optional={
        "title": st.sampled_from(["", "one", "two", "x" * 21]),
        "image": st.sampled_from(["red", "green", "cut", "gone"]),
    },
)


@given(st.lists(st.lists(_ROW, max_size=6), max_size=4), st.booleans())
def test_imports_change_the_store_like_a_dictionary(files: list[list[dict[str, str]]], imaged: bool) -> None:
    contents = {"red": RED, "green": GREEN, "cut": RED[:40]}
    shop = Shop(FolderlessImages(contents) if imaged else None)
    held: dict[str, tuple[str, bytes | None]] = {}
    for rows_of_file in files:
        expected, seen = Counts(), set[str]()
        for row in rows_of_file:
            posting_id, title, name = row["posting_id"], row.get("title", ""), row.get("image")
            image = contents.get(name or "") if imaged else held.get(posting_id, ("", None))[1]
            bad = posting_id in {"..", "", *seen} or len(title) > 20 or (imaged and name in {"cut", "gone"})
            seen.add(posting_id)
            if bad or not (title or image):
                expected += Counts(failed=1)
                continue
            outcome = "created" if posting_id not in held else "replaced"
            expected += Counts(**{"unchanged" if held.get(posting_id) == (title, image) else outcome: 1})
            held[posting_id] = title, image
        found = sum((batch.counts for batch in shop.rows.batches(rows(*rows_of_file))), Counts())
        assert found == expected
    stored = {stored.posting.posting_id: stored.posting for stored in shop.store.page("", 99)}
    assert {
        key: (it.title, None if it.image is None else shop.store.read(it.image)) for key, it in stored.items()
    } == held


def test_a_trial_says_what_putting_would_do() -> None:
    """And keeps nothing: neither postings nor features (fault C12)."""
    shop = Shop()
    list(shop.rows.batches(rows({"posting_id": "a", "title": "tea"}, {"posting_id": "b", "title": "tea"})))
    before = shop.store.version()
    offered = [Posting("a", None, "tea"), Posting("b", None, "mug"), Posting("c", None, "tea"), Posting("d", None)]
    images: list[list[bytes]] = [[], [], [], [b"no image"]]
    encode = TinyEncoding(shop.encoder).encode
    found = try_each(shop.store.get, encode, [Offered(*it) for it in zip(offered, images, strict=True)])
    assert [it.outcome for it in found if isinstance(it, Kept)] == ["unchanged", "replaced", "created"]
    assert isinstance(found[3], BadImage)
    again = try_each(shop.store.get, encode, [Offered(Posting("a", None, "tea"), [RED])])
    assert again == [Kept(0, "replaced")]
    assert (shop.store.version(), shop.store.hashed) == (before, {})


def test_rows_bring_several_images() -> None:
    """Each in its place; a bad one spoils its row, and is told by its column and name."""
    shop = Shop(FolderlessImages({"red": RED, "green": GREEN, "teal": TEAL, "cut": RED[:60]}))
    given = [
        {"posting_id": "a", "image": "red", "image_3": "green", "image_4": "red", "image_8": "teal"},
        {"posting_id": "b", "image": "red", "image_3": "green", "image_5": "cut"},
        {"posting_id": "c", "image": "red", "image_2": "gone"},
        {"posting_id": "d", "image_2": "teal"},
    ]
    [batch] = shop.rows.batches(rows(*given))
    assert batch.counts == Counts(created=2, failed=2)
    assert [(it.row, it.posting_id, it.column) for it in batch.problems] == [(2, "b", "image_5"), (3, "c", "image_2")]
    assert batch.problems[0].message.startswith("'cut': ")
    stored = {it.posting.posting_id: it.posting for it in shop.store.page("", 9)}
    assert {key: [shop.store.read(name) for name in it.images] for key, it in stored.items()} == {
        "a": [RED, GREEN, TEAL],
        "d": [TEAL],
    }
    assert len(shop.store.vectors) == 3


def test_postings_keep_all_their_images_without_a_source() -> None:
    shop = Shop(FolderlessImages({"red": RED, "green": GREEN}))
    list(shop.rows.batches(rows({"posting_id": "a", "image": "red", "image_2": "green"})))
    without = replace(shop.rows, images=None)
    [batch] = without.batches(rows({"posting_id": "a", "image": "other", "title": "new"}))
    assert batch.counts == Counts(replaced=1)
    posting = shop.store.page("", 9)[0].posting
    assert ([shop.store.read(name) for name in posting.images], posting.title) == ([RED, GREEN], "new")


def test_large_images_of_one_row_count_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_BYTES_AT_ONCE", len(RED) + len(GREEN))
    shop = Shop(FolderlessImages({"red": RED, "green": GREEN}))
    given = [{"posting_id": f"p{number}", "image": "red", "image_2": "green"} for number in range(5)]
    assert [batch.rows for batch in shop.rows.batches(rows(*given))] == [2, 2, 1]


def test_a_trial_tells_the_bad_one_of_several_images() -> None:
    shop = Shop()
    encode = TinyEncoding(shop.encoder).encode
    offered = [Offered(Posting("a", None), [RED, RED[:60]]), Offered(Posting("b", None), [RED, GREEN])]
    bad, good = try_each(shop.store.get, encode, offered)
    assert isinstance(bad, BadImage)
    assert (bad.place, bad.count) == (2, 2)
    assert good == Kept(0, "created")
