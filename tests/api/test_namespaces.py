"""Several catalogues in one service: nothing of one is told, found or changed in another, whatever is asked."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, Final

import pytest

from pricematch.api.logs import JsonLines
from tests.support.contract import documented
from tests.support.operations import VERBS
from tests.support.two_shops import A, Answers, B, Shops, Things, bearer, kept, two_shops

OPEN: Final = {"getHealth", "getReadiness"}
OWN: Final = {*OPEN, "getMetrics", "listNamespaces", "makeNamespace"}
"""Operations of the service as a whole; all others are of one namespace."""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    with two_shops(tmp_path_factory.mktemp("shops")) as found:
        yield found


def statuses(answers: Answers) -> set[int]:
    return {it.status_code for it in answers.answers}


def assert_tells_nothing(shops: Shops, answers: Answers) -> None:
    """No answer has, anywhere, what is told of the second shop alone."""
    for answer in answers.answers:
        told = answer.text + json.dumps(dict(answer.headers))
        assert [mark for mark in shops.marks() if mark in told] == [], f"{answer.request.url}: {told}"


def operations() -> set[str]:
    return {it["operationId"] for path in documented()["paths"].values() for it in path.values()}


def test_every_operation_is_gone_over() -> None:
    """A new one takes a call in `tests.support.operations`, and thought where it is of the service as a whole."""
    assert set(VERBS) == operations()
    described = {
        it["operationId"]: [server["url"] for server in it.get("servers", ())]
        for path in documented()["paths"].values()
        for it in path.values()
    }
    assert {name for name, servers in described.items() if servers == ["/"]} == OWN


OF_B: Final[Mapping[str, Callable[[Any, Things], Any]]] = {
    "getPosting": lambda client, of_b: client.posting("only-bravo"),
    "getPostingMatches": lambda client, of_b: client.matches_of("only-bravo"),
    "getPostingImage": lambda client, of_b: client.image("only-bravo"),
    "patchPosting": lambda client, of_b: client.patch("only-bravo", title="changed from outside"),
    "getJob": lambda client, of_b: client.job(of_b.job),
    "endJob": lambda client, of_b: client.end_job(of_b.job),
    "getProduct": lambda client, of_b: client.product(of_b.product),
    "getProductHistory": lambda client, of_b: client.history(of_b.product),
    "getVerdictBatch": lambda client, of_b: client.batch(of_b.batch),
    "undoVerdictBatch": lambda client, of_b: client.undo_batch(of_b.batch),
    "withdrawField": lambda client, of_b: client.withdraw_field("bravofield"),
    "activateModel": lambda client, of_b: client.activate("matcher", "22"),
    "comparePostings": lambda client, of_b: client.compare("p0", "only-bravo"),
    "putVerdict": lambda client, of_b: client.decide("p0", "only-bravo", "same"),
}
"""Calls for what only the second shop has."""
WITHIN: Final = sorted(operations() - OWN)


@pytest.mark.parametrize("operation", sorted(operations() - OPEN))
def test_nothing_is_answered_without_a_key(shops: Shops, operation: str) -> None:
    for namespace in (None, A, "nowhere"):
        assert statuses(shops.ask(VERBS[operation], None, namespace)) == {401}


@pytest.mark.parametrize("operation", WITHIN)
@pytest.mark.parametrize("key", ["of_b", "of_default"])
def test_a_key_of_another_namespace_is_refused_alike_whether_it_exists(shops: Shops, operation: str, key: str) -> None:
    found = [shops.ask(VERBS[operation], key, namespace).answers for namespace in (A, "nowhere")]
    assert [[it.status_code for it in answers] for answers in found] == [[403], [403]]
    assert found[0][0].content == found[1][0].content
    assert {it: value for it, value in found[0][0].headers.items() if it != "x-request-id"} == {
        it: value for it, value in found[1][0].headers.items() if it != "x-request-id"
    }


@pytest.mark.parametrize("operation", WITHIN)
def test_whatever_is_asked_in_a_namespace_tells_nothing_of_another(shops: Shops, operation: str) -> None:
    """By its own key with and without its name, and by a key for all; in the end the other one is as it was."""
    before = everything(shops, "of_b")
    expected = statuses(shops.ask(VERBS[operation], "of_a"))
    for key, namespace in (("of_a", None), ("of_a", A), ("of_all", A)):
        answers = shops.ask(VERBS[operation], key, namespace)
        assert_tells_nothing(shops, answers)
        assert not statuses(answers) & {401, 403, 500, 501, 503}
        assert statuses(answers) <= expected | {200, 201}
        assert statuses(shops.ask(VERBS[operation], "of_all", "nowhere")) == {404}
    assert everything(shops, "of_b") == before


@pytest.mark.parametrize("operation", OF_B)
def test_what_only_another_namespace_has_is_not_there(shops: Shops, operation: str) -> None:
    before = everything(shops, "of_b")
    for key, namespace in (("of_a", None), ("of_a", A), ("of_all", A)):
        answers = shops.ask(lambda client: OF_B[operation](client, shops.of_b), key, namespace)
        assert statuses(answers) <= {404, 422}
        assert not any(it.is_success for it in answers.answers)
    assert everything(shops, "of_b") == before


@pytest.mark.parametrize("operation", sorted(OWN - OPEN))
def test_what_is_of_the_service_takes_a_key_for_all(shops: Shops, operation: str) -> None:
    """Metrics are told to the default namespace's key as well, which is that of services with one namespace."""
    assert statuses(shops.ask(VERBS[operation], "of_all")) == {200}
    assert statuses(shops.ask(VERBS[operation], "of_a")) == {403}
    found = shops.ask(VERBS[operation], "of_default")
    assert statuses(found) == ({200} if operation == "getMetrics" else {403})
    assert_tells_nothing(shops, found)
    assert A not in found.answers[0].text


