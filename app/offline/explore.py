"""The page that shows what a catalogue holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from markupsafe import Markup

from app.adapters.csv_catalogue import CsvCatalogue
from app.adapters.image_folder import ImageFolder
from app.adapters.perceptual_hash import phash
from app.adapters.pillow_images import PillowDecoder
from app.bootstrap import decoder, image_folder, read_catalogue
from app.errors import ImageError, SettingsError
from app.matching.exploration.explore import Exploration
from app.matching.exploration.explore import explore as find_out
from app.matching.exploration.pictures import PictureFacts, look_at_pictures
from app.matching.ingest import BATCH, Progress, thread_pool
from app.reports.exploration import Source, exploration_page, shown_names, thumbnail
from app.reports.page import write_page
from app.settings import Settings

PAGE = "explore.html"
_ANY_SIDE = 32


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found out, and where it is written.

    Attributes:
        page: the file.
        exploration: of the good rows.
        bad_rows, bad_pictures: how many there are; None where pictures were not looked at.
    """

    page: Path
    exploration: Exploration
    bad_rows: int
    bad_pictures: int | None


def explore(settings: Settings, output: Path, seed: int, progress: Progress) -> Explored:
    """Write `explore.html` into a folder, which is made if absent. Bad rows and pictures are listed in it.

    Pictures are looked at if their folder was named, or if the default one holds any of them.

    Raises:
        CatalogueError: the file cannot be read, or has no good row.
        SettingsError: the folder of pictures that was named is none, or the page cannot be written.
    """
    content = read_catalogue(settings)
    if not content.postings:
        content.refuse(content.problems)
    images, decode = _images(settings), decoder(settings, _ANY_SIDE)
    _make_folder(output)
    pictures, errors = _look(content, images, decode, settings, progress)
    exploration = find_out(content.postings, pictures, seed, progress)
    thumbnails = {}
    if pictures is not None and images is not None:
        good = [name for name in shown_names(exploration) if name in pictures]
        thumbnails, undecoded = _draw(good, images, decode, settings.workers, progress)
        errors |= undecoded
    bad_pictures = None if pictures is None else content.image_problems(errors)
    source = Source(
        str(settings.catalogue),
        None if pictures is None else str(settings.images),
        content.problems,
        bad_pictures or [],
        seed,
    )
    write_page(exploration_page(exploration, source, thumbnails), output / PAGE)
    return Explored(
        output / PAGE, exploration, len(content.problems), None if bad_pictures is None else len(bad_pictures)
    )


def _images(settings: Settings) -> ImageFolder | None:
    """The folder of pictures, None where nobody named one and the default one is not there."""
    return image_folder(settings) if _named(settings) or settings.images.is_dir() else None


def _named(settings: Settings) -> bool:
    return "images" in settings.model_fields_set


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the folder {output} ({error.strerror})") from error


def _look(
    content: CsvCatalogue, images: ImageFolder | None, decode: PillowDecoder, settings: Settings, progress: Progress
) -> tuple[dict[str, PictureFacts] | None, dict[str, ImageError]]:
    """What is known of the pictures, and why some are bad; None where they are to be left out."""
    if images is None:
        return None, {}
    facts, errors = look_at_pictures(
        content.names(),
        images,
        decode.header,
        partial(phash, decoder=decode),
        {str(posting.image) for posting in content.postings if posting.image_phash is None},
        workers=settings.workers,
        progress=progress,
    )
    return (facts, errors) if facts or _named(settings) else (None, {})


def _draw(
    names: Sequence[str], images: ImageFolder, decode: PillowDecoder, workers: int, progress: Progress
) -> tuple[dict[str, Markup], Mapping[str, ImageError]]:
    """Small pictures by name, and why some cannot be drawn."""
    drawn: dict[str, Markup] = {}
    errors: dict[str, ImageError] = {}

    def draw(name: str) -> Markup | ImageError:
        try:
            return thumbnail(name, decode.upright(images.read(name)))
        except ImageError as error:
            return error

    with thread_pool(workers) as pool:
        for done, (name, result) in enumerate(zip(names, pool.map(draw, names), strict=True), start=1):
            if isinstance(result, ImageError):
                errors[name] = result
            else:
                drawn[name] = result
            if done % BATCH == 0 or done == len(names):
                progress("Drawing pictures", done, len(names))
    return drawn, errors
