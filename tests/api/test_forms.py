"""Forms as clients of many kinds write them: a file part is one by its name, whatever its disposition says."""

import base64
import random
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import encoded, image_bytes, scene
from tests.support.http_bytes import FORM, field, file, form, part

RED = image_bytes("#ff0000")
LARGE = encoded(scene()) + random.Random(13).randbytes(20_000)
"""An image, and more bytes behind it than any text field may have."""
DISPOSITIONS = {
    "no file name": 'form-data; name="image"',
    "nothing quoted": "form-data; name=image",
    "extended name alone": "form-data; name=\"image\"; filename*=UTF-8''na%C3%AFve%20photo.png",
    "both names": "form-data; name=image; filename=photo.png; filename*=utf-8''photo.png",
    "encoded word": "form-data; name=image; filename=\"=?utf-8?B?w6kucG5n?=\"; filename*=utf-8''%C3%A9.png",
    "continued name": 'form-data; name="image"; filename*0="photo"; filename*1=".png"',
    "unknown charset": "form-data; name=\"image\"; filename*=utf-7''photo.png",
    "empty name": 'form-data; name="image"; filename=""',
    "quoted pair": r'form-data; name="image"; filename="a\"b;c.png"',
    "quote left open": 'form-data; name="image"; filename="photo.png',
    "blanks in it": "form-data; name=image; filename=my photo.png",
    "name of a folder": r'form-data; name="image"; filename="C:\photos\one.png"',
    "UTF-8": 'form-data; name="image"; filename="фото.png"',
    "name behind": 'form-data; filename="photo.png"; name="image"',
    "capitals": 'FORM-DATA; NAME="image"; FILENAME="photo.png"',
    "no blanks": 'form-data;name="image";filename="photo.png"',
    "another disposition": 'attachment; name="image"',
}


def sent(client: TestClient, *parts: bytes) -> int:
    """The status of a match of these parts."""
    return client.post("/match", content=form(parts), headers={"Content-Type": FORM}).status_code


@pytest.mark.parametrize("disposition", DISPOSITIONS.values(), ids=DISPOSITIONS)
@pytest.mark.parametrize("headers", ["", "\r\nContent-Type: image/png", "\r\nContent-Type: text/plain"])
def test_a_file_part_is_one_by_its_name(client: TestClient, disposition: str, headers: str) -> None:
    """Whatever its disposition and its type say (fault C13)."""
    assert sent(client, part(f"Content-Disposition: {disposition}{headers}", LARGE)) == 200


@pytest.mark.parametrize("header", ["content-disposition", "CONTENT-DISPOSITION", "Content-disposition"])
def test_names_of_headers_of_a_part_are_caseless(client: TestClient, header: str) -> None:
    """As all names of headers are (fault C13)."""
    assert sent(client, part(f'{header}: form-data; name="image"', LARGE)) == 200


def test_several_images_need_no_file_names(client: TestClient) -> None:
    """Each is an image, those with a name keep it (fault C13)."""
    named = part("Content-Disposition: form-data; name=images; filename=a.png; filename*=utf-8''%C3%A9.png", RED)
    parts = [field("images", LARGE), named, part("Content-Disposition: form-data; name=images", LARGE)]
    response = client.post("/match", content=form(parts), headers={"Content-Type": FORM})
    assert [item["name"] for item in response.json()["items"]] == [None, "é.png", None]
    assert all("matches" in item for item in response.json()["items"])


def test_images_to_cluster_need_no_file_names(client: TestClient) -> None:
    """Nor do those of /cluster (fault C13)."""
    content = form([field("images", LARGE), field("images", LARGE), field("eps", b"0.1")])
    response = client.post("/cluster", content=content, headers={"Content-Type": FORM})
    assert [item["status"] for item in response.json()["items"]] == ["clustered", "clustered"]


def test_an_image_without_a_file_name_is_stored(serve: Serve) -> None:
    """With the text fields beside it, which may have one (fault C13)."""
    client = serve()
    content = form([field("image", RED), file("title", b"Kopi", "blob")])
    stored = client.put("/postings/new", content=content, headers={"Content-Type": FORM}).json()
    assert (stored["title"], stored["image_url"]) == (
        "Kopi",
        f"/v1/postings/new/image?v={sha256(RED).hexdigest()[:16]}",
    )
    assert client.get("/postings/new/image").content == RED


