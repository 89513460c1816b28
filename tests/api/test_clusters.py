"""POST /cluster."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.fakes import COLOURS, image_bytes
from tests.support.http_bytes import FORM, field, file, form

JSON = {"Content-Type": "application/json"}
PAIRS = [["p0", "p1"], ["p2", "p3"]]


def clusters(response: Any) -> list[list[str]]:
    """The posting ids of each cluster."""
    assert response.status_code == 200, response.text
    return [cluster["posting_ids"] for cluster in response.json()["clusters"]]


@pytest.mark.parametrize("method", ["dbscan", "optics", "nearest", "ensemble"])
def test_near_colours_share_a_cluster_the_rest_is_noise(client: TestClient, method: str) -> None:
    response = client.post("/cluster", json={"posting_ids": [f"p{row}" for row in range(7)], "method": method})
    assert clusters(response) == PAIRS
    assert [item["cluster"] for item in response.json()["items"]] == [0, 0, 1, 1, None, None, None]
    assert [item["status"] for item in response.json()["items"]] == ["clustered"] * 4 + ["noise"] * 3


def test_all_stands_for_every_posting_of_the_catalogue(client: TestClient) -> None:
    response = client.post("/cluster", json={"posting_ids": "all"})
    assert clusters(response) == PAIRS
    assert len(response.json()["items"]) == len(COLOURS)


def test_the_answer_names_method_eps_and_models(client: TestClient) -> None:
    asked = {"posting_ids": ["p0"], "method": "nearest", "eps": 0.25}
    body = client.post("/cluster", json=asked).json()
    assert (body["method"], body["eps"], body["models"]) == ("nearest", 0.25, {"mean-colour": "1"})
    assert body["took_ms"] >= 0


def test_larger_catalogues_come_in_pages_that_together_are_the_whole(serve: Serve) -> None:
    whole = serve().post("/cluster", json={"posting_ids": "all"}).json()
    assert (whole["total_items"], whole["total_clusters"], whole["next_offset"]) == (7, 2, None)
    client = serve(max_cluster_postings=3)
    for name, start in (("cursor", ""), ("offset", 0)):  # as a text and, as before, as a number
        items, found, pages, place = [], [], 0, start
        while place is not None:
            body = client.post("/cluster", json={"posting_ids": "all", name: place}).json()
            assert (body["total_items"], body["total_clusters"]) == (7, 2)
            items += body["items"]
            found += body["clusters"]
            pages, place = pages + 1, body[f"next_{name}"]
        assert (items, found, pages) == (whole["items"], whole["clusters"], 3)
    both = client.post("/cluster", json={"posting_ids": "all", "cursor": "3", "offset": 3})
    assert_problem(both, 422, "invalid-request")


def test_a_limit_makes_pages_smaller_never_larger(serve: Serve) -> None:
    """The service's own limit is the upper one."""
    client = serve(max_cluster_postings=3)
    for limit, got in ((2, 2), (3, 3), (100, 3)):
        body = client.post("/cluster", json={"posting_ids": "all", "limit": limit}).json()
        assert (len(body["items"]), body["next_offset"]) == (got, got)
    last = serve().post("/cluster", json={"posting_ids": "all", "limit": 7}).json()
    assert (len(last["items"]), last["next_offset"]) == (7, None)


def test_images_come_behind_a_whole_catalogue_and_join_its_clusters(client: TestClient) -> None:
    body = client.post("/cluster", data={"posting_ids": "all"}, files=[("images", image_bytes("#0000ff"))]).json()
    assert body["total_items"] == 8
    assert [cluster["posting_ids"] for cluster in body["clusters"]] == [*PAIRS, ["p4"]]
    assert body["clusters"][-1]["images"] == [0]


def test_a_larger_eps_joins_more(client: TestClient) -> None:
    assert clusters(client.post("/cluster", json={"posting_ids": "all", "eps": 2})) == [[f"p{row}" for row in range(7)]]


def test_more_min_samples_make_noise(client: TestClient) -> None:
    assert clusters(client.post("/cluster", json={"posting_ids": "all", "min_samples": 3})) == []


