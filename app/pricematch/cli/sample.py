"""`pricematch sample`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pricematch.cli import terminal
from pricematch.cli.outcome import Outcome
from pricematch.errors import SettingsError
from pricematch.settings import MIB

if TYPE_CHECKING:
    from pricematch.sample.plan import Assortment


def sample(
    output: Annotated[Path, typer.Option(help="Folder to write catalogue.csv and images/ into.")],
    postings: Annotated[int, typer.Option(min=1, max=100_000, help="Rows of the catalogue.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same catalogue.")] = 0,
    kinds: Annotated[
        str | None, typer.Option(metavar="KINDS", help="Kinds of article, with commas between them; all if absent.")
    ] = None,
    sold_once: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of products that one posting sells; 0.15 if absent.")
    ] = None,
    variants: Annotated[
        bool | None,
        typer.Option(
            "--variants/--no-variants",
            help="Whether colours, flavours, patterns, sizes and packs are products of their own; they are if absent.",
        ),
    ] = None,
) -> Outcome:
    """Draw a sample catalogue: product-like images and sellers' titles, with the true label groups.

    Shops differ in what they sell, in how many postings sell a product, and in whether variants are products; --kinds,
    --sold-once and --variants draw such shops.
    """
    from pricematch.sample.catalogue import write_sample

    assortment = _assortment(kinds, sold_once, variants=variants is not False)
    with terminal.progress_bars() as bars:
        try:
            summary = write_sample(
                output, postings, seed, lambda done, total: bars("Drawing images", done, total), assortment
            )
        except OSError as error:
            raise SettingsError(str(error)) from error

    def show() -> None:
        counts = summary.postings, summary.groups, summary.images, f"{summary.bytes / MIB:.1f}"
        terminal.print_table(
            str(output / "catalogue.csv"),
            ["postings", "groups", "images", "MiB", "F1 of equal hash", "F1 of equal title"],
            [[*counts, f"{summary.f1_equal_hash:.3f}", f"{summary.f1_equal_title:.3f}"]],
        )

    places = {"catalogue": str(output / "catalogue.csv"), "images_folder": str(output / "images")}
    return Outcome({**places, **asdict(summary)}, show)


def _assortment(kinds: str | None, sold_once: float | None, *, variants: bool) -> "Assortment":
    """What the options describe; raises SettingsError for a kind that nobody can draw."""
    from pricematch.sample.kinds import KINDS
    from pricematch.sample.plan import USUAL, Assortment

    by_name = {kind.name: kind for kind in KINDS}
    names = list(by_name) if kinds is None else [name.strip() for name in kinds.split(",")]
    if unknown := [name for name in names if name not in by_name]:
        raise SettingsError(f"--kinds: expected some of {', '.join(by_name)}, got {', '.join(map(repr, unknown))}")
    lone = USUAL.lone if sold_once is None else sold_once
    return Assortment(tuple(by_name[name] for name in names), lone, variants)
