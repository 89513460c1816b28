"""What every export has beside its network: golden vectors, a manifest, a version, and a name by one rename."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactExists, SettingsError
from pricematch.formats.atomic_writes import move_whole
from pricematch.formats.manifest import GOLDEN, MANIFEST, Manifest, digests, versions


def next_version(models: Path, names: Sequence[str], wanted: str | None) -> str:
    """The version to write: the wanted one, or the one after the newest of any model with one of the names.

    Raises:
        ArtefactExists: a model has the wanted version.
        SettingsError: the wanted version is no whole number.
    """
    present = {name: versions(models, name) for name in names}
    if wanted is None:
        return str(1 + max((int(version) for each in present.values() for version in each), default=0))
    if not (wanted.isdecimal() and wanted.isascii() and len(wanted) <= 9) or wanted != str(int(wanted)):
        raise SettingsError(f"expected a version that is a whole number, got {wanted!r}")
    for name, each in present.items():
        if wanted in each:
            raise ArtefactExists(f"{models / name / wanted} exists; versions are never overwritten")
    return wanted


def write_golden(folder: Path, inputs: NDArray[Any], outputs: NDArray[np.float32]) -> None:
    """Keep inputs and the outputs they must give, for whoever loads the model."""
    np.savez_compressed(folder / GOLDEN, inputs=inputs, outputs=outputs)


def golden_pixels(side: int, count: int = 4) -> NDArray[np.uint8]:
    """Images that exercise a network, uint8 [count, side, side, 3]: plaids of different period and colour."""
    y, x, channel, number = np.ogrid[:side, :side, :3, :count]
    wave = np.sin(x / (5 + 3 * number) + channel) + np.cos(y / (3 + 4 * number) - channel)
    return np.ascontiguousarray(np.moveaxis((wave + 2) * 63.75, 3, 0).astype(np.uint8))


def publish(staged: Path, manifest: Manifest, models: Path) -> Path:
    """Give a staged folder its manifest and its final name `models/<name>/<version>`, by one rename.

    Raises:
        ArtefactExists: the version is there already; it is left as it is.
    """
    write_manifest(staged, manifest.model_copy(update={"files": dict(digests(staged))}))
    return move_whole(staged, models / manifest.name / manifest.version)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest into a version's folder."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (path / MANIFEST).write_text(text + "\n", encoding="utf-8")
