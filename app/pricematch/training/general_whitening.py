"""Makes the general statistics that the package holds: `python -m pricematch.training.general_whitening SHOP…`.

A shop is `NAME:LICENCE=FOLDER`, a folder of images whose licence allows it. Of their features averages of the shops'
means and covariances are kept, and names and licences beside them, but no folder's path.
"""

import argparse
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.decoder import decoder
from pricematch.encoding.efficientnet_lite import HEAD
from pricematch.encoding.general_statistics import GENERAL, general_statistics, write_general_statistics
from pricematch.encoding.pooled_features import pooling
from pricematch.errors import ImageError
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def pooled_features(files: Sequence[Path], threads: int = 1) -> NDArray[np.float32]:
    """Pooled features of image files by the default encoder's network, float32 [m, 1280]; bad images are left out."""
    pieces = [files[first::threads] for first in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        rows = [row for of_piece in pool.map(_features, pieces) for row in of_piece]
    return np.array(rows, np.float32).reshape(len(rows), HEAD)


def images_below(folder: Path, most: int, seed: int = 0) -> list[Path]:
    """Image files below a folder, `most` of them drawn by the seed where there are more."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if len(files) <= most:
        return files
    chosen = np.random.default_rng(seed).choice(len(files), most, replace=False)
    return [files[place] for place in sorted(chosen)]


def _features(files: Sequence[Path]) -> list[NDArray[np.float32]]:
    """Those of each that decodes."""
    pooled, decode, found = pooling(), decoder(Settings(), 1), list[NDArray[np.float32]]()
    for file in files:
        try:
            found.append(pooled(decode.decoded(file.read_bytes())))
        except ImageError as error:
            _log.warning("%s is left out: %s", file, error)
    return found


@dataclass(frozen=True)
class Shop:
    """Images of one shop: a name and a licence for the provenance, and the folder they are in."""

    name: str
    licence: str
    folder: Path


def shop(text: str) -> Shop:
    """That which `NAME:LICENCE=FOLDER` means.

    Raises:
        argparse.ArgumentTypeError: it is of another form, or no such folder is there.
    """
    about, _, folder = text.partition("=")
    name, _, licence = (part.strip() for part in about.partition(":"))
    if not (name and licence and Path(folder).is_dir()):
        raise argparse.ArgumentTypeError(f"expected NAME:LICENCE=FOLDER, and that the folder is there, got {text}")
    return Shop(name, licence, Path(folder))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shops", nargs="+", type=shop, metavar="NAME:LICENCE=FOLDER", help="images of one shop each")
    parser.add_argument("--most", type=int, default=1000, help="images of a shop, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=GENERAL)
    options = parser.parse_args(arguments)
    found = [
        (each.name, each.licence, pooled_features(images_below(each.folder, options.most), options.threads))
        for each in options.shops
    ]
    write_general_statistics(general_statistics(found), options.output)


if __name__ == "__main__":
    main()
