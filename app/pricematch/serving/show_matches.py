"""A posting and its matches, as the service finds them, in a table or an image."""

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.filters import POSTING_ID, both, none_of, value_of
from pricematch.catalogue.postings import Posting, as_posting_id
from pricematch.encoding.decoder import decoder
from pricematch.encoding.ingest import chunks
from pricematch.encoding.ports import Pixels
from pricematch.errors import SettingsError
from pricematch.matching.matcher import Matcher
from pricematch.matching.products import clustered
from pricematch.matching.queries import Match, Options, Result
from pricematch.pairs.thresholds import Target
from pricematch.progress import Progress
from pricematch.serving.exclusions import PRODUCT, read_exclusions
from pricematch.serving.offline_store import with_store_of_catalogue
from pricematch.serving.opening import opened
from pricematch.serving.service import Service
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_A_ROW, _SIDE = 5, 256
_FRAMES = {True: "#1b7f4b", False: "#b3261e", None: None}
_WORDS = {True: ", same group", False: ", another group", None: ""}
_GREY = 232
_ANY = -1.0


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which matches are wanted.

    Attributes:
        filter: what holds of each, in short form or JSON; None for anything.
        exclude: what none shares with the posting: names of fields or `product`, with commas between; None for nothing.
    """

    filter: str | None = None
    exclude: str | None = None


ANY = Narrowed()


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """A match of a posting.

    Attributes:
        posting: what was found.
        match: how alike, how probable, and why.
        same_group: whether its label group is that of the query; None where one of them is not known.
    """

    posting: Posting
    match: Match
    same_group: bool | None


@dataclass(frozen=True, eq=False)
class Shown:
    """A posting, its matches, the best first, and what decided which they are."""

    query: Posting
    found: Sequence[ShownMatch]
    result: Result


def show_matches(
    settings: Settings,
    posting_id: str,
    count: int,
    target: str | None,
    min_probability: float | None,
    output: Path | None,
    progress: Progress,
    narrowed: Narrowed = ANY,
) -> Shown:
    """Find a posting's matches as the service does, and draw them.

    By the matcher that the settings name; where they name none, by similarity, and then as many as are wanted. A
    posting whose image cannot be read is drawn as a grey square.

    Args:
        settings: where catalogue, images and models are, and which matcher and encoder to take.
        posting_id: of the catalogue.
        count: matches, at most.
        target: f1, or a precision such as precision:0.95, whose threshold decides; None for f1.
        min_probability: decides instead of a target.
        output: the image to write; None for none.
        progress: called with what is being done.
        narrowed: which matches are wanted.

    Raises:
        PostingNotFound: no posting has this id.
        FilterInvalid: the filter or the exclusions cannot be read.
        SettingsError: the image cannot be written, there are no images to draw, or the target is none.
        RequestUnanswerable: a target or a probability is given, and there is no matcher or no such target.
        PricematchError: as `startup.start`.
    """
    from pricematch.reports.sheets import check_output

    if output is not None:
        check_output(output)
    held = None if narrowed.filter is None else read_filter(narrowed.filter, settings.max_filter_bytes)
    unlike = () if narrowed.exclude is None else read_exclusions(narrowed.exclude)
    options = Options(count, target=_parsed(target), min_probability=min_probability, filter=held)
    wanted = as_posting_id(posting_id)
    # nobody else waits meanwhile
    stored = with_store_of_catalogue(settings, wanted).model_copy(update={"max_scanned_postings": sys.maxsize})
    return asyncio.run(_shown(stored, wanted, options, unlike, output, progress))


async def _shown(
    settings: Settings,
    posting_id: str,
    options: Options,
    exclude: Sequence[str],
    output: Path | None,
    progress: Progress,
) -> Shown:
    service = Service(settings)
    async with opened(service, progress, serve=False) as opening:
        await opening
        matcher = service.snapshot.matcher
        if matcher.probability is None:
            _log.warning("no matcher: similarity decides, since the setting matcher is none")
        if matcher.probability is None and options.target is None and options.min_probability is None:
            options = replace(options, min_similarity=_ANY)
        if PRODUCT in exclude:
            others = none_of(POSTING_ID, [value_of(it) for it in _with_product_of(matcher, posting_id)])
            options = replace(options, filter=both(options.filter, *others))
        fields = [name for name in exclude if name != PRODUCT]
        result = (await service.matches_of(posting_id, options, fields)).result
        query = matcher.catalogue.posting(posting_id)
        postings = [matcher.catalogue.posting(match.posting_id) for match in result.matches]
        found = [
            ShownMatch(posting, match, _same(query, posting))
            for posting, match in zip(postings, result.matches, strict=True)
        ]
        if output is not None:
            if all(posting.image is None for posting in (query, *postings)):
                raise SettingsError(
                    f"cannot draw {output} (there are no images; name them with --images, or leave it out)"
                )
            places = {it.posting_id: 0 if it.image_pair is None else it.image_pair[1] for it in result.matches}
            images = {
                it.posting_id: await _image(service, it.posting_id, places.get(it.posting_id, 0) + 1)
                for it in (query, *postings)
                if it.image
            }
            _draw(settings, query, found, images, output)
        return Shown(query, found, result)


def _with_product_of(matcher: Matcher, posting_id: str) -> Sequence[str]:
    """The ids of all postings of a posting's product, which nobody keeps here; raises MatcherNeeded."""
    partition = clustered(matcher.trained("a product"))
    number = int(partition.numbers[matcher.catalogue.row(posting_id)])
    return matcher.catalogue.ids_of(partition.rows_of([number]))


def _parsed(target: str | None) -> Target | None:
    try:
        return None if target is None else Target.parse(target)
    except ValueError as error:
        raise SettingsError(f"--target: {error}") from error


async def _image(service: Service, posting_id: str, place: int) -> bytes:
    """An image by its place: of a match that which is the nearest."""
    with (await service.image(posting_id, place))[0] as file:
        return file.read()


def _draw(
    settings: Settings, query: Posting, found: Sequence[ShownMatch], images: Mapping[str, bytes], output: Path
) -> None:
    from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet

    decode = decoder(settings, _SIDE)

    def pixels(posting: Posting) -> Pixels:
        if (image := images.get(posting.posting_id)) is None:
            return np.full((_SIDE, _SIDE, 3), _GREY, np.uint8)
        return decode.upright(image)

    drawn = [Captioned(pixels(query), _caption("query", query), "black")]
    drawn += [Captioned(pixels(it.posting), _caption(_score(it), it.posting), _FRAMES[it.same_group]) for it in found]
    save_sheet(draw_sheet(list(chunks(drawn, _A_ROW)), _SIDE), output)


def _same(query: Posting, posting: Posting) -> bool | None:
    known = query.label_group is not None and posting.label_group is not None
    return query.label_group == posting.label_group if known else None


def _score(shown: ShownMatch) -> str:
    match, group = shown.match, _WORDS[shown.same_group]
    if match.probability is None:
        return f"{match.similarity or 0:.5f}{group}"
    return f"{match.probability:.3f} {str(match.match_type).replace('_', ' ')}{group}"


def _caption(score: str, posting: Posting) -> str:
    """The text below an image."""
    posting_id = posting.posting_id
    return f"{score}\n{posting_id if len(posting_id) <= 28 else f'{posting_id[:27]}…'}"
