"""Draw augmentations of an image, and reconstructions by the CAE."""

from pathlib import Path

import numpy as np

from pricematch.encoding.bootstrap import decoder, image_folder, read_catalogue
from pricematch.encoding.encoders import import_tensorflow
from pricematch.encoding.ingest import check_images, chunks
from pricematch.errors import SettingsError
from pricematch.formats.manifest import find_chain, side_of_pixels
from pricematch.settings import Settings


def augmentations(settings: Settings, image: Path, output: Path, seed: int) -> None:
    """Draw a image beside its augmentations; raises SettingsError, ImageError."""
    from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet
    from pricematch.training.augmentation import variants

    try:
        pixels = decoder(settings, side=256).decode(image.read_bytes())
    except OSError as error:
        raise SettingsError(f"{image} cannot be read ({error.strerror})") from error
    drawn = [Captioned(image, caption) for caption, image in variants(pixels, np.random.default_rng(seed)).items()]
    save_sheet(draw_sheet(list(chunks(drawn, 4))), output)


def reconstructions(settings: Settings, version: str | None, count: int, output: Path, seed: int) -> None:
    """Draw images of the catalogue above what the CAE rebuilds; raises as `embed_catalogue`, and ImageError."""
    content, images = read_catalogue(settings), image_folder(settings)
    content.refuse(content.problems)
    [cae] = find_chain(settings.models, "cae", version)
    decode, names = decoder(settings, side_of_pixels(cae)), content.names()
    chosen = [names[row] for row in np.sort(np.random.default_rng(seed).permutation(len(names))[:count])]
    errors = check_images(chosen, images, decode, workers=settings.workers, progress=lambda *_: None)
    content.refuse(content.image_problems(errors))
    pixels = np.stack([decode.decode(images.read(name)) for name in chosen])

    import_tensorflow()
    from pricematch.encoding.saved_model import reconstruct
    from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet

    rebuilt = reconstruct(cae, pixels)
    pairs = [
        (Captioned(before, name[:32]), Captioned(after, f"by {cae.label}"))
        for name, before, after in zip(chosen, pixels, rebuilt, strict=True)
    ]
    rows = [[pair[line] for pair in group] for group in chunks(pairs, 8) for line in (0, 1)]
    save_sheet(draw_sheet(rows), output)
