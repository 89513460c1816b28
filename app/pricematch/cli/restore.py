"""`pricematch restore`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import terminal
from pricematch.cli.options import setting
from pricematch.settings import load_settings


def restore(
    file: Annotated[Path, typer.Argument(help="File that `pricematch backup` wrote.")],
    data: Annotated[Path | None, setting("data", "Folder of the store; made if absent.")] = None,
) -> None:
    """Make a store hold what a backup does, while a service may run on it; what the backup lacks is deleted.

    The whole file is checked before anything changes. A damaged database is moved aside, not deleted.
    """
    from pricematch.store.backup import restore as take_over

    settings = load_settings(data=data)
    with terminal.progress_bars() as bars:
        restored = take_over(settings, file, bars)
    manifest, became = restored.manifest, restored.replaced
    changes = [became.postings_written, became.postings_deleted, became.verdicts_written, became.verdicts_withdrawn]
    terminal.print_table(
        f"{settings.data}: {manifest.postings} postings and {manifest.verdicts} verdicts "
        f"as they were at {manifest.created_at}",
        ["postings written", "deleted", "verdicts written", "withdrawn", "seconds"],
        [[*changes, f"{restored.seconds:.1f}"]],
    )
    if restored.set_aside is not None:
        typer.echo(f"the damaged database is now {restored.set_aside}; delete it when nobody needs it")
