"""Metadata over HTTP: put, patched, and answered."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import image_bytes
from tests.support.http_bytes import FORM, field, form

RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")
PRICED = {"price": 12.5, "seller": "shop é", "brand": {"name": "Acme", "tags": ["a", 1, None, True]}}
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application over `p0` … `p6`, which it may change."""
    return serve(max_metadata_fields=8)


def patch(client: TestClient, posting_id: str, fields: Any, **headers: str) -> httpx2.Response:
    """Send a JSON Merge Patch."""
    return client.patch(f"/postings/{posting_id}", content=json.dumps(fields), headers={**MERGE, **headers})


def read(client: TestClient, posting_id: str) -> Any:
    return client.get(f"/postings/{posting_id}").json()


def test_metadata_that_is_put_is_answered(client: TestClient) -> None:
    """By the put, alone, and in the list; in JSON and in forms with and without an image."""
    text = json.dumps(PRICED)
    for posting_id, given in {
        "json": {"json": {"title": "x", "metadata": PRICED}},
        "form": {
            "content": form([field("title", b"x"), field("metadata", text.encode())]),
            "headers": {"Content-Type": FORM},
        },
        "image": {"files": {"image": RED}, "data": {"metadata": text}},
    }.items():
        response = client.put(f"/postings/{posting_id}", **given)  # type: ignore[arg-type]
        assert response.status_code == 201
        assert response.json()["metadata"] == read(client, posting_id)["metadata"] == PRICED
    listed = {it["posting_id"]: it["metadata"] for it in client.get("/postings").json()["postings"]}
    assert listed == {"json": PRICED, "form": PRICED, "image": PRICED, **{f"p{row}": {} for row in range(7)}}


def test_a_put_is_whole(client: TestClient) -> None:
    """What it leaves out is gone; the same again changes nothing, in whatever order and form its fields are."""
    first = client.put("/postings/a", json={"title": "x", "metadata": {"a": 1.0, "b": {"c": 2, "d": 3}}})
    again = client.put("/postings/a", json={"metadata": {"b": {"d": 3, "c": 2}, "a": 1}, "title": "x"})
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"]
    other = client.put("/postings/a", json={"title": "x", "metadata": {"a": 1}})
    assert other.headers["etag"] != first.headers["etag"]
    assert other.json()["catalogue_version"] == first.json()["catalogue_version"] + 1
    assert client.put("/postings/a", json={"title": "x"}).json()["metadata"] == {}
    assert client.put("/postings/a", json={"title": "x", "metadata": None}).json()["metadata"] == {}


@pytest.mark.parametrize(
    ("metadata", "location", "message"),
    [
        ({"brand": {"": 1}}, "body.metadata.brand", "expected names of fields, got an empty one"),
        ({"a.b": 1}, "body.metadata", "expected names without a dot"),
        ({"a": 2**60}, "body.metadata.a", "expected a whole number within ±2^53"),
        ({f"f{number}": 1 for number in range(9)}, "body.metadata", "expected at most 8 fields in all objects, got 9"),
        ({"a": [[[[]]]]}, "body.metadata.a[0][0][0]", "expected text, a number"),
        ({"a": "x" * 9000}, "body.metadata", "expected at most 8192 bytes of JSON, got 9008"),
    ],
)
def test_wrong_metadata_is_named_by_its_path(
    client: TestClient, metadata: dict[str, Any], location: str, message: str
) -> None:
    """The same in JSON and in a form, put and patched, and nothing is changed."""
    client.put("/postings/a", json={"title": "x", "metadata": {}})
    before = client.get("/postings").json()
    whole = {"title": "x", "metadata": metadata}
    for response in (
        client.put("/postings/a", json=whole),
        client.put("/postings/a", files={"image": RED}, data={"metadata": json.dumps(metadata)}),
        patch(client, "a", whole),
        client.patch("/postings/a", files={"image": RED}, data={"metadata": json.dumps(metadata)}),
    ):
        assert_problem(response, 422, "invalid-request")
        [fault] = response.json()["errors"]
        assert fault["location"] == location
        assert fault["message"].startswith(message)
    assert client.get("/postings").json() == before


def test_metadata_may_be_as_large_as_it_may_however_it_is_written(client: TestClient) -> None:
    """All of it in escapes, beside the longest title."""
    metadata = {"a": "x" * (8192 - len('{"a":""}'))}
    escaped = json.dumps(metadata).replace("x", "\\u0078")
    title = 1000 * "\\u0079"
    text = f'{{"metadata": {escaped}, "title": "{title}"}}'
    for send in (client.put, client.patch):
        response = send("/postings/a", content=text, headers={"Content-Type": "application/json"})
        assert response.status_code in {200, 201}
        assert response.json()["metadata"] == metadata
        assert send("/postings/a", files={"image": RED}, data={"metadata": escaped}).json()["metadata"] == metadata


