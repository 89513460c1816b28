"""What is sent beside the catalogue is compared by its evidence fields, as what is stored is."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.evidence import EvidenceFields
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue, Posting
from tests.support.applications import hash_of, make_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import encoded, image_bytes, scene
from tests.support.matchers import matcher_over, scored_search

PRICE = Field("price", "number", evidence=True)
SCENE, RED = encoded(scene()), image_bytes("#ff0000")
TEXT = b64encode(SCENE).decode()
FIVE, NINE = {"price": 5}, {"price": 9}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Of two postings of one scene and two prices; a third has the scene and no price."""
    scenes = int(hash_of(SCENE), 16)
    postings = [
        Posting(name, None, image_phash=f"{scenes ^ bit:016x}", metadata=Metadata(metadata))
        for name, bit, metadata in (("five", 1, FIVE), ("nine", 2, NINE), ("none", 4, {}))
    ]
    search = scored_search(postings, ["hash"], evidence=EvidenceFields.every((PRICE,)))
    with client_of(make_app(matcher=matcher_over(Catalogue(postings), {}, {}, search))) as found:
        yield found


def probability(client: TestClient, left: object, right: object) -> float:
    answer = client.post("/compare", json={"left": left, "right": right})
    assert answer.status_code == 200, answer.text
    found: float = answer.json()["probability"]
    return found


def test_items_that_are_sent_are_compared_by_evidence(client: TestClient) -> None:
    """With stored ones on either side, and with each other; other fields say nothing."""
    for stored, own, other in (("five", FIVE, NINE), ("nine", NINE, FIVE)):
        item = {"image": TEXT, "metadata": {**own, "seller": "x"}}
        for sides in ((item, {"posting_id": stored}), ({"posting_id": stored}, item)):
            assert probability(client, *sides) > 0.5
        item["metadata"] = other
        for sides in ((item, {"posting_id": stored}), ({"posting_id": stored}, item)):
            assert probability(client, *sides) < 0.5
    assert probability(client, {"image": TEXT, "metadata": FIVE}, {"image": TEXT, "metadata": FIVE}) == 1
    assert probability(client, {"image": TEXT, "metadata": FIVE}, {"image": TEXT, "metadata": NINE}) < 1


def test_an_item_is_as_probable_as_the_match_of_the_same_query(client: TestClient) -> None:
    for own in (FIVE, NINE, {}):
        matches = client.post("/match?min_probability=0", json={"image": TEXT, "metadata": own}).json()["matches"]
        assert len(matches) == 3
        for match in matches:
            found = probability(client, {"posting_id": match["posting_id"]}, {"image": TEXT, "metadata": own})
            assert found == pytest.approx(match["probability"])


def test_a_form_says_the_same_as_json(client: TestClient) -> None:
    form = {"right_posting_id": "five", "left_metadata": json.dumps(NINE)}
    answer = client.post("/compare", files={"left_image": SCENE}, data=form)
    found = probability(client, {"image": TEXT, "metadata": NINE}, {"posting_id": "five"})
    assert answer.json()["probability"] == pytest.approx(found)


@pytest.mark.parametrize(
    ("left", "location"),
    [
        ({"posting_id": "five", "metadata": {}}, "body.left"),
        ({"metadata": {"price": 5}}, "body.left"),
        ({"title": "a", "metadata": []}, "body.left.metadata"),
        ({"title": "a", "metadata": {"a.b": 1}}, "left.metadata"),
        ({"title": "a", "metadata": {"a": "x" * 9000}}, "left.metadata"),
    ],
    ids=str,
)
def test_metadata_that_cannot_be_is_named(client: TestClient, left: object, location: str) -> None:
    answer = client.post("/compare", json={"left": left, "right": {"posting_id": "five"}})
    assert_problem(answer, 422, "invalid-request")
    assert location in answer.json()["errors"][0]["location"]


def test_metadata_in_a_form_is_json(client: TestClient) -> None:
    for text in ("{", "5", '{"a": 1, "a": 2}'):
        form = {"right_posting_id": "five", "left_metadata": text, "left_title": "a"}
        answer = client.post("/compare", files=[(name, (None, value)) for name, value in form.items()])
        assert_problem(answer, 422, "invalid-request")
        assert "left" in answer.json()["errors"][0]["location"]


# --- clusters ------------------------------------------------------------------------------------------------------


def clusters(client: TestClient, images: list[bytes], metadata: list[Any], posting_id: str) -> Any:
    """What is answered to JSON, after it was checked against the answer to a form."""
    fields = {"method": "matcher", "min_probability": 0.9}
    sent = {
        **fields,
        "posting_ids": [posting_id],
        "images": [b64encode(it).decode() for it in images],
        "metadata": metadata,
    }
    parts: list[tuple[str, Any]] = [("images", image) for image in images]
    parts += [("metadata", (None, json.dumps(it))) for it in metadata]
    parts += [(name, (None, str(value))) for name, value in {**fields, "posting_ids": posting_id}.items()]
    by_json, by_form = client.post("/cluster", json=sent), client.post("/cluster", files=parts)
    assert by_json.status_code == by_form.status_code, by_form.text
    if by_json.status_code == 200:
        assert by_json.json() | {"took_ms": 0} == by_form.json() | {"took_ms": 0}
    return by_json


def test_images_join_the_postings_of_their_price(client: TestClient) -> None:
    for posting_id, own, other in (("five", FIVE, NINE), ("nine", NINE, FIVE)):
        found = [clusters(client, [SCENE], [it], posting_id).json()["clusters"] for it in (own, other)]
        assert [[it["posting_ids"] for it in one] for one in found] == [[[posting_id]], []]


def test_a_bad_image_does_not_shift_the_metadata_of_others(client: TestClient) -> None:
    for metadata, status in (([NINE, FIVE], "clustered"), ([FIVE, NINE], "noise")):
        body = clusters(client, [b"no image", SCENE], metadata, "five").json()
        assert [it["status"] for it in body["items"]] == [status, "problem", status]


@pytest.mark.parametrize("metadata", [[FIVE], [FIVE] * 3, [FIVE, {"$": 1}], [FIVE, 5]], ids=str)
def test_metadata_of_images_that_cannot_be_are_refused(client: TestClient, metadata: list[Any]) -> None:
    answer = clusters(client, [SCENE, RED], metadata, "five")
    assert_problem(answer, 422, "invalid-request")
    assert "metadata" in answer.json()["errors"][0]["location"]


def test_clusters_by_similarity_take_no_metadata(client: TestClient) -> None:
    answer = client.post("/cluster", json={"images": [TEXT], "metadata": [FIVE]})
    assert_problem(answer, 422, "invalid-request")
    assert "takes no metadata" in answer.json()["detail"]
