"""GET /changes: pages of changes, of every kind, and what is waited for."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from pricematch.catalogue.feed import EVERY_KIND, ChangeKind, Position
from pricematch.errors import HistoryLost, StoreUnavailable
from pricematch.matching.queries import Options
from pricematch.serving.results import ChangesRead
from tests.support.applications import make_app_of
from tests.support.contract import assert_problem, client_of
from tests.support.memory_store import MemoryStore
from tests.support.product_shop import ProductShop, hashed, in_memory
from tests.support.waiting import SAFETY_SECONDS, eventually

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture
def shop() -> ProductShop:
    """Three postings, of which two are one product, a verdict, and one that is gone."""
    shop = in_memory()
    for posting_id, bits in (("a", 0), ("b", 1), ("c", 40), ("d", 60)):
        shop.put(posting_id, bits, f"title {posting_id}")
    shop.intake.decide("a", "c", "different")
    shop.intake.remove("d")
    return shop


@pytest.fixture
def client(shop: ProductShop) -> Iterator[TestClient]:
    with client_of(make_app_of(shop, max_wait_seconds=SAFETY_SECONDS)) as client:
        yield client


def changes(client: TestClient, **given: Any) -> Any:
    """The body of a page."""
    response = client.get("/v1/changes", params=given)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_page_has_what_was_put_decided_and_clustered(client: TestClient) -> None:
    """In order; each with its kind, what was done, and the fields of the kind."""
    body = changes(client)
    told = [(it["revision"], it["kind"], it["change"]) for it in body["changes"]]
    assert told == [
        (2, "posting", "put"),
        (3, "product", "created"),
        (4, "posting", "put"),
        (5, "product", "changed"),
        (6, "posting", "put"),
        (7, "product", "created"),
        (9, "product", "created"),
        (10, "verdict", "decided"),
        (11, "posting", "removed"),
        (12, "product", "removed"),
    ]
    posting, event, verdict, gone = (body["changes"][place] for place in (0, 3, 7, 8))
    assert posting == {
        "revision": 2,
        "kind": "posting",
        "change": "put",
        "posting_id": "a",
        "posting": {
            "posting_id": "a",
            "title": "title a",
            "image_phash": "0" * 16,
            "label_group": None,
            "metadata": {},
            "image": None,
            "image_url": None,
            "images": [],
            "image_urls": [],
        },
    }
    assert event.pop("at")
    assert event == {
        "revision": 5,
        "kind": "product",
        "change": "changed",
        "product_id": "p1",
        "cause": "arrival",
        "joined": ["b"],
        "left": [],
        "size": 2,
        "merged_into": None,
    }
    assert (verdict["first"], verdict["second"], verdict["verdict"]) == ("a", "c", "different")
    assert (gone["posting_id"], gone["posting"]) == ("d", None)
    assert (body["catalogue_version"], body["next_since"], body["more"]) == (12, "12@55555555", False)


@pytest.mark.parametrize("limit", [1, 2, 9, 10, 1000])
def test_pages_follow_each_other(client: TestClient, limit: int) -> None:
    """Until there is nothing more."""
    whole, found, since = changes(client)["changes"], list[Any](), "0"
    while True:
        body = changes(client, since=since, limit=limit)
        found, since = found + body["changes"], body["next_since"]
        assert len(body["changes"]) <= limit
        if not body["more"]:
            break
    assert found == whole
    assert changes(client, since=since, limit=limit)["changes"] == []


@pytest.mark.parametrize("kinds", ["posting", "verdict", "product", "product, posting", "model"])
def test_only_the_kinds_that_are_wanted_come(client: TestClient, kinds: str) -> None:
    wanted = set(kinds.split(", "))
    whole = changes(client)["changes"]
    body = changes(client, kinds=kinds)
    assert body["changes"] == [it for it in whole if it["kind"] in wanted]
    assert body["next_since"] == "12@55555555"


def test_what_is_told_is_answered_from_then_on(shop: ProductShop, client: TestClient) -> None:
    """What another process stored is not told before it is searched."""
    shop.put_elsewhere(hashed("e", 2))
    assert changes(client, since=12)["changes"] == []
    shop.snapshots.complete()
    body = changes(client, since=12)
    assert [it["kind"] for it in body["changes"]] == ["posting", "product"]
    catalogue = shop.snapshots.current.matcher
    assert [it.posting_id for it in catalogue.match_posting("e", Options()).matches][:1] == ["b"]


def test_a_model_that_is_activated_is_told(shop: ProductShop, client: TestClient) -> None:
    assert isinstance(shop.feed, MemoryStore)
    shop.feed.activate("cnn", "2")
    shop.snapshots.complete()
    [model] = changes(client, since=12)["changes"]
    assert model == {"revision": 13, "kind": "model", "change": "activated", "name": "cnn", "version": "2"}


def test_events_of_a_change_are_told_with_it(shop: ProductShop, client: TestClient) -> None:
    """They are not left for the next look at the store."""
    shop.put("e", 2)
    assert [it["kind"] for it in changes(client, since=12)["changes"]] == ["posting", "product"]
    shop.intake.decide("a", "b", "different")
    kinds = [it["kind"] for it in changes(client, since=14)["changes"]]
    assert kinds[:1] == ["verdict"]
    assert set(kinds[1:]) == {"product"}


@pytest.mark.parametrize(
    "asked",
    [
        *({"since": text} for text in ("-1", "x", "1.5", "1:", ":1", "5:3", "5:5", "٣", "9" * 19, "", "1 ", "0x1")),
        *({"limit": text} for text in ("0", "1001", "x", "-1", "")),
        *({"kinds": text} for text in ("", "postings", "posting,,model", "feedback", "posting;model", "x" * 5000)),
        *({"wait": text} for text in ("-1", "x", "nan", "inf", "901", "1e9")),
        *({"after": "1"}, {"since": ["1", "2"]}),
    ],
)
def test_what_is_no_question_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    """It names the parameter."""
    response = client.get("/v1/changes", params=asked)
    assert_problem(response, 422, "invalid-request")
    assert response.json()["errors"][0]["location"].startswith(f"query.{next(iter(asked))}")


@pytest.mark.parametrize("since", ["13", "999999999999999999", "3:13"])
def test_a_version_that_is_yet_to_come_is_refused(client: TestClient, since: str) -> None:
    response = client.get("/v1/changes", params={"since": since, "wait": 60})
    assert_problem(response, 422, "version-unknown")
    assert "from 0 to 12, got " in response.json()["detail"]


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_lost_history_says_where_to_start_again(
    shop: ProductShop, client: TestClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def lost(*_: object) -> None:
        raise HistoryLost("the changes since version 3 are not known any more", 11)

    monkeypatch.setattr(shop.feed, "changes", lost)
    response = client.get("/v1/changes", params={"since": 3}, headers=headers)
    assert_problem(response, 410, "history-lost")
    assert response.json()["start_at"] == 11
    assert "read /postings, /verdicts and /products anew, and then the changes since 11" in response.json()["detail"]


def test_a_store_that_cannot_be_read_is_told(
    shop: ProductShop, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(shop.feed, "changes", fail)
    assert_problem(client.get("/v1/changes"), 503, "storage-unavailable")
    assert_problem(client.get("/v1/changes", headers=EVENTS), 503, "storage-unavailable")


def test_a_key_that_reads_is_enough() -> None:
    shop, (key, known) = in_memory(), new_key("reader", "read")
    with client_of(make_app_of(shop, api_keys=known.line())) as client:
        assert_problem(client.get("/v1/changes"), 401, "unauthenticated")
        assert_problem(client.get("/v1/changes", headers=EVENTS), 401, "unauthenticated")
        assert client.get("/v1/changes", headers={"X-API-Key": key}).status_code == 200


# --- waiting -----------------------------------------------------------------------------------------------------


def waiting(client: TestClient, count: int = 1) -> bool:
    """Whether so many requests wait."""
    return f'pricematch_change_readers{{namespace="default"}} {float(count)}' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("since", "kinds"), [("12", "posting,verdict,product,model"), ("13", "posting"), ("12", "product")]
)
def test_a_request_that_waits_is_answered_by_a_write(
    shop: ProductShop, client: TestClient, since: str, kinds: str
) -> None:
    """Also behind a version without changes, and where changes of other kinds come first."""
    shop.intake.store.renew()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(changes, client, since=since, kinds=kinds, wait=SAFETY_SECONDS)
        eventually(lambda: waiting(client))
        shop.intake.decide("b", "c", "different")
        shop.put("e", 63)
        body = asking.result(SAFETY_SECONDS)
    assert body["changes"]
    assert {it["kind"] for it in body["changes"]} <= set(kinds.split(","))
    assert waiting(client, 0)


def test_a_request_that_waits_in_vain_is_answered_with_an_empty_page(client: TestClient) -> None:
    body = changes(client, since=12, wait=0.01)
    assert (body["changes"], body["next_since"]) == ([], "12@55555555")


def test_what_is_there_is_not_waited_for(client: TestClient) -> None:
    assert len(changes(client, wait=SAFETY_SECONDS)["changes"]) == 10


def test_more_readers_than_may_be_are_turned_away() -> None:
    """Others of the service are answered as ever, and once one is done there is room again."""
    shop = in_memory()
    with client_of(make_app_of(shop, max_feed_readers=2, max_in_flight=1)) as client, ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(changes, client, wait=30) for _ in range(2)]
        eventually(lambda: waiting(client, 2))
        assert_problem(client.get("/v1/changes"), 429, "overloaded")
        assert_problem(client.get("/v1/changes", headers=EVENTS), 429, "overloaded")
        assert client.get("/v1/products").status_code == 200
        shop.put("a", 0)
        assert all(one.result(SAFETY_SECONDS)["changes"] for one in asking)
        assert client.get("/v1/changes").status_code == 200


def test_a_service_that_stops_lets_nobody_wait(shop: ProductShop) -> None:
    """Who waits is answered, who comes later does not wait."""
    app = make_app_of(shop, max_wait_seconds=SAFETY_SECONDS)
    with client_of(app) as client, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(changes, client, since=12, wait=SAFETY_SECONDS)
        eventually(lambda: waiting(client))
        client.app_state["app"].namespaces.drain()
        assert asking.result(SAFETY_SECONDS)["changes"] == []
        assert changes(client, since=12, wait=SAFETY_SECONDS)["changes"] == []
        with client.stream("GET", "/v1/changes", headers=EVENTS) as response:
            assert response.read().count(b"event: ") == 10


def test_head_of_a_stream_ends(client: TestClient) -> None:
    response = client.head("/v1/changes", headers=EVENTS)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert client.head("/v1/changes").status_code == 200
    assert waiting(client, 0)


def test_reads_at_once_are_each_of_what_was_asked(client: TestClient) -> None:
    """Of other positions, limits and kinds, they share nothing; of the same, the page."""
    service, every = client.app_state["app"].namespaces.default, EVERY_KIND
    models = frozenset[ChangeKind]({"model"})
    asked = [(0, 100, every), (11, 100, every), (0, 1, every), (0, 100, models), (0, 100, every)]

    async def read() -> list[ChangesRead]:
        found: list[ChangesRead] = await asyncio.gather(
            *(service.changes(Position(since), *others, 0) for since, *others in asked)
        )
        return found

    assert client.portal is not None
    pages = [it.page for it in client.portal.call(read)]
    alone = [client.portal.call(service.changes, Position(since), *others, 0).page for since, *others in asked]
    assert [page.changes for page in pages] == [page.changes for page in alone]
    assert len({len(page.changes) for page in pages}) > 2
    assert pages[0] is pages[4]


def test_a_position_of_another_store_is_answered_as_lost_history(client: TestClient) -> None:
    """Of a page as of a stream; with the store's own, or none, it goes on."""
    asked: list[dict[str, Any]] = [
        {"params": {"since": "5@00000000"}},
        {"headers": {**EVENTS, "Last-Event-ID": "3:5@00000000"}},
    ]
    for given in asked:
        lost = client.get("/v1/changes", **given)
        assert_problem(lost, 410, "history-lost")
        assert lost.json()["start_at"] == 12
    for since in ("5@55555555", "5"):
        assert changes(client, since=since)["changes"] == changes(client, since=5)["changes"]
    for wrong in ("5@", "5@5", "5@5555555G", "@55555555"):
        assert_problem(client.get("/v1/changes", params={"since": wrong}), 422, "invalid-request")