def test_times_of_requests_are_told_to_their_own_namespace(shops: Shops) -> None:
    """As are those of their stages; what others ask, and how long it takes, is not seen in /metrics."""

    def times(key: str) -> list[str]:
        text = shops.http.get("/metrics", headers=bearer(key)).text
        kinds = ("pricematch_request_seconds_", "pricematch_stage_seconds_")
        return [
            it for it in text.splitlines() if it.startswith(kinds) and "_created" not in it and "/metrics" not in it
        ]

    before, of_all = times("of_default"), times("of_all")
    assert statuses(shops.ask(VERBS["matchImage"], "of_a")) == {200}
    assert times("of_default") == before
    assert times("of_all") != of_all


def test_a_key_that_reads_only_reads_its_namespace(shops: Shops) -> None:
    assert statuses(shops.ask(VERBS["listPostings"], "reads_a")) == {200}
    assert statuses(shops.ask(VERBS["putPosting"], "reads_a")) == {403}
    assert statuses(shops.ask(VERBS["listPostings"], "reads_a", B)) == {403}


def test_what_is_of_the_service_is_not_below_a_namespace(shops: Shops) -> None:
    own = ("healthz", "readyz", "metrics", "docs", "openapi.json", "v1/namespaces", "namespaces", "namespaces/shop-b")
    for namespace, path in product((A, "nowhere"), own):
        assert shops.http.get(f"/namespaces/{namespace}/{path}", headers=bearer("of_all")).status_code == 404


def test_who_may_not_know_of_all_namespaces_is_told_no_name(shops: Shops) -> None:
    assert shops.http.get("/readyz").json() == {"status": "ready", "unready": 0, "reasons": None}
    assert shops.http.get("/readyz", headers=bearer("of_a")).json()["reasons"] is None
    assert shops.http.get("/readyz", headers=bearer("of_all")).json()["reasons"] == {}


def test_kept_answers_are_of_one_namespace(shops: Shops) -> None:
    """Though the Idempotency-Key is the same, and so is the name of the key."""
    for key, mark, namespace in (("of_a", "alfa", None), ("of_all", "alfa", A), ("of_b", "bravo", None)):
        again = kept(shops.http, key, mark, namespace)
        assert ("idempotency-replayed" in again.headers) == (namespace is None)  # another path is another request
        assert again.json().get("by", "") in (f"{mark} kept", "")
    assert "idempotency-replayed" not in kept(shops.http, "of_default", "alfa").headers


def test_signed_addresses_hold_in_their_namespace_alone(shops: Shops) -> None:
    """They name it, so that no key is needed there."""
    url = shops.http.get("/v1/postings/p0", headers=bearer("of_a")).json()["image_url"]
    assert url.startswith(f"/namespaces/{A}/v1/postings/p0/image?")
    assert shops.http.get(url).status_code == 200
    for elsewhere in ("", f"/namespaces/{B}", "/namespaces/default"):
        assert shops.http.get(url.replace(f"/namespaces/{A}", elsewhere)).status_code == 401
    of_default = shops.http.get("/v1/postings/p0", headers=bearer("of_default")).json()["image_url"]
    assert of_default.startswith("/v1/")
    assert shops.http.get(of_default).status_code == 200
    assert shops.http.get(f"/namespaces/default{of_default}").status_code == 200
    assert shops.http.get(f"/namespaces/{A}{of_default}").status_code == 401


def test_addresses_in_answers_stay_in_the_namespace(shops: Shops) -> None:
    within = f"/namespaces/{A}/v1"
    for prefix in ("/v1", within, f"/namespaces/{A}"):
        decided = {"decisions": [{"left": "p0", "right": "p1", "decision": "same"}]}
        found = shops.http.post(f"{prefix}/verdicts:batch", json=decided, headers=bearer("of_a"))
        assert found.headers["location"].startswith(f"{within}/verdicts/batches/")
        found = shops.http.get(f"{prefix}/postings/p0", headers=bearer("of_a")).json()
        assert found["image_url"].startswith(f"{within}/postings/")


def test_metrics_count_by_namespace(shops: Shops) -> None:
    text = shops.http.get("/metrics", headers=bearer("of_all")).text
    for name in (A, B, "default"):
        assert f'pricematch_catalogue_postings{{namespace="{name}"}}' in text
        assert f'pricematch_ready{{namespace="{name}"}} 1.0' in text
    assert 'namespace="nowhere"' not in text


def test_lines_of_the_access_log_name_the_namespace(shops: Shops, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pricematch.access")
    for key, namespace in (("of_a", None), ("of_all", B), ("of_default", None), ("of_all", "nowhere")):
        shops.ask(VERBS["listFields"], key, namespace)
    lines = [json.loads(JsonLines().format(it)) for it in caplog.records if it.name == "pricematch.access"]
    assert [it.get("namespace") for it in lines] == [A, B, None, None]
    assert [it["message"].rpartition(" in ")[2] for it in lines[:2]] == [A, B]


def everything(shops: Shops, key: str) -> dict[str, Any]:
    """What was put into a namespace, by the operation that tells it; not what follows from that in its own time."""
    asked = ("listPostings", "listVerdicts", "listVerdictBatches", "listFields", "listJobs", "listModels")
    return {it: [_lasting(json.loads(each.text)) for each in shops.ask(VERBS[it], key).answers] for it in asked}


def _lasting(value: Any) -> Any:
    """Without versions, products and signatures."""
    if isinstance(value, list):
        return [_lasting(it) for it in value]
    if isinstance(value, dict):
        passing = {"catalogue_version", "product_id", "image_url"}
        return {name: _lasting(it) for name, it in value.items() if name not in passing}
    return value
