"""The page that shows what a catalogue holds."""

from dataclasses import dataclass
from pathlib import Path

from pricematch.encoding.bootstrap import decoder, read_catalogue
from pricematch.encoding.features import phash
from pricematch.errors import ImageError
from pricematch.evaluation import exploration as finding
from pricematch.evaluation.exploration import Exploration, ImageFacts, read_image_facts
from pricematch.evaluation.load_features import find_images
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.progress import Progress
from pricematch.settings import Settings

PAGE = "explore.html"
_ANY_SIDE = 32


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found out.

    Attributes:
        exploration: of the good rows.
        bad_rows: how many there are.
        bad_pictures: postings whose picture cannot be used; None where pictures were left out.
    """

    exploration: Exploration
    bad_rows: int
    bad_pictures: int | None


def explore(settings: Settings, output: Path, seed: int, progress: Progress) -> Explored:
    """Write `explore.html` into a folder. Bad rows and pictures are listed in it, and the others are explored.

    Pictures are looked at if their folder was named, or if the default one holds any of them.

    Raises:
        CatalogueError: the file cannot be read, or has no good row.
        SettingsError: the folder of pictures that was named is none, or the output cannot be written to.
    """
    from pricematch.reports.exploration import Source, exploration_page, shown_names
    from pricematch.reports.thumbnails import draw_pictures

    content = read_catalogue(settings)
    if not content.postings:
        content.refuse(content.problems)
    images = find_images(settings, content.names())
    check_folder(output)
    facts, errors = (None, {}) if images is None else _look(content, images, settings, progress)
    exploration = finding.explore(content.postings, facts, seed, progress)
    drawn, bad_pictures = None, []
    if images is not None:
        good = [name for name in shown_names(exploration) if name not in errors]
        drawn = draw_pictures(settings, good, images, progress)
        bad_pictures = content.image_problems(errors | drawn.errors)
    folder = None if images is None else str(settings.images)
    source = Source(str(settings.catalogue), folder, content.problems, bad_pictures, seed)
    write_whole(output / PAGE, exploration_page(exploration, source, drawn).encode())
    return Explored(exploration, len(content.problems), None if images is None else len(bad_pictures))


def _look(
    content: CsvCatalogue, images: ImageFolder, settings: Settings, progress: Progress
) -> tuple[dict[str, ImageFacts], dict[str, ImageError]]:
    """What is known of the pictures, with the hashes that the catalogue lacks, and why some are bad."""
    decode = decoder(settings, _ANY_SIDE)
    return read_image_facts(
        content.names(),
        images,
        decode.header,
        lambda image: phash(decode.decoded(image)),
        {str(posting.image) for posting in content.postings if posting.image_phash is None},
        workers=settings.workers,
        progress=progress,
    )
