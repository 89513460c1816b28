"""`pricematch export`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome
from pricematch.settings import load_settings


def export(
    file: Annotated[Path, typer.Argument(help="NDJSON file to write; it appears whole or not at all.")],
    data: Annotated[Path | None, setting("data", "Folder of the store.")] = None,
    namespace: options.Namespace = None,
    images: Annotated[Path | None, typer.Option(help="Folder to write the images into; left out, none are.")] = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="File to write the verdicts into: NDJSON if it ends so, else CSV.")
    ] = None,
) -> Outcome:
    """Write the postings of a store to a file that `pricematch import` takes, while a service may run on the store."""
    from pricematch.serving.exports import export_catalogue

    settings = load_settings(namespace=namespace, data=data)
    with terminal.progress_bars() as bars:
        done = export_catalogue(settings, file, images, verdicts, bars)
    figures = {"postings": done.postings, "images": done.images, "verdicts": done.verdicts}

    def show() -> None:
        terminal.print_table(f"{settings.data} → {file}", [*figures], [[*figures.values()]])

    return Outcome({"data": str(settings.data), "file": str(file), **figures}, show)
