"""`pricematch submit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome
from pricematch.errors import SettingsError
from pricematch.settings import load_settings


def submit(
    output: Annotated[Path, typer.Option(help="CSV file to write: posting_id,matches.")],
    catalogue: options.Catalogue = None,
    signals: Annotated[
        str | None,
        typer.Option(help="hash, title, image: one or more, with commas between them; those of the report if absent."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="report.json of `pricematch evaluate`, whose thresholds are taken.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIGNAL=VALUE",
            help="hash=8 (bits, at most), title=0.5, image=0.9 (cosine, at least); may be given several times.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="dbscan, optics, nearest or ensemble: the notebook's clusterings of images, not signals."),
    ] = None,
    eps: Annotated[float | None, typer.Option(min=0, max=2, help="Cosine distance; needed with --method.")] = None,
    min_samples: Annotated[
        int, typer.Option(min=1, max=1000, help="Neighbours, itself included, that make a posting core.")
    ] = 2,
    matcher: Annotated[
        str | None,
        typer.Option(
            metavar="auto|default|VERSION",
            help="A matcher instead; auto is the newest trained one, or else the default.",
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(help="What the matcher's threshold is for: f1, or precision:0.90, 0.95 or 0.99."),
    ] = "f1",
    images: options.ImagesIfAny = None,
    models: options.Models = None,
    embeddings: options.EmbeddingArray = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """Write the matches of every posting of a catalogue as Kaggle's competition takes them; needs no label groups.

    A posting is a match if one signal at least says so; with --matcher, if a matcher does; with --method, if a
    clustering does. The posting itself comes first, then its matches, the surest first, 50 at most.
    """
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
    from pricematch.evaluation.load_features import check_embeddings, parse_signals
    from pricematch.formats.atomic_writes import check_output
    from pricematch.reports import submit

    if method is not None and any(option is not None for option in (signals, report, threshold)):
        raise SettingsError("expected either --method, or --signals, --report and --threshold, got both")
    if method is None and eps is not None:
        raise SettingsError("--eps: expected --method beside it, one of dbscan, optics, nearest, ensemble")
    summary: str | None = None
    if matcher is not None:
        if any(option is not None for option in (signals, report, threshold, method, eps, embeddings)):
            raise SettingsError("expected --matcher with --target alone, or other ways to decide, got both")
        with terminal.progress_bars() as bars:
            written, summary = submit.submit_matches(settings, matcher, target, output, bars)
    elif method is not None:
        how = submit.choose_clustering(method, eps, min_samples, settings.max_cluster_pairs)
        with terminal.progress_bars() as bars:
            written = submit.submit_clusters(settings, how, embeddings, output, bars)
    else:
        thresholds = submit.choose_thresholds(parse_signals(signals) if signals else (), report, threshold or [])
        check_embeddings(list(thresholds), embeddings)
        check_output(output, (report,))  # which holds the thresholds
        with terminal.progress_bars() as bars:
            written = submit.submit(settings, thresholds, embeddings, output, bars)
        summary = f"thresholds: {submit.threshold_summary(thresholds, report, written.postings)}"

    def show() -> None:
        if summary is not None:
            typer.echo(summary)
        columns = ["postings", "with a match", "matches"]
        terminal.print_table("Matches", columns, [[written.postings, written.matched, written.matches]])
        typer.echo(f"wrote {output}")

    return Outcome({"output": str(output), "decided_by": summary or method, **asdict(written)}, show)
