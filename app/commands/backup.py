"""`pricematch backup`."""

from pathlib import Path
from typing import Annotated

import typer

from app import terminal
from app.commands.options import setting
from app.settings import MIB, load_settings


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it appears whole or not at all.")],
    data: Annotated[Path | None, setting("data", "Folder of the store.")] = None,
) -> None:
    """Write everything a store holds to one file, while a service may run on it: postings, pictures, verdicts."""
    from app.offline.backup import backup as take

    with terminal.progress_bars() as bars:
        taken = take(load_settings(data=data), file, bars)
    what = taken.counted
    figures = [what.version, what.postings, len(what.pictures), what.verdicts]
    terminal.print_table(
        str(file),
        ["catalogue version", "postings", "pictures", "verdicts", "MiB", "seconds"],
        [[*map(str, figures), f"{taken.size / MIB:.1f}", f"{taken.seconds:.1f}"]],
    )
