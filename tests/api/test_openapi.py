"""The description of the API: it is complete, its examples work, and the page that shows it needs no other host."""

import re
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from pricematch.api.app import create_api
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import backend
from tests.support.contract import check
from tests.support.fakes import image_bytes, tiny_images, tiny_matcher


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def schema_of_body(document: dict[str, Any], path: str, media_type: str) -> dict[str, Any]:
    """The schema of a POST request's body, which is a component."""
    reference: str = document["paths"][path]["post"]["requestBody"]["content"][media_type]["schema"]["$ref"]
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def test_the_documented_example_of_a_batch_works_when_sent(client: TestClient, document: dict[str, Any]) -> None:
    example = document["paths"]["/v1/cluster"]["post"]["requestBody"]["content"]["application/json"]["example"]
    response = client.post("/cluster", json=example)
    assert response.status_code == 200
    assert [item["posting_id"] for item in response.json()["items"]] == example["posting_ids"]
    assert "problem" not in {item["status"] for item in response.json()["items"]}


def test_the_documented_example_of_an_id_works_in_every_path(client: TestClient, document: dict[str, Any]) -> None:
    paths = [path for path in document["paths"] if path.startswith("/v1/postings/{posting_id}")]
    assert len(paths) == 3
    for path in paths:
        [parameter] = [p for p in document["paths"][path]["get"]["parameters"] if p["name"] == "posting_id"]
        assert client.get(path.replace("{posting_id}", parameter["example"])).status_code == 200


def test_every_documented_way_to_send_an_image_works(client: TestClient, document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/match"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json", "application/octet-stream"}
    form = schema_of_body(document, "/v1/match", "multipart/form-data")
    assert set(form["properties"]) == {*("image", "image_url", "title", "images"), *("filter", "exclude", "metadata")}
    assert client.post("/match", files={"image": image_bytes("#ff0000")}).status_code == 200
    for media_type in ("application/octet-stream", "image/png"):
        raw = client.post("/match", content=image_bytes("#ff0000"), headers={"Content-Type": media_type})
        assert raw.status_code == 200


def test_the_answers_to_one_image_and_to_several_are_both_documented(
    client: TestClient, document: dict[str, Any]
) -> None:
    schema = document["paths"]["/v1/match"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    documented = [document["components"]["schemas"][one["$ref"].rpartition("/")[2]] for one in schema["anyOf"]]
    for part, model in zip(("image", "images"), documented, strict=True):
        body = client.post("/match", files={part: image_bytes("#ff0000")}).json()
        assert set(model["required"]) <= set(body) <= set(model["properties"])


def test_the_documented_way_to_send_a_title_works(client: TestClient, document: dict[str, Any]) -> None:
    schema = schema_of_body(document, "/v1/match", "application/json")
    response = client.post("/match", json={"title": schema["properties"]["title"]["examples"][0]})
    assert response.json()["type"].endswith("matcher-needed")  # understood, and this service has none


def test_every_answer_that_is_no_success_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                is_problem = int(status) >= 400
                assert (set(response.get("content", ())) == {"application/problem+json"}) == is_problem, (path, status)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = re.findall(r"'\$ref': '([^']*)'", str(document))
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_the_documented_endpoints_are_those_of_the_contract(document: dict[str, Any]) -> None:
    assert {(method, path) for path, operations in document["paths"].items() for method in operations} == {
        ("post", "/v1/match"),
        ("post", "/v1/compare"),
        ("post", "/v1/cluster"),
        ("get", "/v1/postings"),
        ("delete", "/v1/postings"),
        ("post", "/v1/postings:batch"),
        ("get", "/v1/postings/{posting_id}"),
        ("put", "/v1/postings/{posting_id}"),
        ("patch", "/v1/postings/{posting_id}"),
        ("delete", "/v1/postings/{posting_id}"),
        ("get", "/v1/postings/{posting_id}/image"),
        ("get", "/v1/postings/{posting_id}/matches"),
        ("get", "/v1/verdicts"),
        ("get", "/v1/verdicts.csv"),
        ("post", "/v1/verdicts:batch"),
        ("get", "/v1/verdicts/batches"),
        ("get", "/v1/verdicts/batches/{batch_id}"),
        ("delete", "/v1/verdicts/batches/{batch_id}"),
        ("get", "/v1/verdicts/{posting_id}/{other_id}"),
        ("put", "/v1/verdicts/{posting_id}/{other_id}"),
        ("delete", "/v1/verdicts/{posting_id}/{other_id}"),
        ("get", "/v1/review"),
        ("get", "/v1/changes"),
        ("get", "/v1/products"),
        ("get", "/v1/products/{product}"),
        ("get", "/v1/products/{product}/history"),
        ("post", "/v1/postings/import"),
        ("get", "/v1/jobs"),
        ("post", "/v1/jobs"),
        ("get", "/v1/jobs/{job_id}"),
        ("delete", "/v1/jobs/{job_id}"),
        ("get", "/v1/models"),
        ("put", "/v1/models/{name}"),
        ("get", "/v1/fields"),
        ("put", "/v1/fields/{name}"),
        ("delete", "/v1/fields/{name}"),
        ("get", "/v1/namespaces"),
        ("put", "/v1/namespaces/{namespace}"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


def test_every_path_is_served_without_its_version_too(client: TestClient, document: dict[str, Any]) -> None:
    """Under the paths that there were before versions, which clients have in use."""
    for path, operations in document["paths"].items():
        allowed = [client.options(alias).headers["allow"] for alias in (path, path.removeprefix("/v1"))]
        assert set(map(str.upper, operations)) <= set(allowed[0].split(", "))
        assert allowed[0] == allowed[1]


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    """Which generators of clients make the names of functions of."""
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)+", name) for name in names), names
    assert {"matchImage", "putPosting"} <= set(names)


def test_every_body_with_fields_has_a_type_of_its_own(document: dict[str, Any]) -> None:
    """Which generators of clients name; a binary body is one of bytes."""
    named = []
    for operations in document["paths"].values():
        for operation in operations.values():
            for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
                if media_type == "application/octet-stream":
                    assert content["schema"]["format"] == "binary"
                else:
                    named.append(content["schema"]["$ref"].rpartition("/")[2])
    assert {"MatchRequest", "MatchImageForm", "PutPostingForm", "PatchJson", "BatchIn", "DecisionIn"} <= {
        *named,
        *document["components"]["schemas"],
    }
    assert all(document["components"]["schemas"][name]["title"] == name for name in named)


def test_every_tag_is_described(document: dict[str, Any]) -> None:
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}


def test_pages_by_cursors_say_how_they_follow_each_other(document: dict[str, Any]) -> None:
    pages = document["paths"]["/v1/postings"]["get"]["x-speakeasy-pagination"]
    assert pages["outputs"] == {"nextCursor": "$.next_cursor"}
    assert "x-speakeasy-pagination" not in document["paths"]["/v1/models"]["get"]


def test_the_server_is_the_path_below_which_it_is_served() -> None:
    """Or one of its namespaces, which the second one names by a variable."""
    servers = create_api(Service(Settings())).openapi()["servers"]
    assert [it["url"] for it in servers] == ["/", "/namespaces/{namespace}"]
    assert servers[1]["variables"]["namespace"]["default"] == "default"
    below = create_api(Service(Settings(root_path="/match-api")))
    assert [it["url"] for it in below.openapi()["servers"]] == ["/match-api", "/match-api/namespaces/{namespace}"]


def test_the_documented_limits_are_those_enforced(client: TestClient, document: dict[str, Any]) -> None:
    parameters = {p["name"]: p["schema"] for p in document["paths"]["/v1/match"]["post"]["parameters"]}
    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"], parameters["limit"]["default"]) == (
        1,
        50,
        10,
    )
    for limit, status in ((0, 422), (1, 200), (50, 200), (51, 422)):
        response = client.post("/match", params={"limit": limit}, files={"image": image_bytes("#ff0000")})
        assert response.status_code == status


