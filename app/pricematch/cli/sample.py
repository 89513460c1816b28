"""`pricematch sample`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import terminal
from pricematch.errors import SettingsError
from pricematch.settings import MIB


def sample(
    output: Annotated[Path, typer.Option(help="Folder to write catalogue.csv and images/ into.")],
    postings: Annotated[int, typer.Option(min=1, max=100_000, help="Rows of the catalogue.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same catalogue.")] = 0,
) -> None:
    """Draw a sample catalogue: product-like images and sellers' titles, with the true label groups."""
    from pricematch.sample.catalogue import write_sample

    with terminal.progress_bars() as bars:
        try:
            summary = write_sample(output, postings, seed, lambda done, total: bars("Drawing images", done, total))
        except OSError as error:
            raise SettingsError(str(error)) from error
    counts = summary.postings, summary.groups, summary.images
    terminal.print_table(
        str(output / "catalogue.csv"),
        ["postings", "groups", "images", "MiB", "F1 of equal hash", "F1 of equal title"],
        [[*counts, f"{summary.bytes / MIB:.1f}", f"{summary.f1_equal_hash:.3f}", f"{summary.f1_equal_title:.3f}"]],
    )
