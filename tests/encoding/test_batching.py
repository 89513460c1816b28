"""What is asked at the same time is encoded together, and nobody suffers from it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.batching import Batcher
from pricematch.encoding.encoder_calls import CallQueue
from pricematch.encoding.ports import Embedder, Pixels
from pricematch.encoding.tickets import Ticket, ticketed
from pricematch.errors import ClientGone, DeadlineExceeded, ImageCorrupt, ModelOutputError, NotReady, Overloaded
from pricematch.search.stages import Stage, measured
from tests.support.fakes import MeanColourEncoder
from tests.support.gated_encoder import POISON, SAFETY_SECONDS, GatedEncoder, eventually, grey, pictured


class Bench:
    """A batcher over a gated encoder, and threads that ask it."""

    def __init__(self, encoder: GatedEncoder, batcher: Batcher, pool: ThreadPoolExecutor) -> None:
        self.gated, self.batcher, self._pool = encoder, batcher, pool
        self.embedder = batcher.over(pictured(encoder))

    def ask(
        self, *values: int, ticket: Ticket | None = None, background: bool = False, embedder: Embedder | None = None
    ) -> "Future[Embeddings]":
        """Ask for grey pictures in a thread, and wait until they are queued or being encoded."""
        before = self.known
        asked = self.submit(grey(*values), ticket, background, embedder)
        eventually(lambda: self.known > before or asked.done())
        return asked

    def submit(
        self,
        images: Sequence[bytes],
        ticket: Ticket | None = None,
        background: bool = False,
        embedder: Embedder | None = None,
    ) -> "Future[Embeddings]":
        """Ask for pictures in a thread."""
        return self._pool.submit(self._embed, images, ticket, background, embedder or self.embedder)

    @property
    def known(self) -> int:
        """How many calls the batcher was given and has not answered."""
        with self.batcher._changed:
            taken = sum(len(lane.batch) for lane in self.batcher._lanes if lane.since is not None)
            return len(list(self.batcher._calls)) + taken

    def hold(self) -> "Future[Embeddings]":
        """Have a picture at the closed gate, so that whatever is asked afterwards gathers."""
        self.gated.gate.clear()
        asked = self.ask(1)
        self.gated.enter()
        return asked

    @staticmethod
    def _embed(images: Sequence[bytes], ticket: Ticket | None, background: bool, embedder: Embedder) -> Embeddings:
        if background:
            return embedder.embed(images).embeddings
        with ticketed(ticket or Ticket(SAFETY_SECONDS)):
            return embedder.embed(images).embeddings


@contextmanager
def bench(**options: float) -> Iterator[Bench]:
    """A bench with a batcher of one thread, unless told otherwise."""
    encoder, batcher = GatedEncoder(), Batcher(**options)  # type: ignore[arg-type]
    with ThreadPoolExecutor(64) as pool:
        try:
            yield Bench(encoder, batcher, pool)
        finally:
            encoder.gate.set()
            batcher.close()


def alone(*values: int) -> Embeddings:
    """What the encoder gives without a batcher."""
    return pictured(MeanColourEncoder()).embed(grey(*values)).embeddings


def test_what_gathers_while_a_batch_is_encoded_is_the_next_batch_and_everybody_gets_their_own() -> None:
    with bench() as it:
        first = it.hold()
        asked = [it.ask(value, value + 1) for value in range(20, 52, 4)]
        it.gated.gate.set()
        for future, value in zip(asked, range(20, 52, 4), strict=True):
            np.testing.assert_array_equal(future.result(SAFETY_SECONDS), alone(value, value + 1))
        np.testing.assert_array_equal(first.result(), alone(1))
    assert it.gated.batches == [1, 16]


def test_somebody_who_asks_alone_does_not_wait_for_company() -> None:
    with bench() as it:
        np.testing.assert_array_equal(it.embedder.embed(grey(5)).embeddings, alone(5))
        np.testing.assert_array_equal(it.embedder.embed(grey(6)).embeddings, alone(6))
    assert it.gated.batches == [1, 1]


def test_no_batch_has_more_pictures_than_it_may_and_a_larger_request_is_divided() -> None:
    with bench(max_batch=4) as it:
        first = it.hold()
        asked = [it.ask(*range(30, 39)), it.ask(50), it.ask(51, 52, 53), it.ask(54)]
        it.gated.gate.set()
        np.testing.assert_array_equal(asked[0].result(SAFETY_SECONDS), alone(*range(30, 39)))
        np.testing.assert_array_equal(asked[2].result(SAFETY_SECONDS), alone(51, 52, 53))
        asked[1].result(), asked[3].result(), first.result()
    assert it.gated.batches == [1, 4, 4, 2, 4]  # 9 = 4 + 4 + 1, the last of which shares its batch with 50


def test_no_pictures_need_no_encoder() -> None:
    with bench() as it:
        assert it.embedder.embed([]).embeddings.shape == (0, 4)
    assert it.gated.batches == []


def test_it_has_the_dimension_and_versions_of_what_it_asks() -> None:
    with bench() as it:
        assert (it.embedder.dimension, it.embedder.versions) == (4, {"mean-colour": "1"})


def test_calls_of_different_encoders_are_never_encoded_together() -> None:
    other = GatedEncoder()
    with bench() as it:
        first = it.hold()
        second = it.batcher.over(pictured(other))
        asked = [it.ask(20), it.ask(21, embedder=second), it.ask(22), it.ask(23, embedder=second)]
        it.gated.gate.set()
        for future, value in zip(asked, range(20, 24), strict=True):
            np.testing.assert_array_equal(future.result(SAFETY_SECONDS), alone(value))
        first.result()
    assert (it.gated.batches, other.batches) == ([1, 2], [2])


def test_a_thread_that_has_nothing_to_do_begins_at_once() -> None:
    with bench(threads=2) as it:
        first = it.hold()
        second = it.ask(20)
        it.gated.enter()
        third = it.ask(21), it.ask(22)
        assert not it.gated.entered.acquire(timeout=0.05)
        it.gated.gate.set()
        for future, value in zip((first, second, *third), (1, 20, 21, 22), strict=True):
            np.testing.assert_array_equal(future.result(SAFETY_SECONDS), alone(value))
    assert sorted(it.gated.batches) == [1, 1, 2]


def test_a_picture_that_cannot_be_decoded_is_told_of_and_the_others_are_embedded() -> None:
    with bench() as it:
        first = it.hold()
        asked = [it.submit(grey(20)), it.submit([*grey(21), b"", *grey(22)]), it.submit([b""])]
        eventually(lambda: it.known == 4)
        it.gated.gate.set()
        for future, values in zip((first, *asked), ((1,), (20,), (21, 22), ()), strict=True):
            np.testing.assert_array_equal(future.result(SAFETY_SECONDS), alone(*values))
        found = it.embedder.embed([*grey(5), b""])
        assert [type(error) for error in found.errors] == [type(None), ImageCorrupt]
    assert it.gated.batches == [1, 3, 1]


def test_fault_39_one_poisonous_picture_fails_alone() -> None:
    with bench() as it:
        first = it.hold()
        asked = [it.ask(20), it.ask(POISON), it.ask(22)]
        it.gated.gate.set()
        with pytest.raises(ModelOutputError, match="poison"):
            asked[1].result(SAFETY_SECONDS)
        np.testing.assert_array_equal(asked[0].result(SAFETY_SECONDS), alone(20))
        np.testing.assert_array_equal(asked[2].result(SAFETY_SECONDS), alone(22))
        first.result()
        assert it.batcher.trouble() is None
        np.testing.assert_array_equal(it.embedder.embed(grey(7)).embeddings, alone(7))
    assert it.gated.batches == [1, 3, 1, 1, 1, 1]


def test_pictures_of_another_size_fail_nobody_but_who_sent_them() -> None:
    with bench() as it:
        first = it.hold()
        good = it.ask(20)
        odd = it.submit([bytes(9 * 9 * 3)])
        eventually(lambda: it.known == 3)
        it.gated.gate.set()
        np.testing.assert_array_equal(good.result(SAFETY_SECONDS), alone(20))
        np.testing.assert_array_equal(odd.result(SAFETY_SECONDS), alone(0))
        first.result()


def test_an_encoder_that_gives_too_few_embeddings_is_not_believed() -> None:
    class Short(MeanColourEncoder):
        def encode(self, pixels: Pixels) -> Embeddings:
            return super().encode(pixels)[1:]

    with bench() as it, pytest.raises(ModelOutputError, match="expected 2 embeddings, got 1"):
        it.batcher.over(pictured(Short())).embed(grey(1, 2))


def test_fault_39_after_three_failures_in_a_row_it_says_so_until_something_succeeds() -> None:
    with bench() as it:
        for number in range(3):
            assert it.batcher.trouble() is None, number
            with pytest.raises(ModelOutputError):
                it.embedder.embed(grey(POISON))
        assert it.batcher.trouble() == "the encoder has failed 3 times in a row"
        it.embedder.embed(grey(1))
        assert it.batcher.trouble() is None


def test_after_a_rest_without_failures_somebody_may_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.encoding.encoder_health._REST_SECONDS", 0.0)
    with bench() as it:
        for _ in range(3):
            with pytest.raises(ModelOutputError):
                it.embedder.embed(grey(POISON))
        assert it.batcher.trouble() is None


def test_fault_39_a_hanging_encoder_fails_its_callers_at_their_deadline_and_is_told_of() -> None:
    with bench(hang_seconds=0.05) as it:
        it.gated.gate.clear()
        asked = it.ask(20, ticket=Ticket(0.1))
        with pytest.raises(DeadlineExceeded):
            asked.result(SAFETY_SECONDS)
        trouble = it.batcher.trouble()
        assert trouble is not None
        assert trouble.startswith("the encoder has not answered for 0 s")


def test_fault_39_another_thread_goes_on_in_place_of_one_that_hangs() -> None:
    hanging = GatedEncoder()
    with bench(hang_seconds=0.05) as it:
        hanging.gate.clear()
        lost = it.ask(20, embedder=it.batcher.over(pictured(hanging)))
        hanging.enter()
        eventually(lambda: it.batcher.trouble() is not None)
        np.testing.assert_array_equal(it.embedder.embed(grey(21)).embeddings, alone(21))
        assert it.batcher.trouble() is None
        with pytest.raises(DeadlineExceeded):
            lost.result(SAFETY_SECONDS)
        hanging.gate.set()
        eventually(lambda: hanging.batches == [1])
        np.testing.assert_array_equal(it.embedder.embed(grey(22)).embeddings, alone(22))


def test_fault_39_threads_are_lost_a_few_times_only_then_requests_are_refused_until_one_comes_back() -> None:
    with bench(hang_seconds=0.02) as it:
        it.gated.gate.clear()
        asked = []
        for number in range(5):
            asked.append(it.submit(grey(20 + number)))
            it.gated.enter()
            eventually(lambda: it.batcher._lanes[0].busy(0.02))
        with pytest.raises(NotReady, match="has not answered"):
            it.submit(grey(30)).result(SAFETY_SECONDS)
        for future in asked[:4]:
            with pytest.raises(DeadlineExceeded):
                future.result(SAFETY_SECONDS)
        it.gated.gate.set()
        np.testing.assert_array_equal(asked[4].result(SAFETY_SECONDS), alone(24))
        np.testing.assert_array_equal(it.embedder.embed(grey(31)).embeddings, alone(31))


def test_the_background_does_not_wait_for_ever_for_a_hanging_encoder() -> None:
    with bench(hang_seconds=0.05) as it:
        it.gated.gate.clear()
        with pytest.raises(DeadlineExceeded, match="has not answered"):
            it.ask(20, background=True).result(SAFETY_SECONDS)


def test_fault_40_what_nobody_waits_for_any_more_is_not_encoded() -> None:
    with bench() as it:
        first = it.hold()
        gone, late = Ticket(SAFETY_SECONDS), Ticket(0.02)
        asked = [it.ask(20, ticket=gone), it.ask(21, ticket=late), it.ask(22)]
        gone.cancel()
        with pytest.raises(ClientGone):  # at once, so that its thread is free for others
            asked[0].result(SAFETY_SECONDS)
        with pytest.raises(DeadlineExceeded):
            asked[1].result(SAFETY_SECONDS)
        it.gated.gate.set()
        np.testing.assert_array_equal(asked[2].result(SAFETY_SECONDS), alone(22))
        first.result()
    assert it.gated.batches == [1, 1]


def test_requests_are_encoded_before_what_runs_in_the_background_and_apart_from_it() -> None:
    order: list[int] = []

    class Noting(GatedEncoder):
        def encode(self, pixels: Pixels) -> Embeddings:
            found = super().encode(pixels)
            order.extend(pixels[:, 0, 0, 0].tolist())
            return found

    encoder = Noting()
    with bench() as it:
        it.gated, it.embedder = encoder, it.batcher.over(pictured(encoder))
        asked = [it.hold(), it.ask(20, background=True), it.ask(21, background=True), it.ask(22), it.ask(23)]
        encoder.gate.set()
        for future in asked:
            future.result(SAFETY_SECONDS)
    assert order == [1, 22, 23, 20, 21]
    assert encoder.batches == [1, 2, 2]


def test_fault_37_when_too_many_pictures_wait_the_next_request_is_turned_away_at_once() -> None:
    with bench(max_waiting=3) as it:
        first = it.hold()
        asked = [it.ask(20, 21), it.ask(22)]
        with pytest.raises(Overloaded):
            it.ask(23).result(SAFETY_SECONDS)
        in_background = it.ask(24, background=True)
        it.gated.gate.set()
        for future in (first, *asked, in_background):
            future.result(SAFETY_SECONDS)
        np.testing.assert_array_equal(it.embedder.embed(grey(25)).embeddings, alone(25))


def test_one_request_may_bring_more_than_may_wait_if_nobody_waits_before_it() -> None:
    with bench(max_waiting=3) as it:
        np.testing.assert_array_equal(it.ask(*range(20, 30)).result(SAFETY_SECONDS), alone(*range(20, 30)))


def test_when_it_is_closed_who_waits_and_who_comes_is_told_that_the_service_stops() -> None:
    with bench() as it:
        first = it.hold()
        waiting = it.ask(20)
        it.batcher.close()
        with pytest.raises(NotReady, match="stopping"):
            waiting.result(SAFETY_SECONDS)
        with pytest.raises(NotReady, match="stopping"):
            it.embedder.embed(grey(21))
        it.gated.gate.set()
        np.testing.assert_array_equal(first.result(SAFETY_SECONDS), alone(1))


def test_the_time_in_the_queue_and_in_the_encoder_is_counted_for_whoever_asked() -> None:
    with bench() as it, ThreadPoolExecutor(1) as pool:
        first = it.hold()

        def asked() -> Mapping[Stage, float]:
            with measured() as stages, ticketed(Ticket(SAFETY_SECONDS)):
                it.embedder.embed(grey(20))
            return stages.seconds

        waiting = pool.submit(asked)
        eventually(lambda: it.known == 2)
        threading.Event().wait(0.05)
        it.gated.gate.set()
        seconds = waiting.result(SAFETY_SECONDS)
        first.result()
    assert seconds["queue"] >= 0.05
    assert 0 < seconds["encode"] < seconds["queue"]


def test_an_observer_is_told_of_batches_and_of_how_many_wait() -> None:
    sizes: list[int] = []
    depths: list[int] = []

    class Observer:
        def observe_batch(self, size: int) -> None:
            sizes.append(size)

        def set_queue_depth(self, depth: int) -> None:
            depths.append(depth)

    encoder, batcher = GatedEncoder(), Batcher(observer=Observer())
    with ThreadPoolExecutor(8) as pool:
        it = Bench(encoder, batcher, pool)
        asked = [it.hold(), it.ask(20, 21), it.ask(22)]
        encoder.gate.set()
        for future in asked:
            future.result(SAFETY_SECONDS)
    batcher.close()
    assert sizes == [1, 3]
    assert depths == [1, 0, 2, 3, 0]


def test_what_is_asked_by_many_at_once_is_all_answered_rightly() -> None:
    with bench(threads=2, max_batch=8) as it, ThreadPoolExecutor(16) as pool:

        def ask(value: int) -> None:
            with ticketed(Ticket(SAFETY_SECONDS)):
                if value == POISON:
                    with pytest.raises(ModelOutputError):
                        it.embedder.embed(grey(value))
                else:
                    np.testing.assert_array_equal(it.embedder.embed(grey(value)).embeddings, alone(value))

        list(pool.map(ask, [*range(256)] * 4))
        assert it.known == 0
        assert isinstance(it.batcher._calls, CallQueue)


def test_what_is_begun_is_told_of_when_it_is_done_and_nobody_waits_meanwhile() -> None:
    told = threading.Event()
    with bench(max_batch=2) as it:
        first = it.hold()
        with ticketed(Ticket(SAFETY_SECONDS)):
            begun = it.embedder.begin(grey(20, 21, 22), told.set)
        assert (begun.done, told.is_set()) == (False, False)
        it.gated.gate.set()
        eventually(lambda: begun.done)
        assert told.is_set()
        np.testing.assert_array_equal(begun.result().embeddings, alone(20, 21, 22))
        first.result()
        assert it.embedder.begin([], told.set).result().embeddings.shape == (0, 4)


def test_what_is_begun_and_abandoned_is_not_embedded() -> None:
    with bench() as it:
        first = it.hold()
        with ticketed(Ticket(SAFETY_SECONDS)):
            begun = it.embedder.begin(grey(20), lambda: None)
        begun.abandon()
        it.gated.gate.set()
        eventually(lambda: begun.done)
        with pytest.raises(ClientGone):
            begun.result()
        first.result()
    assert it.gated.batches == [1]
