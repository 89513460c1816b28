"""`pricematch show`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricematch.cli import options, terminal
from pricematch.cli.options import setting
from pricematch.cli.outcome import Outcome, finite, verb
from pricematch.settings import load_settings

if TYPE_CHECKING:
    from pricematch.serving.show_matches import Shown, ShownMatch

_SAME = {True: "yes", False: "no", None: "–"}

cli = typer.Typer(help="Draw images that show what happens.", no_args_is_help=True, rich_markup_mode=None)


@cli.command("augmentations")
@verb
def augmentations(
    image: Annotated[Path, typer.Argument(help="An image.")],
    output: options.Output,
    seed: Annotated[int, typer.Option(min=0, help="Of the variants drawn as in training.")] = 0,
) -> Outcome:
    """Draw an image beside what the augmentations make of it."""
    from pricematch.training.augmentation import draw_augmentations

    draw_augmentations(load_settings(), image, output, seed)
    return _drawn(output)


@cli.command("reconstructions")
@verb
def reconstructions(
    output: options.Output,
    catalogue: options.Catalogue = None,
    images: options.Images = None,
    models: options.Models = None,
    namespace: options.Namespace = None,
    version: Annotated[str | None, typer.Option(help="Of the CAE; the newest if absent.")] = None,
    count: Annotated[int, typer.Option(min=1, max=32, help="Images to show.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Which images are drawn from the catalogue.")] = 0,
) -> Outcome:
    """Draw images of the catalogue above what a trained CAE rebuilds of them."""
    from pricematch.training.reconstructions import draw_reconstructions

    settings = load_settings(namespace=namespace, catalogue=catalogue, images=images, models=models)
    draw_reconstructions(settings, version, count, output, seed)
    return _drawn(output)


@cli.command("matches")
@verb
def matches(
    posting_id: Annotated[str, typer.Argument(help="The query, a posting of the catalogue.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Image file to write; its ending chooses the format. Without it, only the table."),
    ] = None,
    catalogue: options.Catalogue = None,
    images: options.ImagesIfAny = None,
    models: options.Models = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
    matcher: Annotated[
        str | None, setting("matcher", "A trained version, default, auto for the newest or else default, or none.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="f1, or a precision such as precision:0.95: what the matcher's threshold is for.")
    ] = None,
    min_probability: Annotated[
        float | None, typer.Option(min=0, max=1, help="Instead of a target; 0 shows every candidate.")
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(
            "--filter", help="What holds of every match's metadata: seller=acme;price=10..20, or an object of JSON."
        ),
    ] = None,
    exclude: Annotated[
        str | None,
        typer.Option(
            help="Names of fields, with commas between, of which a match shares no value with the query; and product, "
            "which leaves out postings of its own product."
        ),
    ] = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    count: Annotated[int, typer.Option(min=1, max=49, help="Matches to show, at most.")] = 8,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """List a posting's matches as the service answers them, with the reasons, and draw them beside it.

    Each has its probability; with --matcher none, those most similar by the encoder are shown instead. Where
    label groups are known, a green frame means the same one, a red frame another.
    """
    from pricematch.serving.show_matches import Narrowed, show_matches

    settings = load_settings(
        namespace=namespace,
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        matcher=matcher,
        encoder=encoder,
        encoder_version=encoder_version,
        skip_bad_images=skip_bad_images,
    )
    with terminal.progress_bars() as bars:
        shown = show_matches(
            settings, posting_id, count, target, min_probability, output, bars, Narrowed(condition, exclude)
        )

    def show() -> None:
        _print_matches(shown, narrowed=(condition, exclude) != (None, None))
        if output is not None:
            typer.echo(f"wrote {output}")

    return Outcome({**_document(shown), "output": None if output is None else str(output)}, show)


def _drawn(output: Path) -> Outcome:
    """The outcome of drawing an image."""
    return Outcome({"output": str(output)}, lambda: typer.echo(f"wrote {output}"))


def _document(shown: "Shown") -> dict[str, Any]:
    """The matches as the service answers them, with whether the label groups say the same."""
    from pricematch.serving.match_records import match_record

    decision = shown.result.decision
    return {
        "posting_id": shown.query.posting_id,
        "title": shown.query.title,
        "decided_by": decision.by,
        "models": dict(decision.models),
        "target": None if decision.target is None else str(decision.target),
        "threshold": finite(decision.threshold),
        "alone": finite(decision.fallback),
        "no_evidence": _no_evidence(shown),
        "matches": [{**match_record(it.match, it.posting), "same_group": it.same_group} for it in shown.found],
    }


def _print_matches(shown: "Shown", *, narrowed: bool) -> None:
    title = f"Matches of {shown.query.posting_id}: {_one_line(shown.query.title)}"
    if shown.result.decision.by == "similarity":
        columns = ["posting_id", "similarity", "same group?", "title"]
        measured = [[f"{it.match.similarity or 0:.5f}"] for it in shown.found]
    else:
        columns = ["posting_id", "probability", "level", "why", "same group?", "title"]
        measured = [
            [f"{it.match.probability or 0:.3f}", str(it.match.match_type), "\n".join(_reasons(it))]
            for it in shown.found
        ]
    rows = [
        [it.posting.posting_id, *cells, _SAME[it.same_group], _one_line(it.posting.title)]
        for it, cells in zip(shown.found, measured, strict=True)
    ]
    terminal.print_table(title, columns, rows)
    if (reason := _no_evidence(shown)) is not None:
        typer.echo(reason)
    elif not shown.found and shown.result.decision.by == "probability":
        typer.echo(f"{_why_none(shown, narrowed=narrowed)}; --min-probability 0 shows every candidate")


def _no_evidence(shown: "Shown") -> str | None:
    """Why its image says nothing; None where it does, or there is none."""
    if shown.result.one_colour:
        return "its image is of one colour, which is no evidence"
    stock = shown.result.stock
    return None if stock is None else f"its image is a stock image, which is no evidence: {stock}"


def _why_none(shown: "Shown", *, narrowed: bool) -> str:
    """Why nothing was found."""
    least = min(shown.result.decision.threshold, shown.result.decision.fallback)
    if math.isinf(least):
        return f"the matcher reaches {shown.result.decision.target} at no probability in a catalogue of this size"
    return f"no posting {'that was asked for ' if narrowed else ''}reaches a probability of {least:.3f}"


def _reasons(shown: "ShownMatch") -> list[str]:
    """What weighed most, with its weight in log odds; and which images are the nearest, where there are several."""
    evidence, pair = shown.match.evidence, shown.match.image_pair
    reasons = [] if evidence is None else [f"{reason.weight:+.1f} {reason.text}" for reason in evidence.reasons]
    return reasons if pair is None else [*reasons, f"nearest: image {pair[0] + 1}, and its image {pair[1] + 1}"]


def _one_line(title: str) -> str:
    """A title as a table holds it."""
    line = " ".join(title.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
