"""Postings that are put, read, listed and removed over HTTP."""

import hashlib
import unicodedata
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import COLOURS, image_bytes

RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application over `p0` … `p6`, which it may change."""
    return serve()


def version(client: TestClient) -> int:
    """The catalogue's."""
    return int(client.get("/postings").json()["catalogue_version"])


def test_what_is_put_is_found_by_the_next_request(client: TestClient) -> None:
    """An image, a title or both."""
    ways = {
        "form": {"files": {"image": RED}, "data": {"title": "Kopi"}},
        "picture": {"content": RED, "headers": {"Content-Type": "image/png"}},
        "form-picture": {"files": {"image": RED}},
    }
    for posting_id, given_ in ways.items():
        before = version(client)
        response = client.put(f"/postings/{posting_id}", **given_)  # type: ignore[arg-type]
        assert response.status_code == 201
        assert response.json()["catalogue_version"] == before + 1
        assert response.json()["image_url"] == f"/v1/postings/{posting_id}/image?v={sha256(RED).hexdigest()[:16]}"
        found = client.post("/match?limit=50", files={"image": RED}).json()
        assert found["catalogue_version"] == before + 1
        assert posting_id in [match["posting_id"] for match in found["matches"]]
        assert client.get(f"/postings/{posting_id}/image").content == RED
    titled = client.put("/postings/json", json={"title": "  Kopi \\xc3\\x89 "})
    assert (titled.status_code, titled.json()["title"], titled.json()["image_url"]) == (201, "Kopi É", None)


