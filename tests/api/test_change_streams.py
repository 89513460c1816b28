"""Changes as events, read over a real connection of a service that runs as a process."""

import http.client
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from pricematch.api.links import Links
from pricematch.api.schemas.changes import events_text
from pricematch.catalogue.feed import FeedPage, Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import PostingChange
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service that is ready, and has room for three readers."""
    with running(tmp_path_factory.mktemp("service"), heartbeat_seconds=0.05, max_feed_readers=3) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        yield service


class Stream:
    """A stream that is being read, line by line."""

    def __init__(self, service: TinyService, query: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SAFETY_SECONDS)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"/v1/changes{query}", headers={"Accept": "text/event-stream", **names})
        self.response = self._connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._connection.close()

    def block(self) -> list[str]:
        """The lines of the next block; none at the end."""
        lines = list[str]()
        while line := self.response.readline().decode():
            if line == "\n":
                break
            lines.append(line.removesuffix("\n"))
        return lines

    def event(self) -> dict[str, Any]:
        """The next event: what stands behind each name, its data read."""
        while (lines := self.block()) and not lines[0].startswith("id: "):
            assert lines[0].startswith((":", "retry: "))
        found: dict[str, Any] = dict(line.split(": ", 1) for line in lines)
        return {**found, "data": json.loads(found["data"])} if found else {}


def put(service: TinyService, posting_id: str) -> int:
    """Put a posting; the version that it made."""
    body = json.dumps({"title": f"title\n of {posting_id} é"}).encode()
    answer = service.ask("PUT", f"/v1/postings/{posting_id}", body, Content_Type="application/json")
    assert answer.status in {200, 201}
    return int(answer.body["catalogue_version"])


def readers(service: TinyService) -> float:
    """How many there are."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SAFETY_SECONDS)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return float(text.partition('\npricematch_change_readers{namespace="default"} ')[2].partition("\n")[0])


def test_events_come_as_changes_are_made(service: TinyService) -> None:
    """Each with its revision, kind and fields; before them how soon to come again, between them comments."""
    since = service.ask("GET", "/v1/changes?limit=1000").body["next_since"]
    with Stream(service, f"?since={since}") as stream:
        assert stream.response.status == 200
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.block() == ["retry: 3000"]
        assert stream.block() == [":"]
        for posting_id in ("one", "two"):
            version = put(service, posting_id)
            event = stream.event()
            assert (event["id"].partition("@")[0], event["event"]) == (str(version), "posting")
            assert event["data"]["posting"]["title"] == f"title\n of {posting_id} é"
    eventually(lambda: readers(service) == 0)


def test_what_a_seller_writes_ends_no_line() -> None:
    """Not in readers that take separators of other languages for the end of one either."""
    posting = Posting("a", None, "kopi\u2028susu\u2029\x85 é")
    page = FeedPage(7, Position(0), [PostingChange("a", 7, posting)], Position(7), more=False)
    lines = events_text(page, Links()).decode().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", ""]
    assert json.loads(lines[2].removeprefix("data: "))["posting"]["title"] == posting.title


def test_a_stream_goes_on_behind_the_last_event(service: TinyService) -> None:
    """`Last-Event-ID` is stronger than `since`, which stays in the address; ids of a reading from nothing work, too."""
    put(service, "first")
    put(service, "second")
    pages = service.ask("GET", "/v1/changes?limit=1000").body
    with Stream(service) as stream:
        events = [stream.event() for _ in pages["changes"]]
    assert [event["data"] for event in events] == pages["changes"]
    assert ":" in events[0]["id"]
    for place in (0, len(events) // 2):
        with Stream(service, "?since=0", Last_Event_ID=events[place]["id"]) as stream:
            assert stream.event()["data"] == events[place + 1]["data"]


def test_readers_take_no_place_of_requests(service: TinyService) -> None:
    """Beyond their own number they are turned away; who goes makes room."""
    streams = [Stream(service) for _ in range(3)]
    assert service.ask("GET", "/v1/changes").status == 429
    service.assert_well()
    for stream in streams:
        with stream:
            assert stream.event()
    eventually(lambda: service.ask("GET", "/v1/changes").status == 200)


def test_who_goes_without_a_word_is_forgotten(service: TinyService) -> None:
    """The connection ends, and nothing is logged as a bug."""
    for _ in range(6):
        with service.connect() as connection:
            connection.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        eventually(lambda: readers(service) == 0)
    assert "Traceback" not in service.log()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_streams(tmp_path: Path, how: signal.Signals) -> None:
    """Long before what else is in flight would be given up, and cleanly: the last chunk comes."""
    with running(tmp_path, drain_seconds=0.1, grace_seconds=600, max_wait_seconds=SAFETY_SECONDS) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        waiting = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SAFETY_SECONDS)
        last = service.ask("GET", "/v1/changes?limit=1000").body["next_since"]
        waiting.request("GET", f"/v1/changes?since={last}&wait={SAFETY_SECONDS}")
        with Stream(service) as stream:
            assert stream.event()
            eventually(lambda: readers(service) == 2)
            service.process.send_signal(how)
            while stream.event():
                pass
            assert json.loads(waiting.getresponse().read())["changes"] == []
        waiting.close()
        assert service.process.wait(SAFETY_SECONDS) in {0, -how}
        assert "ASGI" not in service.log()
