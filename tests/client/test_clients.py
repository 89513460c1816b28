"""Where a client asks and with what; jobs and changes that it waits for."""

import itertools
from typing import Any

import httpx2
import pytest

import pricematch
from pricematch.client import AsyncClient, Client, HistoryLost, JobFailed, NotFound
from tests.support.clients import Asked, Scripted, problem

JOB: dict[str, Any] = {
    "job_id": "a" * 32,
    "kind": "import",
    "state": "running",
    "total": None,
    "dry_run": False,
    "cancelling": False,
    "reason": None,
    "created_at": "2026-01-02T03:04:05Z",
    "changed_at": "2026-01-02T03:04:05+01:00",
    "result": None,
    "warnings": [],
    "problems": [],
    **dict.fromkeys(("done", "created", "replaced", "unchanged", "failed"), 0),
}
ALIVE = httpx2.Response(200, json={"status": "ok"})
MODELS = httpx2.Response(200, json={"catalogue_version": 1, "matcher": None, "encoder": None, "models": []})


def answer(**given: Any) -> httpx2.Response:
    """A job as it is."""
    return httpx2.Response(200, json=JOB | given)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://shop:8000", "http://shop:8000"),
        ("http://shop:8000/", "http://shop:8000"),
        ("https://shop/v1", "https://shop"),
        ("https://shop/match-api/", "https://shop/match-api"),
        ("https://shop/match-api/v1/", "https://shop/match-api"),
    ],
)
def test_the_address_is_with_or_without_a_version_and_a_path(url: str, base: str, asked: Asked) -> None:
    transport = Scripted(MODELS)
    asked.of(transport, lambda client: client.models(), url=url)
    assert str(transport.sent[0].url) == f"{base}/v1/models"
    transport = Scripted(ALIVE)
    asked.of(transport, lambda client: client.alive(), url=url)
    assert str(transport.sent[0].url) == f"{base}/healthz"


