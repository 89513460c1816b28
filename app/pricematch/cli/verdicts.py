"""`pricematch verdicts`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.settings import load_settings

cli = typer.Typer(help="What people decided on pairs of postings, as files.", no_args_is_help=True)
_STANDARD_OUTPUT = Path("-")


@cli.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="File to write: NDJSON if it ends so, else CSV; - is standard output.")],
    data: options.StoreFolder = None,
) -> None:
    """Write all verdicts to a file, with who decided, when and why, while a service may run on the store."""
    from pricematch.serving.feedback_files import export_feedback, feedback_text

    settings = load_settings(data=data)
    if file == _STANDARD_OUTPUT:
        typer.echo(feedback_text(settings), nl=False)
    else:
        export_feedback(settings, file)
        typer.echo(f"wrote {file}")


@cli.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, or NDJSON if it ends so, with posting_id, other_posting_id, verdict and perhaps decided_at, "
            "by, note."
        ),
    ],
    data: options.StoreFolder = None,
) -> None:
    """Store the verdicts of a file, all of them or none, while a service may run on the store.

    Each takes the place of what was decided on its pair before; verdicts that the file lacks stay.
    """
    from pricematch.serving.feedback_files import import_feedback

    settings = load_settings(data=data)
    counts = import_feedback(settings, file)
    row = [counts.new, counts.changed, counts.unchanged]
    terminal.print_table(f"{file} → {settings.data}", ["new", "changed", "unchanged"], [row])
