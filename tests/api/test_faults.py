"""Faults and bad inputs, each by its number in the project's table of faults, and the answer it gets.

What images decode to, and which are refused, stands in `tests/encoding/test_decoder.py`; here refusals have answers.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.ports import Pixels
from pricematch.formats.image_folder import ImageFolder
from pricematch.settings import KIB, MIB, Settings
from tests.support.applications import Serve, make_app
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.encoding import TinyEncoding
from tests.support.fakes import (
    SIDE,
    FolderlessImages,
    MeanColourEncoder,
    image_bytes,
    tiny_catalogue,
)
from tests.support.http_bytes import FORM, field, file, form, send_pieces
from tests.support.odd_images import (
    NOT_IMAGES,
    gif_header,
    png_header,
    png_of_zeros,
    truncated,
    webp_header,
)

RED = image_bytes("#ff0000")
DEFAULT = Settings()


def default_decoder() -> PillowDecoder:
    """A decoder with the limits of the default settings."""
    return PillowDecoder(SIDE, DEFAULT.max_pixels, DEFAULT.min_image_side)


@pytest.fixture
def default_client(serve: Serve) -> TestClient:
    """A client of an application whose images have the default limits."""
    return serve(encoding=TinyEncoding(decoder=default_decoder()))


def match(client: TestClient, content: bytes) -> Any:
    """POST an image in a form."""
    return client.post("/match", files={"image": content})


def assert_matches(response: Any, posting_id: str) -> None:
    """The first match is this posting, and the image is as good as the same."""
    assert response.status_code == 200, response.text
    best = response.json()["matches"][0]
    assert best["posting_id"] == posting_id
    assert best["similarity"] > 0.999


@pytest.mark.parametrize("headers", [{"Content-Type": "image/png"}, {"Content-Type": FORM}], ids=["raw", "form"])
def test_fault_01_an_image_of_no_bytes_is_named_so(client: TestClient, headers: dict[str, str]) -> None:
    content = b"" if headers["Content-Type"] == "image/png" else form([file("image", b"")])
    assert_problem(client.post("/match", content=content, headers=headers), 422, "image-empty")
    assert_still_answers(client)


def test_fault_02_a_truncated_image_is_corrupt(client: TestClient) -> None:
    assert_problem(match(client, truncated("JPEG")), 422, "image-corrupt")
    assert_still_answers(client)


def test_fault_04_what_is_no_image_is_refused_whatever_its_name(client: TestClient) -> None:
    part = {"image": ("photo.jpg", NOT_IMAGES["svg"], "image/jpeg")}
    assert_problem(client.post("/match", files=part), 415, "image-type")
    raw = client.post("/match", content=NOT_IMAGES["svg"], headers={"Content-Type": "image/svg+xml"})
    assert_problem(raw, 415, "image-type")
    assert_still_answers(client)


def test_fault_04_parsers_of_other_formats_are_never_called(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    monkeypatch.setattr("PIL.EpsImagePlugin.EpsImageFile._open", called.append)
    assert_problem(match(client, NOT_IMAGES["eps"]), 415, "image-type")
    assert not called


@pytest.mark.parametrize("media_type", ["image/jpeg", "text/html", "application/octet-stream", "no type", ""])
def test_fault_05_name_and_type_of_the_part_do_not_matter(client: TestClient, media_type: str) -> None:
    assert_matches(client.post("/match", files={"image": ("photo.jpg", RED, media_type)}), "p0")


def test_fault_06_what_stands_behind_an_image_is_neither_read_nor_echoed(client: TestClient) -> None:
    response = match(client, image_bytes("#ff0000", format="JPEG", quality=95) + b"<script>hidden</script>")
    assert_matches(response, "p0")
    assert "hidden" not in response.text


HUGE = {"png": png_header(50_000, 50_000), "gif": gif_header(65_535, 65_535), "webp": webp_header(16_383, 16_383)}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # the service logs no warnings of Pillow
def test_fault_07_a_header_that_says_too_many_pixels_is_enough(default_client: TestClient) -> None:
    assert_problem(match(default_client, HUGE["png"]), 413, "image-too-large")
    assert_still_answers(default_client)


_MEMORY = """
import sys
from pathlib import Path
from pricematch.errors import ImageTooLarge
from tests.api.test_faults import HUGE, default_decoder
from tests.support.fakes import image_bytes

