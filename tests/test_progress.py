"""Progress as lines of text, by a clock that tests set."""

import itertools
import threading

import pytest

from pricematch import progress
from pricematch.progress import Lines, ticking
from tests.support.waiting import SAFETY_SECONDS


class Clock:
    """Tells the time it is given."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Written:
    """Lines, what they wrote, and their clock."""

    def __init__(self) -> None:
        self.clock, self.lines = Clock(), list[str]()
        self.progress = Lines(self.lines.append, self.clock)

    def after(self, seconds: float) -> list[str]:
        """What is written by then without another report."""
        self.clock.now += seconds
        before = len(self.lines)
        self.progress.tick()
        return self.lines[before:]


@pytest.fixture
def written() -> Written:
    """Lines by a clock of the test."""
    return Written()


def test_a_step_has_a_line_at_its_start_every_ten_seconds_and_its_end(written: Written) -> None:
    """Each says how many of how many, how fast, and what is left (fault F13)."""
    for done in range(0, 401, 10):
        written.progress("Encoding images", done, 400)
        written.clock.now += 1
    assert written.lines == [
        "Encoding images: 0 of 400 (0%)",
        "Encoding images: 100 of 400 (25%), 10 s so far, 10/s, 30 s left",
        "Encoding images: 200 of 400 (50%), 20 s so far, 10/s, 20 s left",
        "Encoding images: 300 of 400 (75%), 30 s so far, 10/s, 10 s left",
        "Encoding images: 400 of 400 (100%) in 40 s, 10/s",
    ]


def test_a_step_that_reports_nothing_is_not_silent(written: Written) -> None:
    """Time alone brings the line that is due, and none before (fault F13)."""
    written.progress("Comparing postings", 0, 1)
    assert written.after(9) == []
    assert written.after(1) == ["Comparing postings: 0 of 1 (0%), 10 s so far"]
    assert written.after(5) == []
    assert written.after(185) == ["Comparing postings: 0 of 1 (0%), 3 min so far"]
    written.progress("Comparing postings", 1, 1)
    assert written.lines[-1] == "Comparing postings: 1 of 1 (100%) in 3 min"
    assert written.after(1000) == []


def test_steps_go_on_beside_each_other(written: Written) -> None:
    """Each has its own lines (fault F13)."""
    written.progress("Reading", 0, 10)
    written.progress("Training cae", 5, 100, "epoch 1 of 20, loss 0.50000")
    assert written.after(10) == [
        "Reading: 0 of 10 (0%), 10 s so far",
        "Training cae: 5 of 100 (5%), 10 s so far, epoch 1 of 20, loss 0.50000",
    ]


def test_a_step_goes_on_from_where_it_was(written: Written) -> None:
    """What was done before counts neither for the rate nor for the time left (fault F13)."""
    written.progress("Training", 500, 1000)
    written.clock.now += 10
    written.progress("Training", 510, 1000)
    assert written.lines[-1] == "Training: 510 of 1000 (51%), 10 s so far, 1.0/s, 8 min left"


@pytest.mark.parametrize(
    ("done", "seconds", "expected"),
    [(2, 600, "0.2/min, 8.2 h left"), (30, 10, "3.0/s, 23 s left"), (50, 7000, "0.4/min, 117 min left")],
)
def test_rates_and_times_are_readable(written: Written, done: int, seconds: float, expected: str) -> None:
    """Minutes and hours where seconds would be many (fault F13)."""
    written.progress("Slow", 0, 100)
    written.clock.now += seconds
    written.progress("Slow", done, 100)
    assert written.lines[-1].endswith(expected)


def test_a_step_may_come_again_and_ends_once(written: Written) -> None:
    """A second report of its end is none, a new beginning is one (fault F13)."""
    for _ in range(2):
        written.progress("Smaller catalogues", 0, 2)
        written.progress("Smaller catalogues", 2, 2)
        written.progress("Smaller catalogues", 2, 2)
    assert written.lines == ["Smaller catalogues: 0 of 2 (0%)", "Smaller catalogues: 2 of 2 (100%) in 0 s"] * 2


def test_nothing_to_do_is_not_told(written: Written) -> None:
    """A step of nothing has no line."""
    written.progress("Encoding images", 0, 0)
    assert written.after(100) == []
    assert written.lines == []


def test_time_goes_by_until_the_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of its own writes what is due, and ends (fault F13)."""
    monkeypatch.setattr(progress, "SECONDS", 0.001)
    came = threading.Event()
    hurrying = itertools.count(0.0, 100.0)
    lines = Lines(lambda line: came.set() if "so far" in line else None, lambda: next(hurrying))
    with ticking(lines):
        lines("Waiting", 0, 2)
        assert came.wait(SAFETY_SECONDS)
    assert "progress" not in [thread.name for thread in threading.enumerate()]
