"""Images of stored postings: kept by browsers, small where that is wanted, and shown without a key where signed."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from pricematch.api.signatures import ImageSigner
from pricematch.settings import Settings
from tests.support.applications import Serve, make_app
from tests.support.contract import assert_problem, client_of
from tests.support.encoding import TinyEncoding
from tests.support.fakes import FolderlessImages, encoded, image_bytes, scene

WIDE = encoded(scene((600, 150)))
KEY, LINE = new_key("reader", "read")
BEARER = {"Authorization": f"Bearer {KEY}"}


@contextmanager
def signed(**given: object) -> Iterator[tuple[TestClient, str]]:
    """A client of a service that asks for keys, and a signed address of an image."""
    with client_of(make_app(api_keys=LINE.line(), **given)) as client:  # type: ignore[arg-type]
        yield client, client.get("/postings/p0", headers=BEARER).json()["image_url"]


def test_a_browser_may_take_an_image_as_nothing_else(client: TestClient) -> None:
    for query in ("", "?side=64"):
        headers = client.get(f"/postings/p0/image{query}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]


def test_an_image_is_kept_for_good_at_the_address_of_its_version(client: TestClient) -> None:
    """At the one without a version browsers ask whether it is the same."""
    url = client.get("/postings/p0").json()["image_url"]
    assert "immutable" in client.get(url).headers["cache-control"]
    assert "no-cache" in client.get("/postings/p0/image").headers["cache-control"]
    assert "no-cache" in client.get("/postings/p0/image?v=another").headers["cache-control"]


@pytest.mark.parametrize("query", ["", "?side=64"])
def test_a_known_image_is_not_sent_again(client: TestClient, query: str) -> None:
    """Thumbnails have tags of their own."""
    path = f"/postings/p0/image{query}"
    tag = client.get(path).headers["etag"]
    known = client.get(path, headers={"If-None-Match": tag})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200
    assert client.get("/postings/p1/image", headers={"If-None-Match": tag}).status_code == 200
    other = client.get("/postings/p0/image?side=128", headers={"If-None-Match": tag})
    assert (other.status_code, other.headers["etag"] != tag) == (200, True)


def test_another_image_has_another_address(serve: Serve) -> None:
    client = serve()
    before = client.get("/postings/p0").json()["image_url"]
    client.put("/postings/p0", content=WIDE, headers={"Content-Type": "image/png"})
    after = client.get("/postings/p0").json()["image_url"]
    assert before != after
    assert client.get(after).content == client.get(before).content == WIDE
    assert "no-cache" in client.get(before).headers["cache-control"]


@pytest.mark.parametrize(("side", "size"), [(64, (64, 16)), (256, (256, 64)), (512, (512, 128))])
def test_a_thumbnail_has_the_proportions_of_its_image(serve: Serve, side: int, size: tuple[int, int]) -> None:
    client = serve()
    client.put("/postings/wide", content=WIDE, headers={"Content-Type": "image/png"})
    answer = client.get(f"/postings/wide/image?side={side}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == size


def test_a_small_image_is_not_enlarged(client: TestClient) -> None:
    thumbnail = client.get("/postings/p0/image?side=512").content
    assert Image.open(io.BytesIO(thumbnail)).size == (64, 64)


@pytest.mark.parametrize("side", ["0", "65", "100000", "-64", "x", ""])
def test_sides_are_those_of_a_list(client: TestClient, side: str) -> None:
    """So that no caller fills the cache, or has the largest image made anew for each pixel."""
    assert_problem(client.get(f"/postings/p0/image?side={side}"), 422, "invalid-request")


def test_a_thumbnail_is_made_once(serve: Serve) -> None:
    encoding = TinyEncoding()
    client = serve(encoding=encoding)
    bodies = {client.get(f"/postings/{posting_id}/image?side=64").content for posting_id in ("p0", "p0", "p1", "p0")}
    assert (encoding.thumbnails, len(bodies)) == (2, 2)


def test_a_thumbnail_of_a_damaged_image_is_a_problem(serve: Serve) -> None:
    images = {"p0.png": image_bytes("#ff0000")[:60]}
    client = serve(images=FolderlessImages(images))
    assert_problem(client.get("/postings/p0/image?side=64"), 422, "image-corrupt")
    assert_problem(client.get("/postings/p1/image?side=64"), 404, "image-unavailable")


def test_a_signed_address_needs_no_key() -> None:
    """Whoever may read the posting may show its image, in any size."""
    with signed() as (client, url):
        image = client.get(url)
        assert image.status_code == 200
        assert image.headers["cross-origin-resource-policy"] == "cross-origin"
        assert client.get(f"{url}&side=64").status_code == 200
        assert client.get(url, headers=BEARER).status_code == 200
        keyed = client.get("/postings/p0/image", headers=BEARER)
        assert (keyed.status_code, keyed.headers["cross-origin-resource-policy"]) == (200, "same-origin")


def test_a_signature_is_good_for_one_image_only() -> None:
    with signed() as (client, url):
        query = urlsplit(url).query
        given = {name: values[0] for name, values in parse_qs(query).items()}
        forged = [
            f"/v1/postings/p1/image?{query}",
            "/v1/postings/p0/image",
            url.replace(given["signature"], "0" * 64),
            url.replace(given["signature"], "é"),
            url.replace(given["expires"], str(int(given["expires"]) + 3600)),
            url.replace("v=p0.png", "v=p1.png"),
            url.replace("v=p0.png&", ""),
        ]
        for address in forged:
            assert_problem(client.get(address), 401, "unauthenticated")
        assert_problem(client.get(f"/v1/postings/p0?{query}"), 422, "invalid-request")


def test_a_signature_expires() -> None:
    """After one to two periods; within one all addresses are equal, so that browsers keep what is there."""
    now = 1_000_000.0
    signer = ImageSigner(Settings(image_url_seconds=60), lambda: now)
    given = parse_qs(signer.query("p0", "a"))
    expires, signature = int(given["expires"][0]), given["signature"][0]
    assert signer.query("p0", "a") == signer.query("p0", "a")
    assert now + 60 < expires <= now + 120
    assert signer.holds("p0", "a", 1, expires, signature)
    now = float(expires)
    assert not signer.holds("p0", "a", 1, expires, signature)


def test_services_of_one_secret_take_the_addresses_of_each_other() -> None:
    shared = {"image_url_secret": "x"}
    with signed(**shared) as (_, url), signed(**shared) as (other, _), signed() as (third, _):
        assert other.get(url).status_code == 200
        assert_problem(third.get(url), 401, "unauthenticated")


def test_signed_addresses_have_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of their client."""
    monkeypatch.setattr("pricematch.api.guard._network", lambda address: address)
    with signed(requests_at_once=2, requests_per_second=0.001) as (client, url):
        statuses = [client.get(url).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_pages_of_other_origins_that_may_ask_may_show_images(serve: Serve) -> None:
    policy = "cross-origin-resource-policy"
    assert serve(cors_origins="https://shop.example").get("/postings/p0/image").headers[policy] == "cross-origin"
    assert serve().get("/postings/p0/image").headers[policy] == "same-origin"
