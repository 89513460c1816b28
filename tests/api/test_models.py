"""GET /models: what the service answers with."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from tests.support.applications import Serve, judged_matcher, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.networks import export
from tests.support.served import Loaded, coloured, settings_of
from tests.support.waiting import eventually


@pytest.fixture
def closed(tmp_path: Path, loaded: Loaded) -> Iterator[TestClient]:
    """A client with a key of scope admin, of a service that holds version 1 of the CAE; there is a version 2."""
    export(tmp_path / "models", "cae", "1")
    (admin, kept), (writer, other) = new_key("admin", "admin"), new_key("writer", "write")
    keys = SecretStr(f"{kept.line()},{other.line()}")
    given = settings_of(tmp_path, encoder="cae", follow_seconds=0.02, api_keys=keys)
    with served_app(given, loaded) as app:
        export(tmp_path / "models", "cae", "2")
        with client_of(app) as client:
            client.headers["X-API-Key"] = admin
            client.headers["X-Writer"] = writer
            yield client


def versions(client: TestClient) -> list[str]:
    return [f"{model['name']}/{model['version']}" for model in client.get("/models").json()["models"]]


def test_an_admin_activates_a_version_and_goes_back(closed: TestClient) -> None:
    """Whoever has a key of the scope admin."""
    answer = closed.put("/models/cae", json={"version": "2"})
    assert (answer.status_code, answer.json()) == (202, {"name": "cae", "version": "2", "before": None})
    eventually(lambda: versions(closed) == ["cae/2"])
    assert closed.put("/models/cae", json={"version": "1"}).json()["before"] == "2"
    eventually(lambda: versions(closed) == ["cae/1"])
    writer = {"X-API-Key": closed.headers["X-Writer"]}
    assert_problem(closed.put("/models/cae", json={"version": "2"}, headers=writer), 403, "forbidden")


@pytest.mark.parametrize(
    ("name", "version", "slug"),
    [
        ("cae", "9", "model-unusable"),
        ("matcher", "1", "model-unusable"),
        ("cae", "../1", "invalid-request"),
        ("resnet", "1", "invalid-request"),
    ],
)
def test_what_is_no_version_is_refused_and_what_serves_goes_on(
    closed: TestClient, name: str, version: str, slug: str
) -> None:
    assert_problem(closed.put(f"/models/{name}", json={"version": version}), 422, slug)
    assert versions(closed) == ["cae/1"]


def test_a_service_of_a_catalogue_in_memory_cannot_change_its_models(serve: Serve) -> None:
    assert_problem(serve().put("/models/cae", json={"version": "1"}), 503, "storage-unavailable")


def test_loaded_models_are_listed_with_their_manifests(tmp_path: Path, loaded: Loaded) -> None:
    path = export(tmp_path / "models", "cae", "1")
    given = coloured(tmp_path, ["hash", "title"], encoder="cae")
    with served_app(given, loaded) as app, client_of(app) as client:
        answer = client.get("/models").json()
    assert loaded.encoded["1"] > 0
    assert (answer["matcher"], answer["encoder"]) == ("matcher/1", "cae")
    assert [(model["name"], model["version"]) for model in answer["models"]] == [("matcher", "1"), ("cae", "1")]
    exported = json.loads((path / "manifest.json").read_text())
    assert answer["models"][1]["manifest"]["weights_digest"] == exported["weights_digest"]
    assert answer["models"][0]["manifest"]["trained_on"]["groups"] == 0  # their number, not their names


def test_without_matcher_or_encoder_none_is_listed(serve: Serve) -> None:
    by_title, by_similarity = serve(matcher=judged_matcher()).get("/models").json(), serve().get("/models").json()
    assert (by_title["matcher"], by_title["encoder"]) == ("matcher/1", None)
    assert (by_similarity["matcher"], by_similarity["encoder"]) == (None, "mean-colour")
