"""`pricematch evaluate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from app import terminal
from app.commands.options import (
    Catalogue,
    Data,
    EmbeddingArray,
    Encoder,
    EncoderVersion,
    ImagesIfAny,
    Models,
    OutputFolder,
    Signals,
    SkipBadImages,
)
from app.settings import load_settings

if TYPE_CHECKING:
    from app.matching.evaluation.evaluate import Evaluation
    from app.matching.evaluation.held_out import Measured

_SHOWN_KS = (1, 5, 10)


def evaluate(
    output: OutputFolder,
    catalogue: Catalogue = None,
    signals: Signals = "hash,title",
    images: ImagesIfAny = None,
    models: Models = None,
    embeddings: EmbeddingArray = None,
    data: Data = None,
    encoder: Encoder = None,
    encoder_version: EncoderVersion = None,
    folds: Annotated[
        int, typer.Option(min=2, max=100, help="Parts of the label groups; each is judged at the others' thresholds.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds, the interval and the smaller catalogues.")] = 0,
    skip_bad_images: SkipBadImages = None,
) -> None:
    """Judge on a labelled catalogue how well signals find the postings of the same product, and pick their thresholds.

    Writes report.json, which `pricematch submit` takes, and report.html into the output folder.
    """
    from app.offline.evaluate import PAGE, REPORT, EvaluateOptions
    from app.offline.evaluate import evaluate as run
    from app.offline.signals import check_embeddings, parse_signals

    options = EvaluateOptions(parse_signals(signals), embeddings, folds, seed)
    check_embeddings(options.signals, embeddings)
    settings = load_settings(
        catalogue=catalogue,
        images=images,
        models=models,
        data=data,
        encoder=encoder,
        encoder_version=encoder_version,
        skip_bad_images=skip_bad_images,
    )
    with terminal.progress_bars() as bars:
        found = run(settings, options, output, bars)
    _print(found)
    typer.echo(f"wrote {output / REPORT} and {output / PAGE}")


def _print(found: "Evaluation") -> None:
    """A column a signal, which fits a narrow terminal."""
    from app.reports.evaluation import TOGETHER

    measured = dict(found.alone) | ({TOGETHER: found.together} if len(found.alone) > 1 else {})
    columns = [_cells(found, one) for one in measured.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    terminal.print_table("Held out, mean per posting", ["", *measured], rows)
    if "hash" in found.curves:
        _print_distances(found)


def _cells(found: "Evaluation", one: "Measured") -> dict[str, str]:
    from app.reports.evaluation import threshold_texts

    return {
        "postings": f"{len(found.groups)}",
        "groups": f"{found.group_count}",
        "threshold": "\n".join(threshold_texts(one.thresholds)),
        "F1": f"{one.scores.mean_f1:.4f}",
        "95 %": f"{one.interval[0]:.4f}–{one.interval[1]:.4f}",
        "precision": f"{one.scores.mean_precision:.4f}",
        "recall": f"{one.scores.mean_recall:.4f}",
        **{f"recall@{k}": f"{one.recall_at_k[k]:.4f}" for k in _SHOWN_KS},
        **{f"mAP@{k}": f"{one.map_at_k[k]:.4f}" for k in _SHOWN_KS},
    }


def _print_distances(found: "Evaluation") -> None:
    """Mean F1 of equal hash, and of every Hamming distance up to 16 bits."""
    from app.matching.evaluation.curves import shown_curve
    from app.matching.signals import MAX_DISTANCE

    curve = shown_curve("hash", found.curves["hash"], MAX_DISTANCE + 1)
    rows = [[str(bits), f"{f1:.10f}"] for bits, f1 in enumerate(curve.f1)]
    title = f"Hash alone at every distance (not held out), {len(found.groups)} postings, {found.group_count} groups"
    terminal.print_table(title, ["Hamming distance, at most", "mean F1"], rows)
