"""PUT /namespaces/{namespace}, and paths below a namespace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.app import create_app
from pricematch.api.placement import Placement, named_in
from pricematch.api.signatures import ImageSigner
from pricematch.progress import silent
from pricematch.serving import startup
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.startup import start
from pricematch.settings import Settings
from tests.support.contract import assert_problem, client_of
from tests.support.namespaces import keys_for, make_namespaces, served_namespaces
from tests.support.served import Loaded, titles_and_hashes
from tests.support.waiting import eventually

KEYS, LINES = keys_for(
    of_all=("admin", "*"), reads_all=("read", "*"), of_new=("admin", "new"), of_default=("admin", "default")
)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[key]}"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Of a service that has the default namespace alone, and whose starts need no processes."""

    def quick(given: Settings, _: object, *rest: Any, **options: Any) -> Any:
        return start(given, Loaded(), *rest, **options)

    monkeypatch.setattr(startup, "start", quick)
    given = {"api_keys": LINES, "max_namespaces": 2, "precision": "float32", "root_path": "/match-api"}
    namespaces = Namespaces(titles_and_hashes(tmp_path, **given))
    with client_of(create_app(namespaces, lifetime=lambda: namespaces.opened(silent))) as found:
        eventually(lambda: found.get("/readyz").status_code == 200)
        yield found


def test_a_namespace_is_made_and_answers_at_once(client: TestClient) -> None:
    """Also under the root path; a key of it that there was before takes effect then."""
    assert_problem(client.get("/v1/postings", headers=bearer("of_new")), 404, "namespace-not-found")
    made = client.put("/v1/namespaces/new", headers=bearer("of_all"))
    expected = {"name": "new", "ready": True, "reason": None, "postings": 0, "catalogue_version": 1}
    assert (made.status_code, made.json()) == (201, expected)
    again = client.put("/match-api/namespaces/new", headers=bearer("of_all"))
    assert (again.status_code, again.json()) == (200, expected)
    assert client.put("/v1/postings/a", json={"title": "teh"}, headers=bearer("of_new")).status_code == 201
    for path in ("/namespaces/new", "/match-api/namespaces/new"):
        assert client.get(f"{path}/v1/postings", headers=bearer("of_all")).json()["total"] == 1
    assert client.get("/v1/postings", headers=bearer("of_all")).json()["total"] == 4
    listed = client.get("/namespaces", headers=bearer("of_all")).json()["namespaces"]
    assert [(it["name"], it["postings"]) for it in listed] == [("default", 4), ("new", 1)]


def test_more_than_may_be_are_not_made(client: TestClient) -> None:
    assert client.put("/namespaces/new", headers=bearer("of_all")).status_code == 201
    assert_problem(client.put("/namespaces/another", headers=bearer("of_all")), 409, "namespaces-full")
    assert client.put("/namespaces/default", headers=bearer("of_all")).status_code == 200


@pytest.mark.parametrize("name", ["A", "-a", "a" * 41, "a.b", "%C3%A4", "a%0A"])
def test_a_name_that_none_may_have_is_refused(client: TestClient, name: str) -> None:
    assert_problem(client.put(f"/namespaces/{name}", headers=bearer("of_all")), 422, "invalid-request")


@pytest.mark.parametrize("key", ["reads_all", "of_new", "of_default"])
def test_only_an_administrator_of_all_makes_and_lists_them(client: TestClient, key: str) -> None:
    assert_problem(client.put("/namespaces/new", headers=bearer(key)), 403, "forbidden")
    assert_problem(client.get("/namespaces", headers=bearer(key)), 403, "forbidden")
    assert len(client.get("/namespaces", headers=bearer("of_all")).json()["namespaces"]) == 1


def test_without_a_prefix_a_key_for_all_means_the_default_one(client: TestClient) -> None:
    for path in ("/v1/postings", "/namespaces/default/v1/postings", "/namespaces/default/postings"):
        for key in ("of_all", "of_default"):
            assert client.get(path, headers=bearer(key)).json()["total"] == 4


