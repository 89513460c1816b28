"""Draws what a trained CAE rebuilds of images."""

from pathlib import Path

import numpy as np

from pricematch.encoding.catalogue_files import image_folder, read_catalogue
from pricematch.encoding.decoder import decoder
from pricematch.encoding.ingest import check_images, chunks
from pricematch.encoding.tensorflow_import import check_tensorflow, import_tensorflow
from pricematch.formats.manifest import find_chain, side_of_pixels
from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet
from pricematch.settings import Settings


def draw_reconstructions(settings: Settings, version: str | None, count: int, output: Path, seed: int) -> None:
    """Draw images of the catalogue above what the CAE rebuilds; needs TensorFlow.

    Raises:
        SettingsError: TensorFlow is not installed, or the output cannot be written.
        CatalogueError, ArtefactError, ImageError: they cannot be drawn.
    """
    check_tensorflow()
    content, images = read_catalogue(settings), image_folder(settings)
    content.refuse(content.problems)
    [cae] = find_chain(settings.models, "cae", version)
    decode, names = decoder(settings, side_of_pixels(cae)), content.names()
    chosen = [names[row] for row in np.sort(np.random.default_rng(seed).permutation(len(names))[:count])]
    errors = check_images(chosen, images, decode, workers=settings.workers, progress=lambda *_: None)
    content.refuse(content.image_problems(errors))
    pixels = np.stack([decode.decode(images.read(name)) for name in chosen])

    import_tensorflow()
    from pricematch.encoding.tensorflow_network import reconstruct

    rebuilt = reconstruct(cae, pixels)
    pairs = [
        (Captioned(before, name[:32]), Captioned(after, f"by {cae.label}"))
        for name, before, after in zip(chosen, pixels, rebuilt, strict=True)
    ]
    rows = [[pair[line] for pair in group] for group in chunks(pairs, 8) for line in (0, 1)]
    save_sheet(draw_sheet(rows), output)
