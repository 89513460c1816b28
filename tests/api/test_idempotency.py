"""Requests with an Idempotency-Key: done once, however often they are sent."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from pricematch.catalogue.records import KeptAnswer
from pricematch.store.sqlite.answers import KEPT_SECONDS
from pricematch.store.sqlite.store import Store, open_store
from tests.support.applications import make_app, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.memory_store import MemoryStore
from tests.support.served import settings_of

ITEMS = {"items": [{"op": "put", "posting_id": "a", "title": "kopi"}]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a service over a store on disk."""
    with served_app(settings_of(tmp_path)) as app, client_of(app) as client:
        yield client


def batch(client: TestClient, key: str, body: object = ITEMS, **headers: str) -> Any:
    return client.post("/postings:batch", json=body, headers={"Idempotency-Key": key, **headers})


def version(client: TestClient) -> int:
    return int(client.get("/postings").json()["catalogue_version"])


def test_a_request_that_is_sent_again_is_answered_as_before(client: TestClient) -> None:
    """And not done again, whatever has changed since."""
    first = batch(client, "one")
    client.delete("/postings/a")
    before = version(client)
    again = batch(client, "one")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert again.headers["content-type"] == "application/json"
    assert version(client) == before
    assert batch(client, "other").json()["items"][0]["outcome"] == "created"


def test_an_import_is_queued_once(client: TestClient) -> None:
    """And leads to the same job."""
    files = {"postings": b"posting_id,image,title\na,,kopi\n"}
    answers = [client.post("/postings/import", files=files, headers={"Idempotency-Key": "x"}) for _ in range(3)]
    assert {it.status_code for it in answers} == {202}
    assert len({it.headers["location"] for it in answers}) == 1
    assert [it["kind"] for it in client.get("/jobs").json()["jobs"]].count("import") == 1


def test_decisions_are_made_once(client: TestClient) -> None:
    body = {"decisions": [{"left": "p0", "right": "p1", "decision": "same"}]}
    answers = [client.post("/verdicts:batch", json=body, headers={"Idempotency-Key": "x"}) for _ in range(2)]
    assert [it.status_code for it in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(client.get("/verdicts/batches").json()["batches"]) == 1


def test_a_key_is_of_one_request(client: TestClient) -> None:
    batch(client, "one")
    for title in ("teh!", "teh"):  # as long, and shorter
        another = {"items": [{"op": "put", "posting_id": "a", "title": title}]}
        assert_problem(batch(client, "one", another), 422, "idempotency-key-reused")
    longer = {"items": [*ITEMS["items"], {"op": "delete", "posting_id": "b"}]}
    assert_problem(batch(client, "one", longer), 422, "idempotency-key-reused")
    elsewhere = client.post(
        "/postings/import", files={"postings": b"posting_id,image\n"}, headers={"Idempotency-Key": "one"}
    )
    assert_problem(elsewhere, 422, "idempotency-key-reused")


def test_what_was_refused_may_be_sent_again(client: TestClient) -> None:
    """Nothing was changed, so nothing is kept."""
    assert_problem(batch(client, "one", {"items": []}), 422, "invalid-request")
    assert batch(client, "one").status_code == 200


def test_a_key_is_of_whoever_sent_it(tmp_path: Path) -> None:
    """Nobody is answered what another was, nor without a key that is known."""
    (ann, ann_line), (bob, bob_line) = new_key("ann", "write"), new_key("bob", "write")
    reader, read_line = new_key("eve", "read")
    lines = ",".join(it.line() for it in (ann_line, bob_line, read_line))
    with served_app(settings_of(tmp_path, api_keys=lines)) as app, client_of(app) as client:
        first = batch(client, "one", Authorization=f"Bearer {ann}")
        other = batch(client, "one", Authorization=f"Bearer {bob}")
        assert first.json()["items"][0]["outcome"] == "created"
        assert other.json()["items"][0]["outcome"] == "unchanged"
        assert_problem(batch(client, "one"), 401, "unauthenticated")
        assert_problem(batch(client, "one", Authorization=f"Bearer {reader}"), 403, "forbidden")


def test_a_request_that_is_still_answered_is_not_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it meanwhile is told to come again."""
    begun, go_on, change_each = Event(), Event(), MemoryStore.change_each

    def slow(store: MemoryStore, changes: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return change_each(store, changes)

    monkeypatch.setattr(MemoryStore, "change_each", slow)
    with client_of(make_app()) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(batch, client, "one")
        assert begun.wait(20)
        second = batch(client, "one")
        go_on.set()
        assert first.result().status_code == 200
        assert_problem(second, 409, "request-running")
        assert second.headers["retry-after"]
        assert batch(client, "one").content == first.result().content


def test_of_many_at_once_one_is_done(client: TestClient) -> None:
    together = Barrier(8)

    def send(_: int) -> Any:
        together.wait(20)
        return batch(client, "one")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(8)))
    done = [it for it in answers if it.status_code == 200]
    assert done
    assert {it.content for it in done} == {done[0].content}
    assert done[0].json()["items"][0]["outcome"] == "created"
    assert {it.status_code for it in answers} <= {200, 409}


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(client: TestClient, key: str) -> None:
    assert_problem(batch(client, key), 422, "invalid-request")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_answers_last_and_are_forgotten_after_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = KeptAnswer(b"f" * 32, 202, '{"location": "/a"}', b"body")
    store.answers.keep_answer(b"k" * 32, answer)
    store.close()
    again = open_store(store.folder)
    assert again.answers.answer(b"k" * 32) == answer
    assert again.answers.answer(b"o" * 32) is None
    now = time.time()
    monkeypatch.setattr("pricematch.store.sqlite.answers.time.time", lambda: now + KEPT_SECONDS + 1)
    assert again.answers.answer(b"k" * 32) is None
    again.close()


def test_only_so_many_answers_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ones."""
    monkeypatch.setattr("pricematch.store.sqlite.answers.KEPT_ANSWERS", 3)
    for number in range(5):
        store.answers.keep_answer(bytes([number]), KeptAnswer(b"", 200, "{}", b""))
    assert [number for number in range(5) if store.answers.answer(bytes([number]))] == [2, 3, 4]
