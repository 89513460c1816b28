"""`pricematch show`."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import Catalogue, Images, Models, Output
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
