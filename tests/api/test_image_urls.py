"""Images at URLs: fetched from hosts that the settings name, and from nowhere else."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.fakes import image_bytes
from tests.support.receivers import Receiver, receiver

RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")
LOCAL: dict[str, Any] = {"image_hosts": "127.0.0.1", "image_host_private_addresses": True}


@pytest.fixture
def source() -> Iterator[Receiver]:
    """A host that has a red image at every path."""
    with receiver() as found:
        found.answer = lambda _: (200, {"Content-Type": "text/html"}, RED)
        yield found


@pytest.fixture
def fetching(serve: Serve) -> TestClient:
    """A client of a service that fetches images of this machine."""
    return serve(**LOCAL)


def test_an_image_at_a_url_is_matched_as_if_it_was_sent(fetching: TestClient, source: Receiver) -> None:
    """In JSON and in a form; its declared type does not matter."""
    expected = fetching.post("/match", files={"image": RED}).json()["matches"]
    for given in (
        {"json": {"image_url": source.url}},
        {"data": {"image_url": source.url}, "files": {"title": (None, "")}},
    ):
        answer = fetching.post("/match", **given)
        assert answer.status_code == 200, answer.text
        assert answer.json()["matches"] == expected


def test_an_image_at_a_url_is_stored_patched_and_compared(fetching: TestClient, source: Receiver) -> None:
    stored = fetching.put("/postings/new", json={"image_url": source.url, "title": "red"})
    assert stored.status_code == 201
    assert fetching.get("/postings/new/image").content == RED
    source.answer = lambda _: (200, {}, GREEN)
    assert fetching.patch("/postings/new", json={"image_url": source.url}).status_code == 200
    assert fetching.get("/postings/new/image").content == GREEN
    sides = {"left": {"image_url": source.url}, "right": {"posting_id": "new"}}
    assert fetching.post("/compare", json=sides).json()["similarity"] == pytest.approx(1)


def test_the_host_is_told_nothing_of_the_request(serve: Serve, source: Receiver) -> None:
    """No key, no cookie, nothing of the environment."""
    headers = {"Authorization": "Bearer secret", "X-API-Key": "secret", "Cookie": "a=secret", "Referer": "secret"}
    serve(**LOCAL).post("/match", json={"image_url": source.url}, headers=headers)
    [received] = source.received
    assert received.method == "GET"
    assert "secret" not in str(received)
    assert set(received.headers) <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:{port}/a"),
        ({"image_hosts": "images.example"}, "http://127.0.0.1:{port}/a"),
        ({"image_hosts": "127.0.0.1"}, "http://127.0.0.1:{port}/a"),
        ({"image_hosts": "localhost"}, "http://localhost:{port}/a"),
        (LOCAL, "http://127.0.0.1.:{port}/a"),
        (LOCAL, "http://user@127.0.0.1:{port}/a"),
        (LOCAL, "http://[::ffff:127.0.0.1]:{port}/a"),
        (LOCAL, "http://2130706433:{port}/a"),
        (LOCAL, "ftp://127.0.0.1:{port}/a"),
        (LOCAL, "file:///etc/passwd"),
        (LOCAL, "//127.0.0.1:{port}/a"),
        (LOCAL, "127.0.0.1:{port}/a"),
        (LOCAL, ""),
    ],
    ids=str,
)
def test_a_url_that_is_not_to_be_asked_is_refused(
    serve: Serve, source: Receiver, settings: dict[str, Any], url: str
) -> None:
    """Whatever leads inside, in whatever spelling; nobody is asked."""
    client = serve(**settings)
    answer = client.post("/match", json={"image_url": url.format(port=source.port)})
    assert_problem(answer, 422, "image-not-fetched")
    assert "127.0.0.1" not in answer.json()["detail"]
    assert ("setting image_hosts" in answer.json()["detail"]) == (not settings)
    assert source.received == []
    assert_still_answers(client)


def test_a_redirect_is_not_followed(fetching: TestClient, source: Receiver) -> None:
    """It could lead inside."""
    source.answer = lambda _: (302, {"Location": f"http://127.0.0.1:{source.port}/b"}, b"")
    assert_problem(fetching.post("/match", json={"image_url": source.url}), 422, "image-not-fetched")
    assert len(source.received) == 1


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        ((404, {}, RED), "image-not-fetched"),
        ((200, {"Content-Encoding": "gzip"}, RED), "image-not-fetched"),
        ((200, {}, b"\0" * 3000), "image-not-fetched"),
        ((200, {}, b"<html>"), "image-type"),
        ((200, {}, b""), "image-empty"),
        ((200, {}, RED[:60]), "image-corrupt"),
    ],
    ids=["no success", "compressed", "too large", "another type", "nothing", "damaged"],
)
def test_an_answer_that_is_no_image_is_a_problem(
    serve: Serve, source: Receiver, answer: tuple[int, dict[str, str], bytes], slug: str
) -> None:
    client = serve(**LOCAL, max_image_bytes=2000)
    source.answer = lambda _: answer
    response = client.post("/match", json={"image_url": source.url})
    assert response.json()["type"].endswith(slug), response.text
    assert_still_answers(client)


def test_a_slow_host_is_given_up(serve: Serve, source: Receiver) -> None:
    source.answer = lambda _: (200, {"Content-Length": "1000"}, b"")  # which never come
    response = serve(**LOCAL, fetch_seconds=0.2).post("/match", json={"image_url": source.url})
    assert_problem(response, 422, "image-not-fetched")


@pytest.mark.parametrize("path", ["/match", "/compare"])
def test_either_an_image_or_a_url_is_sent(fetching: TestClient, source: Receiver, path: str) -> None:
    both = {"image": b64encode(RED).decode(), "image_url": source.url}
    body = both if path == "/match" else {"left": both, "right": {"title": "a"}}
    assert_problem(fetching.post(path, json=body), 422, "invalid-request")
    assert_problem(fetching.put("/postings/new", json=both), 422, "invalid-request")
    several = {"images": [both["image"]], "image_url": source.url}
    assert_problem(fetching.post("/match", json=several), 422, "invalid-request")
    assert source.received == []


def test_urls_have_a_length(fetching: TestClient) -> None:
    url = "http://127.0.0.1/" + "a" * 3000
    assert_problem(fetching.post("/match", json={"image_url": url}), 422, "invalid-request")
    assert_problem(fetching.post("/match", files={"image_url": (None, url)}), 422, "invalid-request")


def test_images_of_many_items_are_not_fetched(fetching: TestClient, source: Receiver) -> None:
    items = [{"op": "put", "posting_id": "new", "image_url": source.url}]
    [item] = fetching.post("/postings:batch", json={"items": items}).json()["items"]
    assert item["problem"]["errors"][0]["location"] == "body.items.0.image_url"
    assert source.received == []
