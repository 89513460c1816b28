"""POST /match."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.testclient import TestClient

from pricematch.api.schemas.matches import EachMatchesOut, MatchesOut
from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Pixels
from tests.support.applications import ALL, SCENE, Serve, judged_matcher, served_app
from tests.support.contract import assert_problem, assert_still_answers, client_of
from tests.support.encoding import TinyEncoding
from tests.support.fakes import COLOURS, MeanColourEncoder, image_bytes, tiny_matcher
from tests.support.http_bytes import FORM, field, file, form
from tests.support.networks import export
from tests.support.odd_images import MAGIC_NUMBERS
from tests.support.served import Loaded, settings_of
from tests.support.waiting import SAFETY_SECONDS

RED = image_bytes("#ff0000")


class GatedEncoder(MeanColourEncoder):
    """Encodes when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)

    def encode(self, pixels: Pixels) -> Embeddings:
        self.entered.release()
        if not self.gate.wait(SAFETY_SECONDS):
            raise TimeoutError("the gate was not opened")
        return super().encode(pixels)


def test_a_form_with_an_image_finds_its_postings_most_similar_first(client: TestClient) -> None:
    body = client.post("/match", files={"image": RED}).json()
    similarities = [match["similarity"] for match in body["matches"]]
    assert [match["posting_id"] for match in body["matches"][:2]] == ["p0", "p1"]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(1)
    assert body["matches"][0]["title"] == "Product #ff0000"
    assert body["matches"][0]["image_url"] == "/v1/postings/p0/image?v=p0.png"
    assert body["models"] == {"mean-colour": "1"}
    assert body["took_ms"] >= 0


def test_an_image_of_one_colour_is_told(tmp_path: Path, loaded: Loaded) -> None:
    """One that is sent, alone or among others, and one that is stored: there are no matches; fault C7."""
    export(tmp_path / "models", "cae", "1")
    loaded.blank.add(RED)
    with served_app(settings_of(tmp_path, encoder="cae"), loaded) as app, client_of(app) as client:
        for body in (
            client.post("/match", files={"image": RED}).json(),
            client.post("/match", files=[("images", RED)]).json()["items"][0],
            client.get("/postings/p0/matches").json(),
        ):
            assert (body["matches"], body["one_colour"]) == ([], True)
        other = client.get("/postings/p1/matches?min_similarity=-1").json()
        assert "one_colour" not in other
        assert {match["posting_id"] for match in other["matches"]} == {f"p{row}" for row in range(2, 7)}


def test_a_raw_body_gives_the_same_matches_as_a_form(client: TestClient) -> None:
    raw = client.post("/match", content=RED, headers={"Content-Type": "image/png"})
    assert raw.json()["matches"] == client.post("/match", files={"image": RED}).json()["matches"]


def test_a_raw_body_may_have_any_image_type(client: TestClient) -> None:
    response = client.post("/match", content=RED, headers={"Content-Type": "IMAGE/JPEG; q=1"})
    assert response.json()["matches"][0]["posting_id"] == "p0"


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_limit_is_the_most_matches_given(client: TestClient, limit: int) -> None:
    response = client.post("/match", params={"limit": limit}, files={"image": RED})
    assert len(response.json()["matches"]) == min(limit, len(COLOURS))


def test_ten_matches_are_given_by_default(serve: Serve) -> None:
    client = serve(matcher=tiny_matcher([f"#{red:02x}0000" for red in range(100, 115)]))
    assert len(client.post("/match", files={"image": RED}).json()["matches"]) == 10


def test_matches_below_min_similarity_are_left_out(client: TestClient) -> None:
    response = client.post("/match", params={"min_similarity": 0.9}, files={"image": RED})
    assert [match["posting_id"] for match in response.json()["matches"]] == ["p0", "p1"]


@pytest.mark.parametrize("min_similarity", [-1, 1, "1e-3", "-0.0"])
def test_min_similarity_takes_the_whole_range_of_the_cosine(client: TestClient, min_similarity: str) -> None:
    assert client.post("/match", params={"min_similarity": min_similarity}, files={"image": RED}).status_code == 200


def test_an_empty_catalogue_gives_no_matches(serve: Serve) -> None:
    assert serve(matcher=tiny_matcher([])).post("/match", files={"image": RED}).json()["matches"] == []


def test_the_file_may_have_no_name_of_note(client: TestClient) -> None:
    for filename in ("", "../../etc/passwd", "a\\b", "é🦆.png", "x" * 3000, "%00.png"):
        content = form([file("image", RED, filename)])
        assert client.post("/match", content=content, headers={"Content-Type": FORM}).status_code == 200, filename


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [file("picture", RED)],
        [file("Image", RED)],
        [file("image", RED), field("limit", b"3")],
        [file("", RED)],
    ],
    ids=["no part", "wrong name", "wrong case", "another part", "no name"],
)
def test_a_form_of_other_parts_is_refused(client: TestClient, parts: list[bytes]) -> None:
    response = client.post("/match", content=form(parts), headers={"Content-Type": FORM})
    assert_problem(response, 422, "invalid-request")
    assert_still_answers(client)


