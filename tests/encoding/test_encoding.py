"""Images of several callers are encoded together, requests first, and nobody suffers from another's image."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from pricematch.catalogue.features import ImageFeatures, Seconds, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.image_queue import MAX_BATCH, ImageResult
from pricematch.encoding.ports import Runtime
from pricematch.errors import ArtefactError, ImageCorrupt, ModelOutputError, NotReady, Overloaded
from pricematch.settings import Settings
from tests.support.encoding import BAD, POISON, WorkerStub, network
from tests.support.waiting import SAFETY_SECONDS

pytestmark = pytest.mark.anyio
ONE, OTHER = Wanted(frozenset({"one"})), Wanted(frozenset({"other"}), phash=True)


class Observed:
    """Remembers what an observer was told."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, Seconds]] = []
        self.depths: list[int] = []

    def observe_batch(self, size: int, seconds: Seconds) -> None:
        self.batches.append((size, seconds))

    def set_queue_depth(self, depth: int) -> None:
        self.depths.append(depth)


class Bench:
    """An encoding over stubs, and tasks that ask it."""

    def __init__(self, encoding: Encoding, stubs: Sequence[WorkerStub], observed: Observed) -> None:
        self.encoding, self.stubs, self.observed = encoding, stubs, observed
        self.stub = stubs[0]

    def ask(self, *images: bytes, wanted: Wanted = ONE, background: bool = False) -> "asyncio.Task[list[ImageResult]]":
        """Ask in a task of its own."""
        return asyncio.create_task(self.encoding.encode(images, wanted, background=background))

    async def hold(self) -> "asyncio.Task[list[ImageResult]]":
        """Have an image at the closed gate of the only process, so that whatever is asked afterwards queues."""
        self.stub.gate.clear()
        asked = self.ask(b"first")
        await self.stub.entered.acquire()
        return asked

    async def queued(self) -> None:
        """Wait until all tasks that were made have asked."""
        await asyncio.sleep(0)


@asynccontextmanager
async def bench(processes: int = 1, max_waiting_images: int = 256) -> AsyncIterator[Bench]:
    """A bench whose encoders are `one` and `other`."""
    stubs, observed = [WorkerStub() for _ in range(processes)], Observed()
    with pytest.MonkeyPatch.context() as patched:
        waiting = iter(stubs)
        patched.setattr("pricematch.encoding.worker_pool.WorkerProcess", lambda *_: next(waiting))
        settings = Settings(max_waiting_images=max_waiting_images)
        encoding = Encoding(settings, observed, [["none"]] * processes)
    async with asyncio.timeout(SAFETY_SECONDS), encoding:
        await encoding.pool.load([network("one"), network("other")])
        yield Bench(encoding, stubs, observed)


def values(found: Sequence[ImageResult], key: str = "one") -> list[float]:
    """The embeddings that the stub gave."""
    return [float(it.embeddings[key][0]) for it in found if isinstance(it, ImageFeatures)]


async def test_features_of_an_image() -> None:
    """Digest, hash, embeddings and seconds come in the order of the images."""
    async with bench() as it:
        [found, other] = await it.encoding.encode([b"a", b"b"], OTHER)
    assert isinstance(found, ImageFeatures)
    assert (found.digest, found.phash) == (hashlib.sha256(b"a").digest(), "61")
    assert values([found, other], "other") == [97, 98]
    assert (found.seconds.decode, found.seconds.encode) == (0.25, 0.5)
    assert found.seconds.queue >= 0


async def test_no_images_need_no_worker() -> None:
    """An empty request has an empty result."""
    async with bench() as it:
        assert await it.encoding.encode([], ONE) == []
    assert it.stub.batches == []


async def test_images_that_queue_are_the_next_batch() -> None:
    """Everybody gets their own of what was encoded together."""
    async with bench() as it:
        first = await it.hold()
        asked = [it.ask(bytes([value]), bytes([value + 1])) for value in range(20, 28, 4)]
        await it.queued()
        it.stub.gate.set()
        for task, value in zip(asked, range(20, 28, 4), strict=True):
            assert values(await task) == [value, value + 1]
        assert values(await first) == [ord("f")]
    assert [len(batch) for batch in it.stub.batches] == [1, 4]
    assert [size for size, _ in it.observed.batches] == [1, 4]
    assert max(it.observed.depths) == 4
    assert it.observed.depths[-1] == 0


async def test_a_large_request_is_divided() -> None:
    """No batch is larger than it may be, and what remains shares one with others."""
    async with bench() as it:
        first = await it.hold()
        many = [bytes([value]) for value in range(2 * MAX_BATCH + 2)]
        asked = it.ask(*many), it.ask(b"x")
        await it.queued()
        it.stub.gate.set()
        assert values(await asked[0]) == [*range(2 * MAX_BATCH + 2)]
        await asked[1], await first
    assert [len(batch) for batch in it.stub.batches] == [1, MAX_BATCH, MAX_BATCH, 3]


