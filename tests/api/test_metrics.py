"""GET /metrics."""

import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from pricematch.api.app import create_app
from pricematch.api.telemetry import Metrics
from pricematch.catalogue.features import Seconds
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import Serve
from tests.support.fakes import COLOURS, image_bytes


def figures(client: TestClient) -> Mapping[tuple[str, ...], float]:
    """Each sample by its name and labels but the namespace: there is one, and what is about none is counted with it."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(response.text)
    samples = [it for family in families for it in family.samples]
    assert {it.labels.get("namespace", "") for it in samples} <= {"", "default"}
    found: dict[tuple[str, ...], float] = defaultdict(float)
    for it in samples:
        found[it.name, *sorted(value for name, value in it.labels.items() if name != "namespace")] += it.value
    return found


def test_requests_are_counted_by_route_and_status(serve: Serve) -> None:
    """Never by names that clients make up."""
    client = serve()
    for row in range(3):
        client.get(f"/postings/p{row}")
    client.get("/postings/absent")
    client.get("/made/up")
    client.request("MADEUP", "/postings/p0")
    found = figures(client)
    assert found["pricematch_requests_total", "/postings/{posting_id}", "200", "GET"] == 3
    assert found["pricematch_requests_total", "/postings/{posting_id}", "404", "GET"] == 1
    assert found["pricematch_requests_total", "404", "GET", "none"] == 1
    assert found["pricematch_request_seconds_count", "/postings/{posting_id}"] >= 4
    assert not [key for key in found if any("made" in part.lower() for part in key[1:])]


def test_stages_of_a_match_are_measured(serve: Serve) -> None:
    client = serve()
    client.post("/match", files={"image": image_bytes("red")})
    found = figures(client)
    for stage in ("queue", "decode", "encode", "search"):
        assert found["pricematch_stage_seconds_count", stage] == 1, stage


def test_catalogue_and_models_are_measured_as_they_are_now(serve: Serve) -> None:
    client = serve()
    before = figures(client)
    assert before["pricematch_catalogue_postings",] == len(COLOURS)
    client.put("/postings/new", json={"title": "kopi"})
    after = figures(client)
    assert after["pricematch_catalogue_version",] == before["pricematch_catalogue_version",] + 1
    assert after["pricematch_ready",] == 1


def test_a_service_that_starts_has_figures_as_well() -> None:
    with TestClient(create_app(Service(Settings()))) as client:
        found = figures(client)
    assert found["pricematch_ready",] == 0
    assert ("pricematch_catalogue_postings",) not in found


def test_the_process_is_measured(client: TestClient) -> None:
    found = figures(client)
    assert found["process_resident_memory_bytes",] > 1e6
    assert found["process_open_fds",] > 0


class Encoders(Service):
    """A service of which only the processes that encode are known."""

    def __init__(self, process_ids: Sequence[int]) -> None:
        super().__init__(Settings())
        self._ids = process_ids

    def process_ids(self) -> Sequence[int]:
        return self._ids


def test_worker_processes_are_measured_one_by_one() -> None:
    metrics = Metrics(Service(Settings()))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        metrics.watch(Encoders([os.getpid(), other.pid]))
        families = text_string_to_metric_families(metrics.text().decode())
        found = {(it.name, it.labels.get("process")): it.value for family in families for it in family.samples}
        other.kill()
    assert found["pricematch_encoder_start_time_seconds", "0"] == found["process_start_time_seconds", None]
    assert found["pricematch_encoder_start_time_seconds", "1"] > found["process_start_time_seconds", None]
    for process in "01":
        assert found["pricematch_encoder_resident_memory_bytes", process] > 0
        assert found["pricematch_encoder_cpu_seconds_total", process] >= 0


def test_a_process_that_has_ended_meanwhile_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    metrics = Metrics(Service(Settings()))
    metrics.watch(Encoders([ended.pid]))
    assert "pricematch_encoder_" not in metrics.text().decode()


def test_batches_and_queues_are_measured() -> None:
    service = Service(Settings())
    metrics = Metrics(service)
    for size in (1, 3, 32):
        metrics.observe_batch(size, Seconds())
    metrics.set_queue_depth(7)
    with TestClient(create_app(service, metrics)) as client:
        found = figures(client)
    assert found["pricematch_batch_pictures_sum",] == 36
    assert found["pricematch_batch_pictures_bucket", "4.0"] == 2
    assert found["pricematch_queue_pictures",] == 7


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_two_applications_count_apart(serve: Serve, path: str) -> None:
    one, other = serve(), serve()
    one.get(path)
    assert math.isnan(figures(other).get(("pricematch_requests_total", path, "200", "GET"), math.nan))


def test_what_was_kept_and_what_was_computed_are_counted(serve: Serve) -> None:
    """Of two equal requests the second is answered from memory, and after a change the image is known still."""
    client = serve()
    for _ in range(2):
        client.post("/match", files={"image": image_bytes("red")})
    found = figures(client)
    assert {outcome: found["pricematch_cache_lookups_total", "features", outcome] for outcome in ("hit", "miss")} == {
        "hit": 1,
        "miss": 1,
    }
    assert found["pricematch_cache_lookups_total", "hit", "results"] == 1
    assert found["pricematch_cache_bytes", "features"] > 0
    client.put("/postings/new", json={"title": "kopi"})
    client.post("/match", files={"image": image_bytes("red")})
    found = figures(client)
    assert found["pricematch_cache_lookups_total", "features", "hit"] == 2
    assert found["pricematch_cache_lookups_total", "miss", "results"] == 2
