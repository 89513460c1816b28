"""Feedback of people, what they overrule, what they contradict, and which pairs wait for one."""

import csv
import io
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.testclient import TestClient

from pricematch.api.keys import new_key
from pricematch.catalogue.postings import is_posting_id
from pricematch.formats.feedback_files import read_feedback
from tests.support.applications import Serve, judged_matcher
from tests.support.contract import assert_problem


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A client of an application with a trained matcher over `scene`, `twin`, `worded` and `other`."""
    return serve(matcher=judged_matcher())


def say(client: TestClient, one: str, other: str, verdict: str) -> Any:
    """PUT a verdict."""
    return client.put(f"/verdicts/{one}/{other}", json={"verdict": verdict})


def matched(client: TestClient, posting_id: str, **asked: Any) -> list[str]:
    """Ids of a posting's matches."""
    found = client.get(f"/postings/{posting_id}/matches", params=asked).json()["matches"]
    return [match["posting_id"] for match in found]


# --- saying ------------------------------------------------------------------------------------------------------


def test_a_decision_is_one_in_either_order(client: TestClient) -> None:
    first = say(client, "worded", "other", "same")
    assert first.status_code == 201
    body = first.json()
    assert (body["first"], body["second"], body["verdict"]) == ("other", "worded", "same")
    assert datetime.fromisoformat(body["decided_at"]).tzinfo == UTC
    again = say(client, "other", "worded", "same")
    assert (again.status_code, again.json()["catalogue_version"]) == (200, body["catalogue_version"])
    for path in ("/verdicts/other/worded", "/verdicts/worded/other"):
        assert client.get(path).json()["verdict"] == "same"
    assert say(client, "worded", "other", "different").json()["catalogue_version"] == body["catalogue_version"] + 1


def test_a_decision_overrules_the_next_answer_until_withdrawn(client: TestClient) -> None:
    """From the very next request on."""
    assert matched(client, "scene") == ["twin"]
    say(client, "scene", "twin", "different")
    say(client, "scene", "other", "same")
    best = client.get("/postings/scene/matches").json()["matches"][0]
    assert (best["posting_id"], best["probability"], best["verdict"]) == ("other", 1.0, "same")
    assert "twin" not in matched(client, "scene", min_probability=0)
    for pair in ("scene/twin", "other/scene"):
        assert client.delete(f"/verdicts/{pair}").json()["withdrawn"]
    assert matched(client, "scene") == ["twin"]
    assert not client.delete("/verdicts/scene/twin").json()["withdrawn"]


def test_it_overrules_clusters_as_well(client: TestClient) -> None:
    asked = {"posting_ids": "all", "method": "matcher"}

    def clusters() -> list[list[str]]:
        return [cluster["posting_ids"] for cluster in client.post("/cluster", json=asked).json()["clusters"]]

    assert ["scene", "twin"] in clusters()
    say(client, "scene", "twin", "different")
    say(client, "twin", "other", "same")
    assert clusters() == [["other", "twin"]]


def test_it_outlives_its_postings(client: TestClient) -> None:
    say(client, "scene", "twin", "different")
    client.delete("/postings/twin")
    assert client.get("/verdicts/scene/twin").json()["verdict"] == "different"
    client.put("/postings/twin", json={"title": "Kopi Susu 200 ml"})
    assert "twin" not in matched(client, "scene", min_probability=0)


