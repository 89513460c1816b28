"""`pricematch show`."""

from pathlib import Path
from typing import Annotated

import typer

from app import terminal
from app.commands.options import (
    Catalogue,
    Data,
    Encoder,
    EncoderVersion,
    Images,
    Models,
    Output,
    SkipBadImages,
)
from app.settings import load_settings

cli = typer.Typer(help="Draw pictures that show what happens.", no_args_is_help=True, rich_markup_mode=None)


@cli.command("augmentations")
def augmentations(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    output: Output,
    seed: Annotated[int, typer.Option(min=0, help="Of the variants drawn as in training.")] = 0,
) -> None:
    """Draw a picture beside what the augmentations make of it."""
    from app.offline import show

    show.augmentations(load_settings(), image, output, seed)
    typer.echo(f"wrote {output}")


@cli.command("reconstructions")
def reconstructions(
    output: Output,
    catalogue: Catalogue = None,
    images: Images = None,
    models: Models = None,
    version: Annotated[str | None, typer.Option(help="Of the CAE; the newest if absent.")] = None,
    count: Annotated[int, typer.Option(min=1, max=32, help="Pictures to show.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Which pictures are drawn from the catalogue.")] = 0,
) -> None:
    """Draw pictures of the catalogue above what a trained CAE rebuilds of them."""
    from app.offline import show

    settings = load_settings(catalogue=catalogue, images=images, models=models)
    show.reconstructions(settings, version, count, output, seed)
    typer.echo(f"wrote {output}")


@cli.command("matches")
def matches(
    posting_id: Annotated[str, typer.Argument(help="The query, a posting of the catalogue.")],
    output: Output,
    catalogue: Catalogue = None,
    images: Images = None,
    models: Models = None,
    data: Data = None,
    encoder: Encoder = None,
    encoder_version: EncoderVersion = None,
    count: Annotated[int, typer.Option(min=1, max=49, help="Matches to show.")] = 8,
    skip_bad_images: SkipBadImages = None,
) -> None:
    """Draw a posting beside its best matches with their similarities, and list them.

    Where label groups are known, a green frame means the same one, a red frame another.
    """
    from app.offline import show

    settings = load_settings(
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        encoder=encoder,
        encoder_version=encoder_version,
        skip_bad_images=skip_bad_images,
    )
    with terminal.progress_bars() as bars:
        query, found = show.matches(settings, posting_id, count, output, bars)
    said = {True: "yes", False: "no", None: "–"}
    rows = [
        [match.posting.posting_id, f"{match.similarity:.5f}", said[match.same_group], _one_line(match.posting.title)]
        for match in found
    ]
    terminal.print_table(
        f"Matches of {query.posting_id}: {_one_line(query.title)}",
        ["posting_id", "similarity", "same group?", "title"],
        rows,
    )
    typer.echo(f"wrote {output}")


def _one_line(title: str) -> str:
    """A title as a table holds it."""
    line = " ".join(title.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
