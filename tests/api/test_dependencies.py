"""Keys, scopes and rates, as clients meet them, and one by one."""

import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.testclient import TestClient

from pricematch.api.app import create_api
from pricematch.api.dependencies import ADMIN, ADMIN_OF_ALL, OPEN, READ, READ_IMAGE, READ_SERVICE, WRITE
from pricematch.api.guard import Guard, Rates
from pricematch.api.keys import ApiKey, KeyRing, Scope, new_key
from pricematch.errors import Forbidden, RateExceeded, Unauthenticated
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import make_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import image_bytes


class Clock:
    """Tells the time it is given."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


KEYS: dict[Scope, tuple[str, ApiKey]] = {
    "read": new_key("reader", "read"),
    "write": new_key("writer", "write"),
    "admin": new_key("admin", "admin"),
}
LINES = SecretStr(",".join(kept.line() for _, kept in KEYS.values()))


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[scope][0]}"}


@pytest.fixture
def closed() -> Iterator[Any]:
    """Makes clients of applications that ask for keys."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(client_of(make_app(api_keys=LINES, **given)))


def routes() -> list[APIRoute]:
    """All that are ours: those of the routers that the application includes."""
    routers = [
        included.original_router
        for included in create_api(Service(Settings())).routes
        if hasattr(included, "original_router")
    ]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def test_every_endpoint_has_a_scope() -> None:
    assert len(routes()) > 15
    for route in routes():
        declared = [
            one
            for one in route.dependencies
            if one in (READ, READ_IMAGE, WRITE, ADMIN, ADMIN_OF_ALL, READ_SERVICE, OPEN)
        ]
        assert len(declared) == 1, f"{route.methods} {route.path}"
        changes = (route.methods or set()) & {"PUT", "DELETE"} or route.path.endswith(("/import", ":batch"))
        assert not changes or declared[0] in (WRITE, ADMIN, ADMIN_OF_ALL), f"{route.methods} {route.path}"


def test_only_health_is_open_to_everybody() -> None:
    assert {route.path for route in routes() if OPEN in route.dependencies} == {"/healthz", "/readyz"}


def test_without_a_key_nothing_of_the_catalogue_is_answered(closed: Any) -> None:
    client = closed(refusals_at_once=1000)
    for route in routes():
        path = route.path.replace("{posting_id}", "p0").replace("{other_id}", "p1")
        for method in route.methods or ():
            response = client.request(method, path)
            if OPEN in route.dependencies:
                assert response.status_code == 200
            else:
                assert_problem(response, 401, "unauthenticated")
                assert response.headers["www-authenticate"] == "Bearer"
                assert "p0" not in response.text


def test_the_description_is_open_and_names_no_posting(closed: Any) -> None:
    client = closed()
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json")
    assert '"p0"' not in document.text
    assert document.json()["components"]["securitySchemes"].keys() == {"key", "keyHeader"}
    assert {"401", "403", "429"} <= document.json()["paths"]["/v1/match"]["post"]["responses"].keys()
    assert "401" not in document.json()["paths"]["/healthz"]["get"]["responses"]


def test_a_key_is_taken_from_either_header(closed: Any) -> None:
    client = closed()
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    assert client.get("/postings/p0", headers={"X-API-Key": KEYS["read"][0]}).status_code == 200
    assert client.post("/match", files={"image": image_bytes("red")}, headers=bearer("read")).status_code == 200
    for header in ("Basic abc", "Bearer", "Bearer ", f"bearer{KEYS['read'][0]}", f"Bearer {KEYS['read'][0]} x"):
        assert_problem(client.get("/postings/p0", headers={"Authorization": header}), 401, "unauthenticated")


@pytest.mark.parametrize("name", ["api_key", "key"])
def test_a_key_is_not_taken_from_the_address(closed: Any, name: str) -> None:
    """It is a parameter that nobody knows, and does not come back."""
    response = closed().get("/postings/p0", params={name: KEYS["admin"][0]})
    assert_problem(response, 422, "invalid-request")
    assert KEYS["admin"][0] not in response.text


