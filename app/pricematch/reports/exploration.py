"""Explore what a catalogue holds; write explore.html."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.encoding.catalogue_files import find_images, read_catalogue
from pricematch.encoding.decoder import decoder
from pricematch.encoding.features import phash
from pricematch.errors import SHOWN_PROBLEMS, ImageError, RowProblem
from pricematch.evaluation import exploration as finding
from pricematch.evaluation.exploration import NEAR, Exploration, ImageFacts, read_image_facts
from pricematch.evaluation.load_features import ANY_SIDE
from pricematch.evaluation.near_duplicates import UNKNOWN, Relation, Repeats, group_sizes
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.progress import Progress
from pricematch.reports.page import Thumbnails, draw_thumbnails, plot, render
from pricematch.reports.plots import histogram, log_histogram
from pricematch.settings import Settings

_STRIP = 8
"""Postings of an example group that are shown, at most."""
LISTED = 30
"""Repeats of one kind across groups that are listed, at most."""
_LISTED_POSTINGS = 6
"""Postings of one such repeat that are listed, at most."""
_LISTED_IMAGES = 2
"""Different images of one such repeat that are shown, at most."""
_COMMON_SIZES = 10


@dataclass(frozen=True)
class Source:
    """The file and folder of a catalogue (None: without images), problems of rows and images left out, and the seed."""

    catalogue: str
    images: str | None
    bad_rows: Sequence[RowProblem]
    bad_images: Sequence[RowProblem]
    seed: int


@dataclass(frozen=True, eq=False)
class Repeated:
    """What repeats (one of it, and many), how often, and the postings of the first `LISTED` across groups."""

    what: str
    many: str
    repeats: Repeats
    listed: Sequence[Sequence[Posting]]


def exploration_page(exploration: Exploration, source: Source, thumbnails: Thumbnails | None) -> str:
    """The page as HTML, with thumbnails of the names in `shown_names`; None where images are left out."""
    sizes = group_sizes(exploration.groups)
    return render(
        "explore.html",
        title="Exploration",
        facts=exploration,
        source=source,
        thumbnails=thumbnails,
        sizes=sizes,
        without_group=int(np.count_nonzero(exploration.groups == UNKNOWN)),
        repeated=_repeated(exploration),
        strips=_strips(exploration),
        pairs=_pairs(exploration),
        image_tables=_image_tables(list((exploration.images or {}).values())),
        plots=_plots(exploration, sizes),
        Relation=Relation,
        near=NEAR,
        near_across=int(exploration.near.pairs[1:, Relation.ACROSS].sum()),
        limits={"problems": SHOWN_PROBLEMS, "strip": _STRIP, "listed": LISTED, "postings": _LISTED_POSTINGS},
        names_of=_names_of,
    )


def shown_names(exploration: Exploration) -> list[str]:
    """The distinct names of the images that the page shows."""
    postings = [*_strips(exploration), *chain.from_iterable(_pairs(exploration).values())]
    names = [posting.image for posting in chain.from_iterable(strip[:_STRIP] for strip in postings)]
    listed = [_names_of(postings) for kind in _repeated(exploration) for postings in kind.listed]
    return [name for name in dict.fromkeys(chain(names, *listed)) if name is not None]


def _repeated(exploration: Exploration) -> list[Repeated]:
    kinds = [
        ("file name", "file names", exploration.names),
        ("file content", "file contents", exploration.contents),
        ("hash", "hashes", exploration.hashes),
        ("title", "titles", exploration.titles),
    ]
    return [
        Repeated(what, many, repeats, [_postings(exploration, rows) for rows in repeats.across[:LISTED]])
        for what, many, repeats in kinds
        if repeats.distinct > 0
    ]


def _strips(exploration: Exploration) -> list[list[Posting]]:
    return [_postings(exploration, rows) for rows in exploration.examples]


def _pairs(exploration: Exploration) -> dict[Relation, list[list[Posting]]]:
    return {
        relation: [_postings(exploration, rows) for rows in examples]
        for relation, examples in exploration.near.examples.items()
    }


def _postings(exploration: Exploration, rows: Iterable[int]) -> list[Posting]:
    return [exploration.postings[row] for row in rows]


def _names_of(postings: Sequence[Posting]) -> list[str]:
    """The first different images of some postings."""
    names = dict.fromkeys(posting.image for posting in postings if posting.image is not None)
    return list(names)[:_LISTED_IMAGES]


def _image_tables(images: Sequence[ImageFacts]) -> dict[str, list[tuple[str, int, int]]]:
    """Formats and the commonest sizes: what, how many, bytes; most first."""

    def table(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
        rows: dict[str, tuple[int, int]] = {}
        for kind, facts in zip(kinds, images, strict=True):
            count, size = rows.get(kind, (0, 0))
            rows[kind] = count + 1, size + facts.size
        return sorted(((kind, *row) for kind, row in rows.items()), key=lambda row: (-row[1], row[0]))

    return {
        "format": table([facts.header.media_type.removeprefix("image/").upper() for facts in images]),
        "size": table([f"{facts.header.width} × {facts.header.height}" for facts in images])[:_COMMON_SIZES],
    }


def _plots(exploration: Exploration, sizes: NDArray[np.intp]) -> dict[str, list[Markup]]:
    """Histograms by section; none where there is nothing to count."""
    titles, images = exploration.title_facts, list((exploration.images or {}).values())
    width = np.array([facts.header.width for facts in images], np.int64)
    height = np.array([facts.header.height for facts in images], np.int64)
    kib = np.array([facts.size for facts in images], np.int64) / 1024
    drawn: dict[str, list[Markup]] = {"groups": [], "titles": [], "images": []}
    if len(sizes):
        drawn["groups"] = [plot(histogram(sizes, "postings in a group", "groups"), "group sizes")]
    if len(titles.characters):
        drawn["titles"] = [
            plot(histogram(titles.characters, "characters of a title", "titles"), "characters of titles"),
            plot(histogram(titles.words, "words of a title", "titles"), "words of titles"),
        ]
    if images:
        drawn["images"] = [
            plot(histogram(width, "width in pixels", "images"), "widths of images"),
            plot(histogram(height, "height in pixels", "images"), "heights of images"),
            plot(log_histogram(width / height, "width ÷ height", "images"), "aspect ratios of images"),
            plot(log_histogram(kib, "KiB of a file", "images"), "bytes of images"),
        ]
    return drawn


PAGE = "explore.html"


@dataclass(frozen=True, eq=False)
class Explored:
    """The result of an exploration.

    Attributes:
        exploration: of the good rows.
        bad_rows: how many there are.
        bad_images: postings whose image cannot be used; None without images.
    """

    exploration: Exploration
    bad_rows: int
    bad_images: int | None


def explore(settings: Settings, output: Path, seed: int, progress: Progress) -> Explored:
    """Write `explore.html` into a folder. Bad rows and images are listed in it, and the others are explored.

    Images are looked at if their folder was named, or if the default one holds any of them.

    Raises:
        CatalogueError: the file cannot be read, or has no good row.
        SettingsError: the folder of images that was named is none, or the output cannot be written to.
    """
    content = read_catalogue(settings)
    if not content.postings:
        content.refuse(content.problems)
    images = find_images(settings, content.names())
    check_folder(output)
    facts: dict[str, ImageFacts] | None = None
    errors: dict[str, ImageError] = {}
    if images is not None:
        decode = decoder(settings, ANY_SIDE)
        facts, errors = read_image_facts(
            content.names(),
            images,
            decode.header,
            lambda image: phash(decode.decoded(image)),
            {str(posting.image) for posting in content.postings if posting.image_phash is None},
            workers=settings.workers,
            progress=progress,
        )
    exploration = finding.explore(content.postings, facts, seed, progress)
    drawn, bad_images = None, []
    if images is not None:
        good = [name for name in shown_names(exploration) if name not in errors]
        drawn = draw_thumbnails(settings, good, images, progress)
        bad_images = content.image_problems(errors | drawn.errors)
    folder = None if images is None else str(settings.images)
    source = Source(str(settings.catalogue), folder, content.problems, bad_images, seed)
    write_whole(output / PAGE, exploration_page(exploration, source, drawn).encode())
    return Explored(exploration, len(content.problems), None if images is None else len(bad_images))
