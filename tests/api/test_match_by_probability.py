"""Matches where a trained matcher decides."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.matcher import Matcher
from pricematch.matching.stock_images import StockImages
from pricematch.titles.normalise import parse_titles
from tests.support.applications import ALL, POSTINGS, SCENE, Serve, hash_of, judged_matcher, make_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import image_bytes
from tests.support.http_bytes import FORM, field, form
from tests.support.matchers import matcher_over, scored_search


@pytest.fixture(scope="module")
def by_probability() -> Iterator[TestClient]:
    """A client of an application with a trained matcher."""
    with client_of(make_app(matcher=judged_matcher())) as client:
        yield client


def ids(response: Any) -> list[str]:
    """The posting ids of an answer, in order."""
    assert response.status_code == 200, response.text
    return [match["posting_id"] for match in response.json()["matches"]]


def test_an_answer_says_what_decided_and_why(by_probability: TestClient) -> None:
    """Each match has its probability and the reasons for it."""
    body = by_probability.get("/postings/scene/matches").json()
    [match] = body.pop("matches")
    assert body.pop("took_ms") >= 0
    assert body == {
        "catalogue_version": 4,
        "models": {"matcher": "1"},
        "catalogue_size": 4,
        "matcher": "matcher/1",
        "decided_by": "probability",
        "probabilities": "calibrated",
        "target": "f1",
        "threshold": 0.9,
        "alone": 0.5,
        "next_cursor": None,
    }
    evidence = match.pop("evidence")
    assert match == {
        "posting_id": "twin",
        "title": "Kopi Susu 200 ml",
        "image_url": None,
        "image_urls": [],
        "probability": pytest.approx(1),
        "level": "identical",
    }
    assert evidence["signals"]["hash"] == 1
    assert all(set(reason) == {"text", "weight"} for reason in evidence["reasons"])


def test_an_image_a_title_and_both_are_taken(by_probability: TestClient) -> None:
    title = {"title": "KOPI susu, 200ml"}
    assert ids(by_probability.post("/match", files={"image": SCENE})) == ["scene", "twin"]
    assert ids(by_probability.post("/match", json=title)) == ["scene", "twin"]
    assert ids(by_probability.post("/match", files={"title": (None, title["title"])})) == ["scene", "twin"]
    assert ids(by_probability.post("/match", files={"image": SCENE}, data={"title": "teh manis"})) == [
        "other",  # as sure as the others, so by its id
        "scene",
        "twin",
    ]
    assert ids(by_probability.post("/match", content=SCENE, headers={"Content-Type": "image/png"})) == ["scene", "twin"]


def test_a_title_that_is_not_utf_8_is_refused(by_probability: TestClient) -> None:
    """In a form as in JSON."""
    for title in (b"kopi \xff", "kopi é".encode("latin-1"), b"\xed\xa0\x80"):
        for response in (
            by_probability.post("/match", files={"title": (None, title)}),
            by_probability.post(
                "/match", content=b'{"title": "' + title + b'"}', headers={"Content-Type": "application/json"}
            ),
        ):
            assert_problem(response, 422, "invalid-request")
    assert ids(by_probability.post("/match", files={"title": (None, "kopi susu é".encode())}))


def test_byte_escapes_in_a_title_are_decoded(by_probability: TestClient) -> None:
    assert ids(by_probability.post("/match", json={"title": r"kopi susu 200 ml \xe2\x98\x95"})) == ids(
        by_probability.post("/match", json={"title": "kopi susu 200 ml ☕"})
    )


def test_a_title_is_given_back_as_it_is_written(by_probability: TestClient) -> None:
    [match] = by_probability.post("/match", json={"title": "teh manis"}).json()["matches"]
    assert match["title"] == "<b>Teh</b> manis"


def test_probabilities_fall_and_none_is_below_the_least(by_probability: TestClient) -> None:
    every = by_probability.post("/match", json={"title": "kopi susu 200 ml"}, params=ALL).json()["matches"]
    probabilities = [match["probability"] for match in every]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(every) == 3
    for least in (probabilities[2], probabilities[1], 1.0):
        kept = by_probability.post(
            "/match", json={"title": "kopi susu 200 ml"}, params={"min_probability": least}
        ).json()
        assert [match["probability"] for match in kept["matches"]] == [one for one in probabilities if one >= least]
        assert (kept["threshold"], kept["target"]) == (least, None)


def test_the_limit_cuts_the_surest_first(by_probability: TestClient) -> None:
    assert ids(by_probability.post("/match", json={"title": "kopi susu 200 ml"}, params={**ALL, "limit": 1})) == [
        "scene"
    ]


def test_a_target_takes_the_threshold_that_was_picked_for_it(by_probability: TestClient) -> None:
    body = by_probability.get("/postings/scene/matches", params={"target": "precision:0.95"}).json()
    assert (body["target"], body["threshold"], body["alone"]) == ("precision:0.95", 0.99, 0.99)


@pytest.mark.parametrize(
    ("params", "slug"),
    [
        ({"target": "f1", "min_probability": 0.5}, "invalid-request"),
        ({"target": "recall:0.9"}, "invalid-request"),
        ({"target": "precision:2"}, "invalid-request"),
        ({"target": ""}, "invalid-request"),
        ({"min_probability": 1.1}, "invalid-request"),
        ({"min_probability": "nan"}, "invalid-request"),
        ({"encoder": "x" * 100}, "invalid-request"),
        ({"target": "precision:0.5"}, "target-unknown"),
    ],
)
def test_what_decides_is_checked(by_probability: TestClient, params: dict[str, Any], slug: str) -> None:
    assert_problem(by_probability.get("/postings/scene/matches", params=params), 422, slug)
    assert_problem(by_probability.post("/match", json={"title": "kopi"}, params=params), 422, slug)


@pytest.mark.parametrize("params", [{"encoder": "cae"}, {"min_similarity": 0.5}])
def test_similarity_takes_an_encoder(by_probability: TestClient, params: dict[str, Any]) -> None:
    assert_problem(by_probability.get("/postings/scene/matches", params=params), 409, "encoder-needed")


def test_an_unknown_encoder_is_refused_with_the_names_there_are(client: TestClient) -> None:
    response = client.get("/postings/p0/matches", params={"encoder": "cae"})
    assert_problem(response, 422, "encoder-unknown")
    assert "mean-colour" in response.json()["detail"]
    assert client.get("/postings/p0/matches", params={"encoder": "mean-colour"}).status_code == 200


@pytest.mark.parametrize("params", [{"target": "f1"}, {"min_probability": 0.5}])
def test_without_a_matcher_probabilities_are_refused_with_what_to_set(
    client: TestClient, params: dict[str, Any]
) -> None:
    for response in (
        client.get("/postings/p0/matches", params=params),
        client.post("/match", files={"image": SCENE}, params=params),
    ):
        assert_problem(response, 409, "matcher-needed")
        assert "setting matcher: none" in response.json()["detail"]


def test_without_a_trained_matcher_a_title_is_refused(client: TestClient) -> None:
    assert_problem(client.post("/match", json={"title": "kopi"}), 409, "matcher-needed")


def test_without_a_trained_matcher_the_answer_says_so_and_invents_nothing(client: TestClient) -> None:
    body = client.post("/match", files={"image": image_bytes("#ff0000")}).json()
    assert (body["matcher"], body["decided_by"], body["target"], body["threshold"]) == (None, "similarity", None, -1)
    assert set(body["matches"][0]) == {"posting_id", "title", "image_url", "image_urls", "similarity"}


def test_a_matcher_of_hashes_refuses_a_title_alone(serve: Serve) -> None:
    client = serve(matcher=matcher_over(Catalogue(POSTINGS), {}, {}, scored_search(POSTINGS, ["hash"])))
    assert_problem(client.post("/match", json={"title": "kopi"}), 422, "signal-needed")
    assert ids(client.post("/match", files={"image": SCENE}, data={"title": "teh"})) == ["scene", "twin"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"kopi"',
        b"null",
        b"{}",
        b'{"title": null}',
        b'{"title": 3}',
        b'{"title": ["kopi"]}',
        b'{"title": ""}',
        b'{"title": " \\n "}',
        b'{"title": "kopi", "image": "x"}',
        rb'{"title": "\ud800"}',
        b"\xff",
        b"[" * 10_000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_json_that_holds_no_title_and_nothing_else_is_refused(by_probability: TestClient, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(by_probability.post("/match", content=content, headers=headers), 422, "invalid-request")


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [field("title", b"")],
        [field("title", b"  ")],
        [field("title", b"kopi"), field("limit", b"3")],
        [field("Title", b"kopi")],
    ],
    ids=["nothing", "empty", "blank", "another part", "wrong case"],
)
def test_a_form_without_image_and_title_is_refused(by_probability: TestClient, parts: list[bytes]) -> None:
    response = by_probability.post("/match", content=form(parts), headers={"Content-Type": FORM})
    assert response.status_code in {413, 422}


def test_a_title_may_be_as_long_as_the_setting(serve: Serve) -> None:
    client = serve(matcher=judged_matcher(), max_title_chars=2000)
    for title in ("☕" * 2000, "\U0001f600" * 2000, "kopi " * 400):
        assert client.post("/match", json={"title": title}).status_code == 200
        assert client.post("/match", files={"title": (None, title)}).status_code == 200
        assert_problem(client.post("/match", json={"title": title + "xx"}), 422, "invalid-request")
        assert_problem(client.post("/match", files={"title": (None, title + "xx")}), 422, "invalid-request")
    assert_problem(client.post("/match", json={"title": "x" * 200_000}), 413, "body-too-large")


def test_an_image_of_no_use_is_a_problem_whatever_the_title(by_probability: TestClient) -> None:
    answer = by_probability.post("/match", files={"image": SCENE[:60]}, data={"title": "kopi"})
    assert_problem(answer, 422, "image-corrupt")


def test_a_title_of_no_word_has_no_matches(by_probability: TestClient) -> None:
    assert ids(by_probability.post("/match", json={"title": "!!! ☕ ???"}, params=ALL)) == []


def test_a_target_out_of_reach_has_no_threshold_and_matches(serve: Serve) -> None:
    from math import inf

    from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds

    thresholds = SizeThresholds((1,), {F1: [Thresholds(0.5, 0.5)], Target(0.99): [Thresholds(inf, inf)]})
    client = serve(matcher=matcher_over(Catalogue(POSTINGS), {}, {}, scored_search(POSTINGS, thresholds=thresholds)))
    body = client.get("/postings/scene/matches", params={"target": "precision:0.99"}).json()
    assert (body["threshold"], body["alone"], body["matches"]) == (None, None, [])
    body = client.post("/cluster", json={"posting_ids": "all", "method": "matcher", "target": "precision:0.99"}).json()
    assert (body["threshold"], body["clusters"], len(body["items"])) == (None, [], 4)


def test_matches_beyond_a_page_come_by_its_cursor(serve: Serve) -> None:
    """Of a stored posting, a title and an image; fault C6."""
    postings = [Posting(f"p{row:03}", None, "Kopi Susu", hash_of(SCENE)) for row in range(120)]
    client = serve(matcher=matcher_over(Catalogue(postings), {}, {}, scored_search(postings)))

    def every(ask: Callable[[str], Any]) -> list[str]:
        found, cursor = list[str](), ""
        while cursor is not None:
            body = ask(f"limit=50&cursor={cursor}").json()
            found, cursor = [*found, *(match["posting_id"] for match in body["matches"])], body["next_cursor"]
        return found

    assert every(lambda query: client.get(f"/postings/p007/matches?{query}")) == [
        posting.posting_id for posting in postings if posting.posting_id != "p007"
    ]
    assert len(set(every(lambda query: client.post(f"/match?{query}", json={"title": "kopi susu"})))) == 120
    assert len(set(every(lambda query: client.post(f"/match?{query}", files={"image": SCENE})))) == 120
    assert_problem(client.get("/postings/p007/matches?cursor=-1"), 422, "invalid-request")
    [item] = client.post("/match?limit=50&cursor=100", files=[("images", SCENE)]).json()["items"]
    assert len(item["matches"]) == 20


def test_a_stock_image_is_told_in_answers(serve: Serve) -> None:
    """Alone it finds nothing; fault C5."""
    words = [f"{one}{other}{one}" for one in "abcdef" for other in "klm"]
    postings = [Posting(f"p{row:02}", None, word, hash_of(SCENE)) for row, word in enumerate(words)]
    features = Features.of([it.title for it in postings], [it.image_phash for it in postings])
    catalogue = Catalogue(postings)
    stock = StockImages.of(catalogue, features.hashes, features.images, parse_titles(features.titles))
    told = scored_search([replace(posting, image_phash=None) for posting in postings])
    client = serve(matcher=Matcher(catalogue, {}, {}, stock, replace(told, catalogue=catalogue)))
    for body in (
        client.post("/match", files={"image": SCENE}).json(),
        client.post("/match", files=[("images", SCENE)]).json()["items"][0],
        client.get("/postings/p03/matches").json(),
    ):
        assert body["matches"] == []
        assert body["stock_image"] == {"postings": 18, "titles": 18}
    [match] = client.post("/match", files={"image": SCENE}, data={"title": words[4]}).json()["matches"]
    assert (match["posting_id"], match["level"], match["stock_image"]) == ("p04", "same_product", True)
