"""POST /cluster by a trained matcher."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.matcher import Matcher
from pricematch.pairs.bounds import ordinary
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from tests.support.applications import Serve, hash_of, make_app
from tests.support.contract import assert_problem, client_of
from tests.support.encoding import TinyEncoding
from tests.support.fakes import MeanColourEncoder, encoded, image_bytes, scene, tiny_search
from tests.support.matchers import hashed, matcher_over, scored_search

BY_MATCHER = {"posting_ids": "all", "method": "matcher"}
ONE_BIT = float(ordinary(np.array(63 / 64)))
"""The probability of two hashes that differ in one bit."""


def by_hash() -> Matcher:
    """Two pairs of postings that are alike, p0 and p2, p1 and p3, and two that are alone."""
    postings = hashed(0, 30, 1, 31, 60, None)
    return matcher_over(Catalogue(postings), {}, {}, scored_search(postings, ["hash"]))


@pytest.fixture(scope="module")
def by_probability() -> Iterator[TestClient]:
    """A client of an application with a trained matcher, and no encoder."""
    with client_of(make_app(matcher=by_hash())) as client:
        yield client


def test_clusters_come_with_their_cohesion_and_what_decided(by_probability: TestClient) -> None:
    body = by_probability.post("/cluster", json=BY_MATCHER).json()
    assert body.pop("took_ms") >= 0
    assert [item["status"] for item in body.pop("items")] == ["clustered"] * 4 + ["noise"] * 2
    assert body == {
        "catalogue_version": 6,
        "models": {"matcher": "1"},
        "method": "matcher",
        "eps": None,
        "min_samples": None,
        "target": "f1",
        "threshold": 0.9,
        "probabilities": "calibrated",
        "total_items": 6,
        "total_clusters": 2,
        "next_cursor": None,
        "next_offset": None,
        "total_contradictions": 0,
        "contradictions": [],
        "clusters": [
            {"cluster": 0, "posting_ids": ["p0", "p2"], "images": [], "cohesion": pytest.approx(ONE_BIT)},
            {"cluster": 1, "posting_ids": ["p1", "p3"], "images": [], "cohesion": pytest.approx(ONE_BIT)},
        ],
    }


def test_some_postings_are_clustered_and_unknown_ones_are_listed(by_probability: TestClient) -> None:
    asked = {**BY_MATCHER, "posting_ids": ["p3", "no-such", "p1"]}
    body = by_probability.post("/cluster", json=asked).json()
    assert [item["status"] for item in body["items"]] == ["clustered", "problem", "clustered"]
    assert body["clusters"][0]["posting_ids"] == ["p3", "p1"]


def test_a_form_takes_the_same_fields_as_json(by_probability: TestClient) -> None:
    asked = {**BY_MATCHER, "min_probability": 0.99}
    by_form = by_probability.post(
        "/cluster", files=[(name, (None, str(value))) for name, value in asked.items()]
    ).json()
    by_json = by_probability.post("/cluster", json=asked).json()
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
def test_fields_that_do_not_go_with_the_matcher_are_refused(by_probability: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(by_probability.post("/cluster", json={**BY_MATCHER, **asked}), 422, "invalid-request")


@pytest.mark.parametrize("asked", [{"target": "f1"}, {"min_probability": 0.5}])
def test_probabilities_do_not_go_with_other_methods(client: TestClient, asked: dict[str, Any]) -> None:
    response = client.post("/cluster", json={"posting_ids": "all", **asked})
    assert_problem(response, 422, "invalid-request")
    assert "method dbscan takes no" in response.json()["detail"]


# --- with images -----------------------------------------------------------------------------------------------

RED, SCENE = image_bytes("#ff0000"), encoded(scene())
TURNED = encoded(scene().transpose(Image.Transpose.ROTATE_180))


def by_image(signals: Sequence[str] = ("hash",)) -> Matcher:
    """A posting of a scene, one that differs from it in a bit, one of another image, and one of none."""
    scenes = int(hash_of(SCENE), 16)
    hashes = [f"{scenes:016x}", f"{scenes ^ 1:016x}", hash_of(TURNED), None]
    titles = ["kopi", "teh", "susu", "gula"]
    postings = [Posting(f"p{row}", None, titles[row], image_phash=value) for row, value in enumerate(hashes)]
    return matcher_over(Catalogue(postings), {}, {}, scored_search(postings, signals))


def members(response: Any) -> list[tuple[list[str], list[int]]]:
    """The postings and images of each cluster."""
    assert response.status_code == 200, response.text
    return [(cluster["posting_ids"], cluster["images"]) for cluster in response.json()["clusters"]]


def send(client: TestClient, *images: bytes, **asked: Any) -> Any:
    return client.post("/cluster", data={"method": "matcher", **asked}, files=[("images", image) for image in images])


@pytest.mark.parametrize("signals", [["hash"], ["hash", "title"]])
def test_images_join_the_postings_that_they_show(serve: Serve, signals: list[str]) -> None:
    response = send(serve(matcher=by_image(signals)), TURNED, SCENE, posting_ids=["p1", "p2"])
    assert members(response) == [(["p1"], [1]), (["p2"], [0])]
    body = response.json()
    assert [(item["posting_id"], item["image"]) for item in body["items"]] == [
        ("p1", None),
        ("p2", None),
        (None, 0),
        (None, 1),
    ]
    # equal in all that a matcher of hashes compares, it is one node; with titles, of which one has none, nearly surely
    equal = 1 if signals == ["hash"] else 0.995
    assert [cluster["cohesion"] for cluster in body["clusters"]] == pytest.approx([ONE_BIT, equal], abs=1e-4)
    assert (body["models"], body["eps"], body["target"], body["threshold"]) == ({"matcher": "1"}, None, "f1", 0.9)


def test_images_are_clustered_with_the_whole_catalogue(serve: Serve) -> None:
    response = send(serve(matcher=by_image()), SCENE, posting_ids="all")
    assert members(response) == [(["p0", "p1"], [0])]
    assert [item["status"] for item in response.json()["items"]] == ["clustered"] * 2 + ["noise"] * 2 + ["clustered"]


def test_pages_hold_postings_and_images_once(serve: Serve) -> None:
    client, items, found, offset = serve(matcher=by_image(), max_cluster_postings=2), [], [], 0
    while offset is not None:
        body = send(client, SCENE, TURNED, posting_ids="all", offset=offset).json()
        items += [(item["posting_id"], item["image"]) for item in body["items"]]
        found += [(cluster["posting_ids"], cluster["images"]) for cluster in body["clusters"]]
        offset = body["next_offset"]
    assert items == [("p0", None), ("p1", None), ("p2", None), ("p3", None), (None, 0), (None, 1)]
    assert found == [(["p0", "p1"], [0]), (["p2"], [1])]


def test_images_alone_are_clustered(serve: Serve) -> None:
    """The same image twice is two items of one cluster."""
    assert members(send(serve(matcher=by_image()), SCENE, TURNED, SCENE)) == [([], [0, 2])]


def test_a_probability_and_a_target_decide_of_images_too(serve: Serve) -> None:
    client = serve(matcher=by_image())
    for asked, expected in (
        ({"min_probability": 0.97}, [(["p1"], [0])]),
        ({"min_probability": 0.99}, []),
        ({"target": "precision:0.95"}, []),  # from 0.99 on
    ):
        assert members(send(client, SCENE, posting_ids=["p1"], **asked)) == expected


def test_a_bad_image_gets_a_problem_of_its_own(serve: Serve) -> None:
    response = send(serve(matcher=by_image()), SCENE[:50], SCENE, b"", posting_ids=["p0", "nobody"])
    assert members(response) == [(["p0"], [1])]
    problems = [item["problem"] and item["problem"]["type"].rpartition(":")[2] for item in response.json()["items"]]
    assert problems == [None, "posting-not-found", "image-corrupt", None, "image-empty"]
    nothing = send(serve(matcher=by_image()), b"", b"text")
    assert [item["status"] for item in nothing.json()["items"]] == ["problem"] * 2


def test_images_and_postings_are_in_the_same_clusters_as_match_says(serve: Serve) -> None:
    client = serve(matcher=by_image())
    found = client.post("/match", files={"image": SCENE}).json()["matches"]
    [(posting_ids, _)] = members(send(client, SCENE, posting_ids="all"))
    assert posting_ids == [match["posting_id"] for match in found]
    alone = send(client, SCENE, posting_ids=["p1"]).json()["clusters"][0]
    assert alone["cohesion"] == pytest.approx(found[1]["probability"], abs=1e-6)


def test_a_matcher_of_titles_refuses_images(serve: Serve) -> None:
    client = serve(matcher=by_image(["title"]))
    assert_problem(send(client, SCENE, posting_ids=["p0"]), 422, "signal-needed")
    assert_problem(client.post("/match", files={"image": SCENE}), 422, "signal-needed")


def test_all_images_are_encoded_in_one_call(serve: Serve) -> None:
    """The answer names the encoder beneath the matcher."""
    embedded = tiny_search()
    postings = [replace(posting, title="") for posting in embedded.catalogue]
    key, encoder = embedded.encoder.key, MeanColourEncoder()
    judge = scored_search(postings, ["image"], dict.fromkeys(IMAGE_RETRIEVERS, embedded.embeddings))
    retrieved = dict.fromkeys(IMAGE_RETRIEVERS, key)
    matcher = matcher_over(Catalogue(postings), {key: embedded}, {"mean-colour": key}, judge, retrieved)
    client = serve(matcher=matcher, encoding=TinyEncoding(encoder))
    asked = {"posting_ids": ["p0", "p4"], "min_probability": 0.98}
    response = send(client, image_bytes("#0402fd"), b"", RED, image_bytes("#fd0402"), **asked)
    assert members(response) == [(["p0"], [2, 3]), (["p4"], [0])]
    assert response.json()["models"] == {"matcher": "1", "mean-colour": "1"}
    assert encoder.batches == [3]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_what_is_sent_does_not_matter(serve: Serve, seed: int) -> None:
    client, order = serve(matcher=by_image()), np.random.default_rng(seed)
    ids, images = ["p0", "p1", "p2", "p3"], {"scene": SCENE, "turned": TURNED, "red": RED}
    found = []
    for _ in range(2):
        names = order.permutation(list(images)).tolist()
        clusters = members(send(client, *[images[name] for name in names], posting_ids=order.permutation(ids).tolist()))
        found.append({frozenset([*ids, *(names[place] for place in places)]) for ids, places in clusters})
    assert found[0] == found[1] == {frozenset({"p0", "p1", "scene"}), frozenset({"p2", "turned"})}


# --- without -----------------------------------------------------------------------------------------------------


def test_without_a_trained_matcher_its_method_is_refused(client: TestClient) -> None:
    assert_problem(client.post("/cluster", json=BY_MATCHER), 409, "matcher-needed")


def test_without_an_encoder_the_other_methods_are_refused(by_probability: TestClient) -> None:
    assert_problem(by_probability.post("/cluster", json={"posting_ids": "all"}), 409, "encoder-needed")


def test_the_encoder_may_be_named(client: TestClient) -> None:
    asked = {"posting_ids": "all", "encoder": "mean-colour"}
    assert len(client.post("/cluster", json=asked).json()["clusters"]) == 2
    assert_problem(client.post("/cluster", json={**asked, "encoder": "cae"}), 422, "encoder-unknown")


def test_answers_of_other_methods_hold_no_cohesion(client: TestClient) -> None:
    [first, *_] = client.post("/cluster", json={"posting_ids": "all"}).json()["clusters"]
    assert set(first) == {"cluster", "posting_ids", "images"}


def test_the_documented_example_is_one_that_this_service_can_answer(by_probability: TestClient) -> None:
    document = by_probability.get("/openapi.json").json()
    example = document["paths"]["/v1/cluster"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert len(by_probability.post("/cluster", json=example).json()["clusters"]) == 2