def test_whoever_hears_that_nothing_is_there_is_shown_the_page_of_the_service(client: TestClient) -> None:
    for path in ("/namespaces/new/made/up", "/namespaces/new/docs", "/namespaces/new/", "/namespaces//v1/postings"):
        answer = client.get(path, headers=bearer("of_all"))
        assert answer.status_code == 404
        assert "/match-api/docs shows what is" in answer.json()["detail"]
    answer = client.get("/namespaces/default/v1/postings/p0/image", headers=bearer("of_all"))
    assert_problem(answer, 404, "image-unavailable")


def test_methods_and_parameters_are_checked_below_a_namespace_as_elsewhere(client: TestClient) -> None:
    path = "/namespaces/default/v1/postings"
    assert client.options(path).headers["allow"] == client.options("/v1/postings").headers["allow"]
    assert client.request("PATCH", path).headers["allow"] == client.options("/v1/postings").headers["allow"]
    assert_problem(client.get(f"{path}?limits=3", headers=bearer("of_all")), 422, "invalid-request")
    assert client.head(path, headers=bearer("of_all")).status_code == 200


@pytest.mark.parametrize("root", ["", "/below"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/namespaces/a/v1/match", "a"),
        ("/namespaces/a/match", "a"),
        ("/namespaces/No name/match", "No name"),
        ("/namespaces/a", None),
        ("/namespaces/a/", None),
        ("/namespaces/a/v1", None),
        ("/namespaces/a/v1match", None),
        ("/namespaces/a/healthz", None),
        ("/namespaces//match", None),
        ("/v1/namespaces/a/match", None),
        ("/v1/match", None),
    ],
)
def test_a_namespace_is_as_if_it_was_mounted_there(root: str, path: str, name: str | None) -> None:
    for given in {path, root + path}:
        placed = dict(Placement(root, ["/match", "/match/{id}"]).of(given))
        assert named_in(placed) == name
        assert placed.get("path", given) == root + path
        assert placed.get("root_path", "") == (root if name is None else f"{root}/namespaces/{name}")
        assert placed.get("app_root_path", root) == root


def test_no_two_namespaces_sign_alike() -> None:
    """Nor does one sign what another id and version would be in the default one."""
    signer = ImageSigner(Settings(), lambda: 0.0)
    signed = {signer.query("p", "v", 1, it) for it in ("default", "a", "b")} | {
        signer.query("a", "p"),
        signer.query("p", "v"),
        signer.query("p", "v", 2),
        signer.query("p", "v", 2, "a"),
    }
    assert len(signed) == 6


def test_where_no_keys_are_asked_for_the_path_chooses(tmp_path: Path) -> None:
    """And whoever asks may know of all."""
    settings = titles_and_hashes(tmp_path)
    make_namespaces(settings, "a")
    with served_namespaces(settings) as namespaces, client_of(create_app(namespaces)) as client:
        assert client.put("/namespaces/a/v1/postings/p", json={"title": "teh"}).status_code == 201
        totals = [
            client.get(f"{path}/v1/postings").json()["total"] for path in ("", "/namespaces/default", "/namespaces/a")
        ]
        assert totals == [4, 4, 1]
        assert_problem(client.get("/namespaces/b/v1/postings"), 404, "namespace-not-found")
        assert [it["name"] for it in client.get("/namespaces").json()["namespaces"]] == ["a", "default"]
        assert 'pricematch_catalogue_postings{namespace="a"} 1.0' in client.get("/metrics").text
        assert client.get("/readyz").json()["reasons"] == {}


@pytest.mark.parametrize("asked", ["place=99", "place=x", "expires=-1", "expires=" + "9" * 5000, "v=" + "x" * 100])
def test_strangers_are_refused_before_their_parameters_are_looked_at(client: TestClient, asked: str) -> None:
    """An address of an image needs a key or a signature, whatever else stands in it, and tells of no namespace."""
    for name in ("default", "none"):
        path = f"/namespaces/{name}/v1/postings/a/image?{asked}"
        assert_problem(client.get(path), 401, "unauthenticated")
        assert_problem(client.get(f"{path}&signature=x"), 401, "unauthenticated")