def test_the_docs_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"""(?:https?:)?//[\w.-]+""", page.text)
    loaded = re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page.text)
    paths = [one or other for one, other in loaded]
    assert "/openapi.json" in paths
    assert len(paths) >= 4
    for path in paths:
        assert client.get(path).status_code == 200, path


def test_a_starting_service_describes_itself_without_examples() -> None:
    document = create_api(Service(Settings())).openapi()
    assert document["paths"]["/v1/cluster"]["post"]["requestBody"]["content"]["application/json"]["example"] == {
        "posting_ids": [],
        "method": "dbscan",
        "eps": 0.005,
    }


def test_the_description_is_made_anew_when_its_examples_change() -> None:
    service = Service(Settings())
    app = create_api(service)
    starting = app.openapi()
    assert app.openapi() is starting
    service.open(backend(tiny_matcher(), tiny_images()))
    ready = app.openapi()
    assert ready["paths"]["/v1/cluster"]["post"]["requestBody"]["content"]["application/json"]["example"]["posting_ids"]
    assert app.openapi() is ready


@pytest.mark.parametrize(
    ("status", "content_type", "problem"),
    [
        (
            418,
            "application/problem+json",
            {"type": "urn:pricematch:problem:x", "title": "x", "status": 418, "detail": "x"},
        ),
        (422, "application/json", {"type": "urn:pricematch:problem:x", "title": "x", "status": 422, "detail": "x"}),
        (422, "application/problem+json", {"type": "about:blank", "title": "x", "status": 422, "detail": "x"}),
        (
            422,
            "application/problem+json",
            {"type": "urn:pricematch:problem:x", "title": "x", "status": 422, "detail": 'File "/app/match.py"'},
        ),
    ],
    ids=["undocumented status", "another media type", "another type", "a path of the inside"],
)
def test_the_contract_check_of_these_tests_finds_a_breach(
    document: dict[str, Any], status: int, content_type: str, problem: dict[str, Any]
) -> None:
    request = httpx2.Request("POST", "http://testserver/match")
    response = httpx2.Response(status, json=problem, headers={"Content-Type": content_type}, request=request)
    with pytest.raises(AssertionError):
        check(response, document)
