"""`pricematch train`."""

import json
from typing import Annotated, Any

import typer

from app import terminal
from app.commands.options import Catalogue, Images, Models, SkipBadImages
from app.errors import SettingsError
from app.settings import MIB, load_settings

cli = typer.Typer(help="Train models and export them.", no_args_is_help=True, rich_markup_mode=None)


@cli.command("encoder")
def encoder(
    recipe: Annotated[
        str, typer.Option(help="notebook: exactly the notebook's. default: trains until it stops learning.")
    ] = "default",
    catalogue: Catalogue = None,
    images: Images = None,
    models: Models = None,
    version: Annotated[str | None, typer.Option(help="Whole number to export as; the next free one if absent.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Of everything drawn; the same seed trains the same weights.")
    ] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the CAE, at most.")] = None,
    autoencoder_epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the autoencoder, at most.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, max=4096, help="Rows a step.")] = None,
    augment: Annotated[
        bool | None, typer.Option("--augment/--no-augment", help="Train the CAE on augmented pictures.")
    ] = None,
    hyper_parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other hyper-parameter, such as cae.patience=5 or autoencoder.encoder_units=[1024,64]; "
            "may be given several times, and wins over the options above.",
        ),
    ] = None,
    memory: Annotated[int, typer.Option(min=0, help="MiB of memory for decoded pictures.")] = 4096,
    disk: Annotated[int, typer.Option(min=0, help="MiB of disk for those that do not fit.")] = 16384,
    skip_bad_images: SkipBadImages = None,
) -> None:
    """Train the convolutional autoencoder and the autoencoder on its latents, and export both.

    Ctrl-C stops after the running step; the same command goes on from there.
    """
    from app.offline import train
    from app.training.recipes import RECIPES, override

    if recipe not in RECIPES:
        raise SettingsError(f"expected a recipe among {', '.join(RECIPES)}, got {recipe!r}")
    settings = load_settings(catalogue=catalogue, images=images, models=models, skip_bad_images=skip_bad_images)
    given = {"cae.epochs": epochs, "cae.augment": augment, "autoencoder.epochs": autoencoder_epochs}
    given |= {"cae.batch": batch, "autoencoder.batch": batch}
    values = {name: value for name, value in given.items() if value is not None}
    chosen = override(RECIPES[recipe], values | dict(map(_assignment, hyper_parameters or [])))
    options = train.TrainOptions(seed, version, memory * MIB, disk * MIB)
    with terminal.progress_bars() as bars, terminal.ctrl_c() as interrupted:
        trained = train.train(settings, chosen, options, bars, terminal.training_bar(bars), interrupted)
    terminal.print_trained(trained)


def _assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value being JSON."""
    name, equals, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        what = "a number, true, false or [a list of numbers] behind =" if equals else "NAME=VALUE"
        raise SettingsError(f"--set: expected {what}, got {text!r}") from error
