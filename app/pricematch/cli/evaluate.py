"""`pricematch evaluate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome
from pricematch.settings import load_settings

if TYPE_CHECKING:
    from pricematch.evaluation.matcher_evaluation import MatchedSize, MatcherEvaluation
    from pricematch.evaluation.metrics import PairScores
    from pricematch.evaluation.signal_evaluation import Evaluation, Measured, MeasuredSignals

_SHOWN_KS = (1, 5, 10)
_SHOWN_TARGET = "precision:0.95"


def evaluate(
    output: options.OutputFolder,
    catalogue: options.Catalogue = None,
    signals: options.Signals = "hash,title",
    images: options.ImagesIfAny = None,
    models: options.Models = None,
    embeddings: options.EmbeddingArray = None,
    data: options.Data = None,
    namespace: options.Namespace = None,
    encoder: options.Encoder = None,
    encoder_version: options.EncoderVersion = None,
    folds: Annotated[
        int, typer.Option(min=2, max=100, help="Parts of the label groups; scored at the thresholds of the others.")
    ] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds, the interval and the smaller catalogues.")] = 0,
    matcher: Annotated[
        str | None,
        typer.Option(
            metavar="auto|default|VERSION",
            help="Evaluate a matcher as well, a trained one on the label groups it was not trained on.",
        ),
    ] = None,
    verdicts: options.Verdicts = None,
    skip_bad_images: options.SkipBadImages = None,
) -> Outcome:
    """Evaluate on a labelled catalogue how well signals find postings of the same product, and pick their thresholds.

    Writes report.json, which `pricematch submit` takes, and report.html into the output folder.
    """
    from pricematch.evaluation.catalogue_evaluation import EvaluateOptions
    from pricematch.evaluation.load_features import check_embeddings, parse_signals
    from pricematch.reports.evaluation import PAGE, REPORT
    from pricematch.reports.evaluation import evaluate as run

    chosen = EvaluateOptions(parse_signals(signals), embeddings, folds, seed, matcher, verdicts)
    check_embeddings(chosen.signals, embeddings)
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
    with terminal.progress_bars() as bars:
        found = run(settings, chosen, output, bars)
    files = [str(output / name) for name in (REPORT, PAGE)]

    def show() -> None:
        _print(found.signals)
        if found.matched is not None:
            _print_matched(found.signals, found.matched, str(found.matcher))
        typer.echo(f"wrote {' and '.join(files)}")

    return Outcome({"files": files, "report": found.report()}, show)


def _print(found: "Evaluation") -> None:
    """A column a signal, which fits a narrow terminal."""
    columns = [_cells(found, one) for one in found.measured.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    terminal.print_table("Held out; means per posting, pairwise over all pairs", ["", *found.measured], rows)
    if "hash" in found.curves:
        _print_distances(found)


def _print_matched(found: "Evaluation", matched: "MatcherEvaluation", matcher: str) -> None:
    """The signals and the matcher on the same postings, what its probabilities are worth, and the catalogue's size."""
    from pricematch.evaluation.catalogue_evaluation import compared

    rows = [
        [name, *(f"{value:.4f}" for value in (one.mean_f1, one.mean_precision, one.mean_recall, one.b_cubed_f1))]
        for name, one in compared(found, matched).items()
    ]
    title = f"{matcher}, and the signals, on {matched.evaluated.sum()} postings of groups it was not trained on"
    terminal.print_table(title, ["", "F1", "precision", "recall", "B-cubed F1"], rows)
    figures = {
        "95 % of F1": f"{matched.interval[0]:.4f}–{matched.interval[1]:.4f}",
        "pairwise F1": f"{matched.pairwise.f1:.4f}",
        "threshold, and for a posting left alone": ", ".join(
            map(_least, (matched.thresholds.match, matched.thresholds.fallback))
        ),
        "true pairs among candidates": f"{matched.candidate_recall:.4f}",
        **_ranking(matched),
        "Brier score": f"{matched.brier:.5f}",
        "expected calibration error": f"{matched.calibration_error:.4f}",
        "of candidates of 0.05 and more": f"{matched.calibration_error_likely:.4f}",
        **{
            f"target {target}": f"{_right(pairs)} of its answers right, {pairs.recall:.4f} of true pairs found"
            for target, pairs in matched.targets.items()
        },
    }
    terminal.print_table(matcher, ["", ""], [[name, figure] for name, figure in figures.items()])
    sizes = [
        [f"{point.postings}{_times(point)}", _least(point.threshold), f"{point.f1:.4f}", f"{point.f1_fixed:.4f}"]
        for point in matched.by_catalogue_size
    ]
    if sentence := matched.shrunk.sentence(matcher):
        typer.echo(sentence)
    columns = ["postings", "stored threshold", "F1", "F1 at the threshold of the whole"]
    terminal.print_table(f"{matcher} by the size of the catalogue", columns, sizes)
    _print_sized_target(matched, matcher)


