"""Images are encoded in other processes, whose end is nobody's end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import COLOURS, EncoderSpec, NetworkSpec, encoder_spec
from pricematch.encoding.encoding import Encoding, ImageResult
from pricematch.encoding.features import ColourHistogram, phash
from pricematch.encoding.worker_process import WorkerProcess, error_of, worker_commands
from pricematch.errors import ArtefactError, ImageCorrupt, ImageTooLarge, ModelOutputError, NotReady
from pricematch.settings import Settings
from tests.support.fakes import encoded, image_bytes, scene
from tests.support.networks import TinyArtefacts
from tests.support.tiny_worker import COMMAND, CRASH, DIMENSION, FAIL, HANG, LEAVE, MeanColour, plain
from tests.support.waiting import SAFETY_SECONDS

pytestmark = [pytest.mark.anyio, pytest.mark.process]
SIDE = 8
LIMITS = Settings(max_pixels=1000, min_image_side=8)
GREY = {value: plain(value, value, value) for value in range(8)}
MEAN = Wanted(frozenset({"mean"}))


def network(name: str = "mean") -> EncoderSpec:
    """An encoder that the tiny worker takes for one."""
    spec = NetworkSpec(models=Path("models"), name=name, version="1", weights=(), precision="float32")
    return EncoderSpec(name, SIDE, DIMENSION, network=spec)


@asynccontextmanager
async def encoding(processes: int = 1, request_seconds: float = SAFETY_SECONDS) -> AsyncIterator[Encoding]:
    """An encoding over tiny workers that have loaded a network."""
    async with Encoding(
        LIMITS.model_copy(update={"request_seconds": request_seconds}), commands=[COMMAND] * processes
    ) as found:
        assert list(found.pids) == []
        await found.load([network()])
        yield found


def assert_mean(found: list[ImageResult], *values: int) -> None:
    """The results are what the encoder gives of these greys."""
    rows = [it.embeddings["mean"] for it in found if isinstance(it, ImageFeatures)]
    pixels = np.repeat(np.array([values], np.uint8).T, 12).reshape(-1, 2, 2, 3)
    np.testing.assert_allclose(rows, MeanColour().encode(pixels), rtol=1e-6)


async def test_features_are_those_of_this_process() -> None:
    """Embeddings, colours, hash and digest are what the decoder's pixels give; a bad image gets its error."""
    image = encoded(scene((20, 30)), "JPEG")
    async with encoding() as it:
        wanted = Wanted(MEAN.encoders | {COLOURS.key}, phash=True)
        found = await it.encode([image, b"", GREY[1], image_bytes("red", (40, 30))], wanted)
    first, empty, _, large = found
    assert isinstance(first, ImageFeatures)
    decoder = PillowDecoder(SIDE, LIMITS.max_pixels)
    decoded = decoder.decoded(image)
    assert first.phash == phash(decoded)
    np.testing.assert_allclose(first.embeddings["mean"], MeanColour().encode(decoded.squeezed(SIDE)[None])[0])
    colours = ColourHistogram().encode(decoded.squeezed(COLOURS.side)[None])[0]
    np.testing.assert_allclose(first.embeddings[COLOURS.key], colours)
    assert str(empty) == "expected an image, got no bytes"
    assert isinstance(large, ImageTooLarge)


async def test_colours_and_hashes_need_no_network() -> None:
    """Nothing is loaded for them, and a batch of bad images needs nothing at all."""
    async with Encoding(LIMITS, commands=[COMMAND]) as it:
        [found] = await it.encode([GREY[3]], Wanted(frozenset({COLOURS.key}), phash=True))
        assert isinstance(found, ImageFeatures)
        assert found.embeddings[COLOURS.key].shape == (COLOURS.dimension,)
        [bad] = await it.encode([GREY[3][:40]], Wanted(frozenset({COLOURS.key})))
        assert isinstance(bad, ImageCorrupt)


async def test_many_callers_get_their_own() -> None:
    """Two processes answer many requests at once."""
    async with encoding(2) as it:
        found = await asyncio.gather(*(it.encode([GREY[number % 8]], MEAN) for number in range(60)))
    for number, results in enumerate(found):
        assert_mean(results, number % 8)


@pytest.mark.parametrize(("image", "reason"), [(CRASH, "SIGKILL"), (LEAVE, "exit code 3")], ids=["crash", "leave"])
async def test_fault_39_a_process_that_ends_is_replaced(image: bytes, reason: str) -> None:
    """The image that ended it fails, with the reason; those that were encoded with it do not."""
    async with encoding() as it:
        before = list(it.pids)
        bad, good = await asyncio.gather(
            it.encode([image], MEAN), it.encode([GREY[1], GREY[2]], MEAN), return_exceptions=True
        )
        assert isinstance(bad, ModelOutputError)
        assert str(bad) == f"the process that encodes ended with {reason}"
        assert isinstance(good, list)
        assert_mean(good, 1, 2)
        assert list(it.pids) != before


