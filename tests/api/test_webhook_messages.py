"""Webhooks of a service that runs as a process."""

import http.client
import json
import signal
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.receivers import receiver
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process
SECRET = f"whsec_{b64encode(bytes(32)).decode()}"


def told(service: TinyService, figure: str) -> str:
    """A figure of the webhook, as /metrics has it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SAFETY_SECONDS)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    sample = f'pricematch_webhook_{figure}{{namespace="default",webhook="1 127.0.0.1"}} '
    return text.partition(sample)[2].partition("\n")[0]


def test_a_service_tells_its_webhooks_what_it_answers(tmp_path: Path) -> None:
    """A page as `GET /changes` has it, with figures in /metrics; a stop does not wait for one that does not answer."""
    with receiver() as hook:
        given = {"webhooks": hook.url, "webhook_secret": SECRET, "webhook_private_addresses": True}
        with running(tmp_path, drain_seconds=0.0, **given) as service:
            eventually(lambda: service.ask("GET", "/readyz").status == 200)
            eventually(lambda: told(service, "behind") == "0.0")
            before = service.ask("GET", "/v1/changes?limit=1000").body["next_since"]
            body = json.dumps({"title": "kopi susu"}).encode()
            assert service.ask("PUT", "/v1/postings/new", body, Content_Type="application/json").status == 201
            eventually(lambda: told(service, "messages_total") == "1.0")
            [request] = hook.received
            assert json.loads(request.body) == service.ask("GET", f"/v1/changes?since={before}").body
            hook.answer = lambda _: (500, {}, b"")
            assert service.ask("DELETE", "/v1/postings/new").status == 200
            eventually(lambda: told(service, "failures_total") == "1.0")
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(SAFETY_SECONDS) in {0, -signal.SIGTERM}
            assert "webhook 1 127.0.0.1 did not take" in service.log()
            assert "/hook" not in service.log()
