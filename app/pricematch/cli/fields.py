"""`pricematch fields`."""

from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome, verb
from pricematch.errors import SettingsError
from pricematch.settings import load_settings

cli = typer.Typer(help="Fields of postings that are declared, so that filters by them are quick.")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the field; a path has dots between names.")]


@cli.callback(invoke_without_command=True)
@verb
def list_fields(
    context: typer.Context, data: options.Data = None, namespace: options.Namespace = None
) -> Outcome | None:
    """List the declared fields, or declare or remove one.

    A filter by any other field looks into postings one by one, and into as many as the setting max_scanned_postings
    says at most. A running service on the same data folder takes a declaration within seconds.
    """
    from pricematch.serving.declarations import declared

    if context.invoked_subcommand is not None:
        if namespace is not None:
            raise SettingsError(f"expected --namespace behind {context.invoked_subcommand}, got it before")
        return None
    settings = load_settings(namespace=namespace, data=data)
    found = declared(settings)
    fields, evidence = {field.name: field.type for field in found}, [field.name for field in found if field.evidence]

    def show() -> None:
        rows = [(name, kind, "yes" if name in evidence else "") for name, kind in fields.items()]
        terminal.print_table(f"Declared fields in {settings.data}", ("field", "type", "evidence"), rows)

    return Outcome({"data": str(settings.data), "fields": fields, "evidence": evidence}, show)


@cli.command("declare")
@verb
def declare_field(
    name: _Name,
    type: Annotated[str, typer.Option(help="number or text, of its values.")],  # noqa: A002 — the option's name
    evidence: Annotated[
        bool | None,
        typer.Option("--evidence", help="Compare postings by it, too, where a trained matcher has learned to."),
    ] = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Declare a field, or give it another type, or let it be evidence, or not."""
    from pricematch.catalogue.fields import FIELD_TYPES
    from pricematch.serving.declarations import declare

    if type not in FIELD_TYPES:
        raise SettingsError(f"--type: expected {' or '.join(FIELD_TYPES)}, got {type!r}")
    settings = load_settings(namespace=namespace, data=data)
    new = declare(settings, name, type, evidence=bool(evidence))
    as_what = f"{type}{', and as evidence' if evidence else ''}"
    became = "is declared" if new else "was declared already"
    return Outcome(
        {"field": name, "type": type, "evidence": bool(evidence), "new": new, "data": str(settings.data)},
        lambda: typer.echo(f"{name} {became} as {as_what}; services take it within seconds"),
    )


@cli.command("remove")
@verb
def remove_field(name: _Name, data: options.Data = None, namespace: options.Namespace = None) -> Outcome:
    """Let a field be as any other again; filters by it look into postings, and a matcher does not compare by it."""
    from pricematch.serving.declarations import remove

    settings = load_settings(namespace=namespace, data=data)
    remove(settings, name)
    return Outcome({"field": name, "data": str(settings.data)}, lambda: typer.echo(f"{name} is not declared any more"))