@pytest.mark.parametrize(
    ("path", "body", "status", "slug"),
    [
        ("/verdicts/scene/scene", {"verdict": "same"}, 422, "invalid-request"),
        ("/verdicts/scene/twin", {"verdict": "perhaps"}, 422, "invalid-request"),
        ("/verdicts/scene/twin", {}, 422, "invalid-request"),
        ("/verdicts/scene/twin", {"verdict": "same", "why": "x"}, 422, "invalid-request"),
        ("/verdicts/scene/twin", "same", 422, "invalid-request"),
        ("/verdicts/scene/nobody", {"verdict": "same"}, 404, "posting-not-found"),
        ("/verdicts/scene/%00", {"verdict": "same"}, 422, "invalid-request"),
        ("/verdicts/%2e%2e/scene", {"verdict": "same"}, 422, "invalid-request"),
    ],
)
def test_fault_22_what_is_no_decision_is_refused(
    client: TestClient, path: str, body: Any, status: int, slug: str
) -> None:
    assert_problem(client.put(path, json=body), status, slug)
    assert client.get("/verdicts").json()["total"] == 0


def test_an_undecided_pair_has_no_decision(client: TestClient) -> None:
    assert_problem(client.get("/verdicts/scene/twin"), 404, "verdict-not-found")


# --- listing -----------------------------------------------------------------------------------------------------


def test_decisions_are_listed_in_pages_and_exported(client: TestClient) -> None:
    for one, other, said in (
        ("twin", "scene", "same"),
        ("other", "worded", "different"),
        ("other", "scene", "different"),
    ):
        say(client, one, other, said)
    expected = [("other", "scene", "different"), ("other", "worded", "different"), ("scene", "twin", "same")]
    for limit, pages in ((1, 3), (2, 2), (3, 1), (4, 1)):
        found, offset = list[list[tuple[str, str, str]]](), 0
        while offset is not None:
            page = client.get("/verdicts", params={"limit": limit, "offset": offset}).json()
            assert page["total"] == 3
            found.append([(it["first"], it["second"], it["verdict"]) for it in page["verdicts"]])
            offset = page["next_offset"]
        assert len(found) == pages
        assert [verdict for page_ in found for verdict in page_] == expected
    assert client.get("/verdicts", params={"offset": 2**31}).json()["verdicts"] == []
    export = client.get("/verdicts.csv")
    assert export.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert [(row["posting_id"], row["other_posting_id"], row["verdict"]) for row in rows] == expected


def test_an_export_is_read_back_and_holds_no_formula(client: TestClient, tmp_path: Path) -> None:
    """It is read as labels; no cell is a formula to a spreadsheet."""
    ids = ["_=1+1", "0@SUM:A1", "A" * 128, "a~b.c-d"]  # what comes nearest to one within the pattern of ids
    for posting_id in ids:
        assert client.put(f"/postings/{posting_id}", json={"title": "=cmd|' /C calc'!A0"}).status_code in {201, 422}
    stored = [it["posting_id"] for it in client.get("/postings").json()["postings"]]
    for one, other in combinations(stored, 2):
        say(client, one, other, "different")
    (tmp_path / "verdicts.csv").write_bytes(client.get("/verdicts.csv").content)
    expected = [(one, other, "different") for one, other in combinations(sorted(stored), 2)]
    assert list(read_feedback(tmp_path / "verdicts.csv", 1000)) == expected
    rows = list(csv.reader(io.StringIO(client.get("/verdicts.csv").text)))
    assert all(cell[:1] not in tuple("=+-@\t\r") for row in rows for cell in row)


@given(st.sampled_from("=+-@\t\r\n|%;"), st.text(max_size=20))
def test_no_id_begins_as_a_formula_does(sign: str, rest: str) -> None:
    assert not is_posting_id(sign + rest)


def test_an_author_and_a_note_are_kept_and_shown(client: TestClient) -> None:
    """Without an author it is nobody where no keys are; said again without them they are gone."""
    body = {"verdict": "same", "by": " Ann ", "note": "one box\r\nof two"}
    first = client.put("/verdicts/scene/twin", json=body).json()
    assert (first["by"], first["note"]) == ("Ann", "one box\nof two")
    again = client.put("/verdicts/twin/scene", json=body)
    assert (again.status_code, again.json()) == (200, first)
    [listed] = client.get("/verdicts").json()["verdicts"]
    assert listed.items() <= first.items()
    assert "Ann" in client.get("/verdicts.csv").text
    last = say(client, "scene", "twin", "same").json()
    assert (last["by"], last["note"], last["catalogue_version"]) == (None, "", first["catalogue_version"] + 1)