def test_images_and_postings_are_clustered_together(client: TestClient) -> None:
    images = [("images", image_bytes("#0000ff")), ("images", image_bytes("#ff0000"))]
    body = client.post("/cluster", data={"posting_ids": ["p0", "p4"]}, files=images).json()
    assert [(cluster["posting_ids"], cluster["images"]) for cluster in body["clusters"]] == [
        (["p0"], [1]),
        (["p4"], [0]),
    ]
    assert [(item["posting_id"], item["image"]) for item in body["items"]] == [
        ("p0", None),
        ("p4", None),
        (None, 0),
        (None, 1),
    ]


def test_a_form_takes_the_same_fields_as_json(client: TestClient) -> None:
    fields = [field("posting_ids", b"all"), field("method", b"nearest"), field("eps", b"2"), field("min_samples", b"3")]
    by_form = client.post("/cluster", content=form(fields), headers={"Content-Type": FORM}).json()
    asked = {"posting_ids": "all", "method": "nearest", "eps": 2, "min_samples": 3}
    by_json = client.post("/cluster", json=asked).json()
    assert by_form | {"took_ms": 0} == by_json | {"took_ms": 0}


def test_images_alone_are_clustered(client: TestClient) -> None:
    images = [("images", image_bytes(colour)) for colour in ("#ff0000", "#f80404", "#00ff00")]
    body = client.post("/cluster", files=images).json()
    assert [item["cluster"] for item in body["items"]] == [0, 0, None]


def test_a_batch_of_nothing_has_no_clusters(client: TestClient) -> None:
    for response in (
        client.post("/cluster", json={"posting_ids": []}),
        client.post("/cluster", content=form([field("eps", b"1")]), headers={"Content-Type": FORM}),
    ):
        assert response.status_code == 200
        assert response.json()["items"] == response.json()["clusters"] == []


