"""The command line."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

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
    namespaces,
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
from pricematch.cli.outcome import FLAG, document_of, error_document, verb, write_document
from pricematch.errors import PricematchError, SettingsError, TrainingInterrupted

USAGE_ERROR, FAILED = 2, 1
_EXTRAS = dict.fromkeys(("jinja2", "markupsafe", "matplotlib"), "reports")
"""Extras by the packages that they bring."""

_USAGE_ERRORS: Any = typer.BadParameter.__bases__
"""What typer raises for a command line that is wrong; it exports one kind of it only."""

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
cli.command()(verb(sample.sample))
cli.command()(verb(check.check))
cli.command()(verb(explore.explore))
cli.command()(verb(evaluate.evaluate))
cli.command()(verb(submit.submit))
cli.add_typer(train.cli, name="train")
cli.command()(serve.serve)
cli.command()(verb(key.key))
cli.command("import")(verb(import_.import_))
cli.command()(verb(export.export))
cli.command()(verb(backup.backup))
cli.command()(verb(restore.restore))
cli.command()(verb(verify.verify))
cli.command()(verb(sweep.sweep))
cli.command()(verb(namespaces.namespaces))
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
    as_json = FLAG in sys.argv[1:]
    try:
        _run(as_json=as_json)
    except TrainingInterrupted as interruption:
        message = f"{interruption}; run the same command again to go on from there"
        _fail(message, terminal.INTERRUPTED, document_of(interruption) if as_json else None)
    except PricematchError as error:
        code = USAGE_ERROR if isinstance(error, SettingsError) else FAILED
        _fail(str(error), code, document_of(error) if as_json else None)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        extra = _EXTRAS.get(package)
        if extra is None:
            raise
        message = f"this needs {package}, which is not installed: pip install 'pricematch[{extra}]'"
        _fail(message, USAGE_ERROR, error_document(message, "RuntimeMissing") if as_json else None)
    except KeyboardInterrupt:
        _fail("interrupted", terminal.INTERRUPTED, error_document("interrupted", "Interrupted") if as_json else None)


def _run(*, as_json: bool) -> None:
    """Run the verb; a wrong command line ends with exit code 2, and the usage on stderr."""
    try:
        code = cli(standalone_mode=False)
    except _USAGE_ERRORS as error:
        error.show()
        if as_json:
            write_document(error_document(" ".join(error.format_message().split()), "UsageError"))
        raise SystemExit(error.exit_code) from None
    if isinstance(code, int) and code:
        if as_json and code == terminal.INTERRUPTED:
            write_document(error_document("interrupted", "Interrupted"))
        raise SystemExit(code)


def _fail(message: str, code: int, document: Mapping[str, Any] | None) -> NoReturn:
    typer.echo(f"pricematch: {message}", err=True)
    if document is not None:
        write_document(document)
    raise SystemExit(code)


@cli.callback(invoke_without_command=True)
def _root(*, version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False) -> None:
    if version:
        typer.echo(f"pricematch {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    main()
