"""Many clients that change the same catalogue at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.fakes import image_bytes

RED = image_bytes("#ff0000")


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application over `p0` … `p6`, which it may change."""
    return serve()


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Do something in several threads; raises what one of them raised."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def test_conditional_updates_are_never_lost(client: TestClient) -> None:
    client.put("/postings/count", json={"title": "0"})

    def add_one(_: int) -> None:
        left = 5
        while left:
            read = client.get("/postings/count")
            title, tag = str(int(read.json()["title"]) + 1), read.headers["etag"]
            changed = client.put("/postings/count", json={"title": title}, headers={"If-Match": tag})
            assert changed.status_code in {200, 412}
            left -= changed.status_code == 200

    at_once(4, add_one)
    assert client.get("/postings/count").json()["title"] == "20"


def test_of_many_conditional_puts_one_succeeds(client: TestClient) -> None:
    """Each puts a posting on condition that there is none."""
    statuses: list[int] = []

    def put(number: int) -> None:
        body = {"title": f"by {number}"}
        statuses.append(client.put("/postings/new", json=body, headers={"If-None-Match": "*"}).status_code)

    at_once(6, put)
    assert sorted(statuses) == [201, 412, 412, 412, 412, 412]


def test_of_many_removals_one_finds_the_posting(client: TestClient) -> None:
    removed: list[bool] = []
    at_once(6, lambda _: removed.append(client.delete("/postings/p0").json()["removed"]))
    assert sorted(removed) == [False] * 5 + [True]


def test_fault_42_what_is_acknowledged_is_found_at_once(
    client: TestClient,
) -> None:
    def write(writer: int) -> None:
        for number in range(4):
            posting_id = f"w{writer}-{number}"
            version = client.put(f"/postings/{posting_id}", files={"image": RED}).json()["catalogue_version"]
            found = client.post("/match", params={"limit": 50}, files={"image": RED}).json()
            assert found["catalogue_version"] >= version
            assert posting_id in [match["posting_id"] for match in found["matches"]]
            gone = client.delete(f"/postings/{posting_id}").json()["catalogue_version"]
            found = client.post("/match", params={"limit": 50}, files={"image": RED}).json()
            assert found["catalogue_version"] >= gone
            assert posting_id not in [match["posting_id"] for match in found["matches"]]

    at_once(4, write)


def test_an_answer_is_of_the_version_it_names(
    client: TestClient,
) -> None:
    """It holds no posting that was gone by that version."""
    first, done = client.get("/postings").json()["catalogue_version"], threading.Event()
    seen: set[int] = set()

    def change() -> None:
        try:
            for _ in range(20):  # at even distances from the first version p1 is there, at odd ones it is not
                assert client.delete("/postings/p1").json()["removed"]
                assert client.put("/postings/p1", files={"image": RED}).status_code == 201
        finally:
            done.set()

    def read(_: int) -> None:
        while not done.is_set():
            for answer in (
                client.get("/postings/p0/matches", params={"limit": 50}).json(),
                client.post("/match", params={"limit": 50}, files={"image": RED}).json(),
            ):
                there = (answer["catalogue_version"] - first) % 2 == 0
                assert ("p1" in [match["posting_id"] for match in answer["matches"]]) is there
                assert answer["catalogue_size"] == 6 + there
                seen.add(answer["catalogue_version"])

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(change)
        at_once(2, read)
        writing.result()
    assert len(seen) > 1
