"""Makes the general whitening that the package holds: `python -m pricematch.training.general_whitening FOLDER…`.

It takes images of many catalogues, whose licences allow it. Of their features it keeps mean and principal components.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.default_encoder import BACKBONE
from pricematch.encoding.efficientnet_lite import HEAD, POWER, VARIANTS, packaged_weights
from pricematch.encoding.openvino_efficientnet import compose, in_float32
from pricematch.encoding.openvino_import import openvino
from pricematch.encoding.ports import Pixels
from pricematch.encoding.whitening import GENERAL, write_general_whitening
from pricematch.errors import ImageError
from pricematch.formats.torch_file import read_tensors
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def pooled_features(files: Sequence[Path], threads: int = 1) -> NDArray[np.float32]:
    """Pooled features of image files by the default encoder's network, float32 [m, 1280]; bad images are left out."""
    model = compose(BACKBONE, read_tensors(packaged_weights(BACKBONE)[0]), POWER, None)
    pieces = [files[first::threads] for first in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(partial(_features, model), pieces)
        rows = [row for of_piece in found for row in of_piece]
    return np.concatenate(rows) if rows else np.empty((0, HEAD), np.float32)


def images_below(folder: Path, most: int, seed: int = 0) -> list[Path]:
    """Image files below a folder, `most` of them drawn by the seed where there are more."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if len(files) <= most:
        return files
    chosen = np.random.default_rng(seed).choice(len(files), most, replace=False)
    return [files[place] for place in sorted(chosen)]


def _features(model: openvino.Model, files: Sequence[Path]) -> list[NDArray[np.float32]]:
    run = in_float32(model)
    return [run(pixels) for pixels in _decoded(files)]


def _decoded(files: Sequence[Path]) -> Iterator[Pixels]:
    """Pixels uint8 [1, side, side, 3] of each that decodes."""
    limits = Settings()
    decoder = PillowDecoder(VARIANTS[BACKBONE].side, limits.max_pixels, limits.min_image_side, limits.max_scans)
    for file in files:
        try:
            yield decoder.decode(file.read_bytes())[np.newaxis]
        except ImageError as error:
            _log.warning("%s is left out: %s", file, error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="images of one catalogue each")
    parser.add_argument("--most", type=int, default=1000, help="images of a folder, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=GENERAL)
    options = parser.parse_args(arguments)
    files = [file for folder in options.folders for file in images_below(folder, options.most)]
    write_general_whitening(pooled_features(files, options.threads), options.output)


if __name__ == "__main__":
    main()
