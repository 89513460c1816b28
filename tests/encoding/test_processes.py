"""Pictures are embedded in other processes, whose end is nobody's end."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from pricematch.encoding import processes as encoder_processes
from pricematch.encoding import wire as encoder_wire
from pricematch.encoding.batching import Batcher
from pricematch.encoding.bootstrap import host_encoder, load_encoder
from pricematch.encoding.embedding_worker import load
from pricematch.encoding.processes import EncoderProcesses, ProcessEmbedder, starts
from pricematch.encoding.tickets import Ticket, ticketed
from pricematch.encoding.wire import EncoderSpec
from pricematch.errors import ArtefactError, ImageCorrupt, ModelOutputError, NotReady
from pricematch.settings import Settings
from tests.support.gated_encoder import eventually, grey
from tests.support.tiny import TinyArtefacts
from tests.support.tiny_encoder_process import CRASH, FAIL, HANG, LEAVE, SAFETY_SECONDS, alone, start


class Started:
    """Starts processes, and knows them."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, there: socket.socket) -> "subprocess.Popen[bytes]":
        self.processes.append(start(there))
        return self.processes[-1]


@pytest.fixture
def started() -> Started:
    """What has been started in this test."""
    return Started()


@pytest.fixture
def processes(started: Started) -> Iterator[EncoderProcesses]:
    """Two processes."""
    processes = EncoderProcesses([started, started], SAFETY_SECONDS)
    yield processes
    processes.close()


def spec(name: str = "cae", version: str = "1") -> EncoderSpec:
    """Of an encoder that the tiny process takes for one."""
    return EncoderSpec(
        models=Path("models"),
        name=name,
        version=version,
        weights=(),
        precision="float32",
        side=2,
        max_pixels=9,
        min_side=1,
    )


def held(processes: EncoderProcesses, version: str = "1") -> ProcessEmbedder:
    """An encoder that is loaded."""
    return processes.embedder(spec(version=version), {"cae": version}, 4)


def test_they_give_what_the_encoder_gives_and_why_a_picture_is_bad(processes: EncoderProcesses) -> None:
    embedder = held(processes)
    found = embedder.embed([*grey(5), b"", *grey(6)])
    np.testing.assert_array_equal(found.embeddings, alone(5, 6))
    assert [type(error) for error in found.errors] == [type(None), ImageCorrupt, type(None)]
    assert str(found.errors[1]) == "it has no pixels"
    assert found.decode_seconds >= 0
    assert (embedder.dimension, embedder.versions) == (4, {"cae": "1"})
    assert embedder.embed([b""]).embeddings.shape == (0, 4)


def test_none_is_started_before_it_is_needed_and_all_are_with_the_first_encoder(
    processes: EncoderProcesses, started: Started
) -> None:
    assert started.processes == []
    held(processes)
    assert len(started.processes) == 2


def test_many_who_ask_at_once_get_their_own(processes: EncoderProcesses) -> None:
    embedder = held(processes)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda value: embedder.embed(grey(value)).embeddings, range(200)))
    np.testing.assert_array_equal(np.concatenate(found), alone(*range(200)))


@pytest.mark.parametrize(("picture", "why"), [(CRASH, "SIGKILL"), (LEAVE, "exit code 3")])
def test_one_that_ends_is_told_of_and_another_takes_its_place(
    processes: EncoderProcesses, started: Started, picture: bytes, why: str
) -> None:
    embedder = held(processes)
    for _ in range(3):
        with pytest.raises(ModelOutputError, match=f"the process that encodes ended with {why}"):
            embedder.embed([picture])
    for value in range(2):
        np.testing.assert_array_equal(embedder.embed(grey(value)).embeddings, alone(value))
    assert len(started.processes) == 5


def test_fault_39_a_picture_that_ends_a_process_fails_alone(processes: EncoderProcesses) -> None:
    batcher = Batcher(threads=1)
    embedder = batcher.over(held(processes))

    def ask(image: bytes) -> object:
        with ticketed(Ticket(SAFETY_SECONDS)):
            return embedder.embed([image]).embeddings

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, image) for image in [*grey(1), CRASH, *grey(2, 3)] * 2]
        for future, value in zip(asked, (1, None, 2, 3) * 2, strict=True):
            if value is None:
                with pytest.raises(ModelOutputError):
                    future.result(SAFETY_SECONDS)
            else:
                np.testing.assert_array_equal(future.result(SAFETY_SECONDS), alone(value))
    batcher.close()


def test_fault_39_one_that_hangs_is_ended_and_another_takes_its_place(started: Started) -> None:
    processes = EncoderProcesses([started], 5)
    embedder = held(processes)
    processes._every[0]._connection.settimeout(0.1)  # type: ignore[union-attr]  # to start takes longer than that
    with pytest.raises(ModelOutputError, match="took longer than 5 s"):
        embedder.embed([HANG])
    np.testing.assert_array_equal(embedder.embed(grey(1)).embeddings, alone(1))
    assert [process.poll() for process in started.processes] == [-signal.SIGKILL, None]
    processes.close()