@pytest.mark.parametrize(
    ("content", "status", "slug"), [(b"", 422, "image-empty"), (b"text", 415, "image-type")], ids=["empty", "text"]
)
def test_a_file_part_without_a_name_is_checked(client: TestClient, content: bytes, status: int, slug: str) -> None:
    """It is read as the image that its name promises (fault C13)."""
    response = client.post("/match", content=form([field("image", content)]), headers={"Content-Type": FORM})
    assert_problem(response, status, slug)


@pytest.mark.parametrize("coding", ["7bit", "8bit", "binary", "BINARY"])
def test_codings_that_leave_bytes_alone_are_taken(client: TestClient, coding: str) -> None:
    """Some clients declare them still (fault C13)."""
    headers = f'Content-Disposition: form-data; name="image"\r\nContent-Transfer-Encoding: {coding}'
    assert sent(client, part(headers, LARGE)) == 200


@pytest.mark.parametrize("coding", ["base64", "quoted-printable", "x-other"])
@pytest.mark.parametrize("name", ["image", "title"])
def test_a_part_in_a_coding_is_refused_by_its_name(client: TestClient, name: str, coding: str) -> None:
    """It is never taken for what it is not (fault C13)."""
    headers = f'Content-Disposition: form-data; name="{name}"\r\nContent-Transfer-Encoding: {coding}'
    response = client.post(
        "/match", content=form([part(headers, base64.b64encode(RED))]), headers={"Content-Type": FORM}
    )
    assert_problem(response, 415, "media-type")
    assert coding in response.json()["detail"]


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("", "Nescafé".encode()),
        ("text/plain; charset=UTF-8", "Nescafé".encode()),
        ("text/plain; charset=utf-8", "\ufeffNescafé".encode()),
        ("text/plain; charset=ISO-8859-1", "Nescafé".encode("latin-1")),
        ('text/plain; charset="windows-1252"', "Nescafé".encode("cp1252")),
    ],
)
def test_text_is_read_in_the_charset_of_its_part(serve: Serve, declared: str, content: bytes) -> None:
    """Java's clients write ISO-8859-1 and say so (fault C13)."""
    headers = 'Content-Disposition: form-data; name="title"' + (f"\r\nContent-Type: {declared}" if declared else "")
    response = serve().put("/postings/new", content=form([part(headers, content)]), headers={"Content-Type": FORM})
    assert response.json()["title"] == "Nescafé"


def test_text_in_another_charset_is_refused(client: TestClient) -> None:
    """Its part and the charset are named (fault C13)."""
    headers = 'Content-Disposition: form-data; name="title"\r\nContent-Type: text/plain; charset=utf-16'
    content = form([part(headers, "Kopi".encode("utf-16"))])
    response = client.post("/match", content=content, headers={"Content-Type": FORM})
    assert_problem(response, 415, "media-type")
    assert "title" in response.json()["detail"]
    assert "utf-16" in response.json()["detail"]


@pytest.mark.parametrize("name", ["Image", "images[]", "img"])
def test_a_part_of_another_name_is_refused_with_the_nearest(client: TestClient, name: str) -> None:
    """Whether it has a file name or none (faults C13 and C16)."""
    for sent_part in (field(name, b"x"), file(name, RED)):
        response = client.post("/match", content=form([sent_part]), headers={"Content-Type": FORM})
        assert_problem(response, 422, "invalid-request")
        assert "did you mean image" in response.json()["detail"]


@pytest.mark.parametrize("boundary", ["boundary", '"boundary"'])
def test_a_boundary_may_be_quoted(client: TestClient, boundary: str) -> None:
    """And the media type written in capitals (fault C14)."""
    headers = {"Content-Type": f"Multipart/Form-Data; Boundary={boundary}"}
    assert client.post("/match", content=form([file("image", RED)]), headers=headers).status_code == 200
