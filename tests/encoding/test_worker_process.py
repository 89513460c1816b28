"""Images are encoded in other processes, whose end is nobody's end."""

import asyncio
import hashlib
import io
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.blocking import ForThreads
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import COLOURS, EncoderSpec, NetworkSpec, colours_spec, encoder_spec
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.exported_encoder import ExportedEncoder
from pricematch.encoding.features import phash
from pricematch.encoding.image_queue import ImageResult
from pricematch.encoding.stored_form import stored_form
from pricematch.encoding.worker_launch import worker_commands
from pricematch.encoding.worker_process import WorkerProcess, error_of
from pricematch.errors import (
    ArtefactError,
    ImageCorrupt,
    ImageEmpty,
    ImageError,
    ImageTooComplex,
    ImageTooLarge,
    ModelOutputError,
    NotReady,
)
from pricematch.formats.manifest import find_chain
from pricematch.settings import Settings
from tests.support.fakes import encoded, image_bytes, scene, tiny_images
from tests.support.tiny_worker import (
    COMMAND,
    CRASH,
    DIMENSION,
    FAIL,
    FAULT,
    HANG,
    LEAVE,
    SPINS,
    UNDECODABLE,
    MeanColour,
    plain,
)
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
async def encoding(processes: int = 1, **limits: float) -> AsyncIterator[Encoding]:
    """An encoding over tiny workers that have loaded a network."""
    patient = {"batch_seconds": SAFETY_SECONDS, "start_seconds": SAFETY_SECONDS, "image_seconds": SAFETY_SECONDS}
    async with Encoding(LIMITS.model_copy(update=patient | limits), commands=[COMMAND] * processes) as found:
        assert list(found.pool.pids) == []
        await found.pool.load([network()])
        yield found


def assert_mean(found: list[ImageResult], *values: int) -> None:
    """The results are what the encoder gives of these greys."""
    rows = [it.embeddings["mean"] for it in found if isinstance(it, ImageFeatures)]
    pixels = np.repeat(np.array([values], np.uint8).T, 12).reshape(-1, 2, 2, 3)
    np.testing.assert_allclose(rows, MeanColour().encode(pixels), rtol=1e-6)


