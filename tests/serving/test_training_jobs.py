"""Trainings behind the requests: what they answer, and how they end."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from pricematch.api.keys import SCOPES, new_key
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Catalogue
from pricematch.catalogue.records import FeedbackChange, Put
from pricematch.errors import LabelsNeeded
from pricematch.formats.manifest import Origin, find
from pricematch.formats.matcher_files import read_matcher
from pricematch.learning.cross_fitting import FOLDS
from pricematch.serving import training_jobs
from pricematch.serving.training_jobs import (
    COMMAND,
    LEAST_GROUPS,
    TRAIN_MATCHER,
    Trainer,
    TrainingOptions,
    check_labels,
)
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.applications import served_app
from tests.support.catalogues import labelled_postings
from tests.support.contract import assert_problem, client_of
from tests.support.matchers import export_matcher
from tests.support.networks import export
from tests.support.served import Loaded, served, settings_of
from tests.support.waiting import eventually

POSTINGS = [replace(it, image=None) for it in labelled_postings(120)]
RESULT: dict[str, Any] = {
    "version": None,
    "signals": ["hash"],
    "postings": 1,
    "groups": 1,
    "pairs": 1,
    "seconds": 1.0,
    "better": False,
    "summary": None,
    "f1": {},
    "held_out": [],
}
HANGS = "import sys; print('no JSON', flush=True); sys.stdin.read()"
DIES = "import os; os.kill(os.getpid(), 9)"
TELLS = (
    "import json, sys; it = json.loads(sys.stdin.readline())['settings']; "
    "print(json.dumps({'error': f\"{it['encoder']}/{it['encoder_version']} {'api_keys' in it}\"}))"
)
FAILS = "raise ZeroDivisionError"
ANSWERS = f"print({json.dumps(json.dumps({'result': RESULT}))})"
REFUSES = f"print({json.dumps(json.dumps({'error': 'too few'}))})"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestClient]]:
    """Starts services over one store of labelled postings, one after the other; `program` stands for the training."""
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([Put(it) for it in POSTINGS])
    with ExitStack() as stack:

        def begin(program: str | None = None, **given: Any) -> TestClient:
            stack.close()
            command = COMMAND if program is None else (sys.executable, "-c", program)
            monkeypatch.setattr(training_jobs, "COMMAND", command)
            paths = {"data": tmp_path / "data", "models": tmp_path / "models"}
            app = stack.enter_context(served_app(Settings(**{**paths, "follow_seconds": 0.02, **given})))
            return stack.enter_context(client_of(app))

        yield begin


def train(client: TestClient, **options: Any) -> str:
    """The path of a new job."""
    answer = client.post("/jobs", json={"kind": "train-matcher", **options})
    assert answer.status_code == 202, answer.text
    path = str(answer.headers["location"])
    assert path == f"/v1/jobs/{answer.json()['job_id']}"
    return path


def ended(client: TestClient, path: str) -> dict[str, Any]:
    """A job once it has ended."""
    eventually(lambda: client.get(path).json()["state"] not in {"queued", "running"})
    found: dict[str, Any] = client.get(path).json()
    return found


def matcher_of(client: TestClient) -> str:
    return str(client.get("/review").json()["matcher"])


def test_a_matcher_is_trained_behind_the_requests_and_activated_by_a_call(
    start: Callable[..., TestClient], tmp_path: Path
) -> None:
    """The default matcher goes on serving, also after a start, until somebody says so."""
    client = start()
    job = ended(client, train(client, signals=["hash", "title"], force=True))
    assert (job["state"], job["reason"]) == ("done", None)
    result = job["result"]
    assert result["version"] == "1"
    assert set(result["f1"]) == {"learned", "default", "hash", "title"}
    manifest = read_matcher(tmp_path / "models").manifest
    assert [it["f1"] for it in result["held_out"]] == [it["f1"] for it in manifest.held_out]
    assert {"brier", "calibration_error"} <= set(result["held_out"][0])
    assert result["before"] == {"matcher": "matcher/default", "held_out": []}
    assert job["total"] == job["done"] > 0
    assert matcher_of(client) == "matcher/default"
    client = start()
    assert matcher_of(client) == "matcher/default"
    client.put("/models/matcher", json={"version": "1"})
    eventually(lambda: matcher_of(client) == "matcher/1")
    assert client.get(f"/jobs/{job['job_id']}").json()["result"] == result


def test_a_training_is_told_no_secret(
    start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It does without, whatever the service is told on the command line or in the environment."""
    monkeypatch.setenv("PRICEMATCH_IMAGE_URL_SECRET", "told")
    secret = "whsec_" + "c2VjcmV0" * 4
    hooks = {"webhooks": "http://127.0.0.1:9/told", "webhook_secret": secret, "webhook_private_addresses": True}
    told = "import os, sys; open('{}', 'w').write(sys.stdin.readline() + repr(os.environ))".format(tmp_path / "told")
    client = start(told, **hooks)
    assert ended(client, train(client))["state"] == "failed"
    found = (tmp_path / "told").read_text()
    assert "told'" not in found.replace(str(tmp_path), "")
    assert "whsec" not in found
    assert "***" not in found
    client = start(**hooks)
    assert ended(client, train(client, signals=["hash", "title"]))["state"] == "done"


