"""`pricematch backup`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome
from pricematch.settings import MIB, load_settings


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it appears whole or not at all.")],
    data: Annotated[Path | None, setting("data", "Folder of the store.")] = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Write everything a store holds to one file, while a service may run on it: postings, images, verdicts."""
    from pricematch.store.backup import backup as take

    with terminal.progress_bars() as bars:
        taken = take(load_settings(namespace=namespace, data=data), file, bars)
    what = taken.counted
    figures = {
        "catalogue_version": what.version,
        "postings": what.postings,
        "images": len(what.images),
        "verdicts": what.verdicts,
    }

    def show() -> None:
        terminal.print_table(
            str(file),
            ["catalogue version", "postings", "images", "verdicts", "MiB", "seconds"],
            [[*figures.values(), f"{taken.size / MIB:.1f}", f"{taken.seconds:.1f}"]],
        )

    return Outcome({"file": str(file), **figures, "bytes": taken.size, "seconds": round(taken.seconds, 3)}, show)
