"""NumPy files: embeddings that somebody made, and arrays that are kept between starts."""

import hashlib
import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.errors import SettingsError
from pricematch.formats.array_files import EmbeddingFile, read_embeddings, read_kept
from tests.support.vectors import scattered

ROWS = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)


def saved(folder: Path, values: Any) -> Path:
    np.save(folder / "x.npy", values)
    return folder / "x.npy"


def test_rows_come_in_order_at_unit_length(tmp_path: Path) -> None:
    embeddings = read_embeddings(saved(tmp_path, ROWS), 5)
    assert embeddings.dtype == np.float32
    assert embeddings.flags.c_contiguous
    np.testing.assert_allclose(embeddings, ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True), atol=1e-6)


def test_the_order_in_memory_does_not_matter(tmp_path: Path) -> None:
    by_columns = read_embeddings(saved(tmp_path, np.asfortranarray(ROWS)), 5)
    np.testing.assert_array_equal(by_columns, read_embeddings(saved(tmp_path, ROWS), 5))


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        (ROWS[:4], "a row for each of 5 postings, got 4 rows"),
        (ROWS.astype(np.float64), r"expected float32 \[n, d\], got float64 \[5, 3\]; np.save"),
        (ROWS[:, 0], r"got float32 \[5\]"),
        (ROWS[..., np.newaxis], r"got float32 \[5, 3, 1\]"),
        (ROWS[:, :0], "x.npy: "),
        (np.array([{}] * 5), "x.npy: expected a file that np.save wrote"),
        (np.where(np.arange(5)[:, np.newaxis] == 3, 0, ROWS), "1 unusable .* row 5 of the catalogue: all zero"),
        (np.where(np.arange(5)[:, np.newaxis] == 2, np.nan, ROWS), "row 4 of the catalogue: not finite"),
        (np.where(np.arange(5)[:, np.newaxis] > 0, np.inf, ROWS), "4 unusable .* row 3 of the catalogue: not finite"),
    ],
)
def test_another_kind_or_shape_or_unusable_rows_are_refused(tmp_path: Path, values: Any, reported: str) -> None:
    with pytest.raises(SettingsError, match=reported):
        read_embeddings(saved(tmp_path, values), 5)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1, 2]), b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff"])
def test_what_is_no_numpy_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"x\.npy: expected a file that np.save wrote"):
        read_embeddings(path, 5)


def test_a_file_cut_short_and_one_that_promises_terabytes_are_refused(tmp_path: Path) -> None:
    whole = saved(tmp_path, ROWS).read_bytes()
    for content in (whole[:-1], whole.replace(b"(5, 3)", b"(5, 3000000000000)", 1)):
        (tmp_path / "y.npy").write_bytes(content)
        with pytest.raises(SettingsError, match=r"y\.npy: expected a file that np.save wrote"):
            read_embeddings(tmp_path / "y.npy", 5)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(SettingsError, match=f"{path}: cannot be read"):
            read_embeddings(path, 5)


def test_a_header_with_any_byte_changed_is_refused_or_read(tmp_path: Path) -> None:
    whole = saved(tmp_path, ROWS).read_bytes()
    for position in range(128):
        for changed in (0x00, 0x0A, 0x27, 0x28, 0x39, 0xFF):
            (tmp_path / "y.npy").write_bytes(whole[:position] + bytes([changed]) + whole[position + 1 :])
            with suppress(SettingsError):
                assert len(read_embeddings(tmp_path / "y.npy", 5)) == 5


def test_arrays_are_given_in_the_order_of_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "kept.npz", one=np.arange(3), other=np.zeros((2, 2)))
    found = read_kept(tmp_path / "kept.npz", ("other", "one"))
    assert found is not None
    assert [array.tolist() for array in found] == [[[0, 0], [0, 0]], [0, 1, 2]]


def test_what_is_no_whole_archive_with_all_of_them_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    np.savez(path, one=np.arange(3))
    assert read_kept(path, ("one", "other")) is None
    for content in (b"", b"PK", path.read_bytes()[:50]):
        path.write_bytes(content)
        assert read_kept(path, ("one",)) is None
    np.save(tmp_path / "alone.npy", np.arange(3))
    assert read_kept(tmp_path / "alone.npy", ("one",)) is None


def test_a_shape_that_no_memory_holds_gives_nothing(tmp_path: Path) -> None:
    header = str({"descr": "|u1", "fortran_order": False, "shape": (2**60,)}).encode()
    with zipfile.ZipFile(tmp_path / "kept.npz", "w") as archive:
        archive.writestr("one.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert read_kept(tmp_path / "kept.npz", ("one",)) is None


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "pipe", tmp_path / "loop", tmp_path, tmp_path / "absent"):
        assert read_kept(path, ("one",)) is None


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
def test_a_changed_byte_gives_nothing_or_what_was_saved(tmp_path: Path) -> None:
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