def test_the_same_again_changes_nothing_another_replaces_it(client: TestClient) -> None:
    first = client.put("/postings/a", files={"image": RED}, data={"title": "Kopi", "label_group": "g"})
    again = client.put("/postings/a", files={"image": RED}, data={"title": "Kopi", "label_group": "g"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"]
    other = client.put("/postings/a", json={"title": "Teh"})
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]
    stored = client.get("/postings/a").json()
    assert (stored["title"], stored["label_group"], stored["image_url"]) == ("Teh", None, None)
    assert_problem(client.get("/postings/a/image"), 404, "image-unavailable")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_what_stands_behind_an_image_is_not_sent_back(client: TestClient, kind: str) -> None:
    """Nor stored; put again it is unchanged: fault F10."""
    image = image_bytes("#ff0000", format=kind)
    first = client.put("/postings/a", files={"image": image + b"<script>" * 1000})
    again = client.put("/postings/a", files={"image": image + b"<script>" * 1000})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["etag"] == again.headers["etag"]
    sent = client.get("/postings/a/image")
    assert b"<script>" not in sent.content
    assert (len(sent.content) <= len(image), sent.headers["content-type"]) == (True, f"image/{kind.lower()}")
    assert client.put("/postings/a", files={"image": sent.content}).headers["etag"] == first.headers["etag"]


def test_a_change_may_depend_on_an_unchanged_posting(client: TestClient) -> None:
    tag = client.put("/postings/a", json={"title": "one"}).headers["etag"]
    changed = client.put("/postings/a", json={"title": "two"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    for headers in ({"If-Match": tag}, {"If-Match": f"W/{changed.headers['etag']}"}, {"If-None-Match": "*"}):
        assert_problem(client.put("/postings/a", json={"title": "three"}, headers=headers), 412, "condition-failed")
    assert_problem(client.put("/postings/new", json={"title": "x"}, headers={"If-Match": "*"}), 412, "condition-failed")
    assert client.put("/postings/new", json={"title": "x"}, headers={"If-None-Match": "*"}).status_code == 201
    assert_problem(client.delete("/postings/a", headers={"If-Match": tag}), 412, "condition-failed")
    assert client.get("/postings/a").json()["title"] == "two"
    listed = f'"999", {changed.headers["etag"]}'
    assert client.delete("/postings/a", headers={"If-Match": listed}).json()["removed"]


def test_an_image_is_put_under_the_same_conditions(client: TestClient) -> None:
    tag = client.put("/postings/a", files={"image": RED}).headers["etag"]
    assert client.put("/postings/a", files={"image": GREEN}, headers={"If-Match": tag}).status_code == 200
    stale = client.put("/postings/a", files={"image": RED}, headers={"If-Match": tag})
    assert_problem(stale, 412, "condition-failed")
    assert client.get("/postings/a/image").content == GREEN


@pytest.mark.parametrize(
    "headers",
    [{"If-Match": "7"}, {"If-Match": '"a" "b"'}, {"If-None-Match": '"7"'}, {"If-Match": "*", "If-None-Match": "*"}],
)
def test_a_condition_that_is_none_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert_problem(client.put("/postings/a", json={"title": "x"}, headers=headers), 422, "invalid-request")


def test_a_known_posting_is_answered_304(client: TestClient) -> None:
    tag = client.get("/postings/p0").headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        response = client.get("/postings/p0", headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
    assert client.get("/postings/p0", headers={"If-None-Match": '"999"'}).status_code == 200


def test_removing_a_posting_twice_is_no_error(client: TestClient) -> None:
    before = version(client)
    for removed, now in ((True, before + 1), (False, before + 1)):
        answer = client.delete("/postings/p0").json()
        assert answer == {"catalogue_version": now, "posting_id": "p0", "removed": removed}
    assert_problem(client.get("/postings/p0"), 404, "posting-not-found")
    assert_problem(client.get("/postings/p0/matches"), 404, "posting-not-found")
    assert "p0" not in client.post("/match?limit=50", files={"image": RED}).text
    assert client.put("/postings/p0", files={"image": RED}).status_code == 201


def test_pages_hold_every_posting_once_in_the_order_of_their_ids(client: TestClient) -> None:
    for posting_id in ("B", "a", "_", "p10"):
        client.put(f"/postings/{posting_id}", json={"title": "x"})
    expected = sorted([*(f"p{row}" for row in range(len(COLOURS))), "B", "a", "_", "p10"])
    for limit in (1, 2, 5, 11, 100):
        found, cursor = list[str](), ""
        while cursor is not None:
            page = client.get("/postings", params={"cursor": cursor, "limit": limit}).json()
            assert len(page["postings"]) <= limit
            assert page["total"] == len(expected)
            found += [posting["posting_id"] for posting in page["postings"]]
            cursor = page["next_cursor"]
        assert found == expected


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "../x"}, {"cursor": "x" * 3000}]
)
def test_fault_23_a_page_that_cannot_be_is_refused(client: TestClient, asked: dict[str, str | int]) -> None:
    assert_problem(client.get("/postings", params=asked), 422, "invalid-request")


@pytest.mark.parametrize(
    ("content", "status", "slug"),
    [
        (b"", 422, "image-empty"),
        (RED[:60], 422, "image-corrupt"),
        (b"%PDF-1.4", 415, "image-type"),
        (image_bytes("red", (2, 2)), 422, "image-too-small"),
    ],
)
def test_a_bad_image_changes_nothing(client: TestClient, content: bytes, status: int, slug: str) -> None:
    before = version(client)
    for posting_id in ("p0", "new"):
        assert_problem(client.put(f"/postings/{posting_id}", files={"image": content}), status, slug)
    assert version(client) == before
    assert client.get("/postings/p0/image").content == RED
    assert_problem(client.get("/postings/new"), 404, "posting-not-found")


def test_a_title_beyond_the_limit_is_refused(serve: Serve) -> None:
    client = serve(max_title_chars=10)
    assert_problem(client.put("/postings/a", json={"title": "x" * 11}), 422, "invalid-request")
    assert client.put("/postings/a", json={"title": "é" * 10}).json()["title"] == "é" * 10
    assert_problem(client.put("/postings/a", json={"title": "x" * 100_000}), 413, "body-too-large")


@pytest.mark.parametrize(
    "posting_id", ["-a", ".a", "a%00", "a%20", "%C2%A0a", "é" * 65, "a" * 129, "a%0Ab", "%F0%9F%98%80"]
)
def test_fault_22_an_id_that_breaks_the_pattern_is_refused(client: TestClient, posting_id: str) -> None:
    assert_problem(client.put(f"/postings/{posting_id}", json={"title": "x"}), 422, "invalid-request")
    assert_problem(client.delete(f"/postings/{posting_id}"), 422, "invalid-request")


@pytest.mark.parametrize("posting_id", ["Größe 38", "รองเท้า_1", "商品:1", "a b", "Cafe\u0301", "a+b@c~d"])
def test_an_id_of_any_script_is_one_at_every_door(client: TestClient, posting_id: str) -> None:
    """Percent-encoded in addresses, and one id whether é comes as one character or as two (fault C19)."""
    stored = unicodedata.normalize("NFC", posting_id)
    forms = [quote(unicodedata.normalize(form, posting_id)) for form in ("NFC", "NFD")]
    for address, status in zip(forms, (201, 200), strict=True):
        response = client.put(f"/postings/{address}", content=RED, headers={"Content-Type": "image/png"})
        assert (response.status_code, response.json()["posting_id"]) == (status, stored)
    url = response.json()["image_url"]
    assert url.isascii()
    assert " " not in url
    assert client.get(url).content == RED
    for address in forms:
        assert client.get(f"/postings/{address}").json()["posting_id"] == stored
        matches = client.get("/postings/p1/matches", params={"limit": 50}).json()["matches"]
        assert stored in [match["posting_id"] for match in matches]
        assert client.put(f"/verdicts/p0/{address}", json={"verdict": "different"}).status_code in {200, 201}
        assert client.get("/postings", params={"cursor": posting_id}).status_code == 200
    assert client.get("/verdicts").json()["total"] == 1
    body = client.post("/cluster", json={"posting_ids": [posting_id, stored, "p1"]}).json()
    assert [item["posting_id"] for item in body["items"]] == [stored, "p1"]
    assert client.delete(f"/postings/{forms[1]}").json()["removed"] is True


@pytest.fixture(scope="module")
def shared() -> TestClient:
    """One application for many hostile titles."""
    from tests.support.applications import make_app

    return TestClient(make_app()).__enter__()


@given(st.text(min_size=1, max_size=200))
def test_whatever_characters_a_title_has_they_come_back_as_they_were(shared: TestClient, title: str) -> None:
    response = shared.put("/postings/hostile", json={"title": title})
    if response.status_code == 422:
        assert not title.strip() or "\\x" in title or not title.encode("utf-8", "ignore")
        return
    assert response.headers["content-type"] == "application/json"
    if "\\" not in title:
        assert response.json()["title"] == title.strip()
    assert response.json()["title"] == shared.get("/postings/hostile").json()["title"]


def test_two_postings_may_share_an_image(client: TestClient) -> None:
    for posting_id in ("a", "b"):
        client.put(f"/postings/{posting_id}", files={"image": GREEN})
    client.delete("/postings/a")
    assert hashlib.sha256(client.get("/postings/b/image").content).digest() == hashlib.sha256(GREEN).digest()


def test_every_answer_about_the_catalogue_names_its_version(client: TestClient) -> None:
    client.put("/postings/new", json={"title": "x"})
    now = version(client)
    asked = [
        client.get("/postings"),
        client.get("/postings/p0"),
        client.get("/postings/p0/matches"),
        client.post("/match", files={"image": RED}),
        client.post("/cluster", json={"posting_ids": "all"}),
        client.get("/verdicts"),
        client.get("/models"),
    ]
    assert [response.json()["catalogue_version"] for response in asked] == [now] * len(asked)
