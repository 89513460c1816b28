"""`pricematch train default`."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pricematch.cli import terminal
from pricematch.cli.outcome import Outcome
from pricematch.errors import SettingsError
from pricematch.settings import load_settings

if TYPE_CHECKING:
    from pricematch.formats.default_matcher import DefaultManifest
    from pricematch.training.teach_default import ShopFolder

_DRAWN, _SEEDS = 600, (1, 2)


def default(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    shops: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME:LICENCE=FILE]...",
            help="Catalogues with label groups, each a CSV file beside its folder images/. Without any, two catalogues "
            "are drawn.",
            show_default=False,
        ),
    ] = None,
    titles: Annotated[
        list[str] | None,
        typer.Option(help="Name of a shop whose titles teach, too, since different sellers wrote them."),
    ] = None,
    drawn: Annotated[
        bool | None,
        typer.Option("--drawn/--no-drawn", help="Let drawn catalogues teach beside the shops that are named; they do."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of everything drawn.")] = 0,
) -> Outcome:
    """Learn the default matcher anew, which decides where no label has taught another.

    It is made of several shops, so that it holds in others. The package carries one; this makes its like, and tells how
    well what the other shops teach does in each.
    """
    from pricematch.training.teach_default import teach_default

    named = [_shop(text, titles or []) for text in shops or []]
    if unknown := set(titles or []) - {it.name for it in named}:
        raise SettingsError(f"--titles: expected names of shops, got {', '.join(sorted(unknown))}")
    with terminal.progress_bars() as bars, _sample(wanted=drawn is not False or not named) as own:
        manifest = teach_default(load_settings(), [*named, *own], output, seed, bars)
    taught_by = [it.model_dump(mode="json") for it in manifest.taught_by]
    return Outcome({"output": str(output), "taught_by": taught_by}, partial(_print, output, manifest))


def _shop(text: str, titles: Sequence[str]) -> "ShopFolder":
    """The shop that NAME:LICENCE=FILE means; raises SettingsError."""
    from pricematch.training.teach_default import ShopFolder

    about, _, file = text.partition("=")
    name, _, licence = (part.strip() for part in about.partition(":"))
    if not (name and licence and Path(file).is_file()):
        raise SettingsError(f"expected NAME:LICENCE=FILE, the file being a catalogue, got {text!r}")
    return ShopFolder(name, licence, Path(file), name in titles)


@contextmanager
def _sample(*, wanted: bool) -> "Iterator[list[ShopFolder]]":
    """Two drawn catalogues, which are there until the end of the block."""
    from pricematch.sample.catalogue import write_sample
    from pricematch.training.teach_default import ShopFolder

    with tempfile.TemporaryDirectory() as folder:
        found = []
        for seed in _SEEDS if wanted else ():
            place = Path(folder, str(seed))
            write_sample(place, _DRAWN, seed, lambda _done, _total: None)
            found.append(ShopFolder(f"drawn sample, seed {seed}", "Apache-2.0", place / "catalogue.csv", titles=True))
        yield found


def _print(output: Path, manifest: "DefaultManifest") -> None:
    header = ["shop", "postings", "groups", "F1, taught by the others", "F1 of no match", "calibration error"]
    figures = ("f1", "alone", "calibration_error_likely")
    rows = [
        [it.name, it.postings, it.groups, *(f"{it.held_out[name]:.3f}" for name in figures)]
        for it in manifest.taught_by
    ]
    terminal.print_table(str(output), header, rows)