async def until(happens: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(SAFETY_SECONDS):
        while not happens():
            await asyncio.sleep(0.01)


async def test_features_are_those_of_this_process() -> None:
    """Embeddings, colours, hash and digest are what the decoder's pixels give; a bad image gets its error."""
    image = encoded(scene((20, 30)), "JPEG")
    async with encoding() as it:
        wanted = Wanted(MEAN.encoders | {colours_spec(version).key for version in COLOURS}, phash=True)
        found = await it.encode([image, b"", GREY[1], image_bytes("red", (40, 30))], wanted)
    first, empty, _, large = found
    assert isinstance(first, ImageFeatures)
    decoder = PillowDecoder(SIDE, LIMITS.max_pixels)
    decoded = decoder.decoded(image)
    assert first.phash == phash(decoded)
    np.testing.assert_allclose(first.embeddings["mean"], MeanColour().encode(decoded.squeezed(SIDE)[None])[0])
    for version, histogram in COLOURS.items():
        spec = colours_spec(version)
        [colours] = histogram.encode(decoded.squeezed(spec.side)[None])
        np.testing.assert_allclose(first.embeddings[spec.key], colours, atol=1e-6)
    assert str(empty) == "expected an image, got no bytes"
    assert isinstance(large, ImageTooLarge)


async def test_a_process_gives_the_form_in_which_an_image_is_stored() -> None:
    """With features of that form, or without decoding it; never its own bytes back: fault F10."""
    image, hidden = encoded(scene((20, 30)), "JPEG"), b"hidden"
    odd = encoded(scene((20, 30)), "JPEG", progressive=True) + hidden
    undecodable = image[: len(image) // 2]
    async with encoding() as it:
        asked = [image + hidden, undecodable, b"", odd]
        forms = await it.encode(asked, Wanted(stored_form=True))
        found = await it.encode(asked, Wanted(MEAN.encoders, phash=True, stored_form=True))
        [of_itself] = await it.encode([image], MEAN)
    assert isinstance(of_itself, ImageFeatures)
    assert [it.stored_form for it in forms if isinstance(it, ImageFeatures)] == [
        image,
        stored_form(undecodable),
        b"",
        odd[:-6],
    ]
    first, truncated, empty, last = found
    assert isinstance(first, ImageFeatures)
    assert isinstance(last, ImageFeatures)
    assert (first.stored_form, last.stored_form) == (image, odd[:-6])
    assert first.digest == hashlib.sha256(image).digest()
    np.testing.assert_allclose(first.embeddings["mean"], of_itself.embeddings["mean"], rtol=1e-6)
    assert [type(it) for it in (truncated, empty)] == [ImageCorrupt, ImageEmpty]


async def test_a_process_makes_thumbnails() -> None:
    """Of good images, beside their stored forms or without."""
    image, hidden = encoded(scene((20, 30)), "PNG"), b"hidden"
    async with encoding() as it:
        small, bad = await it.encode([image, b"no image"], Wanted(thumbnail_side=15))
        [stored, other] = await it.encode([image + hidden] * 2, Wanted(stored_form=True, thumbnail_side=15))
    assert isinstance(small, ImageFeatures)
    assert isinstance(stored, ImageFeatures)
    assert isinstance(other, ImageFeatures)
    assert isinstance(bad, ImageError)
    with Image.open(io.BytesIO(small.thumbnail)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (10, 15))
    assert (stored.stored_form, other.stored_form) == (image, image)
    assert stored.thumbnail == other.thumbnail == small.thumbnail


async def test_too_many_scans_have_no_stored_form() -> None:
    """The number stands in the settings, and nothing is decoded: fault F3."""
    image = encoded(scene((20, 30)), "JPEG", progressive=True)
    async with encoding(max_scans=5) as it:
        [found] = await it.encode([image], Wanted(stored_form=True))
    assert str(found) == "expected at most 5 scans in a JPEG, got 10"


async def test_a_form_that_takes_too_much_of_a_processor_costs_itself() -> None:
    """Whatever reads what a stranger sends can be ended: faults F3 and F10."""
    async with encoding(image_seconds=1) as it:
        [before] = it.pool.pids
        bad, good = await it.encode([SPINS + b"hidden", GREY[1]], Wanted(stored_form=True))
        [after] = it.pool.pids
    assert isinstance(bad, ImageTooComplex)
    assert isinstance(good, ImageFeatures)
    assert before != after


async def test_colours_and_hashes_need_no_network() -> None:
    """Nothing is loaded for them; that an image shows nothing is told unasked; a bad one needs nothing at all."""
    colours = Wanted(frozenset(colours_spec(version).key for version in COLOURS))
    async with Encoding(LIMITS, commands=[COMMAND]) as it:
        [found] = await it.encode([GREY[3]], replace(colours, phash=True))
        assert isinstance(found, ImageFeatures)
        assert found.embeddings.keys() == colours.encoders
        [plain_one, other] = await it.encode([GREY[3], encoded(scene((20, 30)))], colours)
        assert [it.phash for it in (plain_one, other) if isinstance(it, ImageFeatures)] == [ONE_COLOUR, None]
        [bad] = await it.encode([GREY[3][:40]], colours)
        assert isinstance(bad, ImageCorrupt)


async def test_many_callers_get_their_own() -> None:
    """Two processes answer many requests at once."""
    async with encoding(2) as it:
        found = await asyncio.gather(*(it.encode([GREY[number % 8]], MEAN) for number in range(60)))
    for number, results in enumerate(found):
        assert_mean(results, number % 8)


@pytest.mark.parametrize(
    ("image", "reason"),
    [(FAULT, "SIGSEGV"), (LEAVE, "exit code 3"), (UNDECODABLE, "SIGSEGV")],
    ids=["fault", "leave", "fault of the decoder"],
)
async def test_fault_39_an_image_that_ends_its_process_fails_alone(
    image: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Fault F8: it is tried once more by itself; those that were encoded with it get their features."""
    async with encoding() as it:
        asked = it.encode([GREY[1], image, GREY[2]], MEAN), it.encode([GREY[3]], MEAN)
        (first, bad, second), others = await asyncio.gather(*asked)
        assert_mean([first, second, *others], 1, 2, 3)
        assert isinstance(bad, ImageCorrupt)
        assert str(bad) == f"the process that encodes ended with {reason}, 2 times when it was given this image"
    assert caplog.text.count("another one takes its place") == 2


async def test_requests_whose_processes_are_killed_may_come_again() -> None:
    """Fault F8: nobody knows that it was the image's fault, so the second time its request hears that it is not now."""
    async with encoding(2) as it:
        bad, good = await asyncio.gather(
            it.encode([CRASH], MEAN), it.encode([GREY[1], GREY[2]], MEAN), return_exceptions=True
        )
        assert isinstance(bad, NotReady)
        assert str(bad) == "the process that encodes ended with SIGKILL"
        assert isinstance(good, list)
        assert_mean(good, 1, 2)
        [given_up] = await it.encode([CRASH], MEAN, background=True)
        assert isinstance(given_up, ImageCorrupt)


async def test_an_image_that_takes_too_much_of_a_processor_costs_itself() -> None:
    """Fault F3: native code that nobody can interrupt ends with its process; the others of its batch do not suffer."""
    async with encoding(image_seconds=1) as it:
        [before] = it.pool.pids
        found = await it.encode([GREY[1], SPINS, GREY[2]], MEAN)
        assert_mean(found, 1, 2)
        assert isinstance(found[1], ImageTooComplex)
        assert list(it.pool.pids) != [before]


async def test_fault_39_a_process_that_hangs_is_replaced() -> None:
    """It is ended after its time for a batch, for which starting and loading do not count."""
    async with encoding(batch_seconds=2) as it:
        [before] = it.pool.pids
        [hanging] = await it.encode([HANG], MEAN)
        assert isinstance(hanging, ImageTooComplex)
        assert str(hanging) == "the process that encodes took longer than 2 s"
        await until(lambda: it.trouble() is None)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)
        assert list(it.pool.pids) != [before]


async def test_a_process_that_fails_goes_on() -> None:
    """Whatever was raised in it is told, and it is not replaced."""
    async with encoding() as it:
        before = list(it.pool.pids)
        with pytest.raises(ModelOutputError, match="RuntimeError: no such luck"):
            await it.encode([FAIL], MEAN)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)
        assert list(it.pool.pids) == before


async def test_a_process_that_ended_idle_is_started_again() -> None:
    """Fault F8: nobody has to ask first, and whoever asks once it is back notices nothing."""
    async with encoding() as it:
        [before] = it.pool.pids
        os.kill(before, signal.SIGKILL)
        await until(lambda: it.trouble() is not None)
        await until(lambda: it.trouble() is None)
        assert list(it.pool.pids) != [before]
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_nobody_waits_for_processes_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault F8: what comes while none can encode, or has waited for one for a while, hears so; what can wait waits."""
    monkeypatch.setattr("pricematch.encoding.encoding._PATIENCE_SECONDS", 0.1)
    async with Encoding(LIMITS, commands=[[*COMMAND, str(tmp_path)]] * 2) as it:
        await it.pool.load([network()])
        (tmp_path / "hold").touch()
        waiting = [asyncio.create_task(it.encode([GREY[value]], MEAN)) for value in (1, 2, 3)]
        background = asyncio.create_task(it.encode([GREY[4]], MEAN, background=True))
        await until((tmp_path / "held").exists)
        assert it.trouble() is None
        (tmp_path / "hold-load").touch()
        for pid in it.pool.pids:
            os.kill(pid, signal.SIGKILL)
        reason = "no process that encodes is ready, since the process that encodes ended with SIGKILL"
        for request in waiting:
            with pytest.raises(NotReady, match=reason):
                await request
        assert it.trouble() == reason
        with pytest.raises(NotReady, match=reason):
            await it.encode([GREY[1]], MEAN)
        for file in ("hold", "hold-load"):
            (tmp_path / file).unlink()
        assert_mean(await background, 4)
        await until(lambda: it.trouble() is None)
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_processes_that_never_end_a_batch_are_trouble(tmp_path: Path) -> None:
    """Fault F3: a service none of whose processes has been free for longer than a request may take is not ready."""
    limits = LIMITS.model_copy(update={"request_seconds": 0.5})
    async with Encoding(limits, commands=[[*COMMAND, str(tmp_path)]]) as it:
        await it.pool.load([network()])
        (tmp_path / "hold").touch()
        waiting = asyncio.create_task(it.encode([GREY[1]], MEAN))
        await until(lambda: it.trouble() is not None)
        assert "no process that encodes has ended a batch for" in str(it.trouble())
        (tmp_path / "hold").unlink()
        assert_mean(await waiting, 1)
        assert it.trouble() is None


async def test_a_process_that_is_lost_while_it_loads_is_started_again(tmp_path: Path) -> None:
    """Fault F7: a start does not end because of it."""
    (tmp_path / "die-once").touch()
    async with Encoding(LIMITS, commands=[[*COMMAND, str(tmp_path)]]) as it:
        await it.pool.load([network()])
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_loading_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    """Fault F7: what a request may take does not count for it, and what it waits for is told again and again."""
    (tmp_path / "hold-load").touch()
    limits = LIMITS.model_copy(update={"request_seconds": 0.1, "batch_seconds": 0.1, "start_seconds": 3.0})
    async with Encoding(limits, commands=[[*COMMAND, str(tmp_path)]]) as it:
        with pytest.raises(ModelOutputError, match="took longer than 3 s, while it loaded the models"):
            await it.pool.load([network()])


async def test_waiting_for_models_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fault F7: a start that takes long says every few seconds what it waits for."""
    caplog.set_level("INFO")
    monkeypatch.setattr("pricematch.encoding.blocking._TELLS_SECONDS", 0.01)
    (tmp_path / "hold-load").touch()
    told: list[tuple[str, int, int]] = []

    def progress(*what: Any) -> None:
        told.append(what)
        if len(told) == 3:
            (tmp_path / "hold-load").unlink()

    async with Encoding(LIMITS, commands=[[*COMMAND, str(tmp_path)]]) as it:
        threads = ForThreads(it, asyncio.get_running_loop())
        await asyncio.to_thread(threads.load, [network()], progress)
    assert told[0] == ("Loading models", 0, 1)
    assert "waiting for 1 of 1 processes to load the models" in caplog.text


async def test_a_network_that_does_not_load_is_refused() -> None:
    """Those that are loaded stay."""
    async with encoding() as it:
        with pytest.raises(ArtefactError, match="there is no absent"):
            await it.pool.load([network("absent")])
        assert_mean(await it.encode([GREY[1]], MEAN), 1)


async def test_closing_ends_a_process_that_is_busy() -> None:
    """Who waits hears so."""
    async with encoding() as it:
        [pid] = it.pool.pids
        asked = asyncio.create_task(it.encode([HANG], MEAN))
        await asyncio.sleep(0)
        await it.aclose()
        with pytest.raises(NotReady):
            await asked
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_program_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request fails, and so does the next; the background waits for as long as a start may take."""
    monkeypatch.setattr("pricematch.encoding.encoding._PATIENCE_SECONDS", 0.01)
    limits = LIMITS.model_copy(update={"start_seconds": 0.5})
    async with Encoding(limits, commands=[["/nowhere/python"]]) as it:
        for background in (False, False, True):
            with pytest.raises(NotReady, match="could not be started"):
                await it.encode([GREY[1]], Wanted(phash=True), background=background)


async def test_it_ends_by_itself_when_the_service_is_gone() -> None:
    """A service that was killed leaves no process behind."""
    process = WorkerProcess(COMMAND, SAFETY_SECONDS, SAFETY_SECONDS, lambda: None)
    await process.load({})
    assert process._streams is not None
    assert process._worker is not None
    process._streams[1].close()
    async with asyncio.timeout(SAFETY_SECONDS):
        assert await asyncio.to_thread(process._worker.process.wait) == 0
    await process.aclose()


async def test_only_errors_of_ours_are_named() -> None:
    """What else a process may say becomes the text of one of them."""
    assert isinstance(error_of("ImageCorrupt", "it"), ImageCorrupt)
    for name in ("SystemExit", "Sequence", "nothing"):
        error = error_of(name, "it")
        assert (type(error), str(error)) == (ModelOutputError, f"{name}: it")


async def test_exported_networks_give_there_what_they_give_here(earlier_models: Path) -> None:
    """A real worker loads networks, says what runs them, and heeds no signal that a terminal sends."""
    chain = find_chain(earlier_models, "autoencoder")
    spec = encoder_spec(Settings(models=earlier_models, precision="float32"), chain)
    images = list(tiny_images().contents.values())
    pixels = [PillowDecoder(spec.side, 10**6).decode(image) for image in images]
    local = ExportedEncoder(chain)
    expected = local.encode(np.stack(pixels))
    async with Encoding(Settings(workers=1, max_pixels=10**6, min_image_side=1)) as it:
        await it.pool.load([spec])
        assert it.pool.runtimes_of(it.pool.held) == {f"{name}/1": runtime for name, runtime in local.runtimes.items()}
        [pid] = it.pool.pids
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, ignored)
        found = await it.encode(images, Wanted(frozenset({spec.key})))
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
        assert list(it.pool.pids) == [pid]
    rows = [it.embeddings[spec.key] for it in found if isinstance(it, ImageFeatures)]
    np.testing.assert_allclose(rows, expected, atol=1e-5)


async def test_networks_that_were_replaced_meanwhile_are_not_loaded(earlier_models: Path) -> None:
    """Embeddings of other weights would be kept under the wrong key."""
    settings = Settings(models=earlier_models, precision="float32")
    spec = encoder_spec(settings, find_chain(earlier_models, "autoencoder"))
    assert spec.network is not None
    network = spec.network.model_copy(update={"weights": ("0",)})
    other = EncoderSpec(spec.key, spec.side, spec.dimension, network=network)
    async with Encoding(LIMITS, commands=worker_commands(1)) as it:
        with pytest.raises(ArtefactError, match="has other weights than when the service began with it"):
            await it.pool.load([other])