@pytest.mark.parametrize(
    "metadata", ["[]", '"x"', "1", "true", "{", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": "\\ud800"}']
)
def test_metadata_that_is_no_object_is_refused(client: TestClient, metadata: str) -> None:
    before = client.get("/postings").json()
    for send in (client.put, client.patch):
        body = f'{{"title": "x", "metadata": {metadata}}}'
        assert_problem(
            send("/postings/p0", content=body, headers={"Content-Type": "application/json"}), 422, "invalid-request"
        )
        sent = send("/postings/p0", files={"image": RED}, data={"metadata": metadata})
        assert_problem(sent, 422, "invalid-request")
        assert sent.json()["errors"][0]["location"].startswith("body.metadata")
    assert client.get("/postings").json() == before


def test_matches_have_metadata_where_it_is_asked_for(client: TestClient) -> None:
    """Of one image, of several, and of a stored posting."""
    client.put("/postings/a", files={"image": RED}, data={"metadata": json.dumps(PRICED)})

    def answers(params: dict[str, Any]) -> list[Any]:
        each = client.post("/match", files=[("images", RED)], params=params).json()["items"][0]
        return [
            client.post("/match", files={"image": RED}, params=params).json(),
            each,
            client.get("/postings/p0/matches", params=params).json(),
        ]

    for answer in answers({"limit": 50, "min_similarity": -1}):
        assert answer["matches"]
        assert not any("metadata" in match for match in answer["matches"])
    for answer in answers({"limit": 50, "min_similarity": -1, "metadata": "true"}):
        assert {it["posting_id"]: it["metadata"] for it in answer["matches"]}["a"] == PRICED
        assert {it["posting_id"]: it["metadata"] for it in answer["matches"]}["p1"] == {}


def test_matches_have_the_newest_metadata(client: TestClient) -> None:
    """Though the matches themselves are those that were kept."""
    client.put("/postings/a", files={"image": RED})
    for price in range(3):
        patch(client, "a", {"metadata": {"price": price}})
        found = client.get("/postings/p0/matches?metadata=true&min_similarity=-1&limit=50").json()
        assert {it["posting_id"]: it["metadata"] for it in found["matches"]}["a"] == {"price": price}
        assert found["catalogue_version"] == client.get("/postings").json()["catalogue_version"]


# --- patches -------------------------------------------------------------------------------------------------------


def test_a_patch_changes_what_it_names(client: TestClient) -> None:
    fields = {"title": "x", "label_group": "g", "image_phash": "0" * 16, "metadata": PRICED}
    first = client.put("/postings/a", json=fields)
    response = patch(client, "a", {"metadata": {"price": 13, "brand": {"tags": None, "country": "ID"}, "stock": 4}})
    assert response.status_code == 200
    expected = {"price": 13, "seller": "shop é", "brand": {"name": "Acme", "country": "ID"}, "stock": 4}
    assert response.json() == read(client, "a")
    assert {name: response.json()[name] for name in fields} == {**fields, "metadata": expected}
    assert response.headers["etag"] == client.get("/postings/a").headers["etag"] != first.headers["etag"]
    assert patch(client, "a", {}).headers["etag"] == response.headers["etag"]
    renamed = patch(client, "a", {"title": " Kopi \\xc3\\x89 ", "label_group": None, "image_phash": None})
    assert {name: renamed.json()[name] for name in fields} == {
        "title": "Kopi É",
        "label_group": None,
        "image_phash": None,
        "metadata": expected,
    }
    assert patch(client, "a", {"metadata": None}).json()["metadata"] == {}


def test_a_patch_may_be_plain_json(client: TestClient) -> None:
    client.put("/postings/a", json={"title": "x"})
    assert client.patch("/postings/a", json={"metadata": {"a": 1}}).json()["metadata"] == {"a": 1}


def test_a_patch_removes_and_replaces_the_image(client: TestClient) -> None:
    """The hash of an image that it has no more goes as well, unless another one is given."""
    client.put(
        "/postings/a", files={"image": RED}, data={"title": "x", "image_phash": "0" * 16, "metadata": '{"a": 1}'}
    )
    same = client.patch("/postings/a", files={"image": RED}, data={"metadata": '{"b": 2}'}).json()
    assert (same["image_phash"], same["metadata"]) == ("0" * 16, {"a": 1, "b": 2})
    other = client.patch("/postings/a", files={"image": GREEN})
    assert (other.json()["title"], other.json()["image_phash"], other.json()["metadata"]) == (
        "x",
        None,
        {"a": 1, "b": 2},
    )
    assert client.get("/postings/a/image").content == GREEN
    found = client.post("/match", files={"image": GREEN}, params={"limit": 50}).json()["matches"]
    assert "a" in [it["posting_id"] for it in found]
    known = client.patch("/postings/a", files={"image": RED}, data={"image_phash": "1" * 16}).json()
    assert known["image_phash"] == "1" * 16
    in_json = patch(client, "a", {"image": b64encode(GREEN).decode()}).json()
    assert (in_json["image_phash"], client.get("/postings/a/image").content) == (None, GREEN)
    gone = patch(client, "a", {"image": None}).json()
    assert (gone["image_url"], gone["image_phash"], gone["title"]) == (None, None, "x")
    assert_problem(client.get("/postings/a/image"), 404, "image-unavailable")


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"title": None}, "body.title"),
        ({"title": "  "}, "body.title"),
        ({"title": "x" * 1001}, "body.title"),
        ({"title": 1}, "body.title"),
        ({"posting_id": "b"}, "body.posting_id"),
        ({"image": "x.png"}, "body.image"),
        ({"image": 1}, "body.image"),
        ({"image_phash": "x"}, "body.image_phash"),
        ({"label_group": "x" * 257}, "body.label_group"),
        ([], "body"),
        (None, "body"),
        ("x", "body"),
    ],
)
def test_a_patch_that_makes_no_posting_is_refused(client: TestClient, fields: Any, location: str) -> None:
    client.put("/postings/a", json={"title": "x"})
    response = patch(client, "a", fields)
    assert_problem(response, 422, "invalid-request")
    assert response.json()["errors"][0]["location"] == location
    assert read(client, "a")["title"] == "x"


