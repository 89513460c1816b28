"""What was computed from images, in SQLite."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import unit_rows
from pricematch.store.sqlite import computed as sqlite_computed
from pricematch.store.sqlite.store import DATABASE, Store, open_store
from tests.support.stores import image_bytes, name_of, put

DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
EMBEDDINGS = unit_rows(np.random.default_rng(5).standard_normal((40, 6)), 6)
HASHES = [f"{number:016x}" for number in range(40)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path)) as store:
        yield store


def equal(found: object, wanted: dict[bytes, np.ndarray]) -> bool:
    assert isinstance(found, dict)
    return found.keys() == wanted.keys() and all(np.array_equal(found[digest], wanted[digest]) for digest in wanted)


@pytest.mark.parametrize("scanned_from", [1, 10**9])
def test_embeddings_come_back_bit_for_bit(
    scanned_from: int, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_computed, "_SCANNED_FROM", scanned_from)
    monkeypatch.setattr(sqlite_computed, "_AT_ONCE", 7)
    store.computed.keep_embeddings("cae-1", DIGESTS[:30], EMBEDDINGS[:30])
    store.computed.keep_embeddings("cae-2", DIGESTS[10:], -EMBEDDINGS[10:])
    asked = DIGESTS[5:35]
    assert equal(store.computed.embeddings("cae-1", asked), dict(zip(DIGESTS[5:30], EMBEDDINGS[5:30], strict=True)))
    assert equal(store.computed.embeddings("cae-2", asked), dict(zip(DIGESTS[10:35], -EMBEDDINGS[10:35], strict=True)))
    assert store.computed.embeddings("cae-3", asked) == {}
    assert store.computed.embeddings("cae-1", []) == {}
    assert equal(store.computed.embeddings("cae-1", DIGESTS[:1] * 20), {DIGESTS[0]: EMBEDDINGS[0]})
    assert caplog.messages == []


@pytest.mark.parametrize("scanned_from", [1, 10**9])
def test_hashes_come_back_of_the_given_images(scanned_from: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_computed, "_SCANNED_FROM", scanned_from)
    store.computed.keep_hashes("phash", DIGESTS[:30], HASHES[:30])
    assert store.computed.hashes("phash", DIGESTS[5:35]) == dict(zip(DIGESTS[5:30], HASHES[5:30], strict=True))
    assert store.computed.hashes("other", DIGESTS) == {}
    assert store.computed.embeddings("phash", DIGESTS) == {}


def test_what_is_kept_again_takes_the_place_of_what_was(store: Store) -> None:
    store.computed.keep_embeddings("cae", DIGESTS[:2], EMBEDDINGS[:2])
    store.computed.keep_embeddings("cae", DIGESTS[1:3], EMBEDDINGS[11:13])
    wanted = dict(zip(DIGESTS[:3], EMBEDDINGS[[0, 11, 12]], strict=True))
    assert equal(store.computed.embeddings("cae", DIGESTS), wanted)


def test_embeddings_of_another_length_or_number_are_refused_under_a_key(store: Store) -> None:
    store.computed.keep_embeddings("cae", DIGESTS, EMBEDDINGS)
    with pytest.raises(ValueError, match="dimension 6 under 'cae', got 5"):
        store.computed.keep_embeddings("cae", DIGESTS, EMBEDDINGS[:, :5])
    with pytest.raises(ValueError, match=r"expected 40 embeddings, got an array of shape \[39, 6\]"):
        store.computed.keep_embeddings("cae", DIGESTS, EMBEDDINGS[1:])
    with pytest.raises(ValueError, match="dimension 6"):
        store.computed.keep_hashes("cae", DIGESTS, HASHES)
    assert len(store.computed.embeddings("cae", DIGESTS)) == 40


def test_fault_31_damaged_embeddings_are_computed_anew(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.computed.keep_embeddings("cae", DIGESTS, EMBEDDINGS)
    bad = [b"", EMBEDDINGS[0].tobytes()[:-4], b"\xff" * 24, np.full(6, np.inf, "<f4").tobytes(), bytes(24)]
    with closing(sqlite3.connect(store.folder / DATABASE)) as connection, connection:
        for digest, value in zip(DIGESTS, bad, strict=False):
            connection.execute("UPDATE embedding SET value = ? WHERE digest = ?", (value, digest))
    wanted = dict(zip(DIGESTS[5:], EMBEDDINGS[5:], strict=True))
    assert equal(store.computed.embeddings("cae", DIGESTS), wanted)
    assert caplog.messages == ["5 embeddings of cae are damaged, and computed again"]
    store.computed.keep_embeddings("cae", DIGESTS[:5], EMBEDDINGS[:5])
    assert len(store.computed.embeddings("cae", DIGESTS)) == 40


def test_computed_features_go_with_the_last_posting(store: Store) -> None:
    shown = bytes.fromhex(name_of(image_bytes(1)))
    store.postings.put([put("a", image_bytes(1)), put("b", image_bytes(1))])
    store.computed.keep_embeddings("cae", [shown], EMBEDDINGS[:1])
    store.computed.keep_hashes("phash", [shown], HASHES[:1])
    store.postings.delete("a")
    assert len(store.computed.embeddings("cae", [shown])) == 1
    store.postings.put([put("b", image_bytes(2))])
    assert store.computed.embeddings("cae", [shown]) == {}
    assert store.computed.hashes("phash", [shown]) == {}
