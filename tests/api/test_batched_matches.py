"""Matches of pictures that are embedded together, before a thread is taken: the same answers, or the same problems."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.batching import Batcher
from pricematch.encoding.perceptual_hash import PerceptualHasher
from pricematch.encoding.ports import Embedder
from pricematch.matching.matcher import Matcher
from pricematch.pairs.retrievers import IMAGE_SPACES
from tests.api.conftest import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import COLOURS, by_similarity, picture, tiny_decoder, tiny_embedded, tiny_encoder
from tests.support.gated_encoder import SAFETY_SECONDS, GatedEncoder, eventually
from tests.support.judged import tiny_judge

PICTURES = [picture(colour) for colour in COLOURS]


def matcher_over(embedder: Embedder, *, judged: bool) -> Matcher:
    """A matcher whose pictures are embedded by this, with or without a trained one."""
    embedded = tiny_embedded()
    embedded = replace(embedded, encoder=replace(embedded.encoder, embedder=embedder))
    if not judged:
        return by_similarity(embedded)
    postings, spaces = list(embedded.catalogue), dict.fromkeys(IMAGE_SPACES, embedded)
    judge = tiny_judge(postings, ["image"], dict.fromkeys(IMAGE_SPACES, embedded.embeddings))
    return Matcher(Catalogue(postings), {"mean-colour": embedded}, PerceptualHasher(tiny_decoder()), judge, spaces)


class Batched:
    """An application whose pictures are embedded through a batcher, over a gated encoder; and threads that ask."""

    def __init__(self, client: TestClient, gated: GatedEncoder, batcher: Batcher, pool: ThreadPoolExecutor) -> None:
        self.client, self.gated, self.batcher, self._pool = client, gated, batcher, pool

    def ask(self, image: bytes) -> "Future[Response]":
        """Ask for matches in a thread, and wait until the picture waits."""
        before = self.known
        asked = self._pool.submit(self.client.post, "/match", files={"image": image})
        eventually(lambda: self.known > before or asked.done())
        return asked

    def hold(self) -> "Future[Response]":
        """Have a picture at the closed gate."""
        self.gated.gate.clear()
        asked = self.ask(PICTURES[0])
        self.gated.enter()
        return asked

    @property
    def known(self) -> int:
        """Pictures that the batcher was given and has not answered."""
        with self.batcher._changed:
            taken = sum(len(lane.batch) for lane in self.batcher._lanes if lane.since is not None)
            return len(list(self.batcher._calls)) + taken


@contextmanager
def batched(serve: Serve, *, judged: bool = False, max_waiting: int = 256, **settings: Any) -> Iterator[Batched]:
    """One that is served in the block."""
    gated, batcher = GatedEncoder(), Batcher(max_waiting=max_waiting)
    embedder = batcher.over(tiny_encoder(gated).embedder)
    with ThreadPoolExecutor(16) as pool:
        try:
            client = serve(matcher=matcher_over(embedder, judged=judged), **settings)
            client.get("/healthz")  # every answer is held against the description, which threads cannot make at once
            yield Batched(client, gated, batcher, pool)
        finally:
            gated.gate.set()
            batcher.close()


def said(response: Response) -> Any:
    """An answer but for the time that it took."""
    assert response.status_code == 200, response.text
    return {name: value for name, value in response.json().items() if name != "took_ms"}


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize("few", [0, 2**20])
def test_those_who_ask_at_once_are_embedded_together_and_each_gets_what_it_would_alone(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, few: int, judged: bool
) -> None:
    monkeypatch.setattr("pricematch.matching.matcher._FEW_VALUES", few)
    alone = serve(matcher=matcher_over(tiny_encoder().embedder, judged=judged))
    with batched(serve, judged=judged) as it:
        first = it.hold()
        asked = [it.ask(image) for image in PICTURES]
        it.gated.gate.set()
        for answered, image in zip([first, *asked], [PICTURES[0], *PICTURES], strict=True):
            assert said(answered.result(SAFETY_SECONDS)) == said(alone.post("/match", files={"image": image}))
    assert it.gated.batches == [1, len(PICTURES)]


@pytest.mark.parametrize("judged", [False, True])
def test_several_pictures_of_a_request_are_embedded_at_once_and_a_bad_one_fails_alone(
    serve: Serve, judged: bool
) -> None:
    alone = serve(matcher=matcher_over(tiny_encoder().embedder, judged=judged))
    files = [("images", image) for image in (*PICTURES[:3], b"no picture")]
    with batched(serve, judged=judged) as it:
        assert said(it.client.post("/match", files=files)) == said(alone.post("/match", files=files))
    assert it.gated.batches == [3]


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize(
    ("image", "query"),
    [(b"no picture", ""), (PICTURES[0], "?encoder=cnn"), (PICTURES[0], "?target=f1&min_similarity=2")],
)
def test_what_cannot_be_answered_has_the_same_problem(serve: Serve, judged: bool, image: bytes, query: str) -> None:
    alone = serve(matcher=matcher_over(tiny_encoder().embedder, judged=judged))
    with batched(serve, judged=judged) as it:
        found, expected = (one.post(f"/match{query}", files={"image": image}) for one in (it.client, alone))
        assert (found.status_code, found.json()) == (expected.status_code, expected.json())
        assert found.status_code >= 400
    assert it.gated.batches == []


def test_fault_39_one_that_takes_too_long_is_answered_504_and_encoded_no_more(serve: Serve) -> None:
    with batched(serve, request_seconds=0.2) as it:
        first = it.hold()
        late = it.ask(PICTURES[1])
        for asked in (first, late):
            assert_problem(asked.result(SAFETY_SECONDS), 504, "deadline-exceeded")
        it.gated.gate.set()
        assert it.client.post("/match", files={"image": PICTURES[2]}).status_code == 200
    assert it.gated.batches == [1, 1]


def test_fault_37_one_that_finds_too_many_waiting_is_turned_away_and_those_who_wait_are_answered(serve: Serve) -> None:
    with batched(serve, max_waiting=1) as it:
        asked = [it.hold(), it.ask(PICTURES[1])]
        assert_problem(it.client.post("/match", files={"image": PICTURES[2]}), 429, "overloaded")
        it.gated.gate.set()
        assert [one.result(SAFETY_SECONDS).status_code for one in asked] == [200, 200]


def test_fault_37_a_request_counts_as_in_flight_while_its_picture_is_embedded(serve: Serve) -> None:
    with batched(serve, max_in_flight=2) as it:
        asked = [it.hold(), it.ask(PICTURES[1])]
        assert_problem(it.client.post("/match", files={"image": PICTURES[2]}), 429, "overloaded")
        it.gated.gate.set()
        assert [one.result(SAFETY_SECONDS).status_code for one in asked] == [200, 200]
        assert it.client.post("/match", files={"image": PICTURES[2]}).status_code == 200