def test_what_waits_is_cancelled_and_what_runs_is_ended(start: Callable[..., TestClient]) -> None:
    client = start(HANGS, max_trainings=2)
    first, second = train(client), train(client)
    refused = client.post("/jobs", json={"kind": "train-matcher"})
    assert_problem(refused, 429, "overloaded")
    eventually(lambda: client.get(first).json()["state"] == "running")
    assert client.delete(second).json()["state"] == "cancelled"
    assert client.delete(first).json()["cancelling"]
    assert ended(client, first)["state"] == "cancelled"
    assert client.get("/review").status_code == 200


def test_a_training_is_ended_by_the_scope_that_begins_it(start: Callable[..., TestClient]) -> None:
    """While it runs and once it has ended; imports are ended by scope write."""
    keys = {scope: new_key(scope, scope) for scope in SCOPES}
    client = start(HANGS, api_keys=SecretStr(",".join(kept.line() for _, kept in keys.values())))
    client.headers["X-API-Key"] = keys["admin"][0]
    path, writer = train(client), {"X-API-Key": keys["write"][0]}
    assert_problem(client.delete(path, headers=writer), 403, "forbidden")
    eventually(lambda: client.get(path).json()["state"] == "running")
    assert_problem(client.delete(path, headers={"Authorization": f"Bearer {keys['write'][0]}"}), 403, "forbidden")
    client.delete(path)
    assert ended(client, path)["state"] == "cancelled"
    assert_problem(client.delete(path, headers=writer), 403, "forbidden")
    assert client.delete(path).json()["removed"]
    assert_problem(client.delete(path, headers=writer), 404, "job-not-found")
    sent = client.post("/postings/import", files={"postings": b"posting_id,image,title\na,,kopi\n"}, headers=writer)
    assert sent.status_code == 202, sent.text
    assert client.delete(sent.headers["location"], headers=writer).status_code == 200


def test_imports_go_on_while_a_matcher_is_trained(start: Callable[..., TestClient]) -> None:
    client = start(HANGS)
    running = train(client)
    sent = client.post("/postings/import", files={"postings": ("p.csv", b"posting_id,image,title\nnew,,kopi\n")})
    assert ended(client, sent.headers["location"])["created"] == 1
    assert client.get(running).json()["state"] == "running"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (DIES, "the process that learns was ended from outside (signal 9); perhaps memory was short"),
        (FAILS, "the process that learns failed; the log says why"),
        (REFUSES, "too few"),
    ],
)
def test_a_process_that_ends_costs_its_job_alone(start: Callable[..., TestClient], program: str, reason: str) -> None:
    client = start(program)
    for _ in range(2):
        job = ended(client, train(client))
        assert (job["state"], job["reason"], job["result"]) == ("failed", reason, None)
    assert client.get("/review").status_code == 200


def test_a_training_starts_again_with_the_service(start: Callable[..., TestClient]) -> None:
    client = start(HANGS)
    path = train(client)
    eventually(lambda: client.get(path).json()["state"] == "running")
    client = start(ANSWERS)
    job = ended(client, path)
    assert (job["state"], job["result"]["before"]) == ("done", {"matcher": "matcher/default", "held_out": []})