def test_the_last_evidence_cannot_be_removed(client: TestClient) -> None:
    client.put("/postings/a", files={"image": RED})
    assert_problem(patch(client, "a", {"image": None}), 422, "invalid-request")
    assert patch(client, "a", {"image": None, "title": "x"}).status_code == 200


def test_a_patch_of_nobody_and_of_what_has_changed(client: TestClient) -> None:
    for given in ({"json": {"title": "x"}}, {"files": {"image": RED}}):
        assert_problem(client.patch("/postings/nobody", **given), 404, "posting-not-found")
    first = client.put("/postings/a", json={"title": "x"}).headers["etag"]
    second = patch(client, "a", {"metadata": {"a": 1}}, **{"If-Match": first})
    assert second.status_code == 200
    assert_problem(patch(client, "a", {"metadata": {"a": 2}}, **{"If-Match": first}), 412, "condition-failed")
    assert_problem(patch(client, "a", {}, **{"If-Match": "a"}), 422, "invalid-request")
    assert patch(client, "a", {"metadata": {"a": 3}}, **{"If-Match": second.headers["etag"]}).status_code == 200
    assert patch(client, "a", {"metadata": {"a": 4}}, **{"If-Match": "*"}).status_code == 200
    assert read(client, "a")["metadata"] == {"a": 4}


@pytest.mark.parametrize(
    "kind", ["image/png", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_patch_is_json_or_a_form(client: TestClient, kind: str) -> None:
    assert_problem(client.patch("/postings/p0", content=RED, headers={"Content-Type": kind}), 415, "media-type")


def test_a_bad_image_changes_nothing(client: TestClient) -> None:
    before = read(client, "p0")
    response = client.patch("/postings/p0", files={"image": b"<svg/>"}, data={"title": "new"})
    assert_problem(response, 415, "image-type")
    assert_problem(client.patch("/postings/p0", files={"image": b""}), 422, "image-empty")
    assert read(client, "p0") == before


def test_patches_of_different_fields_at_once_lose_nothing(client: TestClient) -> None:
    client.put("/postings/a", json={"title": "x"})

    def work(number: int) -> int:
        fields: dict[str, Any] = (
            {"metadata": {f"f{number % 4}": {str(number // 4): number}}} if number else {"title": "y"}
        )
        return patch(client, "a", fields).status_code

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(work, [0, 1, 2, 3, 5, 6])) == {200}
    stored = read(client, "a")
    assert stored["title"] == "y"
    assert stored["metadata"] == {"f1": {"0": 1, "1": 5}, "f2": {"0": 2, "1": 6}, "f3": {"0": 3}}