def test_one_whose_answer_was_not_read_to_its_end_is_not_asked_again(
    processes: EncoderProcesses, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = held(processes)
    with monkeypatch.context() as patched:
        patched.setattr(encoder_wire, "_exactly", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            embedder.embed(grey(5))
    for value in range(3):
        np.testing.assert_array_equal(embedder.embed(grey(value)).embeddings, alone(value))
    assert len(started.processes) == 3


def test_nobody_notices_that_one_has_ended_while_it_had_nothing_to_do(
    processes: EncoderProcesses, started: Started
) -> None:
    embedder = held(processes)
    for process in started.processes:
        process.kill()
        process.wait()
    for value in range(2):
        np.testing.assert_array_equal(embedder.embed(grey(value)).embeddings, alone(value))


def test_whatever_goes_wrong_in_it_a_process_goes_on(processes: EncoderProcesses, started: Started) -> None:
    embedder = held(processes)
    with pytest.raises(ModelOutputError, match="MemoryError: no room"):
        embedder.embed([FAIL])
    np.testing.assert_array_equal(embedder.embed(grey(1)).embeddings, alone(1))
    assert len(started.processes) == 2


def test_an_encoder_is_forgotten_when_nobody_holds_it_any_more(processes: EncoderProcesses) -> None:
    one, other = held(processes, "1"), held(processes, "2")
    assert one.embed(grey(1)).embeddings[0, 3] == 2
    del one
    for _ in range(2):
        assert other.embed(grey(1)).embeddings[0, 3] == 1


def test_an_encoder_that_does_not_load_is_refused_and_the_others_stay(processes: EncoderProcesses) -> None:
    embedder = held(processes)
    with pytest.raises(ArtefactError, match="there is no absent"):
        processes.embedder(spec("absent"), {}, 4)
    for value in range(4):
        np.testing.assert_array_equal(embedder.embed(grey(value)).embeddings, alone(value))


def test_closing_ends_all_also_one_that_is_at_something(processes: EncoderProcesses, started: Started) -> None:
    embedder = held(processes)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            embedder.embed([HANG])
        except ModelOutputError as error:
            failed.append(error)

    asking = Thread(target=ask)
    asking.start()
    eventually(lambda: processes._free.qsize() == 1)
    processes.close()
    asking.join(SAFETY_SECONDS)
    assert len(failed) == 1
    assert all(process.poll() is not None for process in started.processes)
    with pytest.raises(NotReady):
        embedder.embed(grey(1))


def test_one_ends_by_itself_when_the_service_is_gone() -> None:
    here, there = socket.socketpair()
    with there:
        process = start(there)
    here.close()
    assert process.wait(SAFETY_SECONDS) == 0


@pytest.mark.parametrize(
    ("processors", "count", "threads", "own"),
    [({3, 5}, 2, 1, [3, 5]), ({0, 1, 2, 3}, 2, 2, [None, None]), ({0}, 2, 1, [None, None]), ({7}, 1, 1, [7])],
)
def test_each_has_a_processor_of_its_own_if_there_are_as_many_and_threads_for_its_share_otherwise(
    monkeypatch: pytest.MonkeyPatch, processors: set[int], count: int, threads: int, own: list[int | None]
) -> None:
    seen: list[tuple[int, int | None]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: processors)
    monkeypatch.setattr(encoder_processes, "_started", lambda threads, processor, _: seen.append((threads, processor)))
    with socket.socket() as nowhere:
        for one in starts(count):
            one(nowhere)
    assert seen == [(threads, processor) for processor in own]


def test_exported_models_give_there_what_they_give_here_to_the_bit(tiny_artefacts: TinyArtefacts) -> None:
    settings = Settings(models=tiny_artefacts.models, precision="float32", encoder="autoencoder")
    images = [path.read_bytes() for path in sorted(tiny_artefacts.images.iterdir())]
    here = load_encoder(settings, tiny_artefacts.chain(), lambda *_: None)
    processes = EncoderProcesses(starts(2), SAFETY_SECONDS)
    there = host_encoder(settings, tiny_artefacts.chain(), processes, lambda *_: None)
    assert (there.key, there.dimension, there.versions) == (here.key, here.dimension, here.versions)
    np.testing.assert_array_equal(there.embed(images)[0], here.embed(images)[0])
    with pytest.raises(ImageCorrupt):
        there.encode(images[0][:-50])
    for process in processes.ids():
        assert os.getpriority(os.PRIO_PROCESS, process) > os.getpriority(os.PRIO_PROCESS, 0)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # as from a terminal that is closed
            os.kill(process, ignored)
    before = processes.ids()
    np.testing.assert_array_equal(there.embed(images)[0], here.embed(images)[0])
    assert processes.ids() == before
    processes.close()


def test_models_that_were_replaced_meanwhile_are_not_loaded(tiny_artefacts: TinyArtefacts) -> None:
    asked = spec("autoencoder").model_copy(update={"models": tiny_artefacts.models, "weights": ("0", "1")})
    with pytest.raises(ArtefactError, match="has other weights than when the service began with it"):
        load(asked)
