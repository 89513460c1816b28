"""Postings of several images: put, patched, read, shown, matched and compared, in forms and in JSON."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from pricematch.api.bodies import images_of
from pricematch.api.keys import new_key
from pricematch.matching import comparison
from pricematch.matching.comparison import Comparison
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Matches, Options, Query, Result
from tests.support.applications import Serve, make_app, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.encoding import TinyEncoding
from tests.support.fakes import image_bytes
from tests.support.receivers import receiver
from tests.support.served import settings_of
from tests.support.waiting import SAFETY_SECONDS

RED, GREEN, BLUE, GREY = map(image_bytes, ("#ff0000", "#00ff00", "#0000ff", "#808080"))
BAD = RED[:60]
KEY, LINE = new_key("reader", "read")


def text(image: bytes) -> str:
    return b64encode(image).decode()


def files(*images: bytes, name: str = "image") -> list[tuple[str, bytes]]:
    """File parts of a form."""
    return [(name, image) for image in images]


def refused(answer: Response, status: int, slug: str) -> dict[str, Any]:
    """The problem of an answer."""
    assert_problem(answer, status, slug)
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application that it may change."""
    return serve()


def shown(client: TestClient, posting_id: str) -> list[bytes]:
    """The images at the addresses of a posting."""
    urls = client.get(f"/postings/{posting_id}").json()["image_urls"]
    return [client.get(url).content for url in urls]


WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "form": lambda: {"files": files(RED, GREEN, BLUE)},
    "JSON": lambda: {"json": {"image": [text(RED), f"data:image/png;base64,{text(GREEN)}", text(BLUE)]}},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_posting_is_put_with_several_images(client: TestClient, way: str) -> None:
    """And put again changes nothing; the first one is the one that it had before there were more."""
    put = client.put("/postings/new", **WAYS[way]())
    assert put.status_code == 201, put.text
    body = client.get("/postings/new").json()
    assert body["image_urls"] == put.json()["image_urls"]
    assert body["image_url"] == body["image_urls"][0]
    assert shown(client, "new") == [RED, GREEN, BLUE]
    assert client.get("/postings/new/image").content == RED
    version = body["catalogue_version"]
    assert client.put("/postings/new", **WAYS[way]()).json()["catalogue_version"] == version


def test_one_image_is_put_as_before(client: TestClient) -> None:
    """As one or as a list of one; its address has no place."""
    ways: list[dict[str, Any]] = [
        {"json": {"image": text(RED)}},
        {"json": {"image": [text(RED)]}},
        {"files": files(RED)},
    ]
    for given in ways:
        found = client.put("/postings/new", **given).json()
        assert found["image_urls"] == [found["image_url"]]
        assert "place" not in found["image_url"]
        assert shown(client, "new") == [RED]
    assert client.put("/postings/new", json={"title": "kopi"}).json()["image_urls"] == []


def test_an_image_that_comes_again_keeps_its_first_place(client: TestClient) -> None:
    client.put("/postings/new", files=files(RED, GREEN, RED, BLUE, GREEN))
    assert shown(client, "new") == [RED, GREEN, BLUE]


def test_places_are_those_there_are(client: TestClient) -> None:
    client.put("/postings/new", files=files(RED, GREEN))
    assert client.get("/postings/new/image?place=2").content == GREEN
    gone = refused(client.get("/postings/new/image?place=3"), 404, "image-unavailable")
    assert gone["detail"] == "posting 'new' has 2 images here, and none in place 3"
    assert_problem(client.get("/postings/p0/image?place=2"), 404, "image-unavailable")
    for place in ("0", "9", "-1", "x", ""):
        assert_problem(client.get(f"/postings/new/image?place={place}"), 422, "invalid-request")


def test_each_place_has_its_tag_thumbnail_and_version(client: TestClient) -> None:
    client.put("/postings/new", files=files(RED, GREEN))
    one, other = client.get("/postings/new").json()["image_urls"]
    for url in (one, other):
        answer = client.get(url)
        assert "immutable" in answer.headers["cache-control"]
        assert client.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert client.get(f"{url}&side=64").headers["content-type"] == "image/jpeg"
    assert client.get(one).headers["etag"] != client.get(other).headers["etag"]
    assert client.get(f"{one}&side=64").content != client.get(f"{other}&side=64").content
    swapped = other.replace("place=2&", "")
    assert "no-cache" in client.get(swapped).headers["cache-control"]


def test_a_signature_is_good_for_its_place() -> None:
    with ExitStack() as stack:
        writer, line = new_key("writer", "write")
        client = stack.enter_context(client_of(make_app(api_keys=f"{LINE.line()},{line.line()}")))
        headers = {"Authorization": f"Bearer {writer}"}
        client.put("/postings/new", files=files(RED, GREEN), headers=headers)
        one, other = client.get("/postings/new", headers=headers).json()["image_urls"]
        assert [client.get(url).content for url in (one, other)] == [RED, GREEN]
        for forged in (other.replace("place=2", "place=1"), other.replace("place=2&", ""), f"{one}&place=2"):
            assert_problem(client.get(forged), 401, "unauthenticated")


