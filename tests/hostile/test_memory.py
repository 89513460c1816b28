"""Memory: bombs at the same time, a ceiling, and very many requests."""

import http.client
import resource
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from pricematch.settings import KIB, MIB
from tests.support.fakes import marked_bytes
from tests.support.odd_images import png_of_zeros
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process


@cache
def bomb() -> bytes:
    """25 megapixels, as many as may be, in 75 kB."""
    return png_of_zeros(4990, 4990)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[TinyService]:
    """A service that decodes two images at a time."""
    with running(tmp_path, access_log=False, workers=2, request_seconds=300) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        service.assert_well()
        yield service


def status(process: int, name: str) -> int:
    """Bytes of a line of /proc/…/status."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * KIB for line in lines if line.startswith(f"{name}:"))


def total(service: TinyService, name: str) -> int:
    """The same of the service and the processes that encode for it."""
    return sum(status(process, name) for process in (service.process.pid, *service.encoders()))


def bombs(service: TinyService, count: int) -> "Counter[int]":
    """The answers to as many bombs at once; 0 where the connection was lost."""

    def drop(_: int) -> int:
        try:
            return service.ask("POST", "/match", bomb(), Content_Type="image/png").status
        except (OSError, http.client.HTTPException):
            return 0

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(drop, range(count)))


@pytest.mark.long  # bombs under a ceiling stay in `make test`
def test_fault_38_many_large_images_take_the_memory_of_few(
    service: TinyService,
) -> None:
    """Images of as many pixels as are allowed, however many come at once."""
    assert len(bomb()) < 200 * KIB
    before = total(service, "VmRSS")
    assert bombs(service, 12).keys() <= {200, 429}
    assert total(service, "VmHWM") - before < 1000 * MIB  # all at once would take three times as much
    service.assert_well()


def test_fault_38_under_a_ceiling_requests_fail_and_the_process_lives(service: TinyService) -> None:
    encoding, most = service.encoders(), resource.RLIM_INFINITY
    for process in encoding:
        resource.prlimit(process, resource.RLIMIT_AS, (status(process, "VmSize") + 40 * MIB, most))
    answered = bombs(service, 8)
    assert answered.keys() <= {0, 200, 422, 429, 500, 503}
    assert answered[200] < 8
    for process in set(encoding) & set(service.encoders()):
        resource.prlimit(process, resource.RLIMIT_AS, (most, most))
    assert service.process.poll() is None
    eventually(lambda: service.match().status == 200)


@pytest.mark.parametrize(("warm_up", "many"), [(200, 400), pytest.param(1000, 3000, marks=pytest.mark.long)])
def test_fault_43_requests_leave_no_memory_behind(service: TinyService, warm_up: int, many: int) -> None:
    """After many requests the service takes as much memory as before them."""
    image = marked_bytes("#00ff00")

    def ask(connection: http.client.HTTPConnection, count: int) -> int:
        for number in range(count):
            connection.request("POST", "/match", image, {"Content-Type": "image/png", "X-Request-ID": f"r{number}"})
            response = connection.getresponse()
            assert response.status == 200
            response.read()
        return total(service, "VmRSS")

    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=SAFETY_SECONDS)) as connection:
        before = ask(connection, warm_up)
        assert ask(connection, many) - before < 8 * MIB
