"""Embeddings kept on disk between starts: one NumPy file per encoder and arithmetic."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.formats.atomic_writes import whole_file
from pricematch.formats.kept_arrays import read_kept

DIGEST_BYTES = 32


class EmbeddingFile:
    """Implements `ports.EmbeddingStore` as `<folder>/<key>.npz`.

    Args:
        folder: made if absent.
        key: names the encoder, its weights and arithmetic; embeddings of other keys are never mixed in.
        dimension: length of an embedding.
    """

    def __init__(self, folder: Path, key: str, dimension: int) -> None:
        self._path = folder / f"{key}.npz"
        self._dimension = dimension

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        """Embeddings by the 32-byte digest of their image; empty where the file is absent or damaged."""
        kept = read_kept(self._path, ("digests", "embeddings"))
        if kept is None or not self._whole(*kept):
            return {}
        digests, embeddings = kept
        return dict(zip((row.tobytes() for row in digests), embeddings, strict=True))

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Replace the file, whole or not at all; digests are 32 bytes each, embeddings [n, d] belong to them.

        Raises:
            SettingsError: the folder cannot be written to, or is full.
        """
        table = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
        with whole_file(self._path) as file:
            np.savez(file, digests=table, embeddings=embeddings)

    def _whole(self, digests: NDArray[np.uint8], embeddings: NDArray[np.float32]) -> bool:
        return (
            digests.dtype == np.uint8
            and embeddings.dtype == np.float32
            and digests.shape == (len(embeddings), DIGEST_BYTES)
            and embeddings.shape == (len(digests), self._dimension)
            and bool(np.isfinite(embeddings).all())
            and bool(np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-4))
        )
