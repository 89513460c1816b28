"""Several images of a posting, by either client."""

import io
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.client import ImageRefused, ImageUrl, InvalidRequest, NewPosting, NotFound, Unstored
from pricematch.client.bodies import each_image, image_fields
from pricematch.client.reading import read
from pricematch.client.results import Match, MatchedImages, Posting
from tests.support.applications import served_app
from tests.support.clients import Asked, Through
from tests.support.contract import client_of
from tests.support.fakes import image_bytes
from tests.support.served import coloured

RED, TEAL, GREY = map(image_bytes, ("#ff0000", "#008080", "#808080"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service over a store on disk and a matcher of hashes and titles."""
    with served_app(coloured(tmp_path_factory.mktemp("service"), ["hash", "title"])) as app, client_of(app) as client:
        yield client


@pytest.fixture
def through(served: TestClient) -> Through:
    return Through(served)


def test_a_posting_is_put_read_and_patched(asked: Asked, through: Through, tmp_path: Path) -> None:
    """With images of any kind, in their places."""
    (tmp_path / "red.png").write_bytes(RED)

    def of(verb: Callable[[Any], Any]) -> Any:
        return asked.of(through, verb)

    def shown() -> list[bytes]:
        count = len(of(lambda client: client.posting("new")).image_urls)
        return [of(methodcaller("image", "new", place=place)) for place in range(1, count + 1)]

    put = of(lambda client: client.put("new", image=[tmp_path / "red.png", TEAL, io.BytesIO(GREY)]))
    assert (len(put.image_urls), put.image_urls[0]) == (3, put.image_url)
    assert shown() == [RED, TEAL, GREY]
    with pytest.raises(NotFound, match="none in place 4"):
        of(lambda client: client.image("new", place=4))
    of(lambda client: client.patch("new", image=(GREY, RED)))
    assert shown() == [GREY, RED]
    of(lambda client: client.patch("new", title="kopi"))
    assert shown() == [GREY, RED]
    assert of(lambda client: client.patch("new", image=None)).image_urls == ()
    of(lambda client: client.delete("new"))


def test_several_images_are_matched_and_compared_as_one_posting(asked: Asked, through: Through) -> None:
    found = asked.of(through, lambda client: client.match([TEAL, RED], "kopi", min_probability=0))
    assert found.matches
    assert all(it.image_urls[0] == it.image_url for it in found.matches)
    sides = Unstored(image=[RED, TEAL]), Unstored(title="kopi", image=TEAL)
    assert asked.of(through, lambda client: client.compare(*sides)).decided_by == "probability"
    with pytest.raises(ImageRefused, match="image 2: "):
        asked.of(through, lambda client: client.match([RED, RED[:60]]))
    with pytest.raises(InvalidRequest, match="expected 1 to 8 images of a posting, got 9"):
        asked.of(through, lambda client: client.match([RED] * 9))


def test_many_postings_bring_several_images(asked: Asked, through: Through, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them count in what a request may have."""
    monkeypatch.setattr("pricematch.client.verbs.postings._MUCH", 3 * len(RED))
    postings = [NewPosting(posting_id=f"many-{number}", image=[RED, TEAL, GREY]) for number in range(3)]
    found = asked.of(through, lambda client: client.put_many(postings))
    assert [it.outcome for it in found] == ["created"] * 3
    assert len(through.sent) == 3
    listed = asked.of(through, lambda client: client.postings())
    assert [len(it.image_urls) for it in listed if it.posting_id.startswith("many-")] == [3, 3, 3]
    changes = asked.of(through, lambda client: client.changes()).changes
    [posting] = [it.posting for it in changes if getattr(it, "posting_id", None) == "many-0"]
    assert (posting.images[0], len(posting.images), len(posting.image_urls)) == (posting.image, 3, 3)
    asked.of(through, lambda client: client.delete_many([it.posting_id for it in postings]))


def test_images_and_urls_are_told_apart() -> None:
    """One is no list in JSON, which services of before take as well; some of both are none."""
    urls = [ImageUrl("https://a.example/1"), ImageUrl("https://a.example/2")]
    assert image_fields(urls[0]) == image_fields(urls[:1]) == {"image_url": "https://a.example/1"}
    assert image_fields(urls) == {"image_url": ["https://a.example/1", "https://a.example/2"]}
    assert image_fields(b"a") == image_fields([b"a"]) == {"image": "YQ=="}
    assert image_fields((b"a", b"b")) == {"image": ["YQ==", "Yg=="]}
    assert image_fields(None) == {}
    assert each_image("a.jpg") == (["a.jpg"], [])
    with pytest.raises(ValueError, match="None is no image"):
        image_fields([])
    with pytest.raises(ValueError, match="got some of both"):
        image_fields([b"a", urls[0]])  # type: ignore[arg-type]


def test_answers_of_services_of_before_are_read() -> None:
    """Which know one image of a posting; those of now say which are the nearest."""
    one = {"posting_id": "a", "title": "", "image_phash": None, "label_group": None, "image_url": "/a"}
    assert read(Posting, {**one, "product_id": None, "metadata": {}}).image_urls == ()
    assert read(Match, one).images is None
    assert read(Match, {**one, "images": {"query": 2, "match": 1}}).images == MatchedImages(query=2, match=1)
