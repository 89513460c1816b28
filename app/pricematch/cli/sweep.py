"""`pricematch sweep`."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome
from pricematch.errors import SettingsError
from pricematch.settings import load_settings

if TYPE_CHECKING:
    from pricematch.reports.sweep import Swept

_MAX_EPS = 1000


def sweep(
    output: options.OutputFolder,
    catalogue: options.Catalogue = None,
    embeddings: options.EmbeddingArray = None,
    images: options.Images = None,
    models: options.Models = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    eps: Annotated[
        str, typer.Option(metavar="START:STOP:STEP", help="Cosine distances; STOP is left out. Or a list: 0.002,0.004.")
    ] = "0.001:0.009:0.001",
    min_samples: Annotated[
        int, typer.Option(min=1, max=1000, help="Neighbours, itself included, that make a posting core.")
    ] = 2,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """Score the notebook's clusterings of a labelled catalogue: dbscan, optics, nearest and their ensemble, over eps.

    Embeds the catalogue's images with a trained encoder, or evaluates anybody's embeddings (--embeddings). Writes
    sweep.json and sweep.png into the output folder.
    """
    every_eps = parse_eps(eps)
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
    if embeddings is not None and (images is not None or models is not None):
        raise SettingsError("expected either --embeddings, or --images and --models, got both")
    from pricematch.reports.sweep import run

    with terminal.progress_bars() as bars:
        swept = run(settings, embeddings, every_eps, min_samples, output, bars)
    files = [str(output / name) for name in ("sweep.json", "sweep.png")]

    def show() -> None:
        _print(swept)
        if swept.best.eps == every_eps[-1] < 2:
            typer.echo(f"The best is the largest eps tried: try larger ones, --eps {_beyond(every_eps)}")
        typer.echo(f"wrote {' and '.join(files)}")

    document = {
        "files": files,
        "postings": swept.postings,
        "groups": swept.groups,
        "best": asdict(swept.best),
        "records": [asdict(record) for record in swept.records],
    }
    return Outcome(document, show)


def parse_eps(text: str) -> list[float]:
    """`START:STOP:STEP`, the stop left out, or values with commas between them; raises SettingsError."""
    expected = "--eps: expected START:STOP:STEP with START < STOP and STEP > 0, or values with commas between them"
    try:
        if ":" in text:
            start, stop, step = map(float, text.split(":"))
            # sums of binary fractions miss the decimals meant, by less than a millionth of a step
            values = [
                round(start + i * step, 12) for i in range(min(math.ceil((stop - start) / step - 1e-6), _MAX_EPS + 1))
            ]
        else:
            values = [float(value) for value in text.split(",")]
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise SettingsError(f"{expected}; got {text!r}") from error
    if not values or not all(0 <= value <= 2 for value in values) or len(values) > _MAX_EPS:
        raise SettingsError(f"{expected}: at most {_MAX_EPS} cosine distances in 0…2; got {text!r}")
    return sorted(set(values))


def _beyond(every_eps: list[float]) -> str:
    """A range of as many values again, behind those tried."""
    last = every_eps[-1]
    step = last - every_eps[-2] if len(every_eps) > 1 else last
    return f"{last:g}:{min(last + step * 8, 2):g}:{step:g}"


def _print(swept: "Swept") -> None:
    rows = [
        [
            f"{record.eps:g}",
            record.method,
            f"{record.f1:.4f}",
            f"{record.precision:.4f}",
            f"{record.recall:.4f}",
            record.clusters,
            record.noise,
            "◀ best" if record is swept.best else "",
        ]
        for record in swept.records
    ]
    columns = ["eps", "method", "F1", "precision", "recall", "clusters", "noise", ""]
    terminal.print_table(f"{swept.postings} postings, {swept.groups} groups", columns, rows)
