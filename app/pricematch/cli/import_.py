"""`pricematch import`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome, problem_rows
from pricematch.errors import SHOWN_PROBLEMS
from pricematch.settings import load_settings


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with posting_id, image or title, and perhaps image_2 to image_8, image_phash, label_group, "
            "metadata.NAME; or NDJSON with them, metadata as an object."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(help="Folder or ZIP file of the images; left out, stored postings keep theirs."),
    ] = None,
    data: Annotated[Path | None, setting("data", "Folder of the store; made if absent.")] = None,
    namespace: options.Namespace = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
) -> Outcome:
    """Store the postings of a file, each in place of the one with its id, while a service may run on the store.

    A row that is bad, or whose image is, fails alone; the exit code is 1 then. Postings that the file lacks stay.
    `pricematch check` looks at a file without storing anything.
    """
    from pricematch.serving.imports import import_file

    settings = load_settings(namespace=namespace, data=data, csv_encoding=encoding, csv_delimiter=delimiter)
    with terminal.progress_bars() as bars:
        done = import_file(settings, file, images, bars)
    counts = done.counts
    for warning in done.warnings:
        typer.echo(f"  {warning}", err=True)
    for stock in done.stock:
        typer.echo(f"  stock_image: {stock}; it is no evidence", err=True)
    for problem in done.problems[:SHOWN_PROBLEMS]:
        typer.echo(f"  {problem}", err=True)
    if counts.failed > SHOWN_PROBLEMS:
        typer.echo(f"  … {counts.failed} rows in all", err=True)

    def show() -> None:
        terminal.print_table(
            f"{file} → {settings.data}",
            ["created", "replaced", "unchanged", "failed", "catalogue version"],
            [[counts.created, counts.replaced, counts.unchanged, counts.failed, done.version]],
        )

    document = {
        "file": str(file),
        "data": str(settings.data),
        **asdict(counts),
        "catalogue_version": done.version,
        "warnings": list(done.warnings),
        "stock_images": [asdict(it) for it in done.stock],
        "problems": problem_rows(done.problems),
    }
    return Outcome(document, show, 1 if counts.failed else 0)
