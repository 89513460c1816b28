"""Where a training keeps what is not finished: `models/.training/`, one training at a time."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pricematch.errors import ArtefactError, ArtefactExists, SettingsError
from pricematch.formats.manifest import versions
from pricematch.training.recipes import Described

FOLDER = ".training"
NAMES = ("cae", "autoencoder")


@contextmanager
def locked(models: Path) -> Iterator[Path]:
    """The folder for unfinished work, for one training at a time.

    Raises:
        SettingsError: `models` cannot be written to.
        ArtefactError: another training is at work in `models`.
    """
    root = models / FOLDER
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("w")
    except OSError as error:
        raise SettingsError(f"{models} cannot be written to ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtefactError(f"another training is at work in {models}") from error
        yield root


@contextmanager
def unfinished(root: Path, recipe: Described, seed: int, catalogue_digest: str) -> Iterator[Path]:
    """A folder that is the same for the same training, and is removed when the block ends well."""
    identity = json.dumps([recipe.describe(), seed, catalogue_digest], sort_keys=True)
    folder = root / hashlib.sha256(identity.encode("utf-8")).hexdigest()[:16]
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def choose_version(models: Path, wanted: str | None, names: Sequence[str] = NAMES) -> str:
    """The version to write: the wanted one, or the one after the newest of any network with one of the names.

    Raises:
        ArtefactExists: a network has the wanted version.
        SettingsError: the wanted version is no whole number.
    """
    present = {name: versions(models, name) for name in names}
    if wanted is None:
        return str(1 + max((int(version) for each in present.values() for version in each), default=0))
    if not (wanted.isdecimal() and wanted.isascii() and len(wanted) <= 9) or wanted != str(int(wanted)):
        raise SettingsError(f"expected a version that is a whole number (TensorFlow Serving's rule), got {wanted!r}")
    for name, each in present.items():
        if wanted in each:
            raise ArtefactExists(f"{models / name / wanted} exists; versions are never overwritten")
    return wanted
