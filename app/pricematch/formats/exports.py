"""What every export has beside its network: golden vectors, a manifest, and a name that it gets by one rename."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.formats.atomic_writes import move_whole
from pricematch.formats.manifest import GOLDEN, Manifest, digests, write


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
    write(staged, manifest.model_copy(update={"files": dict(digests(staged))}))
    return move_whole(staged, models / manifest.name / manifest.version)
