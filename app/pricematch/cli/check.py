"""`pricematch check`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.errors import SHOWN_PROBLEMS
from pricematch.settings import load_settings


def check(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON file of postings.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder or ZIP file of the images; left out, images are not looked at.")
    ] = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
) -> None:
    """Look at a file of postings before anything is stored or trained: what would be refused, and what is odd.

    The exit code is 1 if there are rows that `serve` or `import` would refuse, and 0 if there are warnings only.
    """
    from pricematch.serving.check import check_file

    settings = load_settings(csv_encoding=encoding, csv_delimiter=delimiter)
    with terminal.progress_bars() as bars:
        found = check_file(settings, file, images, bars)
    rows = [[what, f"{count:,}"] for what, count in found.counts.items()]
    terminal.print_table(f"{file}: {found.read_as}", ["", "count"], rows)
    for warning in found.warnings:
        typer.echo(f"warning: {warning}")
    bad = found.counts["bad rows"]
    typer.echo("no row would be refused" if not bad else f"{bad} of {found.counts['rows']} rows would be refused")
    for problem in found.problems[:SHOWN_PROBLEMS]:
        typer.echo(f"  {problem}", err=True)
    if bad > SHOWN_PROBLEMS:
        typer.echo(f"  … {bad} rows in all", err=True)
    if bad:
        raise typer.Exit(1)
