"""The service as it comes: an empty folder, no labels, no training; and what people's verdicts make of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.formats.manifest import versions
from pricematch.settings import Settings, load_settings
from tests.support.applications import served_app
from tests.support.catalogues import word
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import encoded, scene
from tests.support.matchers import export_matcher
from tests.support.served import Loaded
from tests.support.waiting import eventually

SHOWN = [encoded(scene((side, 64)).rotate(90 * (side % 4), expand=True)) for side in range(64, 70)]
SOLD_TWICE = 24
TITLES = {"a": "Kopi susu gula aren 200 ml", "b": "Sepatu lari pria ukuran 42"}


@pytest.fixture
def folder(tmp_path: Path, default_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds the default encoder and nothing else; changes are scored together as soon as there are any."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pricematch.serving.served_catalogue._REST", 0)
    shutil.copytree(default_models, tmp_path / "models")
    return tmp_path


def settings_for(folder: Path, **given: Any) -> Settings:
    paths = {"models": folder / "models", "data": folder / "data"}
    return load_settings(**(paths | {"follow_seconds": 0.02, "precision": "float32"} | given))


@contextmanager
def client_in(folder: Path, **given: Any) -> Iterator[TestClient]:
    """A client of the service in a folder."""
    with served_app(settings_for(folder, **given), Loaded()) as app, client_of(app) as client:
        yield client


def put(client: TestClient, posting_id: str, image: bytes | None = None, title: str | None = None) -> None:
    """Put a posting."""
    fields: dict[str, Any] = {"title": (None, title)} if title is not None else {}
    if image is not None:
        fields["image"] = ("photo.png", image)
    assert client.put(f"/postings/{posting_id}", files=fields).status_code == 201


def matches(client: TestClient, posting_id: str, **asked: Any) -> Any:
    answer = client.get(f"/postings/{posting_id}/matches", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [match["posting_id"] for match in answer["matches"]]


def put_shop(client: TestClient) -> None:
    """Products of two postings each, whose titles share two words of their own."""
    for number in range(SOLD_TWICE):
        put(client, f"{number:02}a", title=f"{word(number)} {word(number + 300)} promo")
        put(client, f"{number:02}b", title=f"{word(number + 300)} {word(number)} murah ori")


def decide(client: TestClient, one: str, other: str, verdict: str) -> None:
    assert client.put(f"/verdicts/{one}/{other}", json={"verdict": verdict}).is_success


def test_an_empty_folder_writes_the_encoder_and_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing need be trained, exported or there."""
    monkeypatch.chdir(tmp_path)
    with client_in(tmp_path) as client:
        found = client.get("/models").json()
    assert (found["matcher"], found["encoder"]) == ("matcher/default", "cnn")
    assert [(it["name"], it["version"]) for it in found["models"]] == [("matcher", "default"), ("cnn", "1")]
    assert versions(tmp_path / "models", "cnn") == ["1"]


def test_postings_by_title_image_or_both_are_matched_at_once(folder: Path) -> None:
    """From the request on that follows; each with an estimated probability, a level and reasons."""
    with client_in(folder) as client:
        for name, image in (("a", SHOWN[0]), ("b", SHOWN[1])):
            put(client, f"image-{name}", image)
            put(client, f"title-{name}", title=TITLES[name])
            put(client, f"both-{name}", image, TITLES[name])
        put(client, "image-again", SHOWN[0])
        put(client, "title-again", title="KOPI gula aren susu 200ml")
        by_image, by_title = (matches(client, name) for name in ("image-again", "title-again"))
        for answer in (by_image, by_title):
            assert (answer["matcher"], answer["decided_by"]) == ("matcher/default", "probability")
            assert answer["probabilities"] == "estimated"
            assert answer["models"] == {"matcher": "default", "cnn": "1"}
            assert all(match["evidence"]["reasons"] for match in answer["matches"])
        assert {"image-a", "both-a"} <= set(ids(by_image))
        assert {"title-a", "both-a"} <= set(ids(by_title))
        assert "title-b" not in ids(by_title)
        by_both = client.post("/match", files={"image": SHOWN[1]}, data={"title": "sepatu pria lari 42"}).json()
        assert ids(by_both)[0] == "both-b"
        assert ids(client.post("/match", json={"title": "gula aren kopi susu"}).json())
        assert ids(client.post("/match", files={"image": SHOWN[0]}).json())


def test_titles_alone_need_no_image_and_no_folder_to_write_to(folder: Path) -> None:
    """Nothing is written to the models."""
    before = sorted(folder.joinpath("models").rglob("*"))
    with client_in(folder, models=folder / "models") as client:
        put_shop(client)
        assert ids(matches(client, "03a"))[0] == "03b"
    assert sorted(folder.joinpath("models").rglob("*")) == before


