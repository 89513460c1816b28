"""`pricematch models`."""

from dataclasses import asdict
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome, verb
from pricematch.settings import load_settings

cli = typer.Typer(help="Which versions of the exported models serve.", no_args_is_help=True)


@cli.command("list")
@verb
def list_models(
    models: options.Models = None, data: options.Data = None, namespace: options.Namespace = None
) -> Outcome:
    """List the exported versions, and which of them are to serve."""
    from pricematch.serving.models import exported

    settings = load_settings(namespace=namespace, models=models, data=data)
    found = exported(settings)

    def show() -> None:
        rows = [(it.name, it.version, it.created, it.status) for it in found]
        terminal.print_table(f"Models in {settings.models}", ("name", "version", "exported", ""), rows)

    return Outcome({"folder": str(settings.models), "models": [asdict(it) for it in found]}, show)


@cli.command()
@verb
def activate(
    label: Annotated[
        str, typer.Argument(metavar="NAME/VERSION", help="For example matcher/3, matcher/default or cnn/2.")
    ],
    models: options.Models = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
) -> Outcome:
    """Let a version serve, newer or older than the one that does.

    A running service on the same data folder takes it within seconds: it embeds and scores the catalogue with it in the
    background, goes on answering with the old version meanwhile, and then switches at once. Without a running service
    the next start takes it. Going back is the same: activate the old version.
    """
    from pricematch.serving.models import activate as choose

    settings = load_settings(namespace=namespace, models=models, data=data)
    before = choose(settings, label)
    was = "the newest" if before is None else f"{label.partition('/')[0]}/{before}"

    def show() -> None:
        typer.echo(f"{label} is active, instead of {was}; a service on {settings.data} takes it within seconds")

    return Outcome({"active": label, "before": before, "data": str(settings.data)}, show)
