"""Feedback on many pairs at once: its preview, and how it is taken back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.settings import Settings
from tests.support.applications import Serve, judged_matcher, make_app_of, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.product_shop import ProductShop, in_memory, on_disk


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application with a trained matcher over `scene`, `twin`, `worded` and `other`."""
    return serve(matcher=judged_matcher(), max_batch_items=5)


@pytest.fixture(params=["memory", "disk"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProductShop]:
    """Hashes of 0, 1, 2, 16 and 32 bits as `a` to `e`: two are the same by the share of bits that are equal."""
    if request.param == "memory":
        made = in_memory()
        yield filled(made)
    else:
        with on_disk(tmp_path) as made:
            yield filled(made)


def filled(shop: ProductShop) -> ProductShop:
    for posting_id, bits in zip("abcde", (0, 1, 2, 16, 32), strict=True):
        shop.put(posting_id, bits)
    return shop


def batch(*decisions: str, **more: Any) -> dict[str, Any]:
    """The body that decides on pairs such as `scene=twin` and `scene!other`."""
    found = []
    for decision in decisions:
        left, sign, right = decision.partition("=") if "=" in decision else decision.partition("!")
        found.append({"left": left, "right": right, "decision": "same" if sign == "=" else "different"})
    return {"decisions": found, **more}


def listed(client: TestClient) -> dict[str, str]:
    """Verdict by pair."""
    return {f"{it['first']}-{it['second']}": it["verdict"] for it in client.get("/verdicts").json()["verdicts"]}


def test_a_batch_is_stored_found_and_taken_back(client: TestClient) -> None:
    client.put("/verdicts/scene/twin", json={"verdict": "different", "by": "Ann", "note": "two boxes"})
    client.put("/verdicts/scene/other", json={"verdict": "same", "by": "Ann"})
    body = batch("twin=scene", "other=scene", "worded!twin", by="Bob", note="by hand")
    made = client.post("/verdicts:batch", json=body)
    assert made.status_code == 201
    found = made.json()
    assert (found["new"], found["changed"], found["unchanged"]) == (1, 1, 1)
    assert (found["by"], found["note"], found["undone_at"]) == ("Bob", "by hand", None)
    assert listed(client) == {"other-scene": "same", "scene-twin": "same", "twin-worded": "different"}
    assert client.get("/verdicts/other/scene").json()["by"] == "Ann"
    path = f"/verdicts/batches/{found['batch_id']}"
    assert made.headers["location"] == f"/v1{path}"
    assert client.get(path).json() == found
    client.put("/verdicts/twin/worded", json={"verdict": "different", "by": "Cleo"})
    undone = client.delete(path).json()
    assert (undone["restored"], undone["kept"]) == (1, 1)
    assert listed(client) == {"other-scene": "same", "scene-twin": "different", "twin-worded": "different"}
    before = client.get("/verdicts/scene/twin").json()
    assert (before["by"], before["note"]) == ("Ann", "two boxes")
    again = client.delete(path)
    assert (again.status_code, again.json()) == (200, client.get(path).json())
    assert again.json()["undone_at"] == undone["undone_at"]


def test_a_preview_stores_nothing_and_is_what_happens(client: TestClient) -> None:
    client.put("/verdicts/scene/twin", json={"verdict": "different"})
    body = batch("twin=scene", "other=scene", "worded!twin")
    told = client.post("/verdicts:batch", json={**body, "preview": True})
    assert told.status_code == 200
    assert listed(client) == {"scene-twin": "different"}
    assert client.get("/verdicts/batches").json()["batches"] == []
    preview = told.json()
    made = client.post("/verdicts:batch", json={**body, "if_version": preview["catalogue_version"]}).json()
    assert {name: made[name] for name in ("new", "changed", "unchanged")} == {"new": 2, "changed": 1, "unchanged": 0}
    assert {name: preview[name] for name in ("new", "changed", "unchanged")} == {
        "new": 2,
        "changed": 1,
        "unchanged": 0,
    }


def test_the_expected_number_of_wrong_ones_is_by_the_probabilities(client: TestClient) -> None:
    """Of a pair that is no candidate p is 0; what changes nothing is not counted, nor do verdicts count."""
    known = probabilities(client)
    client.put("/verdicts/other/scene", json={"verdict": "same"})
    body = batch("twin=scene", "other=scene", "worded!twin", preview=True)
    found = client.post("/verdicts:batch", json=body).json()
    expected = 1 - known["scene-twin"] + known.get("twin-worded", 0)
    assert found["expected_wrong"] == pytest.approx(expected, abs=1e-6)
    assert found["probabilities"] == "calibrated"


def probabilities(client: TestClient) -> dict[str, float]:
    """Probability by pair, as matches have it."""
    found = dict[str, float]()
    for it in client.get("/postings").json()["postings"]:
        own = it["posting_id"]
        matches = client.get(f"/postings/{own}/matches", params={"min_probability": 0}).json()["matches"]
        found |= {"-".join(sorted((own, other["posting_id"]))): other["probability"] for other in matches}
    return found


def test_the_contradictions_that_a_batch_would_make_are_told(client: TestClient) -> None:
    """Not those that there are already."""
    for pair, said in (("scene/twin", "same"), ("twin/worded", "same"), ("scene/worded", "different")):
        client.put(f"/verdicts/{pair}", json={"verdict": said})
    found = client.post("/verdicts:batch", json=batch("worded=other", "scene!other", preview=True)).json()
    assert found["total_contradictions"] == 1
    assert found["contradictions"] == [
        {"first": "other", "second": "scene", "chain": ["other", "worded", "twin", "scene"]}
    ]
    assert client.get("/verdicts").json()["total_contradictions"] == 1


def test_bad_items_are_named_and_nothing_is_stored(client: TestClient) -> None:
    for preview in (True, False):
        body = batch("scene=twin", "nobody=scene", "other=other", "twin!scene", "twin=gone", preview=preview)
        answer = client.post("/verdicts:batch", json=body)
        assert_problem(answer, 422, "invalid-request")
        assert [(it["location"], it["message"]) for it in answer.json()["errors"]] == [
            ("body.decisions.1.left", "no posting has the id 'nobody'"),
            ("body.decisions.2.right", "expected another posting, got the same"),
            ("body.decisions.3", "expected each pair once, got that of decisions.0 again"),
            ("body.decisions.4.right", "no posting has the id 'gone'"),
        ]
    assert listed(client) == {}
    assert client.get("/verdicts/batches").json()["batches"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decisions": []},
        {"decision": "same"},
        {"pairs": {"min_probability": 0.5}},
        {"decision": "same", "pairs": {"min_probability": 1.5}},
        {"decision": "same", "pairs": {"max_probability": 0.5}},
        {**batch("scene=twin"), "decision": "same"},
        {**batch("scene=twin"), "if_version": -1},
        {**batch("scene=twin"), "by": "x" * 101},
        {"decisions": [{"left": "scene", "right": "?", "decision": "same"}]},
        {"decisions": [{"left": "scene", "right": "twin", "verdict": "same"}]},
    ],
)
def test_what_is_no_batch_is_refused(client: TestClient, body: Any) -> None:
    assert_problem(client.post("/verdicts:batch", json=body), 422, "invalid-request")


