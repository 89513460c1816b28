"""What a person sees: progress as bars or lines, tables, and Ctrl-C that waits for the running step."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pricematch.progress import Lines, NotedProgress, ticking

if TYPE_CHECKING:
    from pricematch.learning.train_matcher import TrainedMatcher
    from pricematch.training.fit import Step, Watch
    from pricematch.training.trainer import Trained

INTERRUPTED = 130


class Bars:
    """One progress bar, on stderr, per thing that is being done. Call it with what, how many are done, of how many."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` are done."""
        if what not in self._tasks:
            self._progress.start()
            self._tasks[what] = self._progress.add_task(what, total=total, note=note)
        self._progress.update(self._tasks[what], completed=done, total=total, note=note)


def _is_terminal() -> bool:
    """Whether what is drawn on stderr can be drawn over, whatever FORCE_COLOR says of its colours."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _to_stderr(line: str) -> None:
    typer.echo(line, err=True)  # which flushes


@contextmanager
def progress_bars(write: Callable[[str], None] | None = None) -> Iterator[NotedProgress]:
    """Bars on a terminal, which stay there, finished, after the block; lines elsewhere, such as in a container's log.

    Args:
        write: takes those lines, of steps alone; None: stderr takes them, and hears of the time between steps too.
    """
    if not _is_terminal():
        with ticking(Lines(write or _to_stderr, between=write is None)) as lines:
            yield lines
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    progress = Progress(*columns, console=_console(stderr=True))
    try:
        yield Bars(progress)
    finally:
        if progress.tasks:  # without a bar there is nothing to end, not even a line
            progress.stop()


@contextmanager
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """A question that is answered True once Ctrl-C was pressed; a second press ends the process at once.

    The second does not raise KeyboardInterrupt, which native code between it and us may swallow. Nothing is lost by it:
    files on disk are whole at any moment.
    """
    pressed = False

    def on_press(_: int, __: FrameType | None) -> None:
        nonlocal pressed
        console = Console(stderr=True)
        if pressed:
            console.show_cursor()
            os._exit(INTERRUPTED)
        pressed = True
        console.print("stopping after this step; press Ctrl-C again to stop at once")

    before = signal.signal(signal.SIGINT, on_press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def training_bar(bars: NotedProgress) -> "Watch":
    """A bar, or lines, per network that shows epoch and loss."""

    def watch(step: "Step") -> None:
        done = (step.epoch - 1) * step.steps + step.step
        note = f"epoch {step.epoch} of {step.epochs}, loss {step.loss:.5f}"
        bars(f"Training {step.network}", done, step.epochs * step.steps, note)

    return watch


def print_trained(trained: "Sequence[Trained]") -> None:
    """What was trained: images, epochs, seconds, losses."""
    rows = []
    for network in trained:
        fitted, losses = network.fitted, network.fitted.losses
        kept = fitted.kept_epoch - 1
        epochs = f"{len(losses.get('loss', []))} (kept {fitted.kept_epoch})"
        shown = [_shown(losses.get(name), at) for name, at in (("loss", 0), ("loss", kept), ("validation_loss", kept))]
        counts = network.path, fitted.training_rows, fitted.validation_rows, epochs, f"{fitted.seconds:.0f}"
        rows.append([*counts, *shown])
    columns = ["written", "images", "held out", "epochs", "seconds", "first loss", "loss", "held-out loss"]
    print_table("Trained", columns, rows)


def print_retrieval(trained: "Sequence[Trained]") -> None:
    """How well the label groups that were held out are found again, before and after each stage."""
    rows = [
        [network.path, name.removesuffix("held_out_map").replace("_", " ").strip() or "embedding", *ends]
        for network in trained
        for name, maps in network.fitted.losses.items()
        if name.endswith("held_out_map")
        for ends in [(f"{maps[0]:.3f}", f"{max(maps):.3f}")]
    ]
    if rows:
        print_table("mAP@5 on held-out label groups", ["written", "stage", "before", "kept"], rows)


def print_thresholds(trained: "Sequence[Trained]") -> None:
    """From which similarity on a posting is a match by each encoder, and what that was picked on."""
    rows = []
    for network in trained:
        cells: tuple[object, ...] = ("none", *["–"] * 4)
        if (it := network.threshold) is not None:
            cells = f"{it.threshold:.4f}", f"{it.mean_f1:.3f}", it.postings, it.groups, it.catalogue
        rows.append([network.path, *cells])
    columns = ["written", "threshold", "mean F1 there", "evaluated postings", "label groups", "searched postings"]
    print_table("Similarity from which on a posting is a match, where no matcher decides", columns, rows)


def print_matcher(trained: "TrainedMatcher") -> None:
    """How good a matcher is on label groups that were held out, at every size of the catalogue, and its thresholds.

    One that was not written is told in one sentence.
    """
    from pricematch.pairs.thresholds import TARGETS

    fitted = trained.fitted
    if trained.path is None:
        typer.echo(f"not written, the default matcher stays: {fitted.comparison}; --force writes it")
        return
    counts = f"{fitted.postings} postings, {fitted.groups} label groups, {fitted.pairs} candidate pairs"
    rows = []
    for held_out in fitted.held_out:
        thresholds = [fitted.thresholds.at(target, held_out.postings).match for target in TARGETS]
        figures = (held_out.f1, held_out.precision, held_out.recall, held_out.candidate_recall)
        errors = (held_out.brier, held_out.calibration_error, held_out.calibration_error_likely)
        rows.append(
            [
                held_out.postings,
                *(f"{figure:.3f}" for figure in figures),
                *(f"{error:.4f}" for error in errors),
                *("none" if threshold == float("inf") else f"{threshold:.3f}" for threshold in thresholds),
            ]
        )
    columns = ["postings", "F1", "precision", "recall", "candidate recall", "Brier", "ECE", "ECE p ≥ 0.05"]
    print_table(f"{trained.path}: {counts}, {trained.seconds:.0f} s; held out", [*columns, *map(str, TARGETS)], rows)
    if fitted.comparison is not None:
        typer.echo(str(fitted.comparison))


def _shown(losses: Sequence[float] | None, epoch: int) -> str:
    """The loss of an epoch, or a dash where there is none."""
    return f"{losses[epoch]:.5f}" if losses and 0 <= epoch < len(losses) else "–"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; wider than the terminal only where it is no terminal.

    Title and cells are shown as they are: nothing in them is markup, and what would steer the terminal is replaced.
    """
    table = Table(title=Text(_printable(title)), title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(_printable(str(cell))) for cell in row))
    _console(stderr=False).print(table)


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() or mark == "\n" else "�" for mark in text)


def _console(*, stderr: bool) -> Console:
    """A console as wide as the terminal, or wide enough where it is none."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=160)
