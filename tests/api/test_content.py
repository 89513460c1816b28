"""Media types, codings and charsets of bodies, and how JSON is read."""

import gzip
import json
import zlib

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import image_bytes
from tests.support.http_bytes import FORM, file, form

RED = image_bytes("#ff0000")
JSON = "application/json"
TITLE = json.dumps({"title": "Nescafé"}, ensure_ascii=False).encode()
BODIES = [
    ("POST", "/match", "image/png", RED),
    ("POST", "/match", FORM, form([file("image", RED)])),
    ("POST", "/match", JSON, TITLE),
    ("POST", "/cluster", JSON, b'{"posting_ids": ["p0"]}'),
    ("PUT", "/postings/new", JSON, TITLE),
    ("PUT", "/postings/new", "image/png", RED),
    ("PUT", "/verdicts/p0/p1", JSON, b'{"verdict": "same"}'),
    ("POST", "/postings/import", FORM, form([file("postings", b"posting_id,image\n")])),
    ("PUT", "/models/cae", JSON, b'{"version": "1"}'),
]


@pytest.mark.parametrize(("method", "path", "kind", "body"), BODIES)
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_a_body_in_a_coding_is_refused(
    client: TestClient, method: str, path: str, kind: str, body: bytes, coding: str
) -> None:
    """The coding is named, and what is taken instead (fault C14)."""
    packed = zlib.compress(body) if coding == "deflate" else gzip.compress(body)
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    response = client.request(method, path, content=packed, headers=headers)
    assert_problem(response, 415, "media-type")
    assert repr(coding.rpartition(" ")[2]) in response.json()["detail"]
    assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_a_body_as_it_is_may_say_so(client: TestClient, coding: str) -> None:
    """`identity` is no coding (fault C14)."""
    headers = {"Content-Type": "image/png", "Content-Encoding": coding}
    assert client.post("/match", content=RED, headers=headers).status_code == 200


def put(client: TestClient, body: bytes, kind: str = JSON) -> tuple[int, str]:
    """The status of a posting that is put, and its title or the problem's detail."""
    response = client.put("/postings/new", content=body, headers={"Content-Type": kind})
    found = response.json()
    return response.status_code, found.get("title") if response.is_success else found["detail"]


@pytest.mark.parametrize(
    "kind",
    [
        JSON,
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;",
        "APPLICATION/JSON",
        "text/json",
        "application/vnd.api+json",
        "application/problem+json",
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_json_is_read_by_any_of_its_names(serve: Serve, kind: str, mark: bytes) -> None:
    """Behind a byte order mark too (fault C14)."""
    client = serve()
    assert put(client, mark + TITLE, kind) == (201, "Nescafé")
    verdict = client.put("/verdicts/p0/p1", content=mark + b'{"verdict": "same"}', headers={"Content-Type": kind})
    assert verdict.status_code == 201


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("declared", [True, False])
def test_json_in_another_encoding_is_refused_by_name(client: TestClient, encoding: str, *, declared: bool) -> None:
    """Whether the charset is declared or only to be seen (fault C14)."""
    status, detail = put(client, TITLE.decode().encode(encoding), f"{JSON}; charset={encoding}" if declared else JSON)
    assert status == 415
    assert encoding in detail


def test_json_in_latin1_is_refused_by_its_byte(client: TestClient) -> None:
    """Nothing is guessed (fault C14)."""
    latin = TITLE.decode().encode("latin-1")
    assert put(client, latin) == (422, "body: expected JSON in UTF-8, got byte 0xe9 at 17")
    assert put(client, latin, f"{JSON}; charset=iso-8859-1")[0] == 415


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "body: expected JSON: "),
        (b"\xef\xbb\xbf", "body: expected JSON: "),
        (b"title=x", "body: expected JSON: "),
        (b"null", "body: expected an object with title"),
        (b"[" * 5000, "body: expected JSON: "),
        (b'{"title": ' + b"1" * 5000 + b"}", "body: expected JSON: "),
        (b'{"title": "a", "title": "b"}', "body.title: expected it once, got it twice"),
        (b'{"titel": "a"}', "did you mean title?"),
    ],
)
def test_json_that_is_misread_by_some_is_refused(client: TestClient, body: bytes, detail: str) -> None:
    """Names that come twice and unknown ones are no matter of taste (faults C14 and C16)."""
    status, found = put(client, body)
    assert status == 422
    assert detail in found


@pytest.mark.parametrize(
    "kind",
    ["image/png", "IMAGE/PNG", "image/jpeg", "image/svg+xml", "application/octet-stream", "binary/octet-stream", ""],
)
def test_the_bytes_of_an_image_decide(serve: Serve, kind: str) -> None:
    """Whatever type is declared, or none (fault C14)."""
    client, headers = serve(), {"Content-Type": kind} if kind else {}
    assert client.post("/match", content=RED, headers=headers).status_code == 200
    assert client.put("/postings/new", content=RED, headers=headers).status_code == 201
    assert client.get("/postings/new/image").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("kind", "body", "status", "slug"),
    [
        ("application/octet-stream", b"", 422, "image-empty"),
        ("application/octet-stream", TITLE, 415, "image-type"),
        ("", b"", 415, "media-type"),
        ("text/plain", TITLE, 415, "media-type"),
        ("application/x-www-form-urlencoded", b"image=x", 415, "media-type"),
    ],
)
def test_a_body_that_is_no_image_is_refused(client: TestClient, kind: str, body: bytes, status: int, slug: str) -> None:
    """By its bytes, or by a type that says what else it is (fault C14)."""
    headers = {"Content-Type": kind} if kind else {}
    assert_problem(client.post("/match", content=body, headers=headers), status, slug)
