"""`pricematch verdicts`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome, verb
from pricematch.settings import load_settings

cli = typer.Typer(help="What people decided on pairs of postings, as files.", no_args_is_help=True)
_STANDARD_OUTPUT = Path("-")


@cli.command("export")
@verb
def export(
    file: Annotated[Path, typer.Argument(help="File to write: NDJSON if it ends so, else CSV; - is standard output.")],
    data: options.StoreFolder = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Write all verdicts to a file, with who decided, when and why, while a service may run on the store."""
    from pricematch.serving.feedback_files import export_feedback, feedback_text

    settings = load_settings(namespace=namespace, data=data)
    places = {"data": str(settings.data), "file": str(file)}
    if file == _STANDARD_OUTPUT:
        text = feedback_text(settings)
        return Outcome({**places, "content": text}, lambda: typer.echo(text, nl=False))
    export_feedback(settings, file)
    return Outcome({**places, "content": None}, lambda: typer.echo(f"wrote {file}"))


@cli.command("import")
@verb
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, or NDJSON if it ends so, with posting_id, other_posting_id, verdict and perhaps decided_at, "
            "by, note."
        ),
    ],
    data: options.StoreFolder = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Store the verdicts of a file, all of them or none, while a service may run on the store.

    Each takes the place of what was decided on its pair before; verdicts that the file lacks stay.
    """
    from pricematch.serving.feedback_files import import_feedback

    settings = load_settings(namespace=namespace, data=data)
    counts = import_feedback(settings, file)
    figures = {"new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged}

    def show() -> None:
        terminal.print_table(f"{file} → {settings.data}", [*figures], [[*figures.values()]])

    return Outcome({"file": str(file), "data": str(settings.data), **figures}, show)