def test_a_batch_has_a_limit(client: TestClient) -> None:
    pairs = ["scene=twin", "scene=other", "scene=worded", "twin=other", "twin=worded"]
    assert_problem(client.post("/verdicts:batch", json=batch(*pairs, "other=worded")), 413, "too-many-items")
    assert listed(client) == {}
    assert client.post("/verdicts:batch", json=batch(*pairs)).json()["new"] == 5


def test_the_largest_batch_fits_however_it_is_escaped(serve: Serve) -> None:
    client = serve(matcher=judged_matcher(), max_batch_items=200)
    decisions = [{"left": "é" * 64, "right": "ö" * 63 + str(it % 10), "decision": "different"} for it in range(200)]
    answer = client.post("/verdicts:batch", json={"decisions": decisions, "note": "é" * 1000})
    assert answer.json()["errors"][0]["message"].startswith("no posting has the id")


def test_a_selection_decides_on_all_undecided_pairs_of_some_probabilities(client: TestClient) -> None:
    known = probabilities(client)
    low = sorted(known.values())[1]
    expected = {pair for pair, value in known.items() if value >= low} - {"scene-twin"}
    client.put("/verdicts/scene/twin", json={"verdict": "different"})
    body = {"decision": "same", "pairs": {"min_probability": low - 1e-6}, "by": "Bob"}
    told = client.post("/verdicts:batch", json={**body, "preview": True}).json()
    assert (told["new"], told["changed"], told["unchanged"]) == (len(expected), 0, 0)
    assert told["expected_wrong"] == pytest.approx(sum(1 - known[pair] for pair in expected), abs=1e-5)
    made = client.post("/verdicts:batch", json={**body, "if_version": told["catalogue_version"]}).json()
    assert made["new"] == len(expected)
    assert listed(client) == {"scene-twin": "different", **dict.fromkeys(expected, "same")}
    assert client.delete(f"/verdicts/batches/{made['batch_id']}").json()["restored"] == len(expected)
    assert listed(client) == {"scene-twin": "different"}


