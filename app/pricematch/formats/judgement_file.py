"""What a matcher said of all pairs of a catalogue, kept on disk between starts: one NumPy file."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pricematch.catalogue.features import Features
from pricematch.formats.kept_arrays import read_kept
from pricematch.formats.manifest import digest_of_file
from pricematch.formats.whole_file import whole_file
from pricematch.pairs.model import Judgements


class JudgementFile:
    """The judgements of the catalogue that was served last, as `<folder>/judgements.npz`; another's are not read.

    Args:
        folder: made if absent.
        key: names everything the judgements depend on, see `judgement_key`.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path, self._key = folder / "judgements.npz", key

    def load(self, pairs: int) -> Judgements | None:
        """Those of so many pairs; None where they are another's, absent or damaged."""
        kept = read_kept(self._path, ("key", "first", "probabilities"))
        if kept is None:
            return None
        key, *values = kept
        found = Judgements(*values)
        return found if str(key) == self._key and _whole(found, pairs) else None

    def save(self, judgements: Judgements) -> None:
        """Replace the file, whole or not at all.

        Raises:
            SettingsError: the folder cannot be written to, or is full.
        """
        with whole_file(self._path) as file:
            np.savez(file, key=self._key, first=judgements.first, probabilities=judgements.probabilities)


def code_digest(folder: Path) -> str:
    """SHA-256 over the Python files below a folder, by name, hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()} {digest_of_file(file)}\n".encode())
    return digest.hexdigest()


def judgement_key(code: str, manifest: bytes, postings: Features) -> str:
    """SHA-256 over what judgements depend on, hexadecimal.

    Args:
        code: names the code that computes evidence, see `code_digest`.
        manifest: of the matcher; it holds the digests of its files.
        postings: its features.
    """
    digest = hashlib.sha256()
    for part in _parts(code, manifest, postings):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _parts(code: str, manifest: bytes, postings: Features) -> Iterator[bytes]:
    yield from (code.encode(), manifest)
    yield from (title.encode("utf-8", "surrogatepass") for title in postings.titles)
    yield from (postings.hashes.values.tobytes(), postings.hashes.known.tobytes(), postings.images.tobytes())
    for name, vectors in postings.embeddings.items():
        yield from (name.encode(), vectors.tobytes())


def _whole(found: Judgements, pairs: int) -> bool:
    return all(
        values.dtype == np.float64 and values.shape == (pairs,) and bool(((values >= 0) & (values <= 1)).all())
        for values in (found.first, found.probabilities)
    )
