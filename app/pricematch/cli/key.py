"""`pricematch key`."""

from pathlib import Path
from typing import Annotated

import typer

from pricematch.api.keys import Scope
from pricematch.cli.outcome import Outcome
from pricematch.settings import DEFAULT_NAMESPACE


def key(
    name: Annotated[str, typer.Argument(help="Whose key it is, for logs and rates; letters, digits or . _ -")],
    scope: Annotated[Scope, typer.Option(help="read: ask; write: change the catalogue as well; admin: everything.")],
    namespace: Annotated[
        str,
        typer.Option(metavar="NAME", help="Whose catalogue it is for; * for all, and to make and list namespaces."),
    ] = DEFAULT_NAMESPACE,
    file: Annotated[
        Path | None, typer.Option(help="File of keys to add it to (setting api_keys_file); made if absent.")
    ] = None,
) -> Outcome:
    """Make an API key: print it once, for whoever asks, and the line that the service keeps.

    The line holds the key's SHA-256 only. It goes into the file that --api-keys-file of `pricematch serve` names (or
    PRICEMATCH_API_KEYS_FILE; a service that runs reads it again on SIGHUP), or into PRICEMATCH_API_KEYS. Clients send
    the key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    """
    from pricematch.api.keys import add_to_file, new_key

    made, kept = new_key(name, scope, namespace)
    if file is not None:
        add_to_file(file, kept)

    def show() -> None:
        typer.echo(f"key (shown only now): {made}")
        typer.echo(f"line: {kept.line()}" if file is None else f"its line is in {file}")

    document = {"name": kept.name, "scope": kept.scope, "namespace": kept.namespace, "key": made, "line": kept.line()}
    return Outcome({**document, "file": None if file is None else str(file)}, show)