def test_a_selection_has_a_limit_and_needs_a_matcher(serve: Serve) -> None:
    body = {"decision": "same", "pairs": {"min_probability": 0}}
    client = serve(matcher=judged_matcher(), max_batch_pairs=1)
    answer = client.post("/verdicts:batch", json={**body, "preview": True})
    assert_problem(answer, 413, "too-many-items")
    assert "expected at most 1 pairs of these probabilities" in answer.json()["detail"]
    assert_problem(serve().post("/verdicts:batch", json=body), 409, "matcher-needed")


def test_without_a_matcher_no_number_of_wrong_ones_is_invented(serve: Serve) -> None:
    found = serve().post("/verdicts:batch", json=batch("p0=p1", preview=True)).json()
    assert (found["new"], found["expected_wrong"], found["probabilities"]) == (1, None, None)
    assert (found["products_merged"], found["products_split"]) == (None, None)


def test_a_batch_of_another_version_is_refused(client: TestClient) -> None:
    body = {"decision": "same", "pairs": {"min_probability": 0}}
    version = client.post("/verdicts:batch", json={**body, "preview": True}).json()["catalogue_version"]
    client.put("/postings/new", json={"title": "Kopi Susu 200 ml"})
    for preview in (True, False):
        answer = client.post("/verdicts:batch", json={**body, "if_version": version, "preview": preview})
        assert_problem(answer, 412, "condition-failed")
    assert listed(client) == {}


def test_batches_are_listed_the_newest_first(client: TestClient) -> None:
    made = [client.post("/verdicts:batch", json=batch(f"scene={it}")).json() for it in ("twin", "other", "worded")]
    found, cursor = list[str](), None
    while found == [] or cursor is not None:
        asked = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = client.get("/verdicts/batches", params=asked).json()
        found += [it["batch_id"] for it in page["batches"]]
        cursor = page["next_cursor"]
    assert found == [it["batch_id"] for it in reversed(made)]


def test_a_batch_that_is_not_there_is_told(client: TestClient) -> None:
    for method in ("GET", "DELETE"):
        assert_problem(client.request(method, f"/verdicts/batches/{'0' * 32}"), 404, "batch-not-found")
        assert_problem(client.request(method, "/verdicts/batches/x"), 422, "invalid-request")


def test_products_follow_a_batch_as_one_change(shop: ProductShop) -> None:
    """The preview counts those that merge and split, and the version of one holds between preview and batch."""
    with client_of(make_app_of(shop)) as client:
        products = {it["posting_id"]: it["product_id"] for it in client.get("/postings").json()["postings"]}
        assert products["a"] == products["b"] == products["c"] != products["d"]
        body = batch("a!b", "a!c", "d=e")
        built = shop.built
        told = client.post("/verdicts:batch", json={**body, "preview": True}).json()
        assert (told["products_merged"], told["products_split"]) == (1, 1)
        events = len(shop.events())
        made = client.post("/verdicts:batch", json={**body, "if_version": told["catalogue_version"]}).json()
        assert [kind for _, kind, _ in shop.told(events)] == ["split", "changed", "merged", "created"]
        shop.check()
        version = client.delete(f"/verdicts/batches/{made['batch_id']}").json()["catalogue_version"]
        shop.check()
        now = {it["posting_id"]: it["product_id"] for it in client.get("/postings").json()["postings"]}
        assert now["a"] == now["b"] == now["c"] != now["d"] != now["e"]
        assert client.get("/verdicts").json()["catalogue_version"] == version
        assert shop.built == built


def test_what_another_process_decided_meanwhile_is_not_overruled(shop: ProductShop) -> None:
    """Though nobody here has taken it in: a selection leaves it out, and a version that is expected is the store's."""
    body = {"decision": "same", "pairs": {"min_probability": 0.9}}
    with client_of(make_app_of(shop)) as client:
        version = client.post("/verdicts:batch", json={**body, "preview": True}).json()["catalogue_version"]
        shop.intake.feedback.decide("a", "b", "different")
        assert_problem(client.post("/verdicts:batch", json={**body, "if_version": version}), 412, "condition-failed")
        assert client.post("/verdicts:batch", json=body).json()["new"] == 2
        assert listed(client) == {"a-b": "different", "a-c": "same", "b-c": "same"}


def test_a_batch_is_kept_in_the_store(tmp_path: Path) -> None:
    """Also by a service that starts anew."""
    settings = Settings(data=tmp_path / "data", matcher="none")
    with served_app(settings) as app, client_of(app) as client:
        for name in "ab":
            client.put(f"/postings/{name}", json={"title": name})
        made = client.post("/verdicts:batch", json=batch("a=b")).json()
    with served_app(settings) as app, client_of(app) as client:
        assert client.delete(f"/verdicts/batches/{made['batch_id']}").json()["restored"] == 1
        assert listed(client) == {}
