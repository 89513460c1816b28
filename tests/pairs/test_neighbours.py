"""Ranks of pairs among nearest neighbours, and similarities scaled by these, against naive sorted lists."""

import numpy as np
import pytest

from pricematch.pairs.feature_names import SCALED, pair_feature_names
from pricematch.pairs.neighbours import Neighbours, rank_features, scaled_similarities
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from tests.support.catalogues import drawn

CROWD, SPARSEST = 20, 0.02
STEPS = np.array([-np.inf, -0.5, 0.0, 0.01, 0.25, 0.5, 0.5, 1.0])


def table(rng: np.random.Generator, width: int) -> np.ndarray:
    """Similarities of the neighbours of nine postings by two retrievers; the first posting has none."""
    found = np.sort(rng.choice(STEPS, (2, 9, width)), axis=2)[:, :, ::-1].copy()
    found[:, 0] = -np.inf
    return found


def naive_crowd(nearest: list[float], more: float | None) -> float:
    """The mean of the 20 highest, what is lacking or below 0 being 0."""
    values = sorted([max(value, 0.0) for value in [*nearest, *([] if more is None else [more])]], reverse=True)
    return max(sum(values[:CROWD]) / CROWD, SPARSEST)


@pytest.mark.parametrize("width", [20, 35])
@pytest.mark.parametrize("further", [False, True])
def test_a_crowd_is_the_mean_of_the_twenty_nearest(width: int, further: bool) -> None:
    """Of those that there are, and of one neighbour more, which takes the place of the last."""
    rng = np.random.default_rng(width)
    similarities = table(rng, width)
    neighbours, rows = Neighbours.of(similarities), rng.integers(0, 9, 200)
    more = rng.choice(np.array([-0.3, 0.0, 0.2, 0.7, 1.0]), 200) if further else None
    for retriever in (0, 1):
        found = neighbours.crowd(retriever, rows, more)
        naive = [
            naive_crowd(similarities[retriever, row].tolist(), None if more is None else float(more[place]))
            for place, row in enumerate(rows)
        ]
        np.testing.assert_allclose(found, naive, rtol=1e-12)


@pytest.mark.parametrize("including", [False, True])
def test_a_similarity_is_scaled_by_both_crowds(including: bool) -> None:
    """By their geometric mean; what is not known stays so."""
    rng = np.random.default_rng(3)
    tables = [table(rng, 25), table(rng, 25)]
    left, right = (Neighbours.of(values) for values in tables)
    rows = rng.integers(0, 9, (2, 300))
    similarity = rng.choice(np.array([-0.2, 0.0, 0.3, 0.5, 1.0, np.nan], np.float32), 300)
    found = scaled_similarities(similarity, 1, left, right, *rows, including=including)
    assert found.dtype == np.float32
    for value, one, other, scaled in zip(similarity.tolist(), *rows, found.tolist(), strict=True):
        if np.isnan(value):
            assert np.isnan(scaled)
            continue
        crowds = (
            naive_crowd(tables[0][1, one].tolist(), None),
            naive_crowd(tables[1][1, other].tolist(), value if including else None),
        )
        assert scaled == pytest.approx(value / np.sqrt(crowds[0] * crowds[1]), rel=1e-6)


def test_both_orders_of_a_pair_scale_alike() -> None:
    """Left and right may be exchanged where both know each other."""
    rng = np.random.default_rng(4)
    left, right = (Neighbours.of(table(rng, 30)) for _ in range(2))
    rows, similarity = rng.integers(0, 9, (2, 50)), rng.random(50).astype(np.float32)
    one = scaled_similarities(similarity, 0, left, right, rows[0], rows[1], including=False)
    other = scaled_similarities(similarity, 0, right, left, rows[1], rows[0], including=False)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("signals", [("image",), ("hash", "title", "image")])
