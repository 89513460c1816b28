"""Stages of a request are timed wherever they happen."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from pricematch.stages import measured, stage


def test_time_in_a_stage_is_summed_up() -> None:
    with measured() as stages:
        for _ in range(2):
            with stage("decode"):
                time.sleep(0.01)
    assert set(stages) == {"decode"}
    assert 0.02 <= stages["decode"] < 5


def test_a_stage_in_a_thread_that_was_given_the_context_counts() -> None:
    def work() -> None:
        with stage("encode"):
            pass

    with measured() as stages, ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, work).result()
    assert set(stages) == {"encode"}


def test_what_nobody_measures_is_done_all_the_same() -> None:
    done = False
    with stage("search"):
        done = True
    assert done


def test_requests_side_by_side_are_measured_apart() -> None:
    def request() -> set[str]:
        with measured() as stages, stage("score"):
            pass
        return set(stages)

    with measured() as outer:
        assert copy_context().run(request) == {"score"}
    assert outer == {}
