"""Matches of several images in one request, an item for each."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.matching.similarity import SimilaritySearch
from tests.support.applications import POSTINGS, SCENE, Serve, judged_matcher
from tests.support.contract import PREFIX, assert_problem, assert_still_answers
from tests.support.encoding import TinyEncoding
from tests.support.fakes import COLOURS, MeanColourEncoder, image_bytes, tiny_matcher
from tests.support.http_bytes import FORM, field, file, form
from tests.support.matchers import matcher_over, scored_search
from tests.support.odd_images import NOT_IMAGES, truncated

PICTURES = [image_bytes(colour) for colour in COLOURS]
COMMON = (
    "catalogue_version",
    "models",
    "catalogue_size",
    "matcher",
    "decided_by",
    "probabilities",
    "target",
    "threshold",
    "alone",
)


def send(client: TestClient, *images: bytes, **asked: Any) -> Any:
    """POST several images."""
    parts = [("images", (f"{index}.png", image)) for index, image in enumerate(images)]
    return client.post("/match", files=parts, params=asked)


def alone(client: TestClient, image: bytes, **asked: Any) -> Any:
    """The answer for one of them."""
    return client.post("/match", files={"image": image}, params=asked).json()


def test_each_image_has_the_matches_it_has_alone(client: TestClient) -> None:
    """In the order in which the images were sent."""
    images = [*PICTURES, PICTURES[2]]
    body = send(client, *images, limit=3, min_similarity=0.5).json()
    expected = [alone(client, image, limit=3, min_similarity=0.5) for image in images]
    assert [item["matches"] for item in body["items"]] == [answer["matches"] for answer in expected]
    assert [(item["index"], item["name"]) for item in body["items"]] == [(i, f"{i}.png") for i in range(len(images))]
    assert {name: body[name] for name in COMMON} == {name: expected[0][name] for name in COMMON}
    assert set(body) == {*COMMON, "took_ms", "items"}
    assert all("problem" not in item for item in body["items"])


@pytest.mark.parametrize("asked", [{}, {"min_probability": 0}, {"limit": 1}])
def test_where_a_matcher_decides_each_image_is_scored_alone(serve: Serve, asked: dict[str, Any]) -> None:
    client = serve(matcher=judged_matcher())
    images = [SCENE, image_bytes("red"), SCENE]
    body = send(client, *images, **asked).json()
    expected = [alone(client, image, **asked) for image in images]
    assert [item["matches"] for item in body["items"]] == [answer["matches"] for answer in expected]
    assert body["items"][0]["matches"][0]["probability"] > 0.5
    assert {name: body[name] for name in COMMON} == {name: expected[0][name] for name in COMMON}


def test_all_are_encoded_in_one_call(serve: Serve) -> None:
    encoder = MeanColourEncoder()
    client = serve(encoding=TinyEncoding(encoder))
    assert send(client, *PICTURES).status_code == 200
    assert encoder.batches == [len(PICTURES)]


@pytest.mark.parametrize("matcher", [None, judged_matcher()], ids=["similarity", "probability"])
def test_a_bad_image_fails_alone_with_its_own_problem(serve: Serve, matcher: Any) -> None:
    client = serve(matcher=matcher)
    bad = [b"", truncated("JPEG"), NOT_IMAGES["svg"], image_bytes("red", (2, 2))]
    body = send(client, PICTURES[0], *bad, PICTURES[2]).json()
    good = [body["items"][0], body["items"][-1]]
    assert [item["matches"] for item in good] == [alone(client, PICTURES[index])["matches"] for index in (0, 2)]
    told = [(item["problem"]["type"].removeprefix(PREFIX), item["problem"]["status"]) for item in body["items"][1:-1]]
    assert told == [("image-empty", 422), ("image-corrupt", 422), ("image-type", 415), ("image-too-small", 422)]
    assert all("matches" not in item for item in body["items"][1:-1])


@pytest.mark.parametrize("matcher", [None, judged_matcher()], ids=["similarity", "probability"])
def test_where_all_are_bad_the_answer_says_so_item_by_item(serve: Serve, matcher: Any) -> None:
    client = serve(matcher=matcher)
    body = send(client, b"", b"").json()
    assert [item["problem"]["status"] for item in body["items"]] == [422, 422]


def test_fault_24_more_images_than_the_limit_are_refused(serve: Serve) -> None:
    client = serve(max_match_images=3)
    assert len(send(client, *PICTURES[:3]).json()["items"]) == 3
    assert_problem(send(client, *PICTURES[:4]), 413, "too-many-items")
    assert_still_answers(client)


@pytest.mark.parametrize(
    "parts",
    [
        [file("images", PICTURES[0]), file("image", PICTURES[0])],
        [file("images", PICTURES[0]), field("title", b"kopi")],
        [file("images", PICTURES[0]), file("other", PICTURES[0])],
    ],
)
def test_other_parts_than_images_are_refused(client: TestClient, parts: list[bytes]) -> None:
    response = client.post("/match", content=form(parts), headers={"Content-Type": FORM})
    assert_problem(response, 422, "invalid-request")


def test_file_names_come_back_shortened(client: TestClient) -> None:
    names = ["<script>.png", "x" * 300, "ü.png"]
    parts = [("images", (name, PICTURES[0])) for name in names]
    found = client.post("/match", files=parts).json()["items"]
    assert [item["name"] for item in found] == ["<script>.png", "x" * 255, "ü.png"]


def test_a_matcher_of_titles_only_needs_another_signal(serve: Serve) -> None:
    search = scored_search(POSTINGS, ["title"])
    client = serve(matcher=replace(judged_matcher(), probability=search))
    assert_problem(send(client, SCENE, SCENE), 422, "signal-needed")


def test_a_service_without_encoder_needs_one(serve: Serve) -> None:
    client = serve(matcher=matcher_over(tiny_matcher().catalogue, {}, {}))
    assert_problem(send(client, SCENE, SCENE), 409, "encoder-needed")


def test_matches_of_several_images_have_the_wanted_similarity(serve: Serve) -> None:
    matcher, tiny = judged_matcher(), tiny_matcher().encoders["mean-colour"]
    search = SimilaritySearch.of(tiny.encoder, matcher.catalogue, tiny.embeddings[: len(POSTINGS)])
    named = {"mean-colour": "mean-colour"}
    client = serve(matcher=replace(matcher, similarity={"mean-colour": search}, named=named))
    asked = {"encoder": "mean-colour", "min_probability": 0}
    images = [SCENE, PICTURES[0]]
    found = [item["matches"] for item in send(client, *images, **asked).json()["items"]]
    assert found == [alone(client, image, **asked)["matches"] for image in images]
    assert all("similarity" in match for matches in found for match in matches)
