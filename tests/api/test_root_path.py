"""The service below a path of a proxy, which strips that path or passes it on."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient

from pricematch.api.app import create_api
from pricematch.errors import SettingsError
from pricematch.serving.service import Service
from pricematch.settings import Settings, load_settings
from tests.support.applications import ALL, SCENE, judged_matcher, make_app
from tests.support.contract import assert_problem
from tests.support.fakes import FolderlessImages, image_bytes

ROOT = "/match-api"
Ask: TypeAlias = Callable[..., Any]
"""Asks as a client of the proxy does, whose paths begin with the root path."""


@pytest.fixture(params=["stripped", "passed on"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Through a proxy that strips the path, and through one that passes it on."""
    app = make_app(judged_matcher(), FolderlessImages({"scene.png": SCENE}), root_path=ROOT)
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:

        def asked(method: str, path: str, **given: Any) -> Any:
            assert path.startswith(f"{ROOT}/")
            seen = path.removeprefix(ROOT) if request.param == "stripped" else path
            return client.request(method, seen, **given)

        yield asked


def test_every_image_url_leads_to_the_image(ask: Ask) -> None:
    """Whichever answer has it (fault C17)."""
    stored = ask("GET", f"{ROOT}/postings/scene").json()
    page = ask("GET", f"{ROOT}/postings").json()["postings"]
    put = ask("PUT", f"{ROOT}/postings/new", content=SCENE, headers={"Content-Type": "image/png"}).json()
    matches = ask("GET", f"{ROOT}/postings/twin/matches", params=ALL).json()["matches"]
    found = ask("POST", f"{ROOT}/match", params=ALL, files={"image": SCENE}).json()["matches"]
    each = ask("POST", f"{ROOT}/match", params=ALL, files={"images": SCENE}).json()["items"][0]["matches"]
    review = [side for pair in ask("GET", f"{ROOT}/review").json()["pairs"] for side in (pair["first"], pair["second"])]
    urls = {posting["image_url"] for posting in [stored, put, *page, *matches, *found, *each, *review]}
    image_of = {str(url).partition("?v=")[0] for url in urls - {None}}
    assert image_of == {f"{ROOT}/v1/postings/scene/image", f"{ROOT}/v1/postings/new/image"}
    for url in urls - {None}:
        assert ask("GET", url).content == SCENE
        assert ask("HEAD", url).status_code == 200


def test_the_page_and_the_description_are_below_it(ask: Ask) -> None:
    """All that the page loads, and where it sends requests (fault C17)."""
    page = ask("GET", f"{ROOT}/docs").text
    loaded = [one or other for one, other in re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page)]
    assert len(loaded) >= 4
    for path in loaded:
        assert ask("GET", path).status_code == 200, path
    assert ask("GET", f"{ROOT}/openapi.json").json()["servers"][0] == {"url": ROOT}


def test_problems_and_methods_are_as_without_it(ask: Ask) -> None:
    """404 names the page below the path; Allow and parameters are of the route (fault C17)."""
    missing = ask("GET", f"{ROOT}/nowhere")
    assert_problem(missing, 404, "not-found")
    assert f"{ROOT}/docs" in missing.json()["detail"]
    assert ask("OPTIONS", f"{ROOT}/postings/scene").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    refused = ask("PATCH", f"{ROOT}/static-offline-docs/swagger-ui.css")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert_problem(ask("DELETE", f"{ROOT}/postings/scene", params={"dry_run": "1"}), 422, "invalid-request")
    assert ask("GET", f"{ROOT}/postings/scene").status_code == 200


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", f"{ROOT}-other/healthz", "/MATCH-API/healthz"])
def test_a_path_that_only_looks_like_it_is_not_served(path: str) -> None:
    """The path ends with a slash or not at all (fault C17)."""
    with TestClient(make_app(root_path=ROOT)) as client:
        assert client.get(path).status_code == 404


def test_bodies_keep_their_limits_below_it(ask: Ask) -> None:
    """A body that is too large is refused by either path (fault C17)."""
    large = image_bytes("red").ljust(Settings().max_body_bytes + 1, b"\0")
    response = ask("POST", f"{ROOT}/match", content=large, headers={"Content-Type": "image/png"})
    assert_problem(response, 413, "body-too-large")


@pytest.mark.parametrize(
    ("given", "kept"), [("", ""), ("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b.c~d_e-1", "/a/b.c~d_e-1")]
)
def test_a_root_path_is_kept_without_its_end(given: str, kept: str) -> None:
    """With a slash at its end or without, it is the same (fault C17)."""
    assert load_settings(root_path=given).root_path == kept


@pytest.mark.parametrize(
    "given",
    [
        "a",
        "a/b",
        "//a",
        "/a//b",
        "/..",
        "/a/../b",
        "/a b",
        "/a?b",
        "/a#b",
        "/ä",
        "/%61",
        "http://x/a",
        "/a\n",
        "/" + "a" * 200,
    ],
)
def test_a_root_path_that_is_none_is_refused(given: str) -> None:
    """The setting is named (fault C17)."""
    with pytest.raises(SettingsError, match="root_path"):
        load_settings(root_path=given)


@pytest.mark.parametrize("given", ["/postings", "/match", "/docs/api", "/static-offline-docs"])
def test_a_root_path_that_is_a_route_of_ours_is_refused(given: str) -> None:
    """It could not be told whether a proxy strips it (fault C17)."""
    with pytest.raises(SettingsError, match="root_path"):
        create_api(Service(Settings(root_path=given)))