def test_a_patch_replaces_all_images_or_none(client: TestClient) -> None:
    client.put("/postings/new", files=files(RED, GREEN), data={"title": "kopi", "image_phash": "0" * 16})
    client.patch("/postings/new", json={"metadata": {"price": 1}})
    assert shown(client, "new") == [RED, GREEN]
    kept = client.patch("/postings/new", json={"image": [text(RED), text(BLUE)]}).json()
    assert (shown(client, "new"), kept["image_phash"]) == ([RED, BLUE], "0" * 16)
    changed = client.patch("/postings/new", files=files(BLUE, RED)).json()
    assert (shown(client, "new"), changed["image_phash"]) == ([BLUE, RED], None)
    client.patch("/postings/new", json={"image": text(GREY)})
    assert shown(client, "new") == [GREY]
    client.patch("/postings/new", json={"image": [text(RED), text(BLUE)]})
    assert client.patch("/postings/new", json={"image": None}).json()["image_urls"] == []


BAD_IMAGES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "cut": ({"files": files(RED, BAD)}, 422, "image-corrupt", "image 2: "),
    "cut, JSON": ({"json": {"image": [text(RED), text(GREEN), text(BAD)]}}, 422, "image-corrupt", "image 3: "),
    "empty": ({"files": files(RED, b"")}, 422, "image-empty", "image 2: "),
    "of another type": ({"files": files(b"%PDF-1.4", RED)}, 415, "image-type", "image 1: "),
    "no Base64": ({"json": {"image": [text(RED), "?"]}}, 422, "invalid-request", "image 2: expected Base64"),
    "null": ({"json": {"image": [text(RED), None]}}, 422, "invalid-request", "image 2: expected an image as text"),
    "nested": ({"json": {"image": [[text(RED)]]}}, 422, "invalid-request", "image 1: expected an image as text"),
    "none": ({"json": {"image": []}}, 422, "invalid-request", "expected 1 to 8 images of a posting, got 0"),
    "nine": ({"json": {"image": [text(RED)] * 9}}, 422, "invalid-request", "got 9"),
    "nine, form": ({"files": files(*[RED] * 9)}, 422, "invalid-request", "got 9"),
    "nine URLs": (
        {"data": {"image_url": ["http://x/"] * 9}, "files": {"title": (None, "")}},
        422,
        "invalid-request",
        "",
    ),
    "no URL": ({"json": {"image_url": ["http://x/", 7]}}, 422, "invalid-request", ""),
    "both": ({"json": {"image": [text(RED)], "image_url": ["http://x/"]}}, 422, "invalid-request", "got both"),
}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "match"])
@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_one_bad_image_of_several_spoils_all(client: TestClient, bad: str, method: str) -> None:
    """The problem says which; nothing is stored."""
    given, status, slug, detail = BAD_IMAGES[bad]
    client.put("/postings/new", files=files(GREY, BLUE))
    before = client.get("/postings/new").json()
    path = "/match" if method == "match" else "/postings/new"
    problem = refused(client.request("POST" if method == "match" else method, path, **given), status, slug)
    assert detail in f"{problem['detail']} {problem.get('errors')}"
    assert client.get("/postings/new").json() == before


def test_each_change_of_a_batch_has_its_own_images(client: TestClient) -> None:
    items = [
        {"op": "put", "posting_id": "a", "image": [text(RED), text(GREEN)]},
        {"op": "put", "posting_id": "b", "image": [text(RED), text(BAD)]},
        {"op": "put", "posting_id": "c", "image": text(GREY)},
        {"op": "patch", "posting_id": "a", "image": [text(BLUE), text(GREEN), text(RED)]},
        {"op": "put", "posting_id": "d", "image": [text(RED)] * 9},
    ]
    found = client.post("/postings:batch", json={"items": items}).json()["items"]
    assert [it["outcome"] for it in found] == ["created", "failed", "created", "replaced", "failed"]
    assert found[1]["problem"]["detail"].startswith("image 2: ")
    assert found[4]["problem"]["errors"][0]["location"] == "body.items.4.image"
    assert shown(client, "a") == [BLUE, GREEN, RED]
    assert shown(client, "c") == [GREY]


def test_images_at_urls_are_fetched_in_their_order(serve: Serve) -> None:
    """In JSON and in a form; one that cannot be had is told by its place."""
    with receiver() as source:
        contents = {"/red": RED, "/green": GREEN}
        source.answer = lambda request: (
            (200, {}, contents[request.path]) if request.path in contents else (404, {}, b"")
        )
        client = serve(image_hosts="127.0.0.1", image_host_private_addresses=True)
        urls = [urljoin(source.url, path) for path in contents]
        form = {"data": {"image_url": urls}, "files": {"title": (None, "")}}
        for given in ({"json": {"image_url": urls}}, form):
            assert client.put("/postings/new", **given).status_code < 300
            assert shown(client, "new") == [RED, GREEN]
        gone = client.put("/postings/new", json={"image_url": [*urls, urljoin(source.url, "/none")]})
        assert refused(gone, 422, "image-not-fetched")["detail"].startswith("image 3: ")


