"""What is written down of matches, without making the documented models of it."""

from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from pricematch.api.schemas.matches import EachMatchesOut, MatchesOut
from tests.support.api_matchers import ALL, SCENE, judged_matcher
from tests.support.applications import Serve
from tests.support.fakes import image_bytes

RED = image_bytes("red")


def written_as(model: type[BaseModel], client: TestClient, **sent: Any) -> dict[str, Any]:
    """An answer to /match, which is byte for byte what a model writes."""
    response = client.post("/match", **sent)
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
    }


@pytest.mark.parametrize("sent", [{"files": {"image": SCENE}}, {"json": {"title": "kopi susu"}}])
def test_matches_that_are_judged_are_written_with_their_evidence_as_their_model_would_be(
    serve: Serve, sent: dict[str, Any]
) -> None:
    body = written_as(MatchesOut, serve(matcher=judged_matcher()), params=ALL, **sent)
    assert all(match["evidence"]["signals"] for match in body["matches"])


def test_matches_of_several_images_and_what_is_wrong_with_some_are_written_as_their_model_would_be(
    client: TestClient,
) -> None:
    body = written_as(EachMatchesOut, client, files=[("images", RED), ("images", ("none.png", b""))])
    assert [set(item) for item in body["items"]] == [{"index", "name", "matches"}, {"index", "name", "problem"}]