async def test_every_free_process_takes_a_batch() -> None:
    """Two processes encode at the same time."""
    async with bench(processes=2) as it:
        for stub in it.stubs:
            stub.gate.clear()
        asked = it.ask(*(bytes([value]) for value in range(MAX_BATCH + 1)))
        for stub in it.stubs:
            await stub.entered.acquire()
            stub.gate.set()
        assert values(await asked) == [*range(MAX_BATCH + 1)]


async def test_different_features_are_not_encoded_together() -> None:
    """A batch has one wish; what wants something else keeps its place."""
    async with bench() as it:
        first = await it.hold()
        asked = [it.ask(b"a"), it.ask(b"b", wanted=OTHER), it.ask(b"c"), it.ask(b"d", wanted=OTHER)]
        await it.queued()
        it.stub.gate.set()
        await asyncio.gather(first, *asked)
    assert it.stub.batches == [[b"first"], [b"a", b"c"], [b"b", b"d"]]
    assert it.stub.wanted == [["one"], ["one"], ["other"]]


async def test_requests_go_before_background() -> None:
    """Nobody who waits shares a batch with what can wait."""
    async with bench() as it:
        first = await it.hold()
        later = it.ask(b"a", b"b", background=True)
        await it.queued()
        asked = it.ask(b"c")
        await it.queued()
        it.stub.gate.set()
        await asyncio.gather(first, later, asked)
    assert it.stub.batches == [[b"first"], [b"c"], [b"a", b"b"]]


async def test_too_many_waiting_images_are_refused() -> None:
    """The queue is bounded for requests, and for the background it is not."""
    async with bench(max_waiting_images=3) as it:
        first = await it.hold()
        later = it.ask(*[b"later"] * 9, background=True)
        waiting = it.ask(b"a", b"b")
        await it.queued()
        with pytest.raises(Overloaded, match="2 images wait"):
            await it.encoding.encode([b"c", b"d"], ONE)
        more = it.ask(b"c")
        await it.queued()
        it.stub.gate.set()
        await asyncio.gather(first, waiting, more, later)


async def test_a_large_request_is_taken_where_none_waits() -> None:
    """A request may bring more images than may wait."""
    async with bench(max_waiting_images=3) as it:
        assert len(await it.encoding.encode([b"a"] * 9, ONE)) == 9


async def test_fault_40_what_nobody_awaits_is_dropped() -> None:
    """A client that is gone, or late, takes its images out of the queue."""
    async with bench(max_waiting_images=2) as it:
        first = await it.hold()
        gone = it.ask(b"gone", b"gone too")
        await it.queued()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await it.encoding.encode([b"late"], ONE)
        stays = it.ask(b"a", b"b")
        await it.queued()
        it.stub.gate.set()
        await asyncio.gather(first, stays)
    assert it.stub.batches == [[b"first"], [b"a", b"b"]]


async def test_callers_that_leave_as_a_batch_begins_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their images are still queued when the batch is taken, and are not encoded."""
    async with bench() as it:
        call, asked = it.stub.call, list[asyncio.Task[list[ImageResult]]]()

        async def leave(*message: Any) -> Any:
            answer = await call(*message)
            asked[0].cancel()
            return answer

        monkeypatch.setattr(it.stub, "call", leave)
        first = await it.hold()
        asked += [it.ask(b"gone"), it.ask(b"a")]
        await it.queued()
        it.stub.gate.set()
        assert values(await asked[1]) == [97]
        await first
    assert it.stub.batches == [[b"first"], [b"a"]]


async def test_a_caller_that_leaves_a_running_batch_harms_nobody() -> None:
    """The others in the batch get their features, and the process goes on."""
    async with bench() as it:
        first = await it.hold()
        first.cancel()
        await it.queued()
        after = it.ask(b"a")
        it.stub.gate.set()
        assert values(await after) == [97]


async def test_a_bad_image_fails_alone() -> None:
    """The others of its request get their features."""
    async with bench() as it:
        found = await it.encoding.encode([b"a", BAD, b"c"], OTHER)
    assert isinstance(found[1], ImageCorrupt)
    assert str(found[1]) == "it does not decode"
    assert values(found, "other") == [97, 99]


async def test_fault_39_only_the_request_that_must_fails() -> None:
    """A batch that fails is encoded anew, each request by itself."""
    async with bench() as it:
        first = await it.hold()
        asked = [it.ask(b"a", b"b"), it.ask(b"c", POISON), it.ask(b"d")]
        await it.queued()
        it.stub.gate.set()
        assert values(await asked[0]) == [97, 98]
        with pytest.raises(ModelOutputError, match="poison"):
            await asked[1]
        assert values(await asked[2]) == [100]
        await first
        assert it.encoding.trouble() is None
    assert it.stub.batches[2:] == [[b"a", b"b"], [b"c", POISON], [b"d"]]


async def test_fault_39_failing_again_and_again_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three failures in a row are reported until one batch succeeds, or for some seconds."""
    async with bench() as it:
        for failures in range(3):
            assert it.encoding.trouble() is None, failures
            with pytest.raises(ModelOutputError):
                await it.encoding.encode([POISON], ONE)
        assert it.encoding.trouble() == "the encoder has failed 3 times in a row"
        with monkeypatch.context() as patched:
            patched.setattr("pricematch.encoding.encoding._REST_SECONDS", 0.0)
            assert it.encoding.trouble() is None
        await it.encoding.encode([b"a"], ONE)
        assert it.encoding.trouble() is None


