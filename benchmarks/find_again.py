"""Does /match find a stored image again, as it is and after a seller has saved it smaller and worse?

    python benchmarks/find_again.py [--images DIR] [--models DIR] [--tries N]

Posts stored images as they are, then the same resized to 80 % and saved at JPEG quality 60, and counts how often the
first match has the posted image. Images that are stored under several names count as one.
"""

import argparse
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from catalogues import jpegs, subject
from live import Ask, client, service
from PIL import Image

SCALE, QUALITY = 0.8, 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of JPEG images; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; the default encoder if absent")
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="which images are tried")
    options = parser.parse_args()
    with subject(options.images, options.models) as measured, service(measured) as port:
        files = jpegs(measured.images)
        chosen = [files[row] for row in np.random.default_rng(options.seed).permutation(len(files))[: options.tries]]
        ask, url = client(port), f"of {len(chosen)} tries, {len(files)} images"
        for what, change in (("as stored", same), (f"resized to {SCALE:.0%}, quality {QUALITY}", saved_again)):
            found, similarities = find(ask, chosen, measured.images, change)
            print(f"{what}: first in {found} {url}; similarity of the first at least {min(similarities):.6f}")


def find(ask: Ask, files: Sequence[Path], folder: Path, change: Callable[[bytes], bytes]) -> tuple[int, list[float]]:
    """How often the first match has the posted image, and how similar the first matches are."""
    contents = {number: digest(path) for number, path in enumerate(jpegs(folder))}
    found, similarities = 0, []
    for file in files:
        first = ask(change(file.read_bytes()))["matches"][0]
        found += contents[int(first["posting_id"])] == digest(file)
        similarities.append(first["similarity"])
    return found, similarities


def digest(file: Path) -> bytes:
    """Tells contents apart."""
    return hashlib.sha256(file.read_bytes()).digest()


def same(image: bytes) -> bytes:
    """The image as it is."""
    return image


def saved_again(image: bytes) -> bytes:
    """The image, smaller and worse."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    size = (round(picture.width * SCALE), round(picture.height * SCALE))
    saved = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(saved, "JPEG", quality=QUALITY)
    return saved.getvalue()


if __name__ == "__main__":
    main()
