"""What a person at a terminal sees."""

import io
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from pricematch.cli import terminal
from pricematch.cli.terminal import (
    INTERRUPTED,
    Bars,
    ctrl_c,
    print_retrieval,
    print_table,
    print_thresholds,
    print_trained,
    progress_bars,
)
from pricematch.evaluation.curves import SimilarityThreshold
from tests.support.waiting import SAFETY_SECONDS


def press() -> None:
    # to this thread: threads of OpenVINO, which other tests leave behind, do not survive a signal on every processor
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_reported_once_requested() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ctrl_c() as interrupted:
        assert not interrupted()
        press()
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.process
def test_a_second_ctrl_c_ends_the_process() -> None:
    """Even where the interrupt would be swallowed."""
    program = """
import os, signal
from pricematch.cli.terminal import ctrl_c
with ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass
    print("went on")
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SAFETY_SECONDS)
    assert (done.returncode, done.stdout) == (INTERRUPTED, "")
    assert "press Ctrl-C again" in done.stderr


def test_after_the_block_ctrl_c_is_as_before() -> None:
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell lets it be ignored
    try:
        with ctrl_c():
            pass
        with pytest.raises(KeyboardInterrupt):
            press()
    finally:
        signal.signal(signal.SIGINT, outside)


def test_bars_are_one_per_thing_that_is_done() -> None:
    progress = Progress(TextColumn("{task.fields[note]}"), console=Console(file=io.StringIO()), auto_refresh=False)
    bars = Bars(progress)
    bars("Reading", 1, 3)
    bars("Encoding", 0, 5, "slow")
    bars("Reading", 3, 3)
    progress.stop()
    assert [(task.description, task.completed, task.total) for task in progress.tasks] == [
        ("Reading", 3, 3),
        ("Encoding", 0, 5),
    ]
    assert progress.tasks[1].fields == {"note": "slow"}


def test_a_table_that_is_piped_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = str(Path("models") / ("x" * 100))
    print_table("Trained", ["written", "images"], [[long, "7"]])
    assert long in capsys.readouterr().out


def test_nothing_in_a_table_is_markup_and_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        "[red]Matches[/red] [/x]", ["title"], [["[bold]tas[/bold] [/x]"], ["\x1b[31mred\a\u202egnp"], ["two\nlines"]]
    )
    out = capsys.readouterr().out
    assert "[red]Matches[/red] [/x]" in out
    assert "[bold]tas[/bold] [/x]" in out
    assert "�[31mred��gnp" in out
    assert [line.strip("│ ") for line in out.splitlines()][-3:-1] == ["two", "lines"]


@dataclass(frozen=True)
class Ended:
    """What came of a training, as far as it is shown."""

    losses: dict[str, list[float]]
    kept_epoch: int
    training_rows: int = 7
    validation_rows: int = 2
    seconds: float = 3.4


@dataclass(frozen=True)
class Network:
    """An exported network."""

    fitted: Ended
    name: str = "cnn"
    path: Path = Path("models/cnn/1")
    threshold: SimilarityThreshold | None = None


def cells(out: str, first: str) -> list[str]:
    """The cells of the line that begins with a cell."""
    [line] = [line for line in out.splitlines() if line.startswith(f"│ {first}")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_training_is_shown_with_first_and_kept_loss(
    capsys: pytest.CaptureFixture[str],
) -> None:
    losses = {"loss": [0.5, 0.25, 0.125], "validation_loss": [0.6, 0.3, 0.4]}
    print_trained([Network(Ended(losses, kept_epoch=2))])  # type: ignore[list-item]  # as much of it as is shown
    assert cells(capsys.readouterr().out, "models") == [
        "models/cnn/1", "7", "2", "3 (kept 2)", "3", "0.50000", "0.25000", "0.30000",
    ]  # fmt: skip


def test_a_training_without_epochs_shows_no_loss(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nor does one whose beginning was the best."""
    for losses, first in (({}, "–"), ({"loss": [0.5]}, "0.50000")):
        network = Network(Ended(losses, kept_epoch=0))
        print_trained([network])  # type: ignore[list-item]
        print_retrieval([network])  # type: ignore[list-item]
        out = capsys.readouterr().out
        assert cells(out, "models")[5:] == [first, "–", "–"]
        assert "mAP" not in out


def test_what_training_gained_on_held_out_groups_is_shown_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    losses = {"loss": [1.0], "held_out_map": [0.25, 0.5, 0.375], "fine_tune_held_out_map": [0.5, 0.4]}
    print_retrieval([Network(Ended(losses, kept_epoch=1))])  # type: ignore[list-item]
    lines = [line.split("│")[2:5] for line in capsys.readouterr().out.splitlines() if "models" in line]
    assert [[cell.strip() for cell in line] for line in lines] == [
        ["embedding", "0.250", "0.500"],
        ["fine tune", "0.500", "0.500"],
    ]


def test_a_threshold_is_shown_with_what_it_was_picked_on(capsys: pytest.CaptureFixture[str]) -> None:
    picked = SimilarityThreshold(0.98765, 0.5, postings=4, groups=2, catalogue=9)
    for threshold, expected in ((picked, ["0.9877", "0.500", "4", "2", "9"]), (None, ["none", *["–"] * 4])):
        network = Network(Ended({}, kept_epoch=0), threshold=threshold)
        print_thresholds([network])  # type: ignore[list-item]
        assert cells(capsys.readouterr().out, "models") == ["models/cnn/1", *expected]


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is a terminal, as far as it says."""
    monkeypatch.setattr(terminal, "_is_terminal", lambda: True)


@pytest.mark.usefixtures("_terminal")
def test_bars_are_drawn_on_stderr_and_stay(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as bars:
        bars("Reading images", 1, 3)
        bars("Reading images", 3, 3)
    drawn = capsys.readouterr()
    assert drawn.out == ""
    assert "Reading images" in drawn.err
    assert "3/3" in drawn.err


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "CI"])
def test_where_there_is_no_terminal_progress_is_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever the environment says of colours, nothing steers what reads them (fault F13)."""
    monkeypatch.setenv(name, "1")
    with progress_bars() as bars:
        bars("Reading images", 1, 3)
        written_at_once = capsys.readouterr()
        bars("Reading images", 3, 3, "all of them")
    assert written_at_once == ("", "Reading images: 1 of 3 (33%)\n")
    told = capsys.readouterr().err
    assert re.fullmatch(r"Reading images: 3 of 3 \(100%\) in \d+ s(, \S+/s)?, all of them\n", told)
    assert told.replace("\n", "").isprintable()


def test_lines_may_go_to_the_log() -> None:
    """As those of a service that starts do (fault F13)."""
    lines: list[str] = []
    with progress_bars(lines.append) as bars:
        bars("Loading models", 0, 1)
    assert lines == ["Loading models: 0 of 1 (0%)"]


def test_without_a_bar_nothing_is_written_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars():
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("_terminal")
def test_bars_are_drawn_to_their_end_also_when_the_block_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with progress_bars() as bars:
            bars("Reading images", 1, 3)
            raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        fail()
    drawn = capsys.readouterr().err
    assert "1/3" in drawn
    assert drawn.endswith("\n")
