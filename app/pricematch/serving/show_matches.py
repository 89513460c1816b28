"""A posting beside its matches, as the service would answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.bootstrap import decoder, read_catalogue
from pricematch.encoding.ingest import chunks
from pricematch.encoding.ports import ImageSource, Pixels
from pricematch.errors import ImageError, SettingsError
from pricematch.matching.matches import Match
from pricematch.matching.queries import Answer, Asked
from pricematch.pairs.thresholds import Target
from pricematch.progress import Progress
from pricematch.settings import Settings

_A_ROW, _SIDE = 5, 256
_FRAMES = {True: "#1b7f4b", False: "#b3261e", None: None}
_WORDS = {True: ", same group", False: ", another group", None: ""}
_GREY = 232
ANY = -1.0


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
    answer: Answer


def show_matches(
    settings: Settings,
    posting_id: str,
    count: int,
    target: str | None,
    min_probability: float | None,
    output: Path | None,
    progress: Progress,
) -> Shown:
    """Find a posting's matches, and draw them beside it.

    By the trained matcher that the settings name; where there is none, by similarity, and then as many as are asked
    for. A posting whose picture cannot be read is drawn as a grey square.

    Args:
        settings: where catalogue, pictures and models are, and which matcher and encoder to take.
        posting_id: of the catalogue.
        count: matches, at most.
        target: f1, or a precision such as precision:0.95, whose threshold decides; None for f1.
        min_probability: decides instead of a target.
        output: the picture to write; None for none.
        progress: is told what is being done.

    Raises:
        PostingNotFound: no posting has this id.
        SettingsError: the picture cannot be written, there are no pictures to draw, or the target is none.
        RequestUnanswerable: a target or a probability is asked for, and there is no matcher or no such target.
        PricematchError: as `pricematch.serving.start.load`.
    """
    from pricematch.reports.sheets import check_output
    from pricematch.serving.start import load

    if output is not None:
        check_output(output)
    asked = Asked(count, target=_parsed(target), min_probability=min_probability)
    content = read_catalogue(settings)
    content.refuse(content.problems)
    Catalogue(content.postings).row(posting_id)  # before anything is embedded
    ready = load(settings, progress)
    if output is not None and ready.images is None:
        raise SettingsError(f"cannot draw {output} (there are no pictures; name them with --images, or leave it out)")
    if ready.matcher.judge is None and target is None and min_probability is None:
        asked = Asked(count, min_similarity=ANY)
    answer, catalogue = ready.matcher.match_posting(posting_id, asked), ready.matcher.catalogue
    query = catalogue.posting(posting_id)
    found = [ShownMatch(posting, match, _same(query, posting)) for posting, match in _postings(catalogue, answer)]
    if output is not None and ready.images is not None:
        _draw(settings, query, found, ready.images, output)
    return Shown(query, found, answer)


def _postings(catalogue: Catalogue, answer: Answer) -> list[tuple[Posting, Match]]:
    return [(catalogue.posting(match.posting_id), match) for match in answer.matches]


def _parsed(target: str | None) -> Target | None:
    try:
        return None if target is None else Target.parse(target)
    except ValueError as error:
        raise SettingsError(f"--target: {error}") from error


def _draw(settings: Settings, query: Posting, found: Sequence[ShownMatch], images: ImageSource, output: Path) -> None:
    from pricematch.reports.sheets import Captioned, draw_sheet, save_sheet

    read = _reader(settings, images)
    drawn = [Captioned(read(query), _caption("query", query), "black")]
    drawn += [Captioned(read(it.posting), _caption(_said(it), it.posting), _FRAMES[it.same_group]) for it in found]
    save_sheet(draw_sheet(list(chunks(drawn, _A_ROW)), _SIDE), output)


def _reader(settings: Settings, images: ImageSource) -> Callable[[Posting], Pixels]:
    """The picture of a posting, grey where there is none or it is bad."""
    decode = decoder(settings, _SIDE)

    def read(posting: Posting) -> Pixels:
        try:
            return decode.upright(images.read(posting.image or ""))
        except ImageError:
            return np.full((_SIDE, _SIDE, 3), _GREY, np.uint8)

    return read


def _same(query: Posting, posting: Posting) -> bool | None:
    known = query.label_group is not None and posting.label_group is not None
    return query.label_group == posting.label_group if known else None


def _said(shown: ShownMatch) -> str:
    match, group = shown.match, _WORDS[shown.same_group]
    if match.probability is None:
        return f"{match.similarity or 0:.5f}{group}"
    return f"{match.probability:.3f} {str(match.level).replace('_', ' ')}{group}"


def _caption(said: str, posting: Posting) -> str:
    """What stands below a picture."""
    posting_id = posting.posting_id
    return f"{said}\n{posting_id if len(posting_id) <= 28 else f'{posting_id[:27]}…'}"
