"""Images as texts in JSON: in Base64, or as data URIs."""

import json
from base64 import b64encode

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.fakes import image_bytes

RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")


def encoded(image: bytes = RED) -> str:
    return b64encode(image).decode()


WAYS = {
    "Base64": encoded(),
    "in lines": "\n".join(encoded()[at : at + 76] for at in range(0, len(encoded()), 76)),
    "data URI": f"data:image/png;base64,{encoded()}",
    "with parameters": f"data:image/png;name=red.png;base64,{encoded()}",
    "without a type": f"data:;base64,{encoded()}",
    "in capitals": f"DATA:image/png;BASE64,{encoded()}",
    "of another type": f"data:text/plain;base64,{encoded()}",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_an_image_in_json_is_matched_as_the_image_itself(client: TestClient, text: str) -> None:
    found = client.post("/match", json={"image": text})
    expected = client.post("/match", files={"image": RED})
    assert found.status_code == 200, found.text
    assert found.json()["matches"] == expected.json()["matches"]


@pytest.mark.parametrize(
    "value",
    ["****", "A", encoded()[:-1], "data:image/png,abc", "data:;base64", "é", "", 7, None, ["a"], {"a": 1}],
    ids=repr,
)
def test_what_is_no_image_in_base64_is_refused(client: TestClient, value: object) -> None:
    """Where it stands is told."""
    response = client.post("/match", json={"image": value})
    assert response.status_code == 422
    assert_problem(response, 422, "image-empty" if value == "" else "invalid-request")
    assert_still_answers(client)


def test_several_images_in_json_are_answered_each(client: TestClient) -> None:
    found = client.post("/match", json={"images": [encoded(), encoded(GREEN)]}).json()["items"]
    files = client.post("/match", files=[("images", RED), ("images", GREEN)]).json()["items"]
    assert [item["matches"] for item in found] == [item["matches"] for item in files]


def test_several_images_stand_alone(client: TestClient) -> None:
    response = client.post("/match", json={"images": [encoded()], "title": "Kopi"})
    assert response.json()["errors"][0]["location"] == "body.title"
    assert_problem(response, 422, "invalid-request")


def test_images_in_json_are_counted(serve: Serve) -> None:
    client = serve(max_match_images=2, max_cluster_images=2)
    body = {"images": [encoded()] * 3}
    assert_problem(client.post("/match", json=body), 413, "too-many-items")
    assert_problem(client.post("/cluster", json=body), 413, "too-many-items")


def test_images_in_json_are_clustered(client: TestClient) -> None:
    found = client.post("/cluster", json={"posting_ids": ["p0"], "images": [encoded(), "data:;base64,AAAA"]}).json()
    files = client.post("/cluster", data={"posting_ids": "p0"}, files=[("images", RED), ("images", b"\0\0\0")]).json()
    assert found["items"] == files["items"]
    assert client.post("/cluster", json={"images": [encoded()]}).status_code == 200


def test_an_image_in_json_is_stored(serve: Serve) -> None:
    client = serve()
    given = client.put("/postings/new", json={"title": "Kopi", "image": encoded()})
    assert given.status_code == 201
    assert client.get(given.json()["image_url"]).content == client.get("/postings/p0/image").content
    assert_problem(client.put("/postings/new", json={"image": ""}), 422, "image-empty")


def test_an_image_in_json_may_be_as_large_as_any(serve: Serve) -> None:
    """What is limited is the body, and of the rest how much there is of it."""
    large = json.dumps({"image": encoded(RED + b"\0" * 200_000)})
    assert serve().post("/match", content=large, headers={"Content-Type": "application/json"}).status_code == 200
    small = serve(max_body_bytes=100_000)
    assert_problem(
        small.post("/match", content=large, headers={"Content-Type": "application/json"}), 413, "body-too-large"
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"images": [' + "[]," * 200_000 + "[]]}",
        '{"images": [' + '"a",' * 200_000 + '"a"]}',
        '{"image": "' + "\\n" * 200_000 + '"}',
        '{"image": ' * 200_000 + "1" + "}" * 200_000,
    ],
    ids=["arrays", "texts", "escapes", "objects"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/match"), ("PUT", "/postings/new")])
def test_json_that_would_take_much_memory_is_refused_unread(
    client: TestClient, method: str, path: str, body: str
) -> None:
    response = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "body-too-large")
    assert_still_answers(client)
