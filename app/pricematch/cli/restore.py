"""`pricematch restore`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome
from pricematch.settings import load_settings


def restore(
    file: Annotated[Path, typer.Argument(help="File that `pricematch backup` wrote.")],
    data: Annotated[Path | None, setting("data", "Folder of the store; made if absent.")] = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Make a store hold what a backup does, while a service may run on it; what the backup lacks is deleted.

    The whole file is checked before anything changes. A damaged database is moved aside, not deleted.
    """
    from pricematch.store.backup import restore as take_over

    settings = load_settings(namespace=namespace, data=data)
    with terminal.progress_bars() as bars:
        restored = take_over(settings, file, bars)
    manifest, became = restored.manifest, restored.replaced
    changes = asdict(became)
    products = changes.pop("products")

    def show() -> None:
        terminal.print_table(
            f"{settings.data}: {manifest.postings} postings, {manifest.verdicts} verdicts and {products} products "
            f"as they were at {manifest.created_at}",
            ["postings written", "deleted", "verdicts written", "withdrawn", "seconds"],
            [[*changes.values(), f"{restored.seconds:.1f}"]],
        )
        if restored.set_aside is not None:
            typer.echo(f"the damaged database is now {restored.set_aside}; delete it when nobody needs it")

    document = {
        "data": str(settings.data),
        "postings": manifest.postings,
        "verdicts": manifest.verdicts,
        "products": products,
        "created_at": manifest.created_at,
        **changes,
        "set_aside": None if restored.set_aside is None else str(restored.set_aside),
        "seconds": round(restored.seconds, 3),
    }
    return Outcome(document, show)
