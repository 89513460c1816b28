"""The command line."""

import io
import logging
import os
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from pricematch import __version__
from pricematch.cli import (
    backup,
    check,
    evaluate,
    explore,
    export,
    fields,
    import_,
    key,
    models,
    restore,
    sample,
    serve,
    show,
    submit,
    sweep,
    terminal,
    train,
    verdicts,
    verify,
)
from pricematch.errors import PricematchError, SettingsError, TrainingInterrupted

USAGE_ERROR, FAILED = 2, 1
_EXTRAS = dict.fromkeys(("jinja2", "markupsafe", "matplotlib"), "reports")
"""Extras by the packages that they bring."""

cli = typer.Typer(
    name="pricematch",
    help="Which marketplace postings show the same product?\n\n"
    "First steps: `pricematch sample` draws a catalogue, `pricematch train encoder` trains on it, "
    "`pricematch serve` answers over HTTP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command()(sample.sample)
cli.command()(check.check)
cli.command()(explore.explore)
cli.command()(evaluate.evaluate)
cli.command()(submit.submit)
cli.add_typer(train.cli, name="train")
cli.command()(serve.serve)
cli.command()(key.key)
cli.command("import")(import_.import_)
cli.command()(export.export)
cli.command()(backup.backup)
cli.command()(restore.restore)
cli.command()(verify.verify)
cli.command()(sweep.sweep)
cli.add_typer(show.cli, name="show")
cli.add_typer(models.cli, name="models")
cli.add_typer(verdicts.cli, name="verdicts")
cli.add_typer(fields.cli, name="fields")


def main() -> None:
    """Run the command line; a known error is one message on stderr and an exit code, never a traceback."""
    # a descriptor of our own, so that `quiet_tensorflow` can silence native code alone
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character shows a question mark
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged metadata of an image is nobody's concern here
    try:
        cli()
    except TrainingInterrupted as interruption:
        _fail(f"{interruption}; run the same command again to go on from there", terminal.INTERRUPTED)
    except PricematchError as error:
        _fail(str(error), USAGE_ERROR if isinstance(error, SettingsError) else FAILED)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        extra = _EXTRAS.get(package)
        if extra is None:
            raise
        _fail(f"this needs {package}, which is not installed: pip install 'pricematch[{extra}]'", USAGE_ERROR)
    except KeyboardInterrupt:
        _fail("interrupted", terminal.INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"pricematch: {message}", err=True)
    raise SystemExit(code)


@cli.callback(invoke_without_command=True)
def _root(*, version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False) -> None:
    if version:
        typer.echo(f"pricematch {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    main()