async def test_fault_39_a_process_that_hangs_is_replaced() -> None:
    """It is ended after its time for a batch, for which starting and loading do not count."""
    async with encoding(request_seconds=2) as it:
        [before] = it.pids
        with pytest.raises(ModelOutputError, match="took longer than 2 s"):
            await it.encode([HANG], MEAN)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)
        assert list(it.pids) != [before]


async def test_a_process_that_fails_goes_on() -> None:
    """Whatever was raised in it is told, and it is not replaced."""
    async with encoding() as it:
        before = list(it.pids)
        with pytest.raises(ModelOutputError, match="RuntimeError: no such luck"):
            await it.encode([FAIL], MEAN)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)
        assert list(it.pids) == before


async def test_a_process_that_ended_idle_is_replaced_unnoticed() -> None:
    """No request fails because of it."""
    async with encoding() as it:
        [before] = it.pids
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(SAFETY_SECONDS):
            while it.pids:
                await asyncio.sleep(0.01)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_a_network_that_does_not_load_is_refused() -> None:
    """Those that are loaded stay."""
    async with encoding() as it:
        with pytest.raises(ArtefactError, match="there is no absent"):
            await it.load([network("absent")])
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_closing_ends_a_process_that_is_busy() -> None:
    """Who waits hears so."""
    async with encoding() as it:
        [pid] = it.pids
        asked = asyncio.create_task(it.encode([HANG], MEAN))
        await asyncio.sleep(0)
        await it.aclose()
        with pytest.raises(NotReady):
            await asked
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_program_that_cannot_be_started_is_an_error() -> None:
    """The request fails, and so does the next."""
    async with Encoding(LIMITS, commands=[["/nowhere/python"]]) as it:
        for _ in range(2):
            with pytest.raises(ModelOutputError, match="could not be started"):
                await it.encode([GREY[1]], Wanted(phash=True))


async def test_it_ends_by_itself_when_the_service_is_gone() -> None:
    """A service that was killed leaves no process behind."""
    process = WorkerProcess(COMMAND, SAFETY_SECONDS)
    await process.load({})
    assert process._streams is not None
    assert process._process is not None
    process._streams[1].close()
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await process._process.wait() == 0
    await process.aclose()


@pytest.mark.parametrize(
    ("processors", "count", "expected"),
    [({3, 5}, 2, ["1 3", "1 5"]), ({0, 1, 2, 3}, 2, ["2", "2"]), ({0}, 2, ["1", "1"]), ({7}, 1, ["1 7"])],
)
async def test_processors_are_shared_out(
    monkeypatch: pytest.MonkeyPatch, processors: set[int], count: int, expected: list[str]
) -> None:
    """Each process has one of its own if there are as many, and threads for its share otherwise."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: processors)
    commands = worker_commands(count)
    assert [" ".join(command[4:]) for command in commands] == expected
    assert {tuple(command[:4]) for command in commands} == {(sys.executable, "-P", "-m", "pricematch.encoding.worker")}


async def test_only_errors_of_ours_are_named() -> None:
    """What else a process may say becomes the text of one of them."""
    assert isinstance(error_of("ImageCorrupt", "it"), ImageCorrupt)
    for name in ("SystemExit", "Sequence", "nothing"):
        error = error_of(name, "it")
        assert (type(error), str(error)) == (ModelOutputError, f"{name}: it")


@pytest.mark.tensorflow
async def test_exported_networks_give_there_what_they_give_here(tiny_artefacts: TinyArtefacts) -> None:
    """A real worker loads TensorFlow, and heeds no signal that a terminal sends."""
    from pricematch.encoding.saved_model import SavedModelEncoder

    settings = Settings(models=tiny_artefacts.models, precision="float32")
    spec = encoder_spec(settings, tiny_artefacts.chain())
    images = [path.read_bytes() for path in sorted(tiny_artefacts.images.iterdir())]
    pixels = [PillowDecoder(spec.side, 10**6).decode(image) for image in images]
    expected = SavedModelEncoder(tiny_artefacts.chain()).encode(np.stack(pixels))
    async with Encoding(Settings(workers=1, max_pixels=10**6, min_image_side=1)) as it:
        await it.load([spec])
        [pid] = it.pids
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, ignored)
        found = await it.encode(images, Wanted(frozenset({spec.key})))
        assert list(it.pids) == [pid]
    rows = [it.embeddings[spec.key] for it in found if isinstance(it, ImageFeatures)]
    np.testing.assert_allclose(rows, expected, atol=1e-5)


@pytest.mark.tensorflow
async def test_networks_that_were_replaced_meanwhile_are_not_loaded(tiny_artefacts: TinyArtefacts) -> None:
    """Embeddings of other weights would be kept under the wrong key."""
    settings = Settings(models=tiny_artefacts.models, precision="float32")
    spec = encoder_spec(settings, tiny_artefacts.chain())
    assert spec.network is not None
    network = spec.network.model_copy(update={"weights": ("0",)})
    other = EncoderSpec(spec.key, spec.side, spec.dimension, network=network)
    async with Encoding(LIMITS, commands=worker_commands(1)) as it:
        with pytest.raises(ArtefactError, match="has other weights than when the service began with it"):
            await it.load([other])