def test_a_scope_covers_what_it_says(closed: Any) -> None:
    client = closed()
    statuses: dict[Scope, int] = {"read": 403, "write": 200, "admin": 200}
    for scope, status in statuses.items():
        response = client.put("/postings/p0", json={"title": "kopi"}, headers=bearer(scope))
        assert response.status_code == status
    assert_problem(client.delete("/postings/p0", headers=bearer("read")), 403, "forbidden")
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200


def test_a_key_is_checked_before_the_body_is_read(closed: Any) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield bytes(1000)

    response = closed().post("/match", content=endless(), headers={"Content-Type": "image/png"})
    assert_problem(response, 401, "unauthenticated")


def test_fault_44_wrong_keys_are_limited_never_logged_and_right_ones_go_on(
    closed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, statuses = closed(refusals_per_second=0.001), []
    for number in range(60):
        response = client.get("/postings/p0", headers={"Authorization": f"Bearer secret-{number}"})
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert_problem(response, 429, "rate-exceeded")
            assert int(response.headers["retry-after"]) >= 1
    assert statuses == sorted(statuses)
    assert statuses.count(401) == 20
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    assert "secret-" not in caplog.text
    assert KEYS["read"][0] not in caplog.text


def test_a_key_over_its_rate_is_refused_others_are_not(closed: Any) -> None:
    """The refusal names when the key may try again."""
    client = closed(requests_per_second=0.001, requests_at_once=2)
    for _ in range(2):
        assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    response = client.get("/postings/p0", headers=bearer("read"))
    assert_problem(response, 429, "rate-exceeded")
    assert int(response.headers["retry-after"]) > 500
    assert client.get("/postings/p0", headers=bearer("write")).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_metrics_take_a_key_unless_they_are_open_or_off(closed: Any) -> None:
    assert_problem(closed().get("/metrics"), 401, "unauthenticated")
    assert closed().get("/metrics", headers=bearer("read")).status_code == 200
    assert closed(metrics="open").get("/metrics").status_code == 200
    assert "/metrics" not in closed(metrics="off").get("/openapi.json").json()["paths"]


def test_without_keys_no_endpoint_needs_one(client: TestClient) -> None:
    assert client.get("/postings/p0").status_code == 200
    assert client.get("/postings/p0", headers={"Authorization": "Bearer whatever"}).status_code == 200


KEY, KEPT = new_key("shop", "write")


def guard(clock: Clock | None = None, **settings: Any) -> Guard:
    """A guard who knows one key, of scope write."""
    return Guard(Settings(**settings), KeyRing([KEPT]), clock or Clock())


def test_a_known_key_gets_what_its_scope_covers() -> None:
    for scope in ("read", "write"):
        assert guard().admit(scope, KEY, "203.0.113.9").key == "shop"
    with pytest.raises(Forbidden, match="takes a key of scope admin, got one of scope write"):
        guard().admit("admin", KEY, "203.0.113.9")


@pytest.mark.parametrize(
    "key",
    [None, "", "wrong", KEY + "x", KEY.upper(), "x" * 10_000_000, "é", "\x00"],
    ids=["none", "empty", "wrong", "longer", "other case", "huge", "not ASCII", "NUL"],
)
def test_fault_44_a_missing_or_wrong_key_is_refused_and_never_quoted(key: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        guard().admit("read", key, "203.0.113.9")
    assert len(str(refused.value)) < 100
    if key:
        assert key not in str(refused.value)


def test_fault_44_of_ten_thousand_wrong_keys_few_are_checked() -> None:
    """Right keys are let in meanwhile."""
    guarding, told = guard(), 0
    for number in range(10_000):
        with pytest.raises((Unauthenticated, RateExceeded)) as refused:
            guarding.admit("read", f"wrong {number}", "203.0.113.9")
        told += refused.type is Unauthenticated
    assert told == Settings().refusals_at_once
    assert guarding.admit("read", KEY, "203.0.113.9").key == "shop"
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "203.0.113.10")


def test_fault_44_from_ten_thousand_addresses_together_they_are_limited_as_well() -> None:
    guarding, told = guard(), 0
    for number in range(10_000):
        with pytest.raises((Unauthenticated, RateExceeded)) as refused:
            guarding.admit("read", "wrong", f"198.51.{number // 250}.{number % 250}")
        told += refused.type is Unauthenticated
    assert told == Settings().refusals_at_once * 50


def test_one_ipv6_customer_is_one_address() -> None:
    guarding = guard(refusals_at_once=1)
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "2001:db8::1")
    with pytest.raises(RateExceeded):
        guarding.admit("read", None, "2001:db8::ffff")
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "2001:db8:0:1::1")


