"""Verbs with `--namespace`: each works on that store and those models alone."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pricematch.settings import load_settings
from pricematch.store.sqlite.store import DATABASE, open_store
from tests.support.cli import Run
from tests.support.matchers import export_matcher

NDJSON = '{{"posting_id": "p0", "title": "{0} kopi"}}\n{{"posting_id": "p1", "title": "{0} teh"}}\n'


@pytest.fixture
def data(tmp_path: Path, run: Run) -> Path:
    """A data folder with a namespace beside the default one, both with postings of the same ids."""
    for namespace in ("default", "shop-a"):
        (tmp_path / "postings.ndjson").write_text(NDJSON.format(namespace))
        done = run(
            "import", str(tmp_path / "postings.ndjson"), "--data", str(tmp_path / "data"), "--namespace", namespace
        )
        assert done.code == 0, done.err
    return tmp_path / "data"


def document(run: Run, *arguments: str) -> Any:
    ran = run(*arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def titles(data: Path, namespace: str) -> list[str]:
    with closing(open_store(load_settings(data=data, namespace=namespace).data, create=False)) as store:
        return [it.posting.title for it in store.postings.page("", 10)]


def test_an_import_is_stored_in_the_namespace_alone(data: Path) -> None:
    for namespace in ("default", "shop-a"):
        assert titles(data, namespace) == [f"{namespace} kopi", f"{namespace} teh"]
    assert (data / "namespaces" / "shop-a" / DATABASE).exists()
    assert (data / "namespaces").stat().st_mode & 0o077 == 0


def test_an_export_and_a_backup_hold_one_namespace(data: Path, run: Run, tmp_path: Path) -> None:
    """So does a restore, also into a namespace that was not there."""
    for namespace in ("default", "shop-a"):
        where = ("--data", str(data), "--namespace", namespace)
        assert document(run, "export", str(tmp_path / f"{namespace}.ndjson"), *where)["postings"] == 2
        assert f"{namespace} kopi" in (tmp_path / f"{namespace}.ndjson").read_text()
        assert document(run, "backup", str(tmp_path / f"{namespace}.backup"), *where)["postings"] == 2
    document(run, "restore", str(tmp_path / "shop-a.backup"), "--data", str(data), "--namespace", "shop-b")
    assert titles(data, "shop-b") == titles(data, "shop-a")
    assert titles(data, "default") == ["default kopi", "default teh"]


def test_a_store_is_verified_and_mended_without_the_others(data: Path, run: Run) -> None:
    path = data / "namespaces" / "shop-a" / DATABASE
    path.write_bytes(b"no database" * 1000)
    assert document(run, "verify", "--data", str(data))["data"] == str(data)
    assert run("verify", "--data", str(data), "--namespace", "shop-a").code == 1
    [default, other] = document(run, "namespaces", "--data", str(data))["namespaces"]
    assert (default["name"], default["postings"], default["fault"]) == ("default", 2, None)
    assert (other["name"], other["postings"]) == ("shop-a", None)
    assert "is damaged" in other["fault"]
    assert run("verify", "--accept-loss", "--data", str(data), "--namespace", "shop-a").code == 0
    assert titles(data, "default") == ["default kopi", "default teh"]


def test_fields_verdicts_and_models_are_those_of_the_namespace(data: Path, run: Run, tmp_path: Path) -> None:
    where = ("--data", str(data), "--namespace", "shop-a")
    document(run, "fields", "declare", "price", "--type", "number", *where)
    assert document(run, "fields", *where)["fields"] == {"price": "number"}
    assert document(run, "fields", "--data", str(data))["fields"] == {}
    document(run, "fields", "remove", "price", *where)
    (tmp_path / "verdicts.csv").write_text("posting_id,other_posting_id,verdict\np0,p1,same\n")
    assert document(run, "verdicts", "import", str(tmp_path / "verdicts.csv"), *where)["new"] == 1
    assert "same" in document(run, "verdicts", "export", "-", *where)["content"]
    assert "same" not in document(run, "verdicts", "export", "-", "--data", str(data))["content"]
    export_matcher(data / "namespaces" / "shop-a" / "models", ["title"])
    assert document(run, "models", "activate", "matcher/1", *where)["before"] is None
    found = document(run, "models", "list", *where)
    assert found["folder"] == str(data / "namespaces" / "shop-a" / "models")
    assert ("matcher", "1", "active") in [(it["name"], it["version"], it["status"]) for it in found["models"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--namespace", "Shop"], "expected a namespace of 1 to 40"),
        (["verify", "--namespace", "../x"], "expected a namespace of 1 to 40"),
        (["verify", "--namespace", "nowhere"], "there is no store in data/namespaces/nowhere"),
        (["models", "list", "--models", "m", "--namespace", "a"], "expected --models or --namespace, got both"),
        (["fields", "--namespace", "a", "remove", "x"], "expected --namespace behind remove, got it before"),
        (["key", "x", "--scope", "read", "--namespace", "A"], "expected a namespace of 1 to 40"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments)
    assert ran.code == 2
    assert message in ran.one_line()
    assert list(tmp_path.iterdir()) == []


def test_a_key_says_what_it_is_for(run: Run) -> None:
    found = document(run, "key", "ops", "--scope", "admin", "--namespace", "*")
    assert found["namespace"] == "*"
    assert found["line"].startswith("ops admin@* sha256:")
    assert document(run, "key", "ops", "--scope", "admin")["namespace"] == "default"
