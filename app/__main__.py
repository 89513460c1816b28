"""The command line. Verbs import what they need when they run, so that `--help` answers at once."""

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias

import typer

from app import __version__, terminal
from app.errors import PricematchError, SettingsError, TrainingInterrupted
from app.settings import MIB, Settings, load_settings

USAGE_ERROR, FAILED = 2, 1

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
train_cli = typer.Typer(help="Train models and export them.", no_args_is_help=True, rich_markup_mode=None)
show_cli = typer.Typer(help="Draw pictures that show what happens.", no_args_is_help=True, rich_markup_mode=None)
cli.add_typer(train_cli, name="train")
cli.add_typer(show_cli, name="show")


def _setting(name: str, text: str) -> Any:
    """An option that is a setting as well; says its environment variable and default."""
    default = Settings.model_fields[name].default
    otherwise = "" if default is None else f", default: {default}"
    return typer.Option(help=f"{text} (env: PRICEMATCH_{name.upper()}{otherwise})")


Catalogue: TypeAlias = Annotated[
    Path | None, _setting("catalogue", "CSV with posting_id, image and perhaps image_phash, title, label_group.")
]
Images: TypeAlias = Annotated[Path | None, _setting("images", "Folder of the pictures.")]
Models: TypeAlias = Annotated[Path | None, _setting("models", "Folder of exported models.")]
SkipBadImages: TypeAlias = Annotated[
    bool | None,
    typer.Option("--skip-bad-images", help="Go on without missing or unreadable pictures, and say how many."),
]
Output: TypeAlias = Annotated[Path, typer.Option(help="Picture file to write; its ending chooses the format.")]


def main() -> None:
    """Run the command line; a known error is one message on stderr and an exit code, never a traceback."""
    # a descriptor of our own, so that `quiet_tensorflow` can silence native code alone
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged metadata of a picture is nobody's concern here
    try:
        cli()
    except TrainingInterrupted as interruption:
        _fail(f"{interruption}; run the same command again to go on from there", terminal.INTERRUPTED)
    except PricematchError as error:
        _fail(str(error), USAGE_ERROR if isinstance(error, SettingsError) else FAILED)
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


@cli.command()
def sample(
    output: Annotated[Path, typer.Option(help="Folder to write catalogue.csv and images/ into.")],
    postings: Annotated[int, typer.Option(min=1, max=100_000, help="Rows of the catalogue.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same catalogue.")] = 0,
) -> None:
    """Draw a sample catalogue: product-like pictures and sellers' titles, with the true label groups."""
    from app.sample.catalogue import write_sample

    with terminal.progress_bars() as bars:
        try:
            summary = write_sample(output, postings, seed, lambda done, total: bars("Drawing pictures", done, total))
        except OSError as error:
            raise SettingsError(str(error)) from error
    terminal.print_table(
        str(output / "catalogue.csv"),
        ["postings", "groups", "pictures", "MiB", "F1 of equal hash", "F1 of equal title"],
        [
            [
                str(summary.postings),
                str(summary.groups),
                str(summary.images),
                f"{summary.bytes / MIB:.1f}",
                f"{summary.f1_equal_hash:.3f}",
                f"{summary.f1_equal_title:.3f}",
            ]
        ],
    )


@train_cli.command("encoder")
def train_encoder(
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
    from app import offline
    from app.training.recipes import RECIPES, override

    if recipe not in RECIPES:
        raise SettingsError(f"expected a recipe among {', '.join(RECIPES)}, got {recipe!r}")
    settings = load_settings(catalogue=catalogue, images=images, models=models, skip_bad_images=skip_bad_images)
    given = {"cae.epochs": epochs, "cae.augment": augment, "autoencoder.epochs": autoencoder_epochs}
    given |= {"cae.batch": batch, "autoencoder.batch": batch}
    values = {name: value for name, value in given.items() if value is not None}
    chosen = override(RECIPES[recipe], values | dict(map(_assignment, hyper_parameters or [])))
    options = offline.TrainOptions(seed, version, memory * MIB, disk * MIB)
    with terminal.progress_bars() as bars, terminal.ctrl_c() as interrupted:
        trained = offline.train(settings, chosen, options, bars, terminal.training_bar(bars), interrupted)
    terminal.print_trained(trained)


def _assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value being JSON."""
    name, equals, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        what = "a number, true, false or [a list of numbers] behind =" if equals else "NAME=VALUE"
        raise SettingsError(f"--set: expected {what}, got {text!r}") from error


@cli.command()
def serve(
    catalogue: Catalogue = None,
    images: Images = None,
    models: Models = None,
    data: Annotated[Path | None, _setting("data", "Folder the service may write to; keeps embeddings.")] = None,
    host: Annotated[str | None, _setting("host", "Address to listen on.")] = None,
    port: Annotated[int | None, _setting("port", "TCP port, 0 for a free one.")] = None,
    encoder: Annotated[str | None, _setting("encoder", "autoencoder (64 values) or cae (2,048).")] = None,
    encoder_version: Annotated[str | None, _setting("encoder_version", "The newest if absent.")] = None,
    skip_bad_images: SkipBadImages = None,
) -> None:
    """Answer HTTP: POST /match, GET /postings/{posting_id}/matches, POST /cluster; try them at /docs.

    Every setting, limits included, can be given in the environment as PRICEMATCH_…; see docs/operations.md.
    """
    from app import server

    settings = load_settings(
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        host=host,
        port=port,
        encoder=encoder,
        encoder_version=encoder_version,
        skip_bad_images=skip_bad_images,
    )
    with terminal.progress_bars() as bars:
        server.serve(settings, bars)


@show_cli.command("augmentations")
def show_augmentations(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    output: Output,
    seed: Annotated[int, typer.Option(min=0, help="Of the variants drawn as in training.")] = 0,
) -> None:
    """Draw a picture beside what the augmentations make of it."""
    from app import offline

    offline.show_augmentations(load_settings(), image, output, seed)
    typer.echo(f"wrote {output}")


@show_cli.command("reconstructions")
def show_reconstructions(
    output: Output,
    catalogue: Catalogue = None,
    images: Images = None,
    models: Models = None,
    version: Annotated[str | None, typer.Option(help="Of the CAE; the newest if absent.")] = None,
    count: Annotated[int, typer.Option(min=1, max=32, help="Pictures to show.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Which pictures are drawn from the catalogue.")] = 0,
) -> None:
    """Draw pictures of the catalogue above what a trained CAE rebuilds of them."""
    from app import offline

    settings = load_settings(catalogue=catalogue, images=images, models=models)
    offline.show_reconstructions(settings, version, count, output, seed)
    typer.echo(f"wrote {output}")


if __name__ == "__main__":
    main()