async def test_an_encoder_that_does_not_load_is_not_held() -> None:
    """Those before stay, and what was never loaded is refused."""
    async with bench(processes=2) as it:
        it.stubs[1].fails["bad"] = ArtefactError("it is damaged")
        with pytest.raises(ArtefactError, match="it is damaged"):
            await it.encoding.pool.load([network("bad")])
        await it.encoding.encode([b"a"], ONE)
        assert {"one", "other"} < it.stub.held
        assert "bad" not in it.stub.held
        with pytest.raises(ValueError, match="never"):
            await it.encoding.encode([b"a"], Wanted(frozenset({"never"})))


async def test_processes_that_run_load_one_after_the_other() -> None:
    """Fault F8: the others encode meanwhile, and none is given images while it loads."""
    async with bench(processes=2) as it:
        first, second = it.stubs
        for stub in it.stubs:
            stub.load_gate.clear()
            stub.loading.clear()
        loading = asyncio.create_task(it.encoding.pool.load([network("new")]))
        for stub, other in ((first, second), (second, first)):
            await stub.loading.wait()
            other.batches.clear()
            assert values(await it.encoding.encode([b"a"], ONE)) == [97]
            assert other.batches == [[b"a"]]
            assert ("new" in other.held) is (other is first)
            assert it.encoding.trouble() is None
            stub.load_gate.set()
        await loading


async def test_encoders_that_are_not_retained_are_forgotten() -> None:
    """A request that was on its way still gets their embeddings."""
    async with bench() as it:
        it.encoding.pool.retain(["other"])
        assert values(await it.encoding.encode([b"a"], ONE)) == [97]
        await it.encoding.encode([b"a"], OTHER)
        assert "one" not in it.stub.held


async def test_closing_ends_all_who_wait() -> None:
    """Those in the queue and those in a batch get NotReady, and so does whoever comes later."""
    async with bench() as it:
        first = await it.hold()
        queued = [it.ask(b"a"), it.ask(b"b", background=True)]
        await it.queued()
        assert list(it.encoding.pool.pids) == [7]
        await it.encoding.aclose()
        for task in (first, *queued):
            with pytest.raises(NotReady):
                await task
        with pytest.raises(NotReady):
            await it.encoding.encode([b"c"], ONE)
        assert list(it.encoding.pool.pids) == []


async def test_networks_that_run_elsewhere_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """What runs a network is known by its name and version, once; why it is not the usual one is logged."""
    async with bench(processes=2) as it:
        usual, other = Runtime("OpenVINO 1", "float32"), Runtime("TensorFlow 2", "float32", "OpenVINO refuses it")
        for stub in it.stubs:
            stub.runtimes = {"new": {"cae": usual, "cnn": other}, "forgotten": {"cnn": usual}}
        await it.encoding.pool.load([replace(network("new"), versions={"cae": "1", "cnn": "2"})])
        assert it.encoding.pool.runtimes_of(["new", "forgotten"]) == {"cae/1": usual, "cnn/2": other}
        assert it.encoding.pool.runtimes_of(["forgotten"]) == {}
    assert caplog.messages == ["cnn/2 runs in TensorFlow 2, since OpenVINO refuses it"]


async def test_an_encoder_that_does_not_load_any_more_keeps_no_other_from_being_loaded_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where a process is started again; it may be another catalogue's. Where none loads it is tried again."""
    async with bench() as it:
        [stub] = it.stubs
        stub.fails = {"one": ArtefactError("one is gone")}
        pool = it.encoding.pool
        whole, stub.lost = stub.load, True

        async def load(encoders: Mapping[str, EncoderSpec]) -> None:
            await whole(encoders)
            stub.lost = False

        stub.load = load  # type: ignore[method-assign]
        await pool.revive(stub)  # type: ignore[arg-type]  # it stands for a process
        assert stub.held & {"one", "other"} == {"other"}
        assert "an encoder is left out by a process that was started again: one is gone" in caplog.text
        assert values(await it.encoding.encode([b"a"], OTHER), "other") == [97]
