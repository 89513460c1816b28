"""Pictures of what training and matching do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.adapters.manifest import find_chain, side_of_pixels
from app.adapters.quiet_tensorflow import import_tensorflow
from app.bootstrap import decoder, embed_catalogue, image_folder, read_catalogue
from app.errors import SettingsError
from app.matching.ingest import Progress, check_images, chunks
from app.matching.postings import Catalogue, Posting
from app.settings import Settings

_A_ROW, _SIDE = 5, 256
_FRAMES = {True: "#1b7f4b", False: "#b3261e", None: None}
_WORDS = {True: ", same group", False: ", another group", None: ""}


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """A match of a posting.

    Attributes:
        posting: what was found.
        similarity: the cosine, −1…1.
        same_group: whether its label group is that of the query; None where one of them is not known.
    """

    posting: Posting
    similarity: float
    same_group: bool | None


def augmentations(settings: Settings, image: Path, output: Path, seed: int) -> None:
    """Draw a picture beside its augmentations; raises SettingsError, ImageError."""
    from app.reports.sheets import Captioned, draw_sheet, save_sheet
    from app.training.augment import variants

    try:
        pixels = decoder(settings, side=256).decode(image.read_bytes())
    except OSError as error:
        raise SettingsError(f"{image} cannot be read ({error.strerror})") from error
    drawn = [Captioned(picture, caption) for caption, picture in variants(pixels, np.random.default_rng(seed)).items()]
    save_sheet(draw_sheet(list(chunks(drawn, 4))), output)


def reconstructions(settings: Settings, version: str | None, count: int, output: Path, seed: int) -> None:
    """Draw pictures of the catalogue above what the CAE rebuilds; raises as `embed_catalogue`, and ImageError."""
    content, images = read_catalogue(settings), image_folder(settings)
    content.refuse(content.problems)
    [cae] = find_chain(settings.models, "cae", version)
    decode, names = decoder(settings, side_of_pixels(cae)), content.names()
    chosen = [names[row] for row in np.sort(np.random.default_rng(seed).permutation(len(names))[:count])]
    errors = check_images(chosen, images, decode, workers=settings.workers, progress=lambda *_: None)
    content.refuse(content.image_problems(errors))
    pixels = np.stack([decode.decode(images.read(name)) for name in chosen])

    import_tensorflow()
    from app.adapters.saved_model import reconstruct
    from app.reports.sheets import Captioned, draw_sheet, save_sheet

    rebuilt = reconstruct(cae, pixels)
    pairs = [
        (Captioned(before, name[:32]), Captioned(after, f"by {cae.label}"))
        for name, before, after in zip(chosen, pixels, rebuilt, strict=True)
    ]
    rows = [[pair[line] for pair in group] for group in chunks(pairs, 8) for line in (0, 1)]
    save_sheet(draw_sheet(rows), output)


def matches(
    settings: Settings, posting_id: str, count: int, output: Path, progress: Progress
) -> tuple[Posting, list[ShownMatch]]:
    """Draw a posting beside its best matches; returns both, best match first.

    Raises:
        PostingNotFound: no posting has this id.
        SettingsError: the picture cannot be written.
        PricematchError: as `embed_catalogue`, and ImageError.
    """
    from app.reports.sheets import Captioned, check_output, draw_sheet, save_sheet

    check_output(output)
    content = read_catalogue(settings)
    if not content.problems:  # which `embed_catalogue` refuses, all of them together
        Catalogue(content.postings).row(posting_id)  # before anything is embedded
    embedded, images = embed_catalogue(settings, progress), image_folder(settings)
    catalogue = embedded.catalogue
    query = catalogue.posting(posting_id)
    found = [
        _shown(query, catalogue.posting(match.posting_id), float(match.similarity or 0))
        for match in embedded.match_posting(posting_id, count)
    ]
    decode = decoder(settings, _SIDE)

    def captioned(posting: Posting, caption: str, frame: str | None) -> Captioned:
        pixels = decode.upright(images.read(str(posting.image)))
        return Captioned(pixels, f"{caption}\n{_shortened(posting.posting_id)}", frame)

    drawn = [captioned(query, "query", "black"), *(captioned(match.posting, *_marked(match)) for match in found)]
    save_sheet(draw_sheet(list(chunks(drawn, _A_ROW)), _SIDE), output)
    return query, found


def _shown(query: Posting, posting: Posting, similarity: float) -> ShownMatch:
    known = query.label_group is not None and posting.label_group is not None
    return ShownMatch(posting, similarity, query.label_group == posting.label_group if known else None)


def _marked(match: ShownMatch) -> tuple[str, str | None]:
    """Caption and colour of the frame."""
    return f"{match.similarity:.5f}{_WORDS[match.same_group]}", _FRAMES[match.same_group]


def _shortened(posting_id: str) -> str:
    """What fits below a picture."""
    return posting_id if len(posting_id) <= 28 else f"{posting_id[:27]}…"