def test_ipv4_clients_of_an_ipv6_address_are_distinct() -> None:
    guarding = guard(refusals_at_once=1)
    for address in ("::ffff:203.0.113.1", "::ffff:203.0.113.2"):
        with pytest.raises(Unauthenticated):
            guarding.admit("read", None, address)
    with pytest.raises(RateExceeded):
        guarding.admit("read", None, "203.0.113.1")


def test_the_rate_of_a_key_counts_for_all_addresses() -> None:
    """The refusal names when the key may try again."""
    clock = Clock()
    guarding = guard(clock, requests_per_second=2.0, requests_at_once=2)
    for address in ("203.0.113.1", "203.0.113.2"):
        guarding.admit("read", KEY, address)
    with pytest.raises(RateExceeded) as refused:
        guarding.admit("read", KEY, "203.0.113.3")
    assert refused.value.retry_after == 0.5
    clock.now += 0.5
    guarding.admit("read", KEY, "203.0.113.3")


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_without_keys_addresses_are_limited_but_not_this_machine(scope: Scope) -> None:
    guarding = Guard(Settings(requests_at_once=1), KeyRing([]), Clock())
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "", "unix"):
        for _ in range(5):
            assert guarding.admit(scope, None, address).key is None
    assert guarding.admit(scope, "whatever", "203.0.113.1").key is None
    with pytest.raises(RateExceeded):
        guarding.admit(scope, None, "203.0.113.1")


def test_a_burst_passes_then_as_many_as_are_refilled() -> None:
    clock = Clock()
    rates = Rates(2.0, 3, clock)
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0]
    assert rates.take("a") == 0.5
    clock.now += 0.25
    assert rates.take("a") == 0.25
    clock.now += 0.25
    assert rates.take("a") == 0
    clock.now += 1000
    assert [rates.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_callers_do_not_share_a_bucket() -> None:
    rates = Rates(1.0, 1, Clock())
    assert rates.take("a") == rates.take("b") == 0
    assert rates.take("a") > 0


def test_no_more_pass_than_the_burst_and_the_refill() -> None:
    draw, clock = random.Random(0), Clock()
    rates, passed, began = Rates(5.0, 7, clock), 0, clock.now
    for _ in range(5000):
        clock.now += draw.expovariate(20)
        passed += rates.take("a") == 0
        assert passed <= 7 + 5 * (clock.now - began) + 1e-6
    assert passed > 0.99 * (7 + 5 * (clock.now - began)) - 1


def test_fault_44_callers_without_end_take_no_memory_without_end() -> None:
    rates = Rates(1.0, 1, Clock(), max_callers=100)
    for number in range(1000):
        assert rates.take(number) == 0
    assert len(rates) == 100
    assert rates.take(999) > 0
    assert rates.take(0) == 0


def test_keys_of_one_name_in_two_namespaces_have_rates_of_their_own() -> None:
    """Two of one namespace share theirs; and each may do in its own what its scope covers."""
    made = [new_key("clerk", "write", it) for it in ("a", "b", "a", "*")]
    guarding = Guard(Settings(requests_at_once=1), KeyRing([kept for _, kept in made]), Clock())
    first, second, third, for_all = (key for key, _ in made)
    assert guarding.admit("read", first, "203.0.113.1").namespace == "a"
    assert guarding.admit("write", second, "203.0.113.1", "b").namespace == "b"
    with pytest.raises(RateExceeded):
        guarding.admit("read", third, "203.0.113.1")
    assert guarding.admit("read", for_all, "203.0.113.1", "b").namespace == "b"