def test_more_images_of_one_posting_than_it_may_have_are_refused(client: TestClient) -> None:
    response = client.post("/match", files=[("image", RED)] * 9)
    assert_problem(response, 422, "invalid-request")
    assert "expected 1 to 8 images of a posting, got 9" in response.text
    assert_still_answers(client)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "imagepng", "multipart/mixed"],
)
def test_a_body_of_another_content_type_is_taken_only_if_it_is_an_image(client: TestClient, content_type: str) -> None:
    """Curl's `--data-binary` declares a form, and some clients text, whatever is sent."""
    headers = {"Content-Type": content_type}
    assert client.post("/match", content=RED, headers=headers).status_code == 200
    assert_problem(client.post("/match", content=b"<svg/>", headers=headers), 415, "media-type")
    assert_problem(client.post("/match", content=b"", headers=headers), 415, "media-type")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-7", "utf-16", "no-such", '"'])
def test_a_form_in_another_charset_than_utf8_is_refused(client: TestClient, charset: str) -> None:
    headers = {"Content-Type": f"{FORM}; charset={charset}"}
    content = form([file("im\\ud800age\xff", RED)])
    assert_problem(client.post("/match", content=content, headers=headers), 415, "media-type")
    assert_still_answers(client)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "us-ascii"])
def test_a_form_may_say_that_it_is_in_utf8(client: TestClient, charset: str) -> None:
    headers = {"Content-Type": f"{FORM}; charset={charset}"}
    assert client.post("/match", content=form([file("image", RED)]), headers=headers).status_code == 200


def test_requests_are_encoded_at_the_same_time(serve: Serve) -> None:
    """How many at most is the number of worker processes, see `tests.encoding.test_encoding`."""
    encoder = GatedEncoder()
    client = serve(encoding=TinyEncoding(encoder))
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(client.post, "/match", files={"image": image_bytes(colour)}) for colour in COLOURS[:6]]
        assert encoder.entered.acquire(timeout=SAFETY_SECONDS)
        assert encoder.entered.acquire(timeout=SAFETY_SECONDS)
        encoder.gate.set()
        best = [answer.result().json()["matches"][0]["posting_id"] for answer in answers]
    assert best == [f"p{row}" for row in range(6)]


def test_health_is_answered_while_a_slow_match_runs(serve: Serve) -> None:
    encoder = GatedEncoder()
    client = serve(encoding=TinyEncoding(encoder), workers=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(client.post, "/match", files={"image": RED})
        assert encoder.entered.acquire(timeout=SAFETY_SECONDS)
        health = [client.get(path).status_code for path in ("/healthz", "/readyz", "/postings/p0")]
        finished_before_the_gate_opened = slow.done()
        encoder.gate.set()
        assert slow.result().status_code == 200
    assert health == [200, 200, 200]
    assert not finished_before_the_gate_opened


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from([b"", *MAGIC_NUMBERS.values()]), rest=st.binary(max_size=200))
def test_any_bytes_as_an_image_are_answered_without_a_server_error(
    client: TestClient, start: bytes, rest: bytes
) -> None:
    response = client.post("/match", content=start + rest, headers={"Content-Type": "image/png"})
    assert response.status_code in {200, 413, 415, 422}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), parameters=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_any_bytes_as_a_form_are_answered_without_a_server_error(
    client: TestClient, body: bytes, parameters: str
) -> None:
    headers = {"Content-Type": f"{FORM}; {parameters}".encode("latin-1")}
    assert client.post("/match", content=body, headers=headers).status_code in {400, 415, 422}  # type: ignore[arg-type]


def written_as(
    model: type[BaseModel], client: TestClient, method: str = "POST", path: str = "/match", **sent: Any
) -> dict[str, Any]:
    """An answer of matches, which is byte for byte what a model writes."""
    response = client.request(method, path, **sent)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.text == model.model_validate_json(response.content).model_dump_json()
    body: dict[str, Any] = response.json()
    return body


def test_matches_by_similarity_are_written_as_their_model_would_be(client: TestClient) -> None:
    body = written_as(MatchesOut, client, files={"image": RED}, params={"min_similarity": -1})
    assert {"similarity"} == {name for match in body["matches"] for name in match} - {
        "posting_id",
        "title",
        "image_url",
        "image_urls",
    }


@pytest.mark.parametrize("sent", [{"files": {"image": SCENE}}, {"json": {"title": "kopi susu"}}])
def test_matches_by_probability_are_written_as_by_their_model(serve: Serve, sent: dict[str, Any]) -> None:
    """With their evidence."""
    body = written_as(MatchesOut, serve(matcher=judged_matcher()), params=ALL, **sent)
    assert all(match["evidence"]["signals"] for match in body["matches"])


def test_matches_of_a_stored_posting_are_written_as_by_their_model(serve: Serve) -> None:
    """By similarity, and by probability with their evidence."""
    nearest = written_as(MatchesOut, serve(), "GET", "/postings/p0/matches", params={"min_similarity": -1})
    surest = written_as(MatchesOut, serve(matcher=judged_matcher()), "GET", "/postings/scene/matches")
    assert "similarity" in nearest["matches"][0]
    assert "evidence" in surest["matches"][0]


def test_matches_of_several_images_are_written_as_by_their_model(
    client: TestClient,
) -> None:
    """And so are the problems of bad ones."""
    body = written_as(EachMatchesOut, client, files=[("images", RED), ("images", ("none.png", b""))])
    assert [set(item) for item in body["items"]] == [{"index", "name", "matches"}, {"index", "name", "problem"}]
