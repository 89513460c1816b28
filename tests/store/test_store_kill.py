"""What is acknowledged outlives the process, at whatever moment it is killed."""

import multiprocessing
import random
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.store.sqlite.store import open_store
from tests.support.products import check_products
from tests.support.stores import changes, check_whole, everything, work
from tests.support.waiting import SAFETY_SECONDS

LONGEST_SECONDS = 0.08


@pytest.mark.process
@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.long)])
def test_fault_33_acknowledged_changes_outlive_a_killed_process(tmp_path: Path, kills: int) -> None:
    """Of the change in flight all is there or nothing; no image is missing, none is left over; products are whole."""
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload(["tests.support.stores"])
    draw, expected, made, in_flight = random.Random(33), dict[str, Posting](), 0, 0
    for seed in range(kills):
        receiving, sending = nursery.Pipe(duplex=False)
        child = nursery.Process(target=work, args=(tmp_path, seed, sending))
        child.start()
        sending.close()
        if seed % 5:
            receiving.poll(SAFETY_SECONDS)  # it is at work; else it may still be opening the store
        child.join(draw.uniform(0, LONGEST_SECONDS))
        child.kill()
        child.join()
        acknowledged = count(receiving)
        *before, last = islice(changes(seed), acknowledged + 1)
        for change in before:
            expected = change.on(expected)
        store = open_store(tmp_path, serve=True)
        found = everything(store)
        assert found in (expected, last.on(expected)), f"seed {seed}, {acknowledged} acknowledged"
        check_whole(store)
        check_products(store.products)
        store.close()
        made, in_flight, expected = made + acknowledged, in_flight + (found != expected), found
    assert made >= kills // 2
    print(f"{made} changes acknowledged, {in_flight} more found")


def count(receiving: Connection) -> int:
    """How many messages were sent before the sender ended."""
    received = 0
    try:
        while True:
            receiving.recv_bytes()
            received += 1
    except EOFError:
        return received
