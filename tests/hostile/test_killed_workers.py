"""Processes that encode are killed, or kept busy by hostile images, while clients ask."""

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.odd_images import jpeg_of_scans
from tests.support.running_service import TinyService, running
from tests.support.tiny_worker import SPINS
from tests.support.waiting import eventually

CLIENTS = 8
TOO_COMPLEX = "urn:pricematch:problem:image-too-complex"


def ask(service: TinyService, enough: threading.Event) -> "Counter[int]":
    """The statuses of one request after the other; whoever is to come again later is told when."""
    statuses: Counter[int] = Counter()
    while not enough.is_set():
        answer = service.match()
        statuses[answer.status] += 1
        if answer.status == 503:
            assert answer.body["type"] == "urn:pricematch:problem:not-ready"
            assert float(answer.headers["retry-after"]) > 0
            assert service.ask("GET", "/postings/p0/matches").status == 200
            time.sleep(0.05)
    return statuses


@pytest.mark.process
@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.long)])
def test_killed_processes_are_replaced_and_nothing_fails(tmp_path: Path, kills: int) -> None:
    """Fault F8: whatever is killed when, a request is answered or may come again; what needs no image goes on."""
    luck, enough = random.Random(kills), threading.Event()
    with running(tmp_path, access_log=False, workers=2) as service, ThreadPoolExecutor(CLIENTS) as pool:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        asked = [pool.submit(ask, service, enough) for _ in range(CLIENTS)]
        try:
            for number in range(kills):
                eventually(lambda: len(service.encoders()) == 2)
                for process in service.encoders()[: 1 + number % 2]:
                    os.kill(process, signal.SIGKILL)
                time.sleep(luck.random() / 4)
        finally:
            enough.set()
        statuses = sum((one.result() for one in asked), Counter[int]())
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        eventually(lambda: len(service.encoders()) == 2)  # those that were killed are gone
        assert service.match().status == 200  # on a busy machine perhaps the first
        service.assert_well()
    assert statuses.keys() <= {200, 503}


@pytest.mark.process
def test_hostile_images_do_not_stop_the_service(tmp_path: Path) -> None:
    """Fault F3: as many as there are processes, at once, are refused themselves, and the service is ready again."""
    with (
        running(tmp_path, access_log=False, workers=2, image_seconds=1) as service,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        hostile = [pool.submit(service.ask, "POST", "/match", SPINS, Content_Type="image/png") for _ in range(2)]
        for answer in (one.result() for one in hostile):
            assert (answer.status, answer.body["type"]) == (422, TOO_COMPLEX)
            assert "more of a processor" in answer.body["detail"]
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        service.assert_well()
        answer = service.ask("POST", "/match", jpeg_of_scans(200), Content_Type="image/jpeg")
        assert (answer.status, answer.body["type"]) == (422, TOO_COMPLEX)
        assert "at most 100 scans in a JPEG, got 200" in answer.body["detail"]
        assert len(service.encoders()) == 2
