"""The notebook's sweep: every method at every eps, and its plot."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pricematch.clustering.assignment import METHODS
from pricematch.errors import LimitExceeded
from pricematch.reports.sweep import SweepRecord, best, draw_sweep, sweep
from tests.support.vectors import lattice

EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]
EMBEDDINGS = lattice(150)
GROUPS = np.random.default_rng(0).integers(0, 40, 150)


def clusters_of(labels: NDArray[np.intp]) -> list[set[int]]:
    """The list of each row: its cluster, or itself alone."""
    return [
        {row} | {other for other in range(len(labels)) if labels[other] == labels[row] >= 0}
        for row in range(len(labels))
    ]


def naive_scores(lists: list[set[int]]) -> tuple[float, float, float]:
    """F1, precision and recall, posting by posting."""
    scored = []
    for row, answered in enumerate(lists):
        group = set(np.flatnonzero(GROUPS[row] == GROUPS).tolist())
        right = len(answered & group)
        wrong, missed = len(answered - group), len(group - answered)
        scored.append((right / (right + (wrong + missed) / 2), right / (right + wrong), right / (right + missed)))
    f1, precision, recall = (sum(values) / len(scored) for values in zip(*scored, strict=True))
    return f1, precision, recall


@pytest.mark.filterwarnings("ignore:All reachability values are inf")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("min_samples", [2, 5])
def test_every_record_is_what_scikit_learn_gives_at_its_eps(min_samples: int) -> None:
    from sklearn.cluster import DBSCAN, OPTICS
    from sklearn.metrics.pairwise import cosine_distances

    reported: list[tuple[str, int, int]] = []
    records = sweep(EMBEDDINGS, GROUPS, EVERY_EPS, min_samples, lambda *step: reported.append(step))
    assert reported == [("Sweeping", done, 8) for done in range(9)]
    by_key = {(record.method, record.eps): record for record in records}
    assert len(by_key) == len(records) == 4 * 8
    distances = cosine_distances(EMBEDDINGS.astype(np.float64))
    for eps in EVERY_EPS:
        dbscan = DBSCAN(eps=eps, min_samples=min_samples, metric="cosine").fit_predict(EMBEDDINGS)
        optics = OPTICS(max_eps=eps, min_samples=min_samples, metric="cosine").fit_predict(EMBEDDINGS)
        lists = {"dbscan": clusters_of(dbscan), "optics": clusters_of(optics)}
        lists["nearest"] = [{row} | set(np.flatnonzero(distances[row] < eps).tolist()) for row in range(150)]
        assert max(len(each) for by in lists.values() for each in by) <= 50
        choices = zip(lists["dbscan"], lists["nearest"], lists["optics"], strict=True)
        lists["ensemble"] = [max(choice, key=len) for choice in choices]
        for method, each in lists.items():
            record = next(record for record in records if (record.method, record.eps) == (method, eps))
            assert (record.f1, record.precision, record.recall) == pytest.approx(naive_scores(each), abs=1e-12)
            assert record.noise == sum(len(one) == 1 for one in each)
            assert record.clusters == len({frozenset(one) for one in each if len(one) > 1})


def test_the_best_is_the_first_of_the_highest_f1() -> None:
    records = [
        SweepRecord("dbscan", eps, f1, 1, 1, 0, 0) for eps, f1 in ((0.1, 0.5), (0.2, 0.7), (0.3, 0.7), (0.4, 0.1))
    ]
    assert best(records) is records[1]


def test_more_pairs_than_the_limit_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        sweep(EMBEDDINGS, GROUPS, EVERY_EPS, 2, lambda *_: None, max_pairs=150)


RECORDS = [
    SweepRecord(method, eps, f1 + place / 100, 1, 1, 1, 1)
    for place, method in enumerate(METHODS)
    for eps, f1 in ((0.001, 0.4), (0.002, 0.6), (0.003, 0.5))
]


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_each_method_has_a_line_of_its_own_colour() -> None:
    colours = {tuple(colour) for colour in pixels(draw_sweep(RECORDS, 9)).reshape(-1, 3).tolist()}
    alone = {tuple(colour) for colour in pixels(draw_sweep(RECORDS[:3], 9)).reshape(-1, 3).tolist()}
    assert len(colours) > len(alone)


def test_the_same_records_give_the_same_bytes_and_others_do_not() -> None:
    assert (
        draw_sweep(RECORDS, 9) == draw_sweep(RECORDS, 9) != draw_sweep(RECORDS[::2], 9) != draw_sweep(RECORDS[::2], 8)
    )


def test_one_eps_and_one_method_is_an_image_too() -> None:
    assert pixels(draw_sweep(RECORDS[:1], 9)).min() == 0
