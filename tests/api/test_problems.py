"""Every answer that is no success is a problem, and tells nothing of the inside."""

import logging

import pytest
from starlette.testclient import TestClient

from pricematch import errors
from pricematch.api.problems import problem_of
from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Pixels
from tests.support.applications import Serve, make_app
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.encoding import TinyEncoding
from tests.support.fakes import MeanColourEncoder, image_bytes
from tests.support.http_bytes import FORM, file, send_pieces

INSIDE = "File /home/inside.py"


class FailingEncoder(MeanColourEncoder):
    """A model with a bug."""

    def encode(self, pixels: Pixels) -> Embeddings:
        raise RuntimeError(INSIDE)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/match", "OPTIONS, POST"),
        ("PUT", "/cluster", "OPTIONS, POST"),
        ("POST", "/readyz", "GET, HEAD, OPTIONS"),
        ("BREW", "/postings/p0", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
def test_a_wrong_method_is_a_problem_that_names_the_right_one(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path", ["/", "/no/such", "/match/x", "/postings/p0/other", "/%00", "/redoc", "/" + "a" * 9000]
)
def test_an_unknown_path_is_a_problem_that_names_it_shortly(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert_problem(response, 404, "not-found")
    assert len(response.text) < 1000
    assert "/docs" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/match/", "/healthz/", "/docs/", "/static-offline-docs"])
def test_another_slash_redirects_to_no_host_of_the_client(client: TestClient, path: str) -> None:
    response = client.get(path, headers={"Host": "evil.example"})
    assert_problem(response, 404, "not-found")
    assert "evil.example" not in str(response.headers)


@pytest.mark.parametrize("path", ["%2e%2e/core.py", "%00", "..%2f..%2fcore.py", "a" * 5000])
def test_only_the_files_behind_the_docs_are_served(client: TestClient, path: str) -> None:
    assert_problem(client.get(f"/static-offline-docs/{path}"), 404, "not-found")


def test_a_bug_is_a_problem_that_reveals_nothing(serve: Serve) -> None:
    client = serve(encoding=TinyEncoding(FailingEncoder()))
    response = client.post("/match", files={"image": image_bytes("#ff0000")})
    assert_problem(response, 500, "internal-error")
    assert "inside" not in response.text
    assert client.get("/postings/p0/matches").status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (errors.ImageEmpty("x"), 422, "image-empty"),
        (errors.ImageCorrupt("x"), 422, "image-corrupt"),
        (errors.ImageTooSmall("x"), 422, "image-too-small"),
        (errors.ImageTooComplex("x"), 422, "image-too-complex"),
        (errors.ImageTooLarge("x"), 413, "image-too-large"),
        (errors.ImageTypeUnsupported("x"), 415, "image-type"),
        (errors.ImageUnavailable("x"), 404, "image-unavailable"),
        (errors.PostingNotFound("x"), 404, "posting-not-found"),
        (errors.LimitExceeded("x"), 413, "too-many-items"),
        (errors.ModelOutputError("x"), 500, "model-output"),
        (errors.NotReady("x"), 503, "not-ready"),
        (errors.Overloaded("x"), 429, "overloaded"),
        (errors.DeadlineExceeded("x"), 504, "deadline-exceeded"),
        (errors.Unauthenticated("x"), 401, "unauthenticated"),
        (errors.Forbidden("x"), 403, "forbidden"),
        (errors.PricematchError("x"), 500, "internal-error"),
    ],
)
def test_an_error_has_its_status_and_name(error: errors.PricematchError, status: int, slug: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.type) == (status, f"urn:pricematch:problem:{slug}")
    assert problem.detail == str(error)


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (errors.ArtefactError("/srv/models"), 422, "model-unusable"),
        (errors.StoreFull("/srv/data"), 507, "storage-full"),
        (errors.StoreUnavailable("/srv/data"), 503, "storage-unavailable"),
        (errors.StoreDamaged("/srv/data"), 500, "storage-damaged"),
    ],
)
def test_errors_are_answered_without_the_names_of_folders(
    error: errors.PricematchError, status: int, slug: str
) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.type) == (status, f"urn:pricematch:problem:{slug}")
    assert "/srv" not in problem.detail


def test_what_is_wrong_with_a_request_is_listed_by_place(client: TestClient) -> None:
    response = client.get("/postings/p0/matches?limit=0&min_similarity=2")
    assert [fault["location"] for fault in response.json()["errors"]] == ["query.limit", "query.min_similarity"]
    assert "query.limit" in response.json()["detail"]


def test_an_answer_does_not_grow_with_what_is_wrong(client: TestClient) -> None:
    many = "&".join(f"unknown{number}=1" for number in range(500))
    assert len(client.get(f"/postings/p0/matches?{many}").content) < 10_000
    assert len(client.post("/cluster", json={"k" * 1_000_000: 1}).content) < 10_000


@pytest.mark.parametrize(
    ("headers", "piece"),
    [
        ({"Content-Type": "image/png", "Content-Length": "99"}, b"\x89PNG"),
        ({"Content-Type": FORM, "Content-Length": "99"}, file("image", b"abc")[:-9]),
    ],
    ids=["raw", "form"],
)
def test_an_aborted_upload_is_not_logged_as_a_bug(
    caplog: pytest.LogCaptureFixture, headers: dict[str, str], piece: bytes
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = send_pieces(make_app(), "/match", headers, [piece], aborts=True)
    assert answer.status == 499
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_body_with_two_lengths_is_refused_unread() -> None:
    headers = {"Content-Type": "image/png", "Content-Length": "4", "Transfer-Encoding": "chunked"}
    answer = send_pieces(make_app(), "/match", headers, [image_bytes("#ff0000")])
    assert (answer.status, answer.problem["type"]) == (400, "urn:pricematch:problem:malformed-request")
    assert answer.pieces_read == 0


@pytest.mark.parametrize("size", ["9" * 18, "9" * 20, "33554433"])
def test_a_content_length_of_any_digits_has_the_limit(size: str) -> None:
    answer = send_pieces(make_app(), "/match", {"Content-Type": "image/png", "Content-Length": size}, [b"x"])
    assert (answer.status, answer.problem["type"]) == (413, "urn:pricematch:problem:body-too-large")


def test_every_kind_of_fault_in_a_row_leaves_the_service_well(client: TestClient) -> None:
    client.post("/match", content=b"\x89PNG", headers={"Content-Type": "image/png"})
    client.post("/cluster", content=b"{", headers={"Content-Type": "application/json"})
    client.get("/postings/%00")
    client.get("/match")
    client.get("/no-such")
    assert_still_answers(client)