def test_what_takes_a_matcher_is_answered(folder: Path) -> None:
    """Clusters, pairs to review, targets and least probabilities."""
    with client_in(folder) as client:
        put_shop(client)
        clustered = client.post("/cluster", json={"posting_ids": "all", "method": "matcher"}).json()
        assert clustered["probabilities"] == "estimated"
        assert clustered["models"] == {"matcher": "default", "cnn": "1"}
        assert ["03a", "03b"] in [it["posting_ids"] for it in clustered["clusters"]]
        review = client.get("/review", params={"limit": 3}).json()
        assert (review["matcher"], review["probabilities"]) == ("matcher/default", "estimated")
        assert 0 < len(review["pairs"]) <= 3
        sure = matches(client, "03a", target="precision:0.95")
        assert sure["threshold"] >= 0.95
        assert len(matches(client, "03a", min_probability=0)["matches"]) > 1
        by_distance = client.post("/cluster", json={"posting_ids": "all", "method": "dbscan"}).json()
        assert by_distance["probabilities"] is None


def test_none_leaves_the_decision_to_similarity(folder: Path) -> None:
    """And then there is no probability."""
    with client_in(folder, matcher="none") as client:
        put(client, "one", SHOWN[0])
        put(client, "two", SHOWN[0])
        answer = matches(client, "one", min_similarity=0.99)
        assert (answer["matcher"], answer["decided_by"], answer["probabilities"]) == (None, "similarity", None)
        assert ids(answer) == ["two"]
        assert_problem(client.post("/match", json={"title": "kopi"}), 409, "matcher-needed")
        assert client.get("/models").json()["matcher"] is None


def test_twenty_verdicts_calibrate_the_default_matcher(folder: Path) -> None:
    """Once all is scored anew; the models say so, and a restart keeps what was learned."""
    with client_in(folder) as client:
        put_shop(client)
        before = probability_of(client, "23a", "23b")
        for number in range(10):
            decide(client, f"{number:02}a", f"{number:02}b", "same")
        decide(client, "00a", "04a", "different")
        eventually(lambda: manifest(client)["verdicts"] == 11)
        assert matches(client, "23a")["probabilities"] == manifest(client)["probabilities"] == "estimated"
        for number in range(1, 10):
            decide(client, f"{number:02}a", f"{number + 4:02}a", "different")
        eventually(lambda: manifest(client)["verdicts"] == 20)
        eventually(lambda: matches(client, "23a")["probabilities"] == "calibrated")
        learned = manifest(client)
        assert learned["probabilities"] == "calibrated"
        assert learned["taught"]["grams"] != 0
        after = probability_of(client, "23a", "23b")
        assert after > before  # a pair like those that are the same
    with client_in(folder) as client:
        assert manifest(client) == learned
        assert matches(client, "23a")["probabilities"] == "calibrated"
        assert probability_of(client, "23a", "23b") == pytest.approx(after, abs=1e-9)


def test_a_verdict_that_was_turned_teaches_after_a_restart(folder: Path) -> None:
    """Though there are as many as before, and none was taken in while the service ran."""
    with client_in(folder) as client:
        put_shop(client)
        decide(client, "00a", "00b", "same")
        eventually(lambda: manifest(client)["verdicts"] == 1)
        same = manifest(client)["taught"]
    with client_in(folder, follow_seconds=3600) as client:
        decide(client, "00a", "00b", "different")
        assert manifest(client)["taught"] == same
    with client_in(folder) as client:
        eventually(lambda: manifest(client)["taught"]["grams"] < same["grams"])


def test_a_verdict_that_is_taken_back_is_forgotten(folder: Path) -> None:
    """The weights are the shipped ones again."""
    with client_in(folder) as client:
        put_shop(client)
        shipped = manifest(client)
        decide(client, "00a", "04b", "same")
        eventually(lambda: manifest(client)["verdicts"] == 1)
        assert "taught" in manifest(client)
        assert client.delete("/verdicts/00a/04b").is_success
        eventually(lambda: manifest(client)["verdicts"] == 0)
        assert manifest(client) == shipped


def manifest(client: TestClient) -> Any:
    """Of the matcher."""
    return client.get("/models").json()["models"][0]["manifest"]


def probability_of(client: TestClient, one: str, other: str) -> float:
    every = matches(client, one, min_probability=0)["matches"]
    return float(next(match["probability"] for match in every if match["posting_id"] == other))


def served_is(client: TestClient, label: str) -> bool:
    return bool(client.get("/models").json()["matcher"] == label)


def test_a_trained_matcher_takes_over_and_the_default_may_come_back(folder: Path) -> None:
    """Activated like any other version."""
    with client_in(folder) as client:
        put_shop(client)
        export_matcher(folder / "models", ["title"])
        assert_problem(client.put("/models/cnn", json={"version": "default"}), 422, "model-unusable")
        for version in ("1", "default"):
            assert client.put("/models/matcher", json={"version": version}).status_code == 202
            eventually(partial(served_is, client, f"matcher/{version}"))
            probabilities = matches(client, "03a")["probabilities"]
            assert probabilities == ("estimated" if version == "default" else "calibrated")
    with client_in(folder) as client:
        assert client.get("/models").json()["matcher"] == "matcher/default"