def test_images_at_urls_are_fetched_together() -> None:
    """A slow host does not hold up a request once for each image."""

    async def run() -> None:
        together = asyncio.Barrier(2)

        async def fetch(url: str) -> bytes:
            async with asyncio.timeout(SAFETY_SECONDS):
                await together.wait()
            return url.encode()

        async with asyncio.timeout(SAFETY_SECONDS):
            assert await images_of(None, ["one", "other"], fetch) == [b"one", b"other"]

    asyncio.run(run())


class Asked:
    """Stands for what compares images: remembers queries, and answers with the last images of both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[Query] = []
        match, compare = Matcher.match, comparison.compare

        def matched(matcher: Matcher, query: Query, options: Options) -> Result:
            self.queries.append(query)
            result = match(matcher, query, options)
            found = [replace(it, image_pair=(len(query.more_images), 1)) for it in result.matches]
            return replace(result, matches=_listed(found))

        def compared(matcher: Matcher, left: Any, right: Any, options: Options) -> Comparison:
            self.queries += [it for it in (left, right) if isinstance(it, Query)]
            return replace(compare(matcher, left, right, options), image_pair=(1, 0))

        monkeypatch.setattr(Matcher, "match", matched)
        monkeypatch.setattr("pricematch.serving.verbs.queries.compare", compared)

    def images(self) -> list[int]:
        """How many images each query had."""
        return [0 if it.image is None else 1 + len(it.more_images) for it in self.queries]


def _listed(matches: Any) -> Matches:
    return matches  # type: ignore[no-any-return]


def test_several_images_are_one_query(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded together, each in its place; a match says which are the nearest, counted from 1."""
    asked, encoding = Asked(monkeypatch), TinyEncoding()
    client = serve(encoding=encoding)
    for given in ({"files": files(RED, GREEN, BLUE)}, {"json": {"image": [text(RED), text(GREEN), text(BLUE)]}}):
        answer = client.post("/match?min_similarity=-1", **given)
        assert answer.status_code == 200, answer.text
        assert {(it["images"]["query"], it["images"]["match"]) for it in answer.json()["matches"]} == {(3, 2)}
    assert asked.images() == [3], "the second answer is that of before"
    client.post("/match", files=files(RED, BLUE, GREEN))
    client.post("/match", files=files(RED))
    assert asked.images() == [3, 3, 1]
    digests = [[it.digest for it in (query.image, *query.more_images) if it] for query in asked.queries]
    sent = [[RED, GREEN, BLUE], [RED, BLUE, GREEN], [RED]]
    assert digests == [[hashlib.sha256(image).digest() for image in images] for images in sent]


def test_matches_of_single_images_say_nothing_of_places(client: TestClient) -> None:
    answer = client.post("/match?min_similarity=-1", files=files(RED)).json()
    assert answer["matches"]
    assert all("images" not in it and it["image_urls"] == [it["image_url"]] for it in answer["matches"])


def test_several_images_of_one_posting_count_as_images(serve: Serve) -> None:
    """Of which a request may have so many; `images` stays one query each."""
    client = serve(max_match_images=2)
    assert_problem(client.post("/match", json={"image": [text(RED)] * 3}), 413, "too-many-items")
    assert_problem(client.post("/match", files=files(RED, RED, RED)), 413, "too-many-items")
    assert len(client.post("/match", files=files(RED, GREEN, name="images")).json()["items"]) == 2
    both = client.post("/match", files=[*files(RED), *files(GREEN, name="images")])
    assert_problem(both, 422, "invalid-request")


def test_several_images_are_compared(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """On either side, in JSON and in a form."""
    asked, client = Asked(monkeypatch), serve()
    sides = {"left": {"image": [text(RED), text(GREEN)]}, "right": {"image": text(BLUE)}}
    assert client.post("/compare", json=sides).json()["images"] == {"left": 2, "right": 1}
    sent = [*files(RED, GREEN, name="left_image"), *files(BLUE, GREY, name="right_image")]
    assert client.post("/compare", files=sent).json()["images"] == {"left": 2, "right": 1}
    assert asked.images() == [2, 1, 2, 2]
    bad = client.post("/compare", files=[*files(RED, name="left_image"), *files(GREEN, BAD, name="right_image")])
    assert refused(bad, 422, "image-corrupt")["detail"].startswith("image 2: ")


@pytest.fixture
def stored(tmp_path: Any) -> Iterator[TestClient]:
    """A client of a service over a store on disk."""
    with served_app(settings_of(tmp_path)) as app, client_of(app) as client:
        yield client


def test_changes_tell_all_images(stored: TestClient) -> None:
    stored.put("/postings/new", files=files(RED, GREEN))
    [change] = [it for it in stored.get("/changes").json()["changes"] if it.get("posting_id") == "new"]
    posting = change["posting"]
    assert (posting["images"][0], len(posting["images"])) == (posting["image"], 2)
    assert [stored.get(url).content for url in posting["image_urls"]] == [RED, GREEN]
    assert posting["image_urls"][0] == posting["image_url"]
    stored.patch("/postings/new", json={"image": None, "title": "kopi"})
    assert stored.get("/postings/new/image").status_code == 404
