"""POST /postings:batch: many changes, each of which is made or has its own problem."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.records import Put
from pricematch.errors import ImageError, ModelOutputError, StoreFull
from pricematch.serving.change_batches import AT_ONCE
from pricematch.store.ports import ChangeOutcome
from tests.support.applications import Serve
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.encoding import TinyEncoding
from tests.support.fakes import image_bytes
from tests.support.memory_store import MemoryStore

RED, CORAL = image_bytes("#ff0000"), image_bytes("#ff7f50")
GREY, OLIVE = image_bytes("#808080"), image_bytes("#808000")


def text(image: bytes) -> str:
    return b64encode(image).decode()


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application over `p0` … `p6`, which it may change."""
    return serve()


def changed(client: TestClient, *items: object) -> list[dict[str, Any]]:
    answer = client.post("/postings:batch", json={"items": items})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["failed"] == sum(item["outcome"] == "failed" for item in body["items"])
    assert [item["index"] for item in body["items"]] == list(range(len(items)))
    assert body["catalogue_version"] == client.get("/postings").json()["catalogue_version"]
    found: list[dict[str, Any]] = body["items"]
    return found


def put(posting_id: str, **fields: object) -> dict[str, object]:
    return {"op": "put", "posting_id": posting_id, **fields}


def test_changes_of_every_kind_are_made_in_their_order(client: TestClient) -> None:
    found = changed(
        client,
        put("a", title="kopi", metadata={"price": 10}),
        {"op": "patch", "posting_id": "a", "metadata": {"price": 12, "seller": "x"}},
        put("b", image=text(CORAL)),
        {"op": "delete", "posting_id": "p0"},
        {"op": "delete", "posting_id": "p0"},
        put("a", title="kopi", metadata={"price": 12, "seller": "x"}),
    )
    assert [it["outcome"] for it in found] == ["created", "replaced", "created", "removed", "absent", "unchanged"]
    stored = client.get("/postings/a").json()
    assert (stored["title"], stored["metadata"]) == ("kopi", {"price": 12, "seller": "x"})
    assert client.get("/postings/b/image").content == CORAL
    assert_problem(client.get("/postings/p0"), 404, "posting-not-found")
    matches = client.post("/match", files={"image": CORAL}).json()["matches"]
    assert matches[0]["posting_id"] == "b"
    assert "p0" not in [it["posting_id"] for it in matches]


