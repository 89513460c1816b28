"""A digest of the code that computes probabilities: with other code, what was scored before is scored anew."""

import hashlib
from pathlib import Path

from pricematch.formats.manifest import digest_of_file


def code_digest(folder: Path) -> str:
    """SHA-256 over the Python files below a folder, by name, hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()} {digest_of_file(file)}\n".encode())
    return digest.hexdigest()