@pytest.mark.parametrize(
    ("field", "text"), [("by", "x" * 101), ("by", "a\nb"), ("note", "x" * 1001), ("note", "\0"), ("by", 5)]
)
def test_what_is_no_author_or_note_is_refused(client: TestClient, field: str, text: object) -> None:
    answer = client.put("/verdicts/scene/twin", json={"verdict": "same", field: text})
    assert_problem(answer, 422, "invalid-request")
    assert f"body.{field}" in answer.json()["detail"]


def test_the_longest_author_and_note_are_taken(client: TestClient) -> None:
    """However they are escaped."""
    body = json.dumps({"verdict": "same", "by": "😀" * 100, "note": "😀" * 1000})
    assert len(body) > 13000
    answer = client.put("/verdicts/scene/twin", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["note"]) == (201, "😀" * 1000)


def test_the_key_is_the_author_where_none_is_named(serve: Serve) -> None:
    key, kept = new_key("reviewer-7", "write")
    client = serve(matcher=judged_matcher(), api_keys=SecretStr(kept.line()))
    client.headers["X-API-Key"] = key
    assert say(client, "scene", "twin", "same").json()["by"] == "reviewer-7"
    named = {"verdict": "same", "by": "Ann"}
    assert client.put("/verdicts/scene/twin", json=named).json()["by"] == "Ann"
    batch = {"decisions": [{"left": "scene", "right": "other", "decision": "same"}]}
    assert client.post("/verdicts:batch", json=batch).json()["by"] == "reviewer-7"


def test_verdicts_are_listed_by_author_posting_and_decision_in_pages(client: TestClient) -> None:
    """In two orders; a cursor is of one of them, and misses none when others decide meanwhile."""
    for by, one, other, said in (
        ("Ann", "twin", "scene", "same"),
        ("Bob", "other", "worded", "different"),
        ("Ann", "other", "scene", "different"),
    ):
        client.put(f"/verdicts/{one}/{other}", json={"verdict": said, "by": by})

    def listed(**asked: Any) -> list[str]:
        found, cursor = list[str](), ""
        while cursor is not None:
            page = client.get("/verdicts", params={**asked, "cursor": cursor, "limit": 1}).json()
            found += [f"{it['first']}-{it['second']}" for it in page["verdicts"]]
            cursor = page["next_cursor"]
        assert page["total"] == len(found)
        return found

    assert listed() == ["other-scene", "other-worded", "scene-twin"]
    assert listed(sort="time") == ["other-scene", "other-worded", "scene-twin"]
    assert listed(by="Ann", sort="time") == ["other-scene", "scene-twin"]
    assert listed(posting_id="twin") == ["scene-twin"]
    assert listed(decision="different", by="Bob") == ["other-worded"]
    assert listed(by="nobody") == []
    page = client.get("/verdicts", params={"limit": 2}).json()
    client.delete("/verdicts/other/scene")
    rest = client.get("/verdicts", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [it["first"] for it in rest["verdicts"]] == ["scene"]
    assert rest["next_offset"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "x"},
        {"cursor": urlsafe_b64encode(b"[" * 1500).decode()},
        {"cursor": urlsafe_b64encode(b'["ids", 1e999, "a", 5]').decode()},
        {"cursor": urlsafe_b64encode(b'["ids", ' + b"9" * 400 + b', "a", "b"]').decode()},
        {"cursor": urlsafe_b64encode(b'["time", 1, "a", "b"]').decode()},
        {"cursor": urlsafe_b64encode(b'["ids", 1, "a", "b"]').decode(), "offset": 1},
        {"sort": "size"},
        {"decision": "perhaps"},
        {"posting_id": "?"},
    ],
)
def test_what_is_no_page_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    assert_problem(client.get("/verdicts", params=asked), 422, "invalid-request")


