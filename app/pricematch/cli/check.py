"""`pricematch check`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome, problem_rows
from pricematch.errors import SHOWN_PROBLEMS
from pricematch.settings import load_settings


def check(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON file of postings.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder or ZIP file of the images; left out, images are not looked at.")
    ] = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
) -> Outcome:
    """Look at a file of postings before anything is stored or trained: what would be refused, and what is odd.

    The exit code is 1 if there are rows that `serve` or `import` would refuse, and 0 if there are warnings only.
    """
    from pricematch.serving.check import check_file

    settings = load_settings(csv_encoding=encoding, csv_delimiter=delimiter)
    with terminal.progress_bars() as bars:
        found = check_file(settings, file, images, bars)
    for problem in found.problems[:SHOWN_PROBLEMS]:
        typer.echo(f"  {problem}", err=True)
    bad = found.counts["bad rows"]
    if bad > SHOWN_PROBLEMS:
        typer.echo(f"  … {bad} rows in all", err=True)

    def show() -> None:
        rows = [[what, f"{count:,}"] for what, count in found.counts.items()]
        terminal.print_table(f"{file}: {found.read_as}", ["", "count"], rows)
        for warning in found.warnings:
            typer.echo(f"warning: {warning}")
        typer.echo("no row would be refused" if not bad else f"{bad} of {found.counts['rows']} rows would be refused")

    document = {
        "file": str(file),
        "read_as": found.read_as,
        "counts": {what.replace(" ", "_"): count for what, count in found.counts.items()},
        "warnings": list(found.warnings),
        "problems": problem_rows(found.problems),
    }
    return Outcome(document, show, 1 if bad else 0)