def peak():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])

decoder = default_decoder()
decoder.decode(image_bytes("#ff0000"))
before = peak()
for content in HUGE.values():
    try:
        decoder.decode(content)
    except ImageTooLarge:
        continue
    raise SystemExit("a huge image was decoded")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of resident memory from /proc")
def test_fault_07_too_many_pixels_take_less_than_10_mib() -> None:
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", _MEMORY], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 10 * KIB


@pytest.mark.parametrize(
    "content",
    [lambda: webp_header(7000, 7000), lambda: png_of_zeros(7000, 7000), lambda: png_header(5000, 5001)],
    ids=["webp of 34 bytes", "png of 49 megapixels", "png just above"],
)
def test_fault_08_small_files_of_many_pixels_are_refused_by_default(
    default_client: TestClient, content: Callable[[], bytes]
) -> None:
    file = content()
    assert len(file) < 200_000
    assert_problem(match(default_client, file), 413, "image-too-large")


def test_fault_08_an_image_of_as_many_pixels_as_allowed_is_taken(default_client: TestClient) -> None:
    assert_matches(match(default_client, png_of_zeros(8, DEFAULT.max_pixels // 8)), "p5")


def test_fault_14_an_image_of_too_few_pixels_a_side_is_refused(default_client: TestClient) -> None:
    assert_problem(match(default_client, image_bytes("#ff0000", (7, 64))), 422, "image-too-small")


@pytest.mark.parametrize("size", [(8, 8), (8, 19_999), (19_999, 8)], ids=str)
def test_fault_14_a_thin_black_image_has_a_finite_embedding(default_client: TestClient, size: tuple[int, int]) -> None:
    assert_matches(match(default_client, image_bytes("#000000", size)), "p5")


PATHS = [("/match", "image"), ("/cluster", "images")]


@pytest.mark.parametrize(("path", "name"), PATHS)
@pytest.mark.parametrize("content_type", ["image/png", FORM, "application/json", "text/plain"])
def test_fault_15_a_body_announced_over_the_limit_is_refused_unread(path: str, name: str, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Content-Length": str(2 * MIB + 1)}
    answer = send_pieces(make_app(max_body_bytes=2 * MIB), path, headers, [file(name, bytes(2 * MIB))])
    taken = content_type in (FORM, "application/json") or path == "/match"  # which looks whether it is an image
    expected = (413, "body-too-large") if taken else (415, "media-type")
    assert (answer.status, answer.problem["type"]) == (expected[0], f"urn:pricematch:problem:{expected[1]}")
    assert answer.pieces_read == 0


def test_fault_15_a_body_just_within_the_limit_is_read(serve: Serve) -> None:
    client = serve(max_body_bytes=2 * MIB)
    raw = {"Content-Type": "image/png"}
    assert_matches(client.post("/match", content=RED.ljust(2 * MIB, b"\0"), headers=raw), "p0")
    assert_problem(client.post("/match", content=RED.ljust(2 * MIB + 1, b"\0"), headers=raw), 413, "body-too-large")
    assert_still_answers(client)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that temporary files are made in."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_behind(folder: Path) -> list[str]:
    """Files in a folder, and files opened in it that have no name any more."""
    links = Path("/proc/self/fd")
    targets = [str(link.readlink()) for link in links.iterdir() if link.is_symlink()] if links.exists() else []
    return [*map(str, folder.iterdir()), *(target for target in targets if target.startswith(str(folder)))]


@pytest.mark.parametrize(
    ("path", "name", "content_type"),
    [("/match", "image", "image/png"), ("/match", "image", FORM), ("/cluster", "images", FORM)],
)
def test_fault_16_a_chunked_body_is_refused_at_the_limit(
    temporary: Path, path: str, name: str, content_type: str
) -> None:
    pieces = [file(name, b"")[:-2], *[bytes(64 * KIB)] * 80]
    headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
    answer = send_pieces(make_app(max_body_bytes=2 * MIB), path, headers, pieces)
    assert (answer.status, answer.problem["type"]) == (413, "urn:pricematch:problem:body-too-large")
    assert answer.pieces_read == 1 + 2 * MIB // (64 * KIB)
    assert left_behind(temporary) == []


@pytest.mark.parametrize("aborts", [True, False], ids=["aborted", "unfinished"])
def test_fault_16_an_upload_that_does_not_end_leaves_no_temporary_file(temporary: Path, aborts: bool) -> None:
    pieces = [file("image", b"")[:-2], *[bytes(64 * KIB)] * 40]
    answer = send_pieces(make_app(), "/match", {"Content-Type": FORM}, pieces, aborts=aborts)
    assert answer.status == (499 if aborts else 400)
    assert left_behind(temporary) == []


def test_fault_16_a_large_upload_that_succeeds_leaves_no_temporary_file(temporary: Path) -> None:
    body = form([file("image", RED.ljust(3 * MIB, b"\0"))])
    pieces = [body[start : start + 64 * KIB] for start in range(0, len(body), 64 * KIB)]
    assert send_pieces(make_app(), "/match", {"Content-Type": FORM}, pieces).status == 200
    assert left_behind(temporary) == []


@pytest.mark.parametrize("path", ["/match", "/cluster"])
@pytest.mark.parametrize(
    "parts",
    [
        [file("images", b"x")] * 5000,
        [field("f", b"x")] * 25_000,
        [field("eps", b"1" * 100_000)],
        [file("images", b"x"), field("x" * 100_000, b"1")],
    ],
    ids=["5,000 files", "25,000 fields", "huge field", "huge name"],
)
def test_fault_17_a_flood_of_parts_or_a_huge_field_is_refused(
    client: TestClient, path: str, parts: list[bytes]
) -> None:
    response = client.post(path, content=form(parts), headers={"Content-Type": FORM})
    assert response.status_code in {400, 413}, response.text
    assert_still_answers(client)


@pytest.mark.parametrize("path", ["/match", "/cluster"])
def test_fault_17_an_urlencoded_flood_is_refused(client: TestClient, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_problem(client.post(path, content=b"a=1&" * 500_000, headers=headers), 415, "media-type")
    assert_still_answers(client)


@pytest.mark.parametrize(
    ("content_type", "content", "status", "slug"),
    [
        (FORM, form([field("other", b"x")]), 422, "invalid-request"),
        (FORM, b"", 400, "malformed-request"),
        (FORM, form([file("image", RED)])[:-4], 400, "malformed-request"),
        (FORM, form([file("image", RED)])[:-30], 400, "malformed-request"),
        ("application/json", b'{"image": "x"}', 422, "invalid-request"),
        ("multipart/form-data", form([file("image", RED)]), 400, "malformed-request"),
        ("multipart/form-data; boundary=", form([file("image", RED)]), 400, "malformed-request"),
        ("multipart/form-data; boundary=other", form([file("image", RED)]), 400, "malformed-request"),
        (f"multipart/form-data; boundary={'b' * 300}", form([file("image", RED)]), 400, "malformed-request"),
        (FORM, RED, 400, "malformed-request"),
        (FORM, form([file("image", RED)]).replace(b"\r\n", b"\n"), 400, "malformed-request"),
        (FORM, form([b"--boundary\r\n\r\n" + RED + b"\r\n"]), 400, "malformed-request"),
        (FORM, form([b"--boundary\r\nContent-Disposition: form-data\r\n\r\nx\r\n"]), 400, "malformed-request"),
        (FORM, form([b"--boundary\r\nContent-Disposition\r\n\r\nx\r\n"]), 400, "malformed-request"),
    ],
    ids=[
        "missing part",
        "no body",
        "last boundary cut",
        "part cut",
        "JSON",
        "no boundary",
        "empty boundary",
        "another boundary",
        "long boundary",
        "no form",
        "bare line feeds",
        "no headers",
        "no name",
        "no colon",
    ],
)
def test_fault_18_a_form_that_is_none_or_lacks_the_image_is_refused(
    client: TestClient, content_type: str, content: bytes, status: int, slug: str
) -> None:
    response = client.post("/match", content=content, headers={"Content-Type": content_type})
    assert_problem(response, status, slug)
    assert_still_answers(client)


BAD_IDS = [
    "%2e%2e",
    ".",
    "%00",
    "p0%00",
    "x" * 3000,
    "x" * 129,
    "🦆",
    "' OR 1=1",
    "p0%0a",
    "%ff",
    "-p0",
    "a%20",
    "a;b",
]


@pytest.mark.parametrize("path", ["", "/image", "/matches"])
@pytest.mark.parametrize("posting_id", BAD_IDS, ids=lambda text: text[:9])
def test_fault_22_an_id_that_cannot_be_one_is_refused(client: TestClient, posting_id: str, path: str) -> None:
    response = client.get(f"/postings/{posting_id}{path}".replace("/./", "/%2e/"))
    if posting_id == "." and not path:  # a client drops it, and asks for the folder
        assert "postings" in response.json()
    else:
        assert_problem(response, 422, "invalid-request")
        assert len(response.content) < 1200


@pytest.mark.parametrize("path", ["", "/image", "/matches"])
@pytest.mark.parametrize("posting_id", ["p99", "P0", "x" * 128, "a@b.c", "p0..p0", "a%20b", "%C3%A9"])
def test_fault_22_an_id_that_nobody_has_is_not_found(client: TestClient, posting_id: str, path: str) -> None:
    assert_problem(client.get(f"/postings/{posting_id}{path}"), 404, "posting-not-found")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=51",
        "limit=1000",
        "limit=1000000000",
        f"limit={'9' * 5000}",
        "limit=1.5",
        "limit=",
        "limit=ten",
        "limit=NaN",
        "limit=1&limit=0",
        "min_similarity=NaN",
        "min_similarity=nan",
        "min_similarity=Infinity",
        "min_similarity=-inf",
        "min_similarity=1e999",
        "min_similarity=1.0001",
        "min_similarity=-1.0001",
        "min_similarity=",
        "unknown=1",
        "Limit=1",
        "limit%00=1",
        "limit=1%00",
        "limit=3;min_similarity=0",
        "%ff=%ff",
    ],
    ids=lambda query: query[:24],
)
def test_fault_23_a_query_out_of_range_or_unknown_is_refused(client: TestClient, query: str) -> None:
    assert_problem(client.post(f"/match?{query}", files={"image": RED}), 422, "invalid-request")
    assert_problem(client.get(f"/postings/p0/matches?{query}"), 422, "invalid-request")


def test_fault_24_one_item_is_noise_and_none_is_no_fault(client: TestClient) -> None:
    assert client.post("/cluster", json={"posting_ids": []}).json()["items"] == []
    [item] = client.post("/cluster", json={"posting_ids": ["p0"]}).json()["items"]
    assert item["status"] == "noise"


def test_fault_24_more_postings_than_the_limit_are_refused(serve: Serve) -> None:
    client = serve(max_cluster_postings=3)
    ids = ["p0", "p1", "p2"]
    assert client.post("/cluster", json={"posting_ids": ids}).status_code == 200
    assert_problem(client.post("/cluster", json={"posting_ids": [*ids, "p0"]}), 413, "too-many-items")
    assert_problem(
        client.post("/cluster", data={"posting_ids": [*ids, "p3"]}, files=[("images", RED)]), 413, "too-many-items"
    )


def test_fault_24_a_hundred_thousand_ids_are_refused_by_default(client: TestClient) -> None:
    assert_problem(client.post("/cluster", json={"posting_ids": ["p0"] * 100_000}), 413, "too-many-items")
    assert_still_answers(client)


@pytest.mark.parametrize("number", [4, 5, 300])
def test_fault_24_more_images_than_the_limit_are_refused(serve: Serve, number: int) -> None:
    client = serve(max_cluster_images=3)
    assert client.post("/cluster", files=[("images", RED)] * 3).status_code == 200
    response = client.post("/cluster", files=[("images", RED)] * number)
    assert_problem(response, 413, "too-many-items")
    assert_still_answers(client)


def test_fault_24_a_bad_image_is_listed_the_rest_clustered(client: TestClient) -> None:
    pictures = [RED, b"", b"text", truncated("JPEG"), png_header(50_000, 50_000), image_bytes("#ff0000", (1, 1)), RED]
    body = client.post("/cluster", files=[("images", content) for content in pictures]).json()
    slugs = [item["problem"] and item["problem"]["type"].rpartition(":")[2] for item in body["items"]]
    assert slugs == [None, "image-empty", "image-type", "image-corrupt", "image-too-large", "image-too-small", None]
    assert [item["cluster"] for item in body["items"]] == [0, None, None, None, None, None, 0]
    assert body["clusters"] == [{"cluster": 0, "posting_ids": [], "images": [0, 6]}]


def test_fault_24_a_batch_of_bad_images_only_has_no_clusters(client: TestClient) -> None:
    body = client.post("/cluster", files=[("images", b"text")] * 3).json()
    assert [item["status"] for item in body["items"]] == ["problem"] * 3
    assert body["clusters"] == []


def test_fault_27_an_image_that_vanished_after_the_start_is_not_found(
    client: TestClient, images: FolderlessImages
) -> None:
    assert client.get("/postings/p0/image").content == images.contents["p0.png"]
    del images.contents["p0.png"]
    assert_problem(client.get("/postings/p0/image"), 404, "image-unavailable")
    assert client.get("/postings/p1/image").status_code == 200
    assert_still_answers(client)


def vanish(path: Path) -> None:
    """Remove a file."""
    path.unlink()


def turn_into_a_folder(path: Path) -> None:
    """Put a folder in a file's place."""
    path.unlink()
    path.mkdir()


def turn_into_a_fifo(path: Path) -> None:
    """Put a named pipe, which has no writer, in a file's place."""
    path.unlink()
    os.mkfifo(path)


def lead_out(path: Path) -> None:
    """Put a link that leads out of the folder in a file's place."""
    path.unlink()
    path.symlink_to("/etc/passwd")


def grow(path: Path) -> None:
    """Make a file larger than images may be."""
    path.write_bytes(RED.ljust(5000, b"\0"))


@pytest.mark.parametrize("happens", [vanish, turn_into_a_folder, turn_into_a_fifo, lead_out, grow])
def test_fault_27_the_path_of_a_lost_file_is_not_revealed(
    serve: Serve, tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    _, folder = tiny_catalogue(tmp_path)
    client = serve(images=ImageFolder(folder, max_bytes=4000))
    assert client.get("/postings/p0/image").status_code == 200
    happens(folder / "p0.png")
    response = client.get("/postings/p0/image")
    assert_problem(response, 404, "image-unavailable")
    assert str(tmp_path) not in response.text
    assert "p0.png" not in response.text
    assert client.get("/postings/p1/image").status_code == 200


class BrokenOnceEncoder(MeanColourEncoder):
    """Gives these values the first time, and embeddings from then on."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values: Sequence[float] | None = values

    def encode(self, pixels: Pixels) -> Embeddings:
        values, self.values = self.values, None
        return super().encode(pixels) if values is None else unit_rows([values] * len(pixels), self.dimension)


@pytest.mark.parametrize(
    "values",
    [[np.nan, 0, 0, 1], [np.inf, 0, 0, 1], [0, 0, 0, 0], [1, 0]],
    ids=["NaN", "infinite", "zero", "another dimension"],
)
@pytest.mark.parametrize(("path", "name"), PATHS)
def test_fault_28_what_is_no_embedding_is_never_sent(serve: Serve, path: str, name: str, values: list[float]) -> None:
    client = serve(encoding=TinyEncoding(BrokenOnceEncoder(values)))
    response = client.post(path, files=[(name, RED)])
    assert_problem(response, 500, "model-output")
    assert "matches" not in response.json()
    assert_still_answers(client)
