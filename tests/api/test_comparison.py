"""POST /compare: two postings, each stored or not."""

from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve, served_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import encoded, image_bytes, scene, tiny_matcher
from tests.support.served import Loaded, coloured, titles_and_hashes

RED, GREEN = image_bytes("#ff0000"), image_bytes("#00ff00")
SCENE = encoded(scene())


def text(image: bytes) -> str:
    return b64encode(image).decode()


@pytest.fixture(scope="module")
def by_title(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service whose matcher compares hashes and titles; `p0` and `p1` have the same hash."""
    with (
        served_app(titles_and_hashes(tmp_path_factory.mktemp("titles"))) as app,
        client_of(app) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def by_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service over images, whose matcher compares hashes and titles."""
    with served_app(coloured(tmp_path_factory.mktemp("images"), ["hash", "title"])) as app, client_of(app) as client:
        yield client


def compared(client: TestClient, left: object, right: object, **options: object) -> dict[str, object]:
    answer = client.post("/compare", json={"left": left, "right": right, **options})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_titles_that_are_not_stored_are_compared(by_title: TestClient) -> None:
    same = compared(by_title, {"title": "kopi susu 200 ml"}, {"title": "KOPI susu, 200 ml"})
    other = compared(by_title, {"title": "kopi susu 200 ml"}, {"title": "teh manis 1 kg"})
    assert (same["probability"], same["is_match"]) == (1, True)
    assert isinstance(other["probability"], float)
    assert other["probability"] < 1
    assert same["decided_by"] == "probability"


def test_a_stored_posting_and_its_own_words_are_the_same_by_every_way(by_title: TestClient) -> None:
    """By its id or by what it says, on either side."""
    ways = [{"posting_id": "p2"}, {"title": "teh manis"}]
    found = [compared(by_title, left, right) for left, right in product(ways, [{"posting_id": "p3"}, ways[1]])]
    assert all(it["is_match"] for it in found[1:])
    assert {it["similarity"] for it in found} == {None}


def test_the_probability_is_that_of_matches(by_title: TestClient) -> None:
    """Of a stored posting's, and of a title's with stored ones."""
    stored = by_title.get("/postings/p0/matches?min_probability=0").json()["matches"]
    asked = by_title.post("/match?min_probability=0", json={"title": "teh susu"}).json()["matches"]
    assert stored
    assert asked
    for left, matches in (({"posting_id": "p0"}, stored), ({"title": "teh susu"}, asked)):
        for match in matches:
            for sides in (((left, {"posting_id": match["posting_id"]})), ({"posting_id": match["posting_id"]}, left)):
                found = compared(by_title, *sides)
                assert found["probability"] == pytest.approx(match["probability"])
                assert found["level"] == (match["level"] if found["is_match"] else None)
                assert found["evidence"]["signals"] == pytest.approx(match["evidence"]["signals"])  # type: ignore[index]


def test_verdicts_overrule(by_title: TestClient) -> None:
    pair = {"posting_id": "p0"}, {"posting_id": "p2"}
    before = compared(by_title, *pair)
    by_title.put("/verdicts/p0/p2", json={"verdict": "same"})
    after = compared(by_title, *reversed(pair))
    by_title.put("/verdicts/p0/p2", json={"verdict": "different"})
    last = compared(by_title, *pair)
    by_title.delete("/verdicts/p0/p2")
    assert (before["verdict"], after["verdict"], last["verdict"]) == (None, "same", "different")
    assert (after["probability"], after["is_match"], last["probability"], last["is_match"]) == (1, True, 0, False)


def test_where_nothing_is_known_of_both_there_is_no_probability(by_image: TestClient) -> None:
    """A title and an image have nothing in common."""
    found = compared(by_image, {"title": "kopi"}, {"image": text(SCENE)})
    assert (found["probability"], found["is_match"], found["level"], found["evidence"]) == (None,) * 4


def test_images_and_titles_are_compared_in_any_mix(by_image: TestClient) -> None:
    by_image.put("/postings/scene", content=SCENE, headers={"Content-Type": "image/png"})
    image = {"image": text(SCENE)}
    sides = [{"posting_id": "scene"}, image, {**image, "title": "kopi"}]
    for left, right in product(sides, sides):
        if (left, right) == (sides[0], sides[0]):
            continue
        found = compared(by_image, left, right)
        assert found["is_match"], (left, right)
    assert compared(by_image, image, image)["level"] == "identical"
    by_image.delete("/postings/scene")


def test_a_form_is_compared_as_json_is(by_image: TestClient) -> None:
    json = compared(by_image, {"posting_id": "p1"}, {"image": text(SCENE), "title": "kopi"}, min_probability=0.25)
    form = by_image.post(
        "/compare",
        files={"right_image": SCENE},
        data={"left_posting_id": "p1", "right_title": "kopi", "min_probability": "0.25"},
    ).json()
    assert {**form, "took_ms": 0} == {**json, "took_ms": 0}
    assert form["threshold"] == 0.25


def test_without_a_matcher_images_are_compared_by_similarity(client: TestClient) -> None:
    found = compared(client, {"posting_id": "p0"}, {"image": text(RED)}, min_similarity=0.9)
    assert (found["probability"], found["decided_by"], found["is_match"]) == (None, "similarity", True)
    assert found["similarity"] == pytest.approx(1)
    other = compared(client, {"image": text(GREEN)}, {"image": text(RED), "title": "red"}, min_similarity=0.9)
    assert other["is_match"] is False


def test_without_a_matcher_titles_cannot_be_compared(client: TestClient) -> None:
    body = {"left": {"title": "kopi"}, "right": {"posting_id": "p0"}}
    assert_problem(client.post("/compare", json=body), 422, "signal-needed")


def test_an_image_that_is_no_evidence_is_named(tmp_path: Path) -> None:
    """The rest of its side is compared."""
    encoding = Loaded()
    encoding.blank.add(RED)
    with served_app(coloured(tmp_path, ["hash", "title"]), encoding) as app, client_of(app) as client:
        found = compared(client, {"image": text(RED), "title": "kopi"}, {"title": "kopi"})
        stored = compared(client, {"image": text(GREEN)}, {"posting_id": "p0"})
    assert (found["no_evidence"], found["is_match"], found["similarity"]) == (["left"], True, None)
    assert (stored["no_evidence"], stored["similarity"]) == (["right"], None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"left": {"title": "a"}},
        {"left": {}, "right": {"title": "a"}},
        {"left": {"title": "a", "posting_id": "p0"}, "right": {"title": "a"}},
        {"left": {"title": ""}, "right": {"title": "a"}},
        {"left": {"image": "?"}, "right": {"title": "a"}},
        {"left": {"posting_id": ".."}, "right": {"title": "a"}},
        {"left": {"title": "a", "colour": "red"}, "right": {"title": "a"}},
        {"left": {"title": "a"}, "right": {"title": "x" * 1001}},
        {"left": {"title": "a"}, "right": {"title": "a"}, "target": "f1", "min_probability": 0.5},
    ],
    ids=str,
)
def test_what_is_no_pair_is_refused(client: TestClient, body: object) -> None:
    assert_problem(client.post("/compare", json=body), 422, "invalid-request")


def test_bad_items_are_problems(client: TestClient) -> None:
    unknown = {"left": {"posting_id": "no-such"}, "right": {"image": text(RED)}}
    assert_problem(client.post("/compare", json=unknown), 404, "posting-not-found")
    bad = {"left": {"image": text(b"no image")}, "right": {"image": text(RED)}}
    assert_problem(client.post("/compare", json=bad), 415, "image-type")
    assert_problem(client.post("/compare", content=RED, headers={"Content-Type": "image/png"}), 415, "media-type")
    form = client.post("/compare", files=[*[("left_image", RED)] * 9, ("right_image", RED)])
    assert_problem(form, 422, "invalid-request")


def test_an_image_with_a_title_is_matched_by_what_there_is(serve: Serve) -> None:
    """Without a matcher by the image; a title alone takes one."""
    client = serve(matcher=tiny_matcher())
    both = client.post("/match", files={"image": RED}, data={"title": "red"})
    assert both.json()["matches"] == client.post("/match", files={"image": RED}).json()["matches"]
    assert_problem(client.post("/match", json={"title": "red"}), 409, "matcher-needed")
