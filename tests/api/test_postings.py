"""GET /postings/{posting_id}, its image and its matches."""

import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.matcher import Matcher
from pricematch.matching.similarity import SimilaritySearch
from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import COLOURS, FolderlessImages, by_similarity, image_bytes, tiny_search


def matcher_of(posting: Posting) -> Matcher:
    """A matcher by similarity over one posting."""
    embedded = tiny_search(["#ff0000"])
    return by_similarity(SimilaritySearch.of(embedded.encoder, Catalogue([posting]), embedded.embeddings))


def test_a_posting_is_answered_with_all_that_is_known_of_it(serve: Serve) -> None:
    posting = Posting("p0", "p0.png", "Rosé “Öl”", image_phash="0123456789abcdef", label_group="g1")
    assert serve(matcher=matcher_of(posting)).get("/postings/p0").json() == {
        "catalogue_version": 1,
        "posting_id": "p0",
        "title": "Rosé “Öl”",
        "image_phash": "0123456789abcdef",
        "label_group": "g1",
        "image_url": "/v1/postings/p0/image?v=p0.png",
        "image_urls": ["/v1/postings/p0/image?v=p0.png"],
        "product_id": None,
        "metadata": {},
    }


def test_the_matches_of_a_posting_exclude_itself(client: TestClient) -> None:
    matches = client.get("/postings/p0/matches").json()["matches"]
    assert matches[0]["posting_id"] == "p1"
    assert sorted(match["posting_id"] for match in matches) == [f"p{row}" for row in range(1, len(COLOURS))]


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_the_limit_counts_other_postings_only(client: TestClient, limit: int) -> None:
    matches = client.get("/postings/p0/matches", params={"limit": limit}).json()["matches"]
    assert len(matches) == min(limit, len(COLOURS) - 1)


def test_a_posting_and_its_image_have_the_same_other_matches(client: TestClient) -> None:
    by_image = client.post("/match", files={"image": image_bytes(COLOURS[2])}).json()["matches"]
    by_posting = client.get("/postings/p2/matches").json()["matches"]
    assert [match["posting_id"] for match in by_image if match["posting_id"] != "p2"] == [
        match["posting_id"] for match in by_posting
    ]


def test_the_matches_of_a_posting_need_neither_image_nor_model(client: TestClient, images: FolderlessImages) -> None:
    images.contents.clear()
    assert client.get("/postings/p0/matches").status_code == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_an_image_is_answered_as_stored(client: TestClient, images: FolderlessImages, kind: str) -> None:
    images.contents["p0.png"] = image_bytes("#ff0000", format=kind)
    response = client.get("/postings/p0/image")
    assert response.content == images.contents["p0.png"]
    assert response.headers["content-type"] == f"image/{kind.lower()}"


@pytest.mark.parametrize(
    "content", [b"", b"<script>alert(1)</script>", b"\xff\xd8"], ids=["empty", "script", "cut off"]
)
def test_a_stored_file_that_is_no_image_any_more_is_unavailable(
    client: TestClient, images: FolderlessImages, content: bytes
) -> None:
    images.contents["p0.png"] = content
    assert_problem(client.get("/postings/p0/image"), 404, "image-unavailable")
    assert client.get("/postings/p1/image").status_code == 200


def test_a_posting_without_an_image_says_so(serve: Serve) -> None:
    client = serve(matcher=matcher_of(Posting("p0", None)))
    assert_problem(client.get("/postings/p0/image"), 404, "image-unavailable")
    assert client.get("/postings/p0").status_code == 200


@pytest.mark.parametrize("path", ["", "/image", "/matches"])
def test_an_unknown_posting_is_not_found_and_the_answer_names_it(client: TestClient, path: str) -> None:
    response = client.get(f"/postings/no-such{path}")
    assert_problem(response, 404, "posting-not-found")
    assert "'no-such'" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/postings/a%2Fb", "/postings/..%2F..%2Fetc%2Fpasswd"])
def test_a_slash_in_an_id_is_refused(client: TestClient, path: str) -> None:
    """It leads to no posting, and to no other path."""
    assert_problem(client.get(path), 422, "invalid-request")


def test_the_folder_of_postings_has_one_address(client: TestClient) -> None:
    assert_problem(client.get("/postings/"), 404, "not-found")
