"""`pricematch verify`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome
from pricematch.errors import SHOWN_PROBLEMS
from pricematch.settings import load_settings


def verify(
    *,
    data: Annotated[Path | None, setting("data", "Folder of the store.")] = None,
    namespace: options.Namespace = None,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="First give up what is damaged or lost, so that the store can be served again: damaged rows are "
            "deleted, images that no posting shows are moved to lost+found. Without a service on the store.",
        ),
    ] = False,
) -> Outcome:
    """Read all of a store, while a service may run on it, and say what is wrong: database, rows, images.

    The exit code is 1 where something is.
    """
    from pricematch.store.verify import accept_loss as accept
    from pricematch.store.verify import verify as check

    settings = load_settings(namespace=namespace, data=data)
    given_up = accept(settings) if accept_loss else []
    with terminal.progress_bars() as bars:
        found = check(settings, bars)
    faults = [f"{checked.what}: {fault}" for checked in found for fault in checked.faults]
    for fault in faults[:SHOWN_PROBLEMS]:
        typer.echo(fault, err=True)
    if len(faults) > SHOWN_PROBLEMS:
        typer.echo(f"… {len(faults)} in all", err=True)
    if faults:
        typer.echo(
            f"`pricematch restore FILE --data {settings.data}` takes a backup in its place; "
            f"`pricematch verify --accept-loss --data {settings.data}` goes on with what is left",
            err=True,
        )

    def show() -> None:
        for sentence in given_up:
            typer.echo(sentence)
        rows = [[checked.what, checked.count, len(checked.faults)] for checked in found]
        terminal.print_table(str(settings.data), ["what", "read", "wrong"], rows)

    document = {
        "data": str(settings.data),
        "given_up": list(given_up),
        "checked": [{"what": it.what, "read": it.count, "faults": list(it.faults)} for it in found],
    }
    return Outcome(document, show, 1 if faults else 0)