def test_unknown_postings_are_listed_and_the_rest_is_clustered(client: TestClient) -> None:
    ids = ["p0", "no-such", "p1", "' OR 1=1", "🦆", "\0", ""]
    body = client.post("/cluster", json={"posting_ids": ids}).json()
    assert [item["posting_id"] for item in body["items"]] == ids
    assert [item["status"] for item in body["items"]] == ["clustered", "problem", "clustered"] + ["problem"] * 4
    problem = body["items"][1]["problem"]
    assert (problem["type"], problem["status"]) == ("urn:pricematch:problem:posting-not-found", 404)
    assert body["clusters"] == [{"cluster": 0, "posting_ids": ["p0", "p1"], "images": []}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"all"',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"posting_ids":' * 10_000,
        rb'{"posting_ids": ["\ud800"]}',
        rb'{"posting_ids": ["\udc00\ud800"]}',
        b'{"posting_ids": ["\xed\xa0\x80"]}',
        b'{"posting_ids": ["p0"]} x',
        b"{'posting_ids': 'all'}",
        b'{"posting_ids": ["p0"',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_malformed_json_is_refused(client: TestClient, content: bytes) -> None:
    assert_problem(client.post("/cluster", content=content, headers=JSON), 422, "invalid-request")
    assert_still_answers(client)


@pytest.mark.parametrize(
    "asked",
    [
        '{"eps": 0.1}',
        '{"posting_ids": "some"}',
        '{"posting_ids": null}',
        '{"posting_ids": {}}',
        '{"posting_ids": [["p0"]]}',
        '{"posting_ids": [1, null, true]}',
        '{"posting_ids": "all", "method": "kmeans"}',
        '{"posting_ids": "all", "method": ["dbscan"]}',
        '{"posting_ids": "all", "eps": NaN}',
        '{"posting_ids": "all", "eps": Infinity}',
        '{"posting_ids": "all", "eps": -Infinity}',
        '{"posting_ids": "all", "eps": 1e999}',
        '{"posting_ids": "all", "eps": -0.1}',
        '{"posting_ids": "all", "eps": 2.1}',
        '{"posting_ids": "all", "eps": "near"}',
        '{"posting_ids": "all", "min_samples": 0}',
        '{"posting_ids": "all", "min_samples": 1001}',
        '{"posting_ids": "all", "min_samples": 1.5}',
        '{"posting_ids": "all", "min_samples": 99999999999999999999999999}',
        '{"posting_ids": "all", "images": ["a"]}',
        '{"posting_ids": "all", "__class__": 1}',
    ],
)
def test_wrong_json_fields_are_refused(client: TestClient, asked: str) -> None:
    """Fields that are missing, unknown, of another type or out of range."""
    assert_problem(client.post("/cluster", content=asked, headers=JSON), 422, "invalid-request")


@pytest.mark.parametrize(
    "parts",
    [
        [field("eps", b"nan")],
        [field("eps", b"inf")],
        [field("eps", b"")],
        [field("method", b"\xff")],
        [field("top", b"3")],
        [file("picture", image_bytes("#ff0000"))],
    ],
    ids=[
        "eps nan",
        "eps inf",
        "eps empty",
        "method no UTF-8",
        "unknown field",
        "unknown file",
    ],
)
def test_a_form_with_a_wrong_field_is_refused(client: TestClient, parts: list[bytes]) -> None:
    response = client.post("/cluster", content=form(parts), headers={"Content-Type": FORM})
    assert_problem(response, 422, "invalid-request")
    assert_still_answers(client)


def test_hundreds_of_thousands_of_faults_are_answered_in_a_few_words(client: TestClient) -> None:
    wrong_ids = b'{"posting_ids": [' + b"1," * 500_000 + b"1]}"
    unknown_fields = b"{" + b",".join(b'"u%d": 1' % number for number in range(200_000)) + b"}"
    for content in (wrong_ids, unknown_fields):
        response = client.post("/cluster", content=content, headers=JSON)
        assert_problem(response, 422, "invalid-request")
        assert len(response.content) < 2000


def test_json_longer_than_the_postings_allowed_can_be_is_refused(serve: Serve) -> None:
    client = serve(max_cluster_postings=10, max_cluster_images=1, max_metadata_bytes=2)
    longest = {"posting_ids": ["p" * 128] * 10}
    assert client.post("/cluster", json=longest).status_code == 200
    response = client.post("/cluster", json={"posting_ids": ["p" * 10_000]})
    assert_problem(response, 413, "body-too-large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_another_content_type_is_refused(client: TestClient, content_type: str) -> None:
    response = client.post("/cluster", content=b'{"posting_ids": "all"}', headers={"Content-Type": content_type})
    assert_problem(response, 415, "media-type")


def test_json_may_name_its_charset(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/cluster", content=b'{"posting_ids": "all"}', headers=headers).status_code == 200


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-7"])
def test_a_charset_smuggles_in_no_text(client: TestClient, charset: str) -> None:
    content = form([field("posting_ids", b"\\ud800 +2AA- \xff-\xff ..")])
    response = client.post("/cluster", content=content, headers={"Content-Type": f"{FORM}; charset={charset}"})
    assert_problem(response, 415, "media-type")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["p0", "all"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=JSON_VALUES
    | st.fixed_dictionaries({"posting_ids": JSON_VALUES}, optional={"eps": JSON_VALUES, "min_samples": JSON_VALUES})
)
def test_any_json_is_answered_without_a_server_error(client: TestClient, asked: Any) -> None:
    import json

    assert client.post("/cluster", content=json.dumps(asked), headers=JSON).status_code in {200, 422}


@pytest.mark.parametrize("posting_ids", ["everything", ["p0", 3], [["p0"]], 7, None, {}])
def test_what_is_no_list_of_ids_is_one_fault(client: TestClient, posting_ids: Any) -> None:
    """The fault names what was expected."""
    problem = client.post("/cluster", json={"posting_ids": posting_ids}).json()
    assert problem["status"] == 422
    [fault] = problem["errors"]
    assert fault["location"] == "body.posting_ids"
    assert fault["message"].endswith('expected "all" or a list of ids')


def test_a_form_names_either_all_postings_or_some(client: TestClient) -> None:
    response = client.post("/cluster", files=[("posting_ids", (None, "all")), ("posting_ids", (None, "p0"))])
    assert response.status_code == 422
    assert 'expected either "all" or ids, got both' in response.json()["detail"]
