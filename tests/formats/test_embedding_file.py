"""Embeddings kept between starts: whole, or not at all (rows 31, 33 and 34 of the table of faults)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pricematch.errors import SettingsError
from pricematch.formats.embedding_file import EmbeddingFile
from tests.support.vectors import scattered

DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(5)]
EMBEDDINGS = scattered(5, dimension=3)


def stored(folder: Path) -> EmbeddingFile:
    store = EmbeddingFile(folder, "key", 3)
    store.save(DIGESTS, EMBEDDINGS)
    return store


def test_what_is_saved_is_loaded_by_another(tmp_path: Path) -> None:
    stored(tmp_path / "new" / "folder")
    kept = EmbeddingFile(tmp_path / "new" / "folder", "key", 3).load()
    assert list(kept) == DIGESTS
    np.testing.assert_array_equal(list(kept.values()), EMBEDDINGS)


def test_nothing_is_kept_at_first(tmp_path: Path) -> None:
    assert EmbeddingFile(tmp_path, "key", 3).load() == {}
    assert EmbeddingFile(tmp_path / "nowhere", "key", 3).load() == {}


def test_saving_replaces_what_was_kept(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.save(DIGESTS[:1], EMBEDDINGS[:1])
    assert list(store.load()) == DIGESTS[:1]
    store.save([], np.empty((0, 3), np.float32))
    assert store.load() == {}
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_another_key_or_another_dimension_sees_nothing(tmp_path: Path) -> None:
    stored(tmp_path)
    assert EmbeddingFile(tmp_path, "other", 3).load() == {}
    assert EmbeddingFile(tmp_path, "key", 4).load() == {}


@pytest.mark.slow
def test_a_file_with_any_byte_changed_gives_nothing_or_what_was_saved(tmp_path: Path) -> None:
    store = stored(tmp_path)
    path = tmp_path / "key.npz"
    whole = path.read_bytes()
    for position in range(len(whole)):
        for flipped in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= flipped
            path.write_bytes(damaged)
            kept = store.load()
            if kept:
                assert list(kept) == DIGESTS
                np.testing.assert_array_equal(list(kept.values()), EMBEDDINGS)


def test_a_file_cut_anywhere_gives_nothing(tmp_path: Path) -> None:
    store = stored(tmp_path)
    path = tmp_path / "key.npz"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert store.load() == {}


@pytest.mark.parametrize(
    "embeddings",
    [
        pytest.param(EMBEDDINGS * 2, id="no unit length"),
        pytest.param(np.where(EMBEDDINGS > 0, np.nan, EMBEDDINGS), id="not a number"),
        pytest.param(EMBEDDINGS.astype(np.float64), id="other dtype"),
        pytest.param(EMBEDDINGS[:4], id="one too few"),
    ],
)
def test_a_file_of_anything_but_unit_embeddings_gives_nothing(
    tmp_path: Path, embeddings: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    store = stored(tmp_path)
    table = np.frombuffer(b"".join(DIGESTS), np.uint8).reshape(-1, 32)
    np.savez(tmp_path / "key.npz", digests=table, embeddings=embeddings)
    assert store.load() == {}


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "key.npz", digests=np.array([{}], object), embeddings=EMBEDDINGS)
    assert EmbeddingFile(tmp_path, "key", 3).load() == {}


@pytest.mark.parametrize("moment", ["numpy.savez", "os.fsync", "pathlib.Path.replace"])
def test_a_save_that_fails_leaves_what_was_kept_and_no_litter(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    store = stored(tmp_path)
    monkeypatch.setattr(moment, fail)
    with pytest.raises(SettingsError, match="No space left on device"):
        store.save(DIGESTS[:1], EMBEDDINGS[:1])
    monkeypatch.undo()
    assert list(store.load()) == DIGESTS
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match="file/embeddings cannot be written to"):
        EmbeddingFile(tmp_path / "file" / "embeddings", "key", 3).save(DIGESTS, EMBEDDINGS)
