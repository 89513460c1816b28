"""What the endpoints answer where the disk is full, read-only, or taken by another, over a store on disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.settings import Settings
from pricematch.store.sqlite import database as sqlite_database
from pricematch.store.sqlite.store import DATABASE, open_store
from tests.support.applications import served_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import encoded, scene
from tests.support.served import titles_and_hashes
from tests.support.stores import fill_up

WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/postings/new", {"json": {"title": "kopi susu"}}),
    ("PUT", "/postings/p0", {"files": {"image": encoded(scene())}}),
    ("DELETE", "/postings/p0", {}),
    ("PUT", "/verdicts/p0/p2", {"json": {"verdict": "same"}}),
    ("DELETE", "/verdicts/p0/p1", {}),
]


def start(stack: ExitStack, settings: Settings) -> TestClient:
    """A client of a service over a store with four postings and a verdict."""
    client = stack.enter_context(client_of(stack.enter_context(served_app(settings))))
    assert client.put("/verdicts/p0/p1", json={"verdict": "different"}).status_code == 201
    return client


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test has begun."""
    with ExitStack() as stack:
        yield stack


def reads_go_on(client: TestClient) -> None:
    """Everything that changes nothing is answered, and as before."""
    assert client.get("/postings").json()["total"] == 4
    assert client.get("/postings/p0").json()["title"] == "kopi susu"
    assert [it["posting_id"] for it in client.get("/postings/p2/matches").json()["matches"]] == ["p3"]
    assert client.get("/verdicts").json()["total"] == 1
    assert {it["kind"] for it in client.get("/changes").json()["changes"]} == {"posting", "verdict", "product"}
    found = client.post("/match", json={"title": "teh manis"}).json()["matches"]
    assert [it["posting_id"] for it in found] == ["p3", "p2"]  # p3 has no hash either


def writes_are_taken(client: TestClient) -> None:
    """A change is answered and found."""
    assert client.put("/postings/after", json={"title": "teh manis"}).status_code == 201
    assert "after" in [it["posting_id"] for it in client.get("/postings/p2/matches").json()["matches"]]


def test_fault_34_on_a_full_disk_writes_answer_507(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, stack: ExitStack
) -> None:
    """Reads go on, and writes succeed again once there is room."""
    settings = titles_and_hashes(tmp_path_factory.mktemp("given"), data=small_disk)
    client = start(stack, settings)
    fill_up(small_disk.parent / "ballast")
    assert_problem(client.put("/postings/big", files={"image": encoded(scene((700, 700)), "BMP")}), 507, "storage-full")
    number = 0
    while client.put(f"/verdicts/p0/x{number}", json={"verdict": "same"}).status_code in {200, 201, 404}:
        client.put(f"/postings/q{number}", json={"title": "x" * 500})
        number += 1
        assert number < 5000, "there was always room"
        if client.put("/postings/p1", json={"title": f"kopi {number}"}).status_code == 507:
            break
    version = client.get("/postings").json()["catalogue_version"]
    assert_problem(client.put("/postings/more", json={"title": "teh"}), 507, "storage-full")
    assert client.get("/postings").json()["catalogue_version"] == version
    assert client.get("/postings/more").status_code == 404
    assert client.get("/postings/p2/matches").status_code == 200
    (small_disk.parent / "ballast").unlink()
    writes_are_taken(client)


def test_fault_34_in_a_read_only_folder_writes_answer_503(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on."""
    connections, connect = list[sqlite3.Connection](), sqlite_database.connect

    def remembered(path: Path, mode: sqlite_database.Mode, wait_seconds: float) -> sqlite3.Connection:
        connections.append(connect(path, mode, wait_seconds))
        return connections[-1]

    monkeypatch.setattr(sqlite_database, "connect", remembered)
    client = start(stack, titles_and_hashes(tmp_path))
    for connection in connections:
        connection.execute("PRAGMA query_only = 1")
    for method, path, given in WRITES:
        response = client.request(method, path, **given)
        assert_problem(response, 503, "storage-unavailable")
        assert int(response.headers["retry-after"]) > 0
    reads_go_on(client)
    for connection in connections:
        connection.execute("PRAGMA query_only = 0")
    writes_are_taken(client)


def test_fault_41_while_the_store_is_held_writes_answer_503(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on, and writes succeed once the other process lets go."""
    defaults = open_store.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "wait_seconds", 0.1)
    client = start(stack, titles_and_hashes(tmp_path))
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for method, path, given in WRITES:
            response = client.request(method, path, **given)
            assert_problem(response, 503, "storage-unavailable")
            assert int(response.headers["retry-after"]) > 0
        reads_go_on(client)
    writes_are_taken(client)


def test_a_damaged_row_is_answered_by_its_name(tmp_path: Path, stack: ExitStack) -> None:
    """Fault F14: 500 that names the posting or verdict and no folder; the others are answered, a change heals it."""
    client = start(stack, titles_and_hashes(tmp_path))
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as other, other:
        other.execute("UPDATE posting SET title = 'xopi susu' WHERE posting_id = 'p0'")
        other.execute("UPDATE verdict SET decision = 'same'")
    for path, name in (("/postings/p0", "posting 'p0'"), ("/postings", "posting 'p0'"), ("/verdicts", "'p0' and 'p1'")):
        response = client.get(path)
        assert_problem(response, 500, "storage-damaged")
        assert name in response.json()["detail"]
        assert str(tmp_path) not in response.text
    assert client.get("/postings/p2").status_code == 200
    assert client.delete("/verdicts/p0/p1").status_code == 200
    assert client.put("/verdicts/p0/p1", json={"verdict": "different"}).status_code == 201
    assert client.put("/postings/p0", json={"title": "kopi susu"}).status_code == 200
    reads_go_on(client)