@pytest.mark.parametrize("url", ["shop:8000", "ftp://shop", "http://", "/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected the address of a service"):
        Client(url)


def test_a_key_may_end_its_line_and_is_in_no_message() -> None:
    """As it does in a file; what cannot be a key is refused without being named."""
    Client(key="pm_secret\n").close()
    for key in ("pm_se\ncret", "pm_se cret", "pm_sécret"):
        with pytest.raises(ValueError, match="as `pricematch key` prints it") as told:
            Client(key=key)
        assert "cret" not in str(told.value)


def test_address_and_key_come_from_the_environment(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments are stronger; the key stands in no representation."""
    transport = Scripted(MODELS)
    asked.of(transport, lambda client: client.models(), url=None)
    monkeypatch.setenv("PRICEMATCH_URL", "https://shop/api")
    monkeypatch.setenv("PRICEMATCH_KEY", "pm_secret")
    asked.of(transport, lambda client: client.models(), url=None)
    asked.of(transport, lambda client: client.models(), url="http://other", key="pm_given")
    assert [str(it.url).removesuffix("/v1/models") for it in transport.sent] == [
        "http://127.0.0.1:8000",
        "https://shop/api",
        "http://other",
    ]
    keys = [it.headers.get("authorization") for it in transport.sent]
    assert keys == [None, "Bearer pm_secret", "Bearer pm_given"]
    assert transport.sent[0].headers["user-agent"] == f"pricematch/{pricematch.__version__}"
    assert repr(asked.of(transport, itself, url=None)) in {
        "Client('https://shop/api')",
        "AsyncClient('https://shop/api')",
    }


def itself(client: Any) -> Any:
    """The client, as a verb would give it."""

    async def awaited() -> Any:
        return client

    return client if isinstance(client, Client) else awaited()


def test_ids_stay_within_their_part_of_a_path(asked: Asked) -> None:
    """Whatever they are."""
    transport = Scripted(problem(404))
    with pytest.raises(NotFound):
        asked.of(transport, lambda client: client.matches_of("../a/b?c#d%41"))
    assert transport.sent[0].url.raw_path == b"/v1/postings/..%2Fa%2Fb%3Fc%23d%2541/matches?limit=10"


def test_verbs_tell_what_they_do() -> None:
    assert Client.match.__doc__ == AsyncClient.match.__doc__
    assert str(Client.match.__doc__).startswith("Postings that are the same product")
    assert Client("http://a").matches_of.__name__ == "matches_of"


def test_a_job_is_waited_for_longer_each_time(asked: Asked, pauses: list[float]) -> None:
    looked = list[Any]()
    running = [answer(state="queued"), *[answer(done=done) for done in range(6)]]
    transport = Scripted(*running, answer(state="done", done=9))
    found = asked.of(transport, lambda client: client.wait("a" * 32, told=looked.append))
    assert (found.state, found.done, found.created_at.year, found.has_ended) == ("done", 9, 2026, True)
    assert [it.done for it in looked] == [0, 0, 1, 2, 3, 4, 5, 9]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_has_failed_is_an_error(state: str, asked: Asked, pauses: list[float]) -> None:
    with pytest.raises(JobFailed, match=rf"\(import\) is {state}: the disk is full$") as raised:
        asked.of(Scripted(answer(state=state, reason="the disk is full")), lambda client: client.wait("a" * 32))
    assert raised.value.job.state == state


def test_nobody_waits_longer_for_a_job_than_is_said(asked: Asked, pauses: list[float]) -> None:
    with pytest.raises(TimeoutError, match="is running after 0 seconds"):
        asked.of(Scripted(answer()), lambda client: client.wait("a" * 32, seconds=0))
    assert pauses == []


def test_a_service_that_starts_is_not_ready_and_says_why(asked: Asked, pauses: list[float]) -> None:
    transport = Scripted(problem(503, "not-ready"))
    found = asked.of(transport, lambda client: client.health())
    assert (found.status, found.reason) == ("not-ready", "expected it later")
    assert (len(transport.sent), pauses) == (1, [])


def page(since: int, *revisions: int) -> httpx2.Response:
    """A page of changes of models."""
    fields = {"kind": "model", "change": "activated", "name": "matcher", "version": "1"}
    changes = [{"revision": it, **fields} for it in revisions]
    return httpx2.Response(
        200, json={"catalogue_version": since, "changes": changes, "next_since": str(since), "more": False}
    )


def followed(asked: Asked, transport: Scripted, count: int) -> list[int]:
    """The revisions of so many pages of changes; the rest is an error."""

    def verb(client: Any) -> Any:
        pages = client.follow_changes(5, kinds=["model"])
        if isinstance(client, Client):
            return [it.revision for one in itertools.islice(pages, count) for it in one.changes]
        return first(pages)

    async def first(pages: Any) -> list[int]:
        found = [[it.revision for it in (await anext(pages)).changes] for _ in range(count)]
        await pages.aclose()
        return list(itertools.chain(*found))

    found: list[int] = asked.of(transport, verb)
    return found


def test_changes_are_followed_through_restarts(asked: Asked, pauses: list[float]) -> None:
    """From where they were read, however long the service is away; pages without any are passed over."""
    away = [httpx2.ConnectError("refused")] * 12
    transport = Scripted(page(6, 6), page(7), *away, problem(503), page(8, 7, 8))
    assert followed(asked, transport, 2) == [6, 7, 8]
    asked_since = [it.url.params["since"] for it in transport.sent]
    assert asked_since[:3] == ["5", "6", "7"]
    assert set(asked_since[3:]) == {"7"}
    assert (transport.sent[0].url.params["kinds"], transport.sent[0].url.params["wait"]) == ("model", "20")
    assert transport.sent[0].extensions["timeout"]["read"] == 80


def test_following_begins_with_a_service_that_is_there(asked: Asked, pauses: list[float]) -> None:
    with pytest.raises(Exception, match="refused"):
        followed(asked, Scripted(httpx2.ConnectError("refused")), 1)


def test_changes_too_long_ago_say_where_they_begin(asked: Asked, pauses: list[float]) -> None:
    body = {"type": "urn:pricematch:problem:history-lost", "title": "Gone", "status": 410, "detail": "x"}
    with pytest.raises(HistoryLost) as raised:
        followed(asked, Scripted(page(6, 6), httpx2.Response(410, json={**body, "start_at": 99})), 2)
    assert raised.value.start_at == 99


def test_products_that_have_merged_lead_on(asked: Asked) -> None:
    product = {
        "product_id": "p3",
        "size": 1,
        "doubt": 0,
        "created_at": "2026-01-02T03:04:05Z",
        "changed_at": "2026-01-02T03:04:05Z",
        "catalogue_version": 1,
        "threshold": 0.5,
        "members": [],
        "next_cursor": None,
        "weakest": {"first": "a", "second": "b", "probability": 1},
        "bridges": [],
    }
    merged = [httpx2.Response(308, json={"product_id": f"p{it}", "merged_into": f"p{it + 1}"}) for it in (1, 2)]
    transport = Scripted(*merged, httpx2.Response(200, json=product))
    found = asked.of(transport, lambda client: client.product("p1"))
    assert (found.product_id, found.weakest.second) == ("p3", "b")
    assert [it.url.path for it in transport.sent] == [f"/v1/products/p{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("given", [{"namespace": "shop-a"}, {"variable": "shop-a"}], ids=["argument", "variable"])
def test_a_client_asks_in_its_namespace(given: dict[str, str], asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is of the service as a whole it asks beside it."""
    if "variable" in given:
        monkeypatch.setenv("PRICEMATCH_NAMESPACE", given["variable"])
    server = Scripted(
        httpx2.Response(200, json={"catalogue_version": 1, "fields": [], "namespaces": [], "status": "ok"})
    )
    options = {"namespace": given["namespace"]} if "namespace" in given else {}
    for url in ("http://shop.example", "http://shop.example/below/v1/"):
        asked.of(server, lambda client: client.fields(), url=url, **options)
        asked.of(server, lambda client: client.namespaces(), url=url, **options)
        asked.of(server, lambda client: client.alive(), url=url, **options)
    paths = [it.url.path for it in server.sent]
    assert paths[:3] == ["/namespaces/shop-a/v1/fields", "/v1/namespaces", "/healthz"]
    assert paths[3:] == [f"/below{it}" for it in paths[:3]]


@pytest.mark.parametrize("name", ["A", "a/b", "..", "a" * 41])
def test_a_namespace_that_none_may_be_is_refused(name: str, asked: Asked) -> None:
    with pytest.raises(ValueError, match="expected a namespace"):
        asked.of(Scripted(), lambda client: client.fields(), namespace=name)