@pytest.mark.parametrize(
    ("item", "slug", "location"),
    [
        ({"op": "put", "posting_id": "x"}, "invalid-request", "body.items.1.title"),
        ({"op": "put", "posting_id": "x", "title": "x" * 1001}, "invalid-request", "body.items.1.title"),
        ({"op": "put", "posting_id": "x", "title": 1}, "invalid-request", "body.items.1.title"),
        ({"op": "put", "posting_id": ".x", "title": "a"}, "invalid-request", "body.items.1.posting_id"),
        ({"op": "put", "title": "a"}, "invalid-request", "body.items.1.posting_id"),
        ({"op": "put", "posting_id": "x", "title": "a", "colour": 1}, "invalid-request", "body.items.1.colour"),
        (
            {"op": "put", "posting_id": "x", "title": "a", "metadata": {"a.b": 1}},
            "invalid-request",
            "body.items.1.metadata",
        ),
        ({"op": "put", "posting_id": "x", "image": "?"}, "invalid-request", "body.items.1.image"),
        ({"op": "put", "posting_id": "x", "image": text(b"no image")}, "image-type", None),
        ({"op": "put", "posting_id": "x", "image": ""}, "image-empty", None),
        ({"op": "put", "posting_id": "p1", "title": "a", "if_none_match": "*"}, "condition-failed", None),
        ({"op": "put", "posting_id": "x", "title": "a", "if_match": "?"}, "invalid-request", "body.items.1.if_match"),
        ({"op": "patch", "posting_id": "no-such", "title": "a"}, "posting-not-found", None),
        ({"op": "patch", "posting_id": "p1", "image": None, "title": None}, "invalid-request", "body.items.1.title"),
        ({"op": "delete", "posting_id": "p1", "if_match": '"77"'}, "condition-failed", None),
        ({"op": "delete", "posting_id": "p1", "title": "a"}, "invalid-request", "body.items.1.title"),
        ({"op": "move", "posting_id": "p1"}, "invalid-request", "body.items.1.op"),
        ({"posting_id": "p1"}, "invalid-request", "body.items.1.op"),
        ({}, "invalid-request", "body.items.1.op"),
        (7, "invalid-request", "body.items.1"),
        (None, "invalid-request", "body.items.1"),
    ],
    ids=str,
)
def test_a_bad_item_fails_alone(client: TestClient, item: object, slug: str, location: str | None) -> None:
    """It says what is wrong, and where; those around it are made, and it changes nothing."""
    before = {it["posting_id"]: it for it in client.get("/postings").json()["postings"]}
    first, bad, last = changed(client, put("a", title="a"), item, put("b", title="b"))
    assert (first["outcome"], bad["outcome"], last["outcome"]) == ("created", "failed", "created")
    assert bad["problem"]["type"].endswith(slug)
    places = [fault["location"] for fault in bad["problem"].get("errors") or []]
    assert location is None or places[0].startswith(location)
    after = {it["posting_id"]: it for it in client.get("/postings").json()["postings"]}
    assert {key: it for key, it in after.items() if key not in {"a", "b"}} == before


def test_conditions_are_those_of_single_changes(client: TestClient) -> None:
    tag = client.get("/postings/p1").headers["etag"]
    [first] = changed(client, put("p1", title="new", if_match=tag))
    [second, third] = changed(
        client,
        put("p1", title="newer", if_match=tag),
        {"op": "delete", "posting_id": "p1", "if_match": f'"{first["revision"]}"'},
    )
    assert (first["outcome"], second["outcome"], third["outcome"]) == ("replaced", "failed", "removed")


def test_more_than_are_stored_at_once_are_all_made(client: TestClient) -> None:
    """And seen by the next request."""
    items = [put(f"n{number}", title=f"title {number}") for number in range(2 * AT_ONCE + 3)]
    items[AT_ONCE + 1]["image"] = text(b"no image")
    found = changed(client, *items)
    assert [it["outcome"] for it in found].count("created") == len(items) - 1
    assert found[AT_ONCE + 1]["outcome"] == "failed"
    assert client.get("/postings", params={"limit": 1}).json()["total"] == 7 + len(items) - 1


def test_items_are_counted(serve: Serve) -> None:
    client = serve(max_batch_items=2)
    items = [put(f"n{number}", title="a") for number in range(3)]
    assert_problem(client.post("/postings:batch", json={"items": items}), 413, "too-many-items")
    assert client.get("/postings").json()["total"] == 7
    assert_problem(client.post("/postings:batch", json={"items": []}), 422, "invalid-request")
    bodies: list[object] = [{}, {"items": {}}, {"items": [put("a", title="a")], "more": 1}]
    for body in bodies:
        assert_problem(client.post("/postings:batch", json=body), 422, "invalid-request")


def test_json_that_would_take_much_memory_is_refused_unread(serve: Serve) -> None:
    client = serve(max_batch_items=10)
    body = '{"items": [' + ", ".join(['{"image": 1}'] * 200_000) + "]}"
    response = client.post("/postings:batch", content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "body-too-large")
    assert_still_answers(client)


def test_images_of_many_items_may_fill_a_body(serve: Serve) -> None:
    """What is limited is the JSON beside them."""
    client = serve(max_batch_items=3)
    items = [put(f"n{number}", image=text(RED + b"\0" * 100_000)) for number in range(3)]
    assert [it["outcome"] for it in changed(client, *items)] == ["created"] * 3


