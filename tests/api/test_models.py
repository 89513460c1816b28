"""GET /models: what the service answers with."""

import json
from pathlib import Path

from app.api.app import create_app
from app.api.state import Service
from tests.adapters.test_manifest import export
from tests.api.conftest import Serve
from tests.api.contract import client_of
from tests.api.test_match_judged import judged_matcher
from tests.service.served import Loaded, loaded, served
from tests.service.test_start import coloured

__all__ = ["loaded"]


def test_the_models_that_are_loaded_are_told_with_their_manifests(tmp_path: Path, loaded: Loaded) -> None:
    path = export(tmp_path / "models", "cae", "1")
    given = coloured(tmp_path, ["hash", "title"], encoder="cae")
    with served(given) as running:
        service = Service(given)
        service.open(running.ready)
        with client_of(create_app(service)) as client:
            answer = client.get("/models").json()
    assert loaded.pictures["1"] > 0
    assert (answer["matcher"], answer["encoder"]) == ("matcher/1", "cae")
    assert [(model["name"], model["version"]) for model in answer["models"]] == [("matcher", "1"), ("cae", "1")]
    exported = json.loads((path / "manifest.json").read_text())
    assert answer["models"][1]["manifest"]["weights_digest"] == exported["weights_digest"]
    assert answer["models"][0]["manifest"]["trained_on"]["groups"] == 0  # their number, not their names


def test_without_a_matcher_or_an_encoder_there_is_none_to_tell_of(serve: Serve) -> None:
    by_title, by_similarity = serve(matcher=judged_matcher()).get("/models").json(), serve().get("/models").json()
    assert (by_title["matcher"], by_title["encoder"]) == ("matcher/1", None)
    assert (by_similarity["matcher"], by_similarity["encoder"]) == (None, "mean-colour")
