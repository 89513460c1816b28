"""Bodies of postings that are put: what is no posting is refused, and changes nothing."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from pricematch.settings import KIB
from tests.support.applications import Serve, make_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import image_bytes
from tests.support.http_bytes import FORM, field, file, form

RED = image_bytes("#ff0000")
JSON = "application/json"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client of an application whose limits are low."""
    with client_of(make_app(max_title_chars=40, max_image_bytes=16 * KIB)) as client:
        yield client


@pytest.fixture
def _unchanged(client: TestClient) -> Iterator[None]:
    """The catalogue is afterwards as it was before."""
    before = client.get("/postings").json()
    yield
    assert client.get("/postings").json() == before


unchanged = pytest.mark.usefixtures("_unchanged")


def put(client: TestClient, content: bytes, kind: str = FORM) -> tuple[int, str]:
    """Status of a PUT and the end of its problem's type."""
    response = client.put("/postings/new", content=content, headers={"Content-Type": kind})
    return response.status_code, response.json().get("type", "").rpartition(":")[2]


@unchanged
@pytest.mark.parametrize(
    ("parts", "status", "slug"),
    [
        ([], 422, "invalid-request"),
        ([field("title", b"")], 422, "invalid-request"),
        ([field("title", b"  ")], 422, "invalid-request"),
        ([field("title", rb"\x20")], 422, "invalid-request"),
        ([field("title", b"x"), field("title", b"y")], 422, "invalid-request"),
        ([field("title", b"\xff")], 422, "invalid-request"),
        ([field("title", "é".encode() * 41)], 422, "invalid-request"),
        ([field("title", b"x"), field("posting_id", b"other")], 422, "invalid-request"),
        ([field("title", b"x"), field("label_group", b"y" * 257)], 422, "invalid-request"),
        ([field("title", b"x"), field("image_phash", b"0123")], 422, "invalid-request"),
        ([file("image", RED)] * 9, 422, "invalid-request"),
        ([file("image", RED)] * 70, 413, "too-many-items"),
        ([file("image", RED), file("image", b"")], 422, "image-empty"),
        ([file("image", b"")], 422, "image-empty"),
        ([file("image", b"x" * (16 * KIB + 1))], 413, "image-too-large"),
        ([file("image", RED), file("image", b"x" * (16 * KIB + 1))], 413, "image-too-large"),
        ([file("image", b"<svg/>", "a.svg")], 415, "image-type"),
        ([field("title", b"x")] * 5000, 413, "too-many-items"),
    ],
)
def test_fault_17_18_a_form_that_is_no_posting_is_refused(
    client: TestClient, parts: list[bytes], status: int, slug: str
) -> None:
    assert put(client, form(parts)) == (status, slug)


@unchanged
def test_fault_18_a_form_without_its_end_is_refused(client: TestClient) -> None:
    assert put(client, field("title", b"x")) == (400, "malformed-request")
    assert put(client, form([field("title", b"x")]), "multipart/form-data") == (400, "malformed-request")


@unchanged
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"title": 1}',
        b'{"title": "x", "title": NaN}',
        rb'{"title": "\ud800"}',
        rb'{"title": "\\x20"}',
        b'{"title": "x", "label_group": ["y"]}',
        b'{"title": "x", "image": "AAA"}',
        b'{"title": "x", "image_phash": "0123456789abcdeg"}',
        b'{"title": "' + b"x" * 41 + b'"}',
        b'{"title":' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
)
def test_fault_23_json_that_is_no_posting_is_refused(client: TestClient, content: bytes) -> None:
    assert put(client, content, JSON) == (422, "invalid-request")


@unchanged
def test_fault_15_more_json_than_a_posting_can_take_is_refused(client: TestClient) -> None:
    assert put(client, b'{"title": "x"' + b" " * 64 * KIB + b"}", JSON) == (413, "body-too-large")


@unchanged
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed"])
def test_fault_18_another_content_type_is_refused(client: TestClient, kind: str) -> None:
    assert put(client, b"title=x", kind) == (415, "media-type")


def test_fault_5_content_decides_not_name_or_type(
    client: TestClient,
) -> None:
    odd = {"image": ("../../etc/passwd\x00.exe", RED, "application/pdf")}
    assert client.put("/postings/named", files=odd).status_code == 201
    stored = client.get("/postings/named/image")
    assert (stored.content, stored.headers["content-type"]) == (RED, "image/png")
    assert "passwd" not in client.get("/postings/named").text


def test_fault_6_what_hangs_behind_an_image_is_served_as_image(client: TestClient) -> None:
    script = RED + b"<script>alert(1)</script>"
    assert client.put("/postings/behind", content=script, headers={"Content-Type": "image/png"}).status_code == 201
    headers = client.get("/postings/behind/image").headers
    assert (headers["content-type"], headers["x-content-type-options"]) == ("image/png", "nosniff")


def test_capital_hashes_are_taken_blank_label_groups_are_none(client: TestClient) -> None:
    body = {"title": " Kopi ", "image_phash": "0123456789ABCDEF", "label_group": ""}
    stored = client.put("/postings/told", json=body).json()
    assert (stored["title"], stored["image_phash"], stored["label_group"]) == ("Kopi", "0123456789abcdef", None)


def test_a_title_that_decodes_to_blank_is_none(serve: Serve) -> None:
    assert_problem(serve().post("/match", json={"title": r"\x20"}), 422, "invalid-request")
