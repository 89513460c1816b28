"""POST /cluster by a trained matcher."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.matching.matcher import Matcher
from app.matching.postings import Catalogue
from tests.api.conftest import Serve, make_app
from tests.api.contract import assert_problem, client_of
from tests.api.test_match_judged import HASHER
from tests.fakes import picture
from tests.matching.judged import hashed, tiny_judge

BY_MATCHER = {"posting_ids": "all", "method": "matcher"}


def by_hash() -> Matcher:
    """Two pairs of postings that are alike, p0 and p2, p1 and p3, and two that are alone."""
    postings = hashed(0, 30, 1, 31, 60, None)
    return Matcher(Catalogue(postings), {}, HASHER, tiny_judge(postings, ["hash"]))


@pytest.fixture(scope="module")
def judged() -> Iterator[TestClient]:
    """A client of an application with a trained matcher, and no encoder."""
    with client_of(make_app(matcher=by_hash())) as client:
        yield client


def test_clusters_come_with_their_cohesion_and_what_decided(judged: TestClient) -> None:
    body = judged.post("/cluster", json=BY_MATCHER).json()
    assert body.pop("took_ms") >= 0
    assert [item["status"] for item in body.pop("items")] == ["clustered"] * 4 + ["noise"] * 2
    assert body == {
        "models": {"matcher": "1"},
        "method": "matcher",
        "eps": None,
        "min_samples": None,
        "target": "f1",
        "threshold": 0.9,
        "total_items": 6,
        "total_clusters": 2,
        "next_offset": None,
        "clusters": [
            {"cluster": 0, "posting_ids": ["p0", "p2"], "images": [], "cohesion": pytest.approx(63 / 64)},
            {"cluster": 1, "posting_ids": ["p1", "p3"], "images": [], "cohesion": pytest.approx(63 / 64)},
        ],
    }


def test_some_postings_are_clustered_and_unknown_ones_are_listed(judged: TestClient) -> None:
    asked = {**BY_MATCHER, "posting_ids": ["p3", "no-such", "p1"]}
    body = judged.post("/cluster", json=asked).json()
    assert [item["status"] for item in body["items"]] == ["clustered", "problem", "clustered"]
    assert body["clusters"][0]["posting_ids"] == ["p3", "p1"]


def test_a_form_takes_the_same_fields_as_json(judged: TestClient) -> None:
    asked = {**BY_MATCHER, "min_probability": 0.99}
    by_form = judged.post("/cluster", files=[(name, (None, str(value))) for name, value in asked.items()]).json()
    by_json = judged.post("/cluster", json=asked).json()
    assert by_form | {"took_ms": 0} == by_json | {"took_ms": 0}
    assert (by_form["threshold"], by_form["target"], by_form["clusters"]) == (0.99, None, [])


def test_pages_hold_each_cluster_once(serve: Serve) -> None:
    client, found, offset = serve(matcher=by_hash(), max_cluster_postings=2), [], 0
    while offset is not None:
        body = client.post("/cluster", json={**BY_MATCHER, "offset": offset}).json()
        found += body["clusters"]
        offset = body["next_offset"]
    assert [cluster["posting_ids"] for cluster in found] == [["p0", "p2"], ["p1", "p3"]]


@pytest.mark.parametrize(
    "asked",
    [
        {"eps": 0.1},
        {"min_samples": 2},
        {"encoder": "cae"},
        {"min_probability": 0},
        {"min_probability": 1.5},
        {"min_probability": 0.5, "target": "f1"},
        {"target": "best"},
        {"target": 3},
    ],
)
def test_fields_that_do_not_go_with_the_matcher_are_refused(judged: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(judged.post("/cluster", json={**BY_MATCHER, **asked}), 422, "invalid-request")


@pytest.mark.parametrize("asked", [{"target": "f1"}, {"min_probability": 0.5}])
def test_probabilities_do_not_go_with_other_methods(client: TestClient, asked: dict[str, Any]) -> None:
    response = client.post("/cluster", json={"posting_ids": "all", **asked})
    assert_problem(response, 422, "invalid-request")
    assert "method dbscan takes no" in response.json()["detail"]


def test_pictures_are_refused_with_where_to_send_them(judged: TestClient) -> None:
    response = judged.post("/cluster", data=BY_MATCHER, files=[("images", picture("#ff0000"))])
    assert_problem(response, 422, "invalid-request")
    assert "/match" in response.json()["detail"]


def test_without_a_trained_matcher_its_method_is_refused(client: TestClient) -> None:
    assert_problem(client.post("/cluster", json=BY_MATCHER), 409, "matcher-needed")


def test_without_an_encoder_the_other_methods_are_refused(judged: TestClient) -> None:
    assert_problem(judged.post("/cluster", json={"posting_ids": "all"}), 409, "encoder-needed")


def test_the_encoder_may_be_named(client: TestClient) -> None:
    asked = {"posting_ids": "all", "encoder": "mean-colour"}
    assert len(client.post("/cluster", json=asked).json()["clusters"]) == 2
    assert_problem(client.post("/cluster", json={**asked, "encoder": "cae"}), 422, "encoder-unknown")


def test_answers_of_other_methods_hold_no_cohesion(client: TestClient) -> None:
    [first, *_] = client.post("/cluster", json={"posting_ids": "all"}).json()["clusters"]
    assert set(first) == {"cluster", "posting_ids", "images"}


def test_the_documented_example_is_one_that_this_service_can_answer(judged: TestClient) -> None:
    document = judged.get("/openapi.json").json()
    example = document["paths"]["/cluster"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert len(judged.post("/cluster", json=example).json()["clusters"]) == 2