def test_a_stream_takes_no_wait_and_no_other_id(client: TestClient) -> None:
    assert_problem(client.get("/v1/changes", params={"wait": 1}, headers=EVENTS), 422, "invalid-request")
    for wrong in ("x", "-1", "9" * 50):
        response = client.get("/v1/changes", headers={**EVENTS, "Last-Event-ID": wrong})
        assert_problem(response, 422, "invalid-request")
        assert "Last-Event-ID" in response.text or "last-event-id" in response.text
    ahead = client.get("/v1/changes", headers={**EVENTS, "Last-Event-ID": "99"})
    assert_problem(ahead, 422, "version-unknown")


def test_the_time_of_who_waits_is_no_latency(client: TestClient) -> None:
    """It is counted, and not measured."""
    changes(client, since=12, wait=0.01)
    client.get("/v1/postings")
    text = client.get("/metrics").text
    assert 'pricematch_requests_total{method="GET",namespace="default",route="/changes",status="200"} 1.0' in text
    assert 'pricematch_request_seconds_count{namespace="default",route="/postings"}' in text
    assert 'pricematch_request_seconds_count{namespace="default",route="/changes"}' not in text
    changes(client)
    assert 'pricematch_request_seconds_count{namespace="default",route="/changes"} 1.0' in client.get("/metrics").text


def test_many_who_wait_are_all_told_everything() -> None:
    """Each from where it is, while several write."""
    shop = in_memory()
    with client_of(make_app_of(shop, max_feed_readers=20)) as client, ThreadPoolExecutor(8) as pool:
        done = threading.Event()

        def follow() -> list[int]:
            found, since = list[int](), "0"
            while True:
                last = done.is_set()
                body = changes(client, since=since, wait=0.05, limit=3)
                found, since = found + [it["revision"] for it in body["changes"]], body["next_since"]
                if last and not body["changes"]:
                    return found

        following = [pool.submit(follow) for _ in range(5)]
        for number in range(20):
            shop.put(f"p{number}", 3 * number)
        done.set()
        everything = [it["revision"] for it in changes(client, limit=1000)["changes"]]
        assert [one.result(SAFETY_SECONDS) for one in following] == [everything] * 5