@pytest.mark.parametrize("count", [4, 15, 20, 21, 60])
def test_a_query_is_scaled_as_if_the_catalogue_held_it(signals: tuple[str, ...], count: int) -> None:
    """Smaller catalogues than a crowd too; its right ends do not include it yet."""
    whole = drawn(count, 7)
    stored = PairFeatureExtractor(whole.select(np.arange(count - 1)), signals)
    full = PairFeatureExtractor(whole, signals)
    query, _, _ = stored.profiles(ParsedFeatures.of(whole.select(np.arange(count - 1, count))))
    others = np.arange(count - 1)
    asked = stored.features(query, np.zeros(count - 1, np.intp), others, stored.own)
    held = full.features(full.own, np.full(count - 1, count - 1), others)
    assert stored.names[-1] == SCALED
    np.testing.assert_allclose(asked[:, -1], held[:, -1], rtol=2e-5, atol=2e-6)


def test_an_image_stands_out_from_a_crowd_by_as_much_whatever_its_encoder() -> None:
    """Two encoders of which one gives half the cosines of the other: scaled they say the same."""
    rng = np.random.default_rng(5)
    similarities = np.sort(rng.uniform(0.2, 1, (1, 9, 30)), axis=2)[:, :, ::-1].copy()
    rows, values = rng.integers(0, 9, (2, 40)), rng.random(40).astype(np.float32)
    found = []
    for share in (1.0, 0.5):
        neighbours, scaled = Neighbours.of(similarities * share), (values * share).astype(np.float32)
        found.append(scaled_similarities(scaled, 0, neighbours, neighbours, *rows, including=False))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_models_of_earlier_versions_do_without() -> None:
    """It is the last feature, and of images only."""
    names = pair_feature_names(("hash", "image"))
    assert names == (*pair_feature_names(("hash", "image"), scaled=False), SCALED)
    assert pair_feature_names(("hash", "title")) == pair_feature_names(("hash", "title"), scaled=False)
    whole = drawn(30, 1)
    one, other = (PairFeatureExtractor(whole, ("hash", "image"), scaled=scaled) for scaled in (True, False))
    left, right = other.candidates
    np.testing.assert_array_equal(one.features(one.own, left, right)[:, :-1], other.features(other.own, left, right))


def naive_end(nearest: list[float], more: float | None, similarity: float) -> list[float]:
    """Rank, lead and height of a similarity among the 5 nearest of one end, with a further one or not."""
    nearest = sorted([*nearest, *([] if more is None else [more])], reverse=True)[:5]
    higher = sum(value > similarity + 2e-6 for value in nearest)
    padded = [*nearest, -np.inf, -np.inf]
    other = padded[1] if similarity >= padded[0] - 2e-6 else padded[0]
    known = [value for value in nearest if np.isfinite(value)]
    density = sum(known) / len(known) if known else np.nan
    return [higher, similarity - max(other, -1), similarity - density]


@pytest.mark.parametrize("least", [None, (-np.inf, 0.5)])
def test_rank_features_are_those_of_sorted_lists(least: tuple[float, float] | None) -> None:
    """By two retrievers, with ties, ends of fewer neighbours, of none, and pairs whose similarity is not known."""
    rng = np.random.default_rng(0)
    steps = np.array([-np.inf, 0.0, 0.25, 0.5, 0.5, 0.75, 1.0])
    tables = [np.sort(rng.choice(steps, (2, 9, 5)), axis=2)[:, :, ::-1].copy() for _ in range(2)]
    tables[0][:, 0], tables[1][:, 0] = -np.inf, -np.inf
    ends = [Neighbours.of(table) for table in tables]
    rows = rng.integers(0, 9, (2, 300))
    similarity = rng.choice(np.array([0, 0.25, 0.4, 0.5, 1, np.nan], np.float32), (2, 300))
    found = rank_features(similarity, ends[0], ends[1], rows[0], rows[1], None if least is None else np.array(least))
    assert found.shape == (300, 14)
    for retriever in (0, 1):
        lines = found[:, 7 * retriever : 7 * retriever + 7].tolist()
        for value, left, right, line in zip(similarity[retriever].tolist(), *rows, lines, strict=True):
            more = None if least is None else value if value >= least[retriever] else -np.inf
            one = naive_end(tables[0][retriever, left].tolist(), None, value)
            other = naive_end(tables[1][retriever, right].tolist(), more, value)
            both = zip(one, other, strict=True)
            expected = [value, *(float(f(*pair)) for pair in both for f in (np.minimum, np.maximum))]
            np.testing.assert_allclose(line, [np.nan] * 7 if np.isnan(value) else expected, atol=1e-6)
