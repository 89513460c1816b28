"""Anybody's embeddings from a NumPy file."""

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.errors import SettingsError
from pricematch.formats.embedding_array import read_embeddings

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
    ("values", "told"),
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
def test_another_kind_or_shape_or_unusable_rows_are_refused(tmp_path: Path, values: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
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