class Refusing(TinyEncoding):
    """Fails with all that is encoded together with a coral image."""

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        if wanted.encoders and CORAL in images:
            raise ModelOutputError("the network failed")
        return super().encode(images, wanted)


def test_an_image_that_the_network_cannot_take_fails_alone(serve: Serve) -> None:
    items = [put(f"n{number}", image=text(image)) for number, image in enumerate((GREY, CORAL, OLIVE))]
    found = changed(serve(encoding=Refusing()), *items)
    assert [it["outcome"] for it in found] == ["created", "failed", "created"]
    assert found[1]["problem"]["type"].endswith("model-output")


def test_a_disk_that_is_full_changes_nothing_more(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored before it was is told."""
    items = [put(f"n{number}", title=f"title {number}") for number in range(AT_ONCE + 1)]
    change_each, room = MemoryStore.change_each, [AT_ONCE]

    def limited(store: MemoryStore, changes: Sequence[Any]) -> Sequence[ChangeOutcome]:
        if len(changes) > room[0]:
            raise StoreFull("/folder is full")
        room[0] -= len(changes)
        return change_each(store, changes)

    monkeypatch.setattr(MemoryStore, "change_each", limited)
    found = changed(client, *items)
    assert [it["outcome"] for it in found] == ["created"] * AT_ONCE + ["failed"]
    assert found[-1]["problem"]["type"].endswith("storage-full")
    assert_problem(client.post("/postings:batch", json={"items": items}), 507, "storage-full")


def removed(client: TestClient, **given: object) -> tuple[int, int]:
    answer = client.delete("/postings", params=given)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["dry_run"] == bool(given.get("dry_run"))
    return body["matched"], body["removed"]


def test_postings_that_a_filter_holds_of_are_removed(client: TestClient) -> None:
    """They may be counted before."""
    changed(
        client, *(put(f"n{number:03}", title="a", metadata={"seller": "x", "price": number}) for number in range(150))
    )
    assert removed(client, filter="seller=x;price=..99", dry_run=True) == (100, 0)
    assert client.get("/postings").json()["total"] == 157
    assert removed(client, filter="seller=x;price=..99", limit=70) == (100, 70)
    assert removed(client, filter="seller=x;price=..99") == (30, 30)
    assert removed(client, filter="seller=x;price=..99") == (0, 0)
    left = [it["posting_id"] for it in client.get("/postings").json()["postings"]]
    assert left[:50] == [f"n{number:03}" for number in range(100, 150)]
    assert client.get("/postings").json()["total"] == 57


def test_a_posting_that_has_changed_meanwhile_stays(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter must hold of it as it is stored when its turn comes."""
    changed(client, put("a", title="a", metadata={"seller": "x"}), put("b", title="b", metadata={"seller": "x"}))
    change_each = MemoryStore.change_each

    def later(store: MemoryStore, changes: Sequence[Any]) -> Sequence[ChangeOutcome]:
        monkeypatch.setattr(MemoryStore, "change_each", change_each)
        [stored] = [it for it in store.page("", 100) if it.posting.posting_id == "a"]
        store.put([Put(replace(stored.posting, metadata=Metadata({"seller": "y"})))])
        return change_each(store, changes)

    monkeypatch.setattr(MemoryStore, "change_each", later)
    assert removed(client, filter="seller=x") == (2, 1)
    assert client.get("/postings/a").json()["metadata"] == {"seller": "y"}


@pytest.mark.parametrize("query", [{}, {"filter": "=a"}, {"filter": ""}, {"filter": "a=1", "limit": 0}], ids=str)
def test_nothing_is_removed_without_a_filter(client: TestClient, query: dict[str, object]) -> None:
    assert client.delete("/postings", params=query).status_code == 422  # type: ignore[arg-type]
    assert client.get("/postings").json()["total"] == 7
