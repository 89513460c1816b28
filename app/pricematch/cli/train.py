"""`pricematch train`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome, verb
from pricematch.cli.train_default import default
from pricematch.errors import SettingsError
from pricematch.settings import MIB, load_settings

if TYPE_CHECKING:
    from pricematch.training.recipes import CnnTrainingRecipe, Recipe

_PRETRAINED = "pretrained"

cli = typer.Typer(help="Train models and export them.", no_args_is_help=True, rich_markup_mode=None)
cli.command("default")(verb(default))


@cli.command("encoder")
@verb
def encoder(
    recipe: Annotated[
        str,
        typer.Option(
            help="notebook: exactly the notebook's. default: trains until it stops learning. "
            "cnn: a pretrained network, whitened, and trained on the label groups if there are some. "
            "pretrained: the same network without training, as the first start writes it; takes no catalogue."
        ),
    ] = "default",
    catalogue: options.Catalogue = None,
    images: options.Images = None,
    models: options.Models = None,
    namespace: options.Namespace = None,
    version: Annotated[str | None, typer.Option(help="Whole number to export as; the next free one if absent.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Of everything drawn; the same seed trains the same weights.")
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of the CAE, or of the CNN's embedding, at most."),
    ] = None,
    autoencoder_epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the autoencoder, at most.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, max=4096, help="Rows a step.")] = None,
    augment: Annotated[
        bool | None, typer.Option("--augment/--no-augment", help="Train the CAE or CNN on augmented images.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Of the CNN: efficientnet-lite0 (default), -lite1, -lite2, or a network of keras.applications."
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of the CNN's backbone: imagenet (default), none, or a file.")
    ] = None,
    train_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of the label groups that the CNN is trained on, chosen by the seed; 0: no labels.",
        ),
    ] = None,
    fine_tune: Annotated[
        bool | None,
        typer.Option("--fine-tune/--no-fine-tune", help="Go on with the upper layers of the CNN's backbone; slow."),
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
    memory: Annotated[int, typer.Option(min=0, help="MiB of memory for decoded images.")] = 4096,
    disk: Annotated[int, typer.Option(min=0, help="MiB of disk for those that do not fit.")] = 16384,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """Train encoders and export them: the CAE and the autoencoder on its latents, or the CNN.

    Ctrl-C stops after the running step; the same command goes on from there.
    """
    settings = load_settings(
        namespace=namespace, catalogue=catalogue, images=images, models=models, skip_bad_images=skip_bad_images
    )
    network = "cnn" if recipe == "cnn" else "cae"
    given: dict[str, Any] = {f"{network}.epochs": epochs, f"{network}.augment": augment, f"{network}.batch": batch}
    given |= {"cnn.backbone": backbone, "cnn.weights": weights, "cnn.train_share": train_share}
    given |= {"cnn.fine_tune": fine_tune, "autoencoder.epochs": autoencoder_epochs}
    if network == "cae":
        given["autoencoder.batch"] = batch
    values = {name: value for name, value in given.items() if value is not None}
    if recipe == _PRETRAINED:
        return _export_pretrained(settings.models, version, [*values, *(hyper_parameters or [])])
    from pricematch.training.recipes import TrainOptions
    from pricematch.training.train_encoder import train

    chosen = _recipe(recipe, values | dict(map(_assignment, hyper_parameters or [])))
    with terminal.progress_bars() as bars, terminal.ctrl_c() as interrupted:
        trained = train(
            settings,
            chosen,
            TrainOptions(seed, version, memory * MIB, disk * MIB),
            bars,
            terminal.training_bar(bars),
            interrupted,
        )

    def show() -> None:
        terminal.print_trained(trained)
        terminal.print_retrieval(trained)
        terminal.print_thresholds(trained)

    return Outcome({"trained": [network.figures() for network in trained]}, show)


@cli.command("matcher")
@verb
def matcher(
    catalogue: options.Catalogue = None,
    signals: options.Signals = "hash,title",
    images: options.ImagesIfAny = None,
    models: options.Models = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    version: Annotated[str | None, typer.Option(help="Whole number to write as; the next free one if absent.")] = None,
    verdicts: options.Verdicts = None,
    stored: Annotated[
        bool | None,
        typer.Option(
            "--stored",
            help="Learn from the store in the data folder, its label groups and verdicts, while a service may run on "
            "it; no catalogue file is read.",
        ),
    ] = None,
    train_share: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1,
            help="Share of the label groups to learn from, chosen by the seed; `pricematch evaluate --matcher` "
            "evaluates on the others.",
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of everything drawn.")] = 0,
    force: Annotated[
        bool | None, typer.Option("--force", help="Write the matcher also where it is no better than the default.")
    ] = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:TYPE",
            help="Compare by a field of metadata too, such as price:number or brand:text; with --stored those are "
            "compared that are declared as evidence.",
        ),
    ] = None,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """Learn from the label groups how likely two postings are the same product, given what the signals say of both.

    Writes models/matcher/VERSION, which serve, evaluate, submit and show matches take, if that is better than the
    default matcher. Minutes for 17,000 postings.
    """
    from pricematch.catalogue.evidence import read_evidence_field
    from pricematch.evaluation.load_features import parse_signals
    from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
    from pricematch.learning.train_stored import train_stored

    settings = load_settings(
        namespace=namespace,
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        encoder=encoder,
        encoder_version=encoder_version,
        skip_bad_images=skip_bad_images,
    )
    fields = tuple(map(read_evidence_field, evidence or ()))
    chosen = TrainMatcherOptions(parse_signals(signals), train_share, seed, version, verdicts, bool(force), fields)
    if stored and (catalogue, images, verdicts) != (None, None, None):
        raise SettingsError("--stored: expected no --catalogue, --images or --verdicts, which the store has")
    if stored and fields:
        raise SettingsError("--stored: expected no --evidence; declare it (`pricematch fields declare --evidence`)")
    with terminal.progress_bars() as bars:
        trained = train_stored(settings, chosen, bars) if stored else train_matcher(settings, chosen, bars)
    return Outcome(trained.figures(), lambda: terminal.print_matcher(trained))


def _export_pretrained(models: Path, version: str | None, others: Sequence[str]) -> Outcome:
    from pricematch.training.pretrained_encoder import export_pretrained

    if others:
        raise SettingsError(
            f"--recipe {_PRETRAINED}: expected no hyper-parameter, since nothing is trained, got {others[0]}"
        )
    path = export_pretrained(models, version)
    return Outcome({"trained": [{"path": str(path)}]}, lambda: typer.echo(f"wrote {path}"))


def _recipe(name: str, values: Mapping[str, Any]) -> "Recipe | CnnTrainingRecipe":
    """The recipe with this name, with other values; raises SettingsError."""
    from pricematch.training.recipes import CNN, RECIPES, override

    if name == CNN.name:
        return override(CNN, values)
    if name not in RECIPES:
        raise SettingsError(f"expected a recipe among {', '.join([*RECIPES, CNN.name, _PRETRAINED])}, got {name!r}")
    return override(RECIPES[name], values)


def _assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value being JSON."""
    name, equals, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError as error:
        what = "a number, true, false or [a list of numbers] behind =" if equals else "NAME=VALUE"
        raise SettingsError(f"--set: expected {what}, got {text!r}") from error
