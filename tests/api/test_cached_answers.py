"""Answers that are kept in memory against those of a service that keeps none."""

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.support.applications import SCENE, judged_matcher, make_app
from tests.support.contract import client_of
from tests.support.fakes import image_bytes, tiny_matcher

OFF: dict[str, Any] = {"max_cached_feature_bytes": 0, "max_cached_result_bytes": 0}
IDS = ["scene", "twin", "worded", "p0", "p1"]
TITLES = ["Kopi Susu 200 ml", "kopi susu 500 ml", "teh manis"]
IMAGES = [SCENE, image_bytes("red")]


def ask(client: TestClient, rng: np.random.Generator) -> Any:
    """A change or a question that the generator picks, and what the client gets."""
    posting_id, other = (str(it) for it in rng.choice(IDS, 2, replace=False))
    title, image = str(rng.choice(TITLES)), IMAGES[rng.integers(len(IMAGES))]
    params: dict[str, str | int] = {"limit": int(rng.integers(1, 4)), "cursor": str(rng.integers(2))}
    match rng.integers(10):
        case 0:
            response = client.put(f"/postings/{posting_id}", data={"title": title}, files={"image": image})
        case 1:
            response = client.delete(f"/postings/{posting_id}")
        case 2:
            decision = str(rng.choice(["same", "different"]))
            response = client.put(f"/verdicts/{posting_id}/{other}", json={"verdict": decision})
        case 3 | 4:
            response = client.post("/match", data={"title": title}, params=params)
        case 5 | 6:
            response = client.post("/match", files={"image": image}, params=params)
        case 7:
            response = client.post("/match", data={"title": title}, files={"image": image}, params=params)
        case _:
            response = client.get(f"/postings/{posting_id}/matches", params=params)
    return response.status_code, {name: value for name, value in response.json().items() if name != "took_ms"}


@pytest.mark.parametrize("make", [judged_matcher, tiny_matcher])
def test_kept_answers_are_those_that_would_be_computed(make: Any) -> None:
    """Whatever changes between the questions: postings, their images, feedback."""
    with client_of(make_app(matcher=make())) as kept, client_of(make_app(matcher=make(), **OFF)) as computed:
        statuses = set()
        for seed in range(150):
            answers = [ask(client, np.random.default_rng(seed)) for client in (kept, computed)]
            assert answers[0] == answers[1], seed
            statuses.add(answers[0][0])
        assert statuses >= {200, 201, 404}
        counted = kept.get("/metrics").text
        assert 'pricematch_cache_lookups_total{cache="results",namespace="default",outcome="hit"} 0.0' not in counted