def _print_sized_target(matched: "MatcherEvaluation", matcher: str) -> None:
    """Precision and recall at the threshold stored for each size, and at one threshold for all."""
    from pricematch.pairs.thresholds import Target

    target = Target.parse(_SHOWN_TARGET)
    rows = [
        [
            f"{point.postings}{_times(point)}",
            _least(point.targets[target].threshold),
            *(f"{_right(it)}, {it.recall:.4f}" for it in (point.targets[target].stored, point.targets[target].fixed)),
        ]
        for point in matched.by_catalogue_size
        if target in point.targets
    ]
    columns = ["postings", "stored threshold", "precision, recall", "at the threshold of the whole"]
    terminal.print_table(f"{matcher}, target {target}, by the size of the catalogue", columns, rows)


def _least(threshold: float) -> str:
    """From which probability on a posting is a match."""
    return f"{threshold:.4f}" if threshold <= 1 else "never"


def _times(point: "MatchedSize") -> str:
    """How many catalogues of one size were drawn, if not one."""
    return f" × {point.draws}" if point.draws > 1 else ""


def _right(pairs: "PairScores") -> str:
    """The share of the answers that is right."""
    return f"{pairs.precision:.4f}" if pairs.answered else "–"


def _ranking(one: "Measured") -> dict[str, str]:
    recalls = {f"recall@{k}": f"{one.recall_at_k[k]:.4f}" for k in _SHOWN_KS}
    return recalls | {f"mAP@{k}": f"{one.map_at_k[k]:.4f}" for k in _SHOWN_KS}


def _cells(found: "Evaluation", one: "MeasuredSignals") -> dict[str, str]:
    from pricematch.evaluation.signals import threshold_texts

    return {
        "postings": f"{len(found.groups)}",
        "groups": f"{found.group_count}",
        "threshold": "\n".join(threshold_texts(one.thresholds)),
        "F1": f"{one.scores.mean_f1:.4f}",
        "95 %": f"{one.interval[0]:.4f}–{one.interval[1]:.4f}",
        "precision": f"{one.scores.mean_precision:.4f}",
        "recall": f"{one.scores.mean_recall:.4f}",
        "B-cubed F1": f"{one.scores.b_cubed_f1:.4f}",
        "pairwise F1": f"{one.pairwise.f1:.4f}",
        "pairwise precision": f"{one.pairwise.precision:.4f}",
        "pairwise recall": f"{one.pairwise.recall:.4f}",
        **_ranking(one),
    }


def _print_distances(found: "Evaluation") -> None:
    """Mean F1 of equal hash, and of every Hamming distance up to 16 bits."""
    from pricematch.evaluation.curves import shown_curve
    from pricematch.pairs.image_retrievers import MAX_DISTANCE

    curve = shown_curve("hash", found.curves["hash"], MAX_DISTANCE + 1)
    rows = [[bits, f"{f1:.10f}"] for bits, f1 in enumerate(curve.f1)]
    title = f"Hash alone at every distance (not held out), {len(found.groups)} postings, {found.group_count} groups"
    terminal.print_table(title, ["Hamming distance, at most", "mean F1"], rows)
