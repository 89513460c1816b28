"""Keeps decoded images, so that later epochs do not decode again: first in memory, then on disk, both bounded."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.ingest import chunks, thread_pool
from pricematch.encoding.ports import Decoder, ImageSource, Pixels
from pricematch.errors import ImageError
from pricematch.progress import Progress


class PixelCache:
    """Decoded images by row, as their names. What fits neither in memory nor on disk is decoded anew each time.

    The file on disk (256 × 256 × 3 bytes an image) has no name in its folder, so that nothing is left behind.
    """

    def __init__(
        self,
        names: Sequence[str],
        images: ImageSource,
        decoder: Decoder,
        side: int,
        *,
        memory_bytes: int,
        disk_bytes: int,
        folder: Path,
    ) -> None:
        self._names, self._images, self._decoder = names, images, decoder
        self._digests: dict[int, bytes] = {}
        size = side * side * 3
        in_memory = min(len(names), memory_bytes // size)
        on_disk = min(len(names) - in_memory, disk_bytes // size)
        self._memory: NDArray[np.uint8] = np.empty((in_memory, side, side, 3), np.uint8)
        self._disk: Pixels = np.empty((0, side, side, 3), np.uint8)
        if on_disk:
            with tempfile.TemporaryFile(dir=folder) as file:
                self._disk = np.memmap(file, np.uint8, "w+", shape=(on_disk, side, side, 3))

    def __len__(self) -> int:
        return len(self._names)

    def fill(self, workers: int, progress: Progress) -> dict[str, ImageError]:
        """Decode every image once; returns the bad ones, so that none is met in the middle of a training."""
        errors: dict[str, ImageError] = {}

        def decode(row: int) -> None:
            try:
                image = self._images.read(self._names[row])
                pixels = self._decoder.decode(image)
                if (slot := self._slot(row)) is not None:
                    slot[:] = pixels
                self._digests[row] = hashlib.sha256(image).digest()
            except ImageError as error:
                errors[self._names[row]] = error

        done = 0
        with thread_pool(workers) as pool:
            for batch in chunks(range(len(self))):
                list(pool.map(decode, batch))
                done += len(batch)
                progress("Decoding images", done, len(self))
        return errors

    def good_rows(self) -> NDArray[np.int64]:
        """The rows whose image decoded, ascending; after `fill`."""
        return np.array(sorted(self._digests), np.int64)

    def digest(self) -> str:
        """SHA-256 over the names and contents of the good images, in order; after `fill`."""
        digest = hashlib.sha256()
        for row in sorted(self._digests):
            digest.update(self._names[row].encode("utf-8") + b"\0" + self._digests[row])
        return digest.hexdigest()

    def rows(self, rows: NDArray[np.int64]) -> Pixels:
        """Pixels uint8 [b, side, side, 3] of the given rows."""
        slots = [(int(row), self._slot(int(row))) for row in rows]
        return np.stack(
            [self._decoder.decode(self._images.read(self._names[row])) if slot is None else slot for row, slot in slots]
        )

    def _slot(self, row: int) -> Pixels | None:
        """Where a row is kept, or None."""
        place = row - len(self._memory)
        kept: Pixels | None = None
        if place < len(self._disk):
            kept = self._memory[row] if place < 0 else self._disk[place]
        return kept