def test_the_encoder_that_serves_is_learned_from(
    tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a newer one is there: what it has computed is kept. No key leaves the service."""
    export(tmp_path / "models", "cae", "7")
    cae = find(tmp_path / "models", "cae").manifest
    origin = Origin(name="cae", version="7", weights_digest=cae.weights_digest)
    export_matcher(tmp_path / "models", ["image"], origin)
    settings = settings_of(tmp_path, api_keys=SecretStr("k read sha256:" + "0" * 64))
    monkeypatch.setattr(training_jobs, "COMMAND", (sys.executable, "-c", TELLS))
    with served(settings, encoding=loaded) as running:
        export(settings.models, "cae", "9")
        job = running.store.jobs.create(TRAIN_MATCHER, json.dumps(asdict(TrainingOptions())))
        eventually(lambda: (running.store.jobs.job(job.job_id) or job).ended)
        found = running.store.jobs.job(job.job_id)
    assert found is not None
    assert found.reason == "cae/7 False"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "import"},
        {"kind": "train-matcher", "signals": []},
        {"kind": "train-matcher", "signals": ["smell"]},
        {"kind": "train-matcher", "train_share": 0},
        {"kind": "train-matcher", "version": "3"},
    ],
)
def test_what_is_no_job_is_refused(start: Callable[..., TestClient], body: Any) -> None:
    client = start(HANGS)
    assert_problem(client.post("/jobs", json=body), 422, "invalid-request")
    assert client.get("/jobs").json()["total"] == 0


def test_without_labels_it_is_refused_at_once(start: Callable[..., TestClient]) -> None:
    client = start(HANGS)
    for it in POSTINGS[4:]:
        client.delete(f"/postings/{it.posting_id}")
    assert_problem(client.post("/jobs", json={"kind": "train-matcher"}), 409, "labels-needed")
    assert client.get("/jobs").json()["total"] == 0


def test_label_groups_and_verdicts_are_counted_together() -> None:
    """Four groups are the least, as many as there are folds; one has to have two postings."""
    assert LEAST_GROUPS == FOLDS
    names = "abcdefgh"
    bare = Catalogue([replace(POSTINGS[0], posting_id=name, label_group=None) for name in names])
    pairs = [FeedbackChange(names[place], names[place + 1], place + 1, "same") for place in (0, 2, 4, 6)]
    check_labels(bare, NO_FEEDBACK.changed(pairs))
    with pytest.raises(LabelsNeeded, match=r"expected at least 4 label groups .* got 3, 3 of them of several"):
        check_labels(bare, NO_FEEDBACK.changed(pairs[:3]))
    alone = Catalogue([replace(POSTINGS[0], posting_id=name, label_group=name) for name in names])
    with pytest.raises(LabelsNeeded, match="got 8, 0 of them of several"):
        check_labels(alone, NO_FEEDBACK)
    check_labels(alone, NO_FEEDBACK.changed(pairs[:1]))


def test_the_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "data")) as store:
        store.postings.put([Put(it) for it in POSTINGS])
    settings = {"data": str(tmp_path / "data"), "models": str(tmp_path / "models")}
    options = {"signals": [], "train_share": 1.0, "seed": 0, "force": True}
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"settings": settings, "options": options}).encode() + b"\n")
        process.stdin.close()
        assert process.wait(60) == 1
    assert not (tmp_path / "models" / "matcher").exists()


def test_of_several_catalogues_one_is_learned_from_at_a_time(tmp_path: Path) -> None:
    """While another one is, a training waits; a stop does not wait for that."""
    turn, told = Lock(), list[str]()
    with closing(open_store(tmp_path / "data")) as store, turn:
        store.postings.put([Put(it) for it in POSTINGS])
        settings = Settings(data=tmp_path / "data", models=tmp_path / "models", follow_seconds=0.02)
        trainer = Trainer(lambda: settings, store, dict, lambda: told.append("written"), turn)
        job = trainer.queue(TrainingOptions(), Catalogue(POSTINGS), NO_FEEDBACK)
        trainer.close()
        assert ([it.state for it in store.jobs.jobs() if it.job_id == job.job_id], told) == (["queued"], [])