# --- contradictions ----------------------------------------------------------------------------------------------


@pytest.fixture
def contradicting(client: TestClient) -> TestClient:
    """The same where people contradict each other: scene = twin = worded, and scene ≠ worded."""
    say(client, "scene", "twin", "same")
    say(client, "twin", "worded", "same")
    say(client, "scene", "worded", "different")
    return client


CONTRADICTION = {"first": "scene", "second": "worded", "chain": ["scene", "twin", "worded"]}


def test_contradictions_come_with_each_decision_in_them(
    contradicting: TestClient,
) -> None:
    """And in the list of all."""
    for pair in ("scene/worded", "scene/twin", "twin/worded"):
        assert contradicting.get(f"/verdicts/{pair}").json()["contradictions"] == [CONTRADICTION]
    assert say(contradicting, "other", "scene", "different").json()["contradictions"] == []
    page = contradicting.get("/verdicts").json()
    assert (page["total_contradictions"], page["contradictions"]) == (1, [CONTRADICTION])
    contradicting.delete("/verdicts/scene/twin")
    assert contradicting.get("/verdicts").json()["contradictions"] == []


@pytest.mark.parametrize(
    ("posting_ids", "told"),
    [
        ("all", [CONTRADICTION]),
        (["worded", "scene"], [CONTRADICTION]),  # the chain leads over one that is not of the batch
        (["scene", "twin", "nobody"], []),
        (["scene"], []),
    ],
)
def test_contradictions_within_a_batch_come_with_its_clusters(
    contradicting: TestClient, posting_ids: Any, told: Any
) -> None:
    body = contradicting.post("/cluster", json={"posting_ids": posting_ids, "method": "matcher"}).json()
    assert (body["total_contradictions"], body["contradictions"]) == (len(told), told)


def test_by_similarity_contradictions_come_as_well(serve: Serve) -> None:
    client = serve()
    for one, other, said in (("p0", "p1", "same"), ("p1", "p2", "same"), ("p0", "p2", "different")):
        say(client, one, other, said)
    body = client.post("/cluster", json={"posting_ids": ["p0", "p2"]}).json()
    assert body["contradictions"] == [{"first": "p0", "second": "p2", "chain": ["p0", "p1", "p2"]}]


# --- review ------------------------------------------------------------------------------------------------------


def test_a_review_names_pairs_nobody_decided_one_a_crowd_with_reasons(client: TestClient) -> None:
    body = client.get("/review").json()
    assert (body["matcher"], body["threshold"]) == ("matcher/1", 0.9)
    pairs = [(pair["first"]["posting_id"], pair["second"]["posting_id"]) for pair in body["pairs"]]
    assert pairs
    assert all(one < other for one, other in pairs)
    for pair in body["pairs"]:
        assert pair["level"] in {"identical", "near", "same_product"}
        assert set(pair["evidence"]) == {"signals", "reasons"}
    first = pairs[0]
    say(client, *first, "different")
    again = client.get("/review").json()["pairs"]
    assert first not in [(pair["first"]["posting_id"], pair["second"]["posting_id"]) for pair in again]


def test_a_review_has_a_limit_and_a_target(client: TestClient) -> None:
    assert len(client.get("/review", params={"limit": 1}).json()["pairs"]) == 1
    for limit in (0, 101, -1):
        assert_problem(client.get("/review", params={"limit": limit}), 422, "invalid-request")
    assert_problem(client.get("/review", params={"target": "precision:0.5"}), 422, "target-unknown")
    assert client.get("/review", params={"target": "precision:0.95"}).json()["threshold"] == 0.99


def test_without_a_trained_matcher_there_is_nothing_to_review(serve: Serve) -> None:
    assert_problem(serve().get("/review"), 409, "matcher-needed")
