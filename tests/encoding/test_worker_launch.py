"""Worker processes that are launched before anything calls them."""

import os
import signal
import sys

import pytest

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding import worker_launch
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.worker_launch import LaunchedWorker, launched_workers, worker_commands
from pricematch.settings import Settings
from tests.support.tiny_worker import COMMAND, plain

pytestmark = [pytest.mark.process, pytest.mark.anyio]
LIMITS = Settings(workers=1, max_pixels=10**6, min_image_side=1)


async def test_a_process_that_was_launched_already_is_taken() -> None:
    """The first start takes it, and it encodes like any other."""
    launched = LaunchedWorker(COMMAND)
    async with Encoding(LIMITS, commands=[COMMAND], launched=[launched]) as it:
        assert it.pool.pids == []
        await it.pool.load([])
        assert it.pool.pids == [launched.process.pid]
        [found] = await it.encode([plain(1, 2, 3)], Wanted(phash=True))
    assert isinstance(found, ImageFeatures)
    assert launched.process.returncode == -signal.SIGKILL


async def test_one_that_ended_before_it_was_taken_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """How it ended is logged."""
    launched = LaunchedWorker(["false"])
    launched.process.wait()
    async with Encoding(LIMITS, commands=[COMMAND], launched=[launched]) as it:
        await it.pool.load([])
        assert it.pool.ready == (1, 1)
    assert "the process that encodes ended with exit code 1, while it loaded the models" in caplog.text


def test_those_that_nobody_took_end_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left behind by a service that could not start."""
    monkeypatch.setattr(worker_launch, "worker_commands", lambda count: [COMMAND] * count)
    with launched_workers(2) as launched:
        assert [it.process.poll() for it in launched] == [None, None]
    assert [it.process.returncode for it in launched] == [-signal.SIGKILL] * 2


def test_what_cannot_be_launched_is_left_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service starts without it, and says why when it needs it."""
    monkeypatch.setattr(worker_launch, "worker_commands", lambda _: [COMMAND, ["/nowhere/python"], COMMAND])
    with launched_workers(3) as launched:
        assert len(launched) == 1


def test_signals_of_a_terminal_do_not_reach_it_while_it_imports() -> None:
    """They are for the service, which hears those that come while a process is launched as well."""
    program = "import signal, sys; sys.exit(not {1, 2, 15} <= signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    launched = LaunchedWorker([sys.executable, "-c", program])
    assert launched.process.wait() == 0
    launched.end()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize(
    ("processors", "count", "expected"),
    [({3, 5}, 2, ["1 3", "1 5"]), ({0, 1, 2, 3}, 2, ["2", "2"]), ({0}, 2, ["1", "1"]), ({7}, 1, ["1 7"])],
)
def test_processors_are_shared_out(
    monkeypatch: pytest.MonkeyPatch, processors: set[int], count: int, expected: list[str]
) -> None:
    """Each process has one of its own if there are as many, and threads for its share otherwise."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: processors)
    commands = worker_commands(count)
    assert [" ".join(command[4:]) for command in commands] == expected
    assert {tuple(command[:4]) for command in commands} == {(sys.executable, "-P", "-m", "pricematch.encoding.worker")}
