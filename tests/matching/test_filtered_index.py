"""Candidates among some postings of a match index, against a naive search of all of them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.formats.default_matcher import read_default
from pricematch.matching.index import MatchIndex
from pricematch.pairs import candidate_pairs, pair_features
from pricematch.pairs.graph_features import ProbabilityRows, graph_features, probability_matrix
from pricematch.pairs.image_retrievers import MAX_DISTANCE
from pricematch.pairs.offset_model import narrowed
from tests.support.catalogues import drawn, word

pytestmark = pytest.mark.slow

MODEL = read_default().model
COUNT, FEW = 90, 3
POSTINGS = drawn(COUNT + 20, seed=5)
TITLES = ("words", "grams", "blend")
LEAST = {"hash": 1 - MAX_DISTANCE / 64, "words": 5e-7, "grams": 5e-7, "blend": 5e-7, "image": -2, "colours": -2}


@pytest.fixture(autouse=True)
def _few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few that most postings are none."""
    take(FEW, monkeypatch)


def take(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (candidate_pairs, pair_features):
        monkeypatch.setattr(module, "TOP_K", count)


def index_of(added: Sequence[int], gone: Sequence[int]) -> MatchIndex:
    """Some postings scored together, so many that came in each of some steps, and without some."""
    first = COUNT - sum(added)
    index = MatchIndex.build(POSTINGS.select(np.arange(first)), MODEL)
    for count in added:
        index = index.with_added(POSTINGS.select(np.arange(first, first + count)))
        first += count
    return index.without(np.array(gone, np.intp))


INDICES = [((), ()), ((), (3, 7, 40)), ((20, 1, 9), ()), ((30, 10), (0, 5, 61, 62, 88))]


def masks(index: MatchIndex, seed: int) -> list[NDArray[np.bool_]]:
    """Rows that are there of which all, none, one, few or most are allowed."""
    rng = np.random.default_rng(seed)
    one = np.zeros(index.span, np.bool_)
    one[rng.choice(np.flatnonzero(index.alive))] = True
    some = [index.alive & (rng.random(index.span) < share) for share in (0.05, 0.2, 0.5, 0.9)]
    return [index.alive.copy(), np.zeros(index.span, np.bool_), one, *some]


def naive_candidates(index: MatchIndex, similarities: dict[str, NDArray[np.float32]], own: Features) -> set[int]:
    """Candidates of one posting, given its similarities to all rows; NaN or −inf where one is not allowed."""
    found, n = set[int](), len(index.extractor)
    allowed = np.isfinite(next(iter(similarities.values())))
    for name, values in similarities.items():
        near = [(-float(value), row) for row, value in enumerate(values) if value >= LEAST[name]]
        # cosines of titles are rounded: those of the base in float64, which tells them from a later one's float32
        base = sorted((round(value, 6) if name in TITLES else value, row) for value, row in near if row < n)[:FEW]
        later = [it for it in near if it[1] >= n]
        last = [value for value, _ in sorted([*base, *later])[:FEW]]
        found |= {row for _, row in base}
        found |= {row for value, row in later if value <= last[-1]}
    return found | naive_equal(own, allowed, n)


def naive_equal(own: Features, allowed: NDArray[np.bool_], n: int) -> set[int]:
    """Rows of the base that are allowed and have the posting's hash, or its title, where these are many."""
    found = set[int]()
    hashes, words = POSTINGS.hashes, [" ".join(title.split()) for title in POSTINGS.titles]
    for known, same in (
        (bool(own.hashes.known[0]), lambda row: hashes.known[row] and hashes.values[row] == own.hashes.values[0]),
        (bool(own.titles[0].strip()), lambda row: words[row] == " ".join(own.titles[0].split())),
    ):
        equal = {row for row in range(n) if known and allowed[row] and same(row)}
        found |= equal if len(equal) > FEW else set()
    return found


def one_more(index: MatchIndex, own: int, known: dict[int, float], row: int, first: float) -> NDArray[np.float32]:
    """Graph features of a pair, of the whole matrix of pairs with that one more; `known` are those of the posting."""
    every = index.pairs
    theirs = {other: score for other, score in known.items() if other != row}
    more = np.array([[own, other] for other in theirs], np.int32).reshape(-1, 2)
    stored = (every.left != own) & (every.right != own)
    left, right = (
        np.concatenate([ends[stored], extra]) for ends, extra in ((every.left, more[:, 0]), (every.right, more[:, 1]))
    )
    scores = np.concatenate([every.first[stored], list(theirs.values())])
    span = max(index.span, own + 1)
    matrix = probability_matrix(np.append(left, own), np.append(right, row), np.append(scores, first), span)
    return graph_features(ProbabilityRows.of(matrix), np.array([own]), np.array([row]), np.array([first]))


def expected_of(
    index: MatchIndex,
    own: int,
    known: dict[int, float],
    allowed: NDArray[np.bool_],
    features: NDArray[np.float32],
    posting: Features,
) -> dict[int, float]:
    """The probability of each candidate that is allowed, given the pair features [span] of the posting and all rows."""
    names = index.extractor.names
    chosen = set(known)
    if not all(allowed[row] for row in known):
        similarities = {
            name: np.where(allowed, features[:, names.index(f"{name}_similarity")], -np.inf) for name in LEAST
        }
        chosen |= naive_candidates(index, similarities, posting)
    found = {}
    for row in sorted(chosen):
        if allowed[row] and row != own:
            first = known[row] if row in known else float(index.model.first.predict(features[[row]])[0])
            graph = one_more(index, own, known, row, first)
            found[row] = float(index.model.predict_proba(np.concatenate([features[[row]], graph], axis=1))[0])
    return found


@pytest.mark.parametrize(("added", "gone"), INDICES)
def test_a_query_among_some_postings_is_a_naive_search(
    added: Sequence[int], gone: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pair as probable as if it were one candidate more of the whole catalogue."""
    index, more = index_of(added, gone), 0
    for number in range(COUNT, COUNT + 20):
        posting = POSTINGS.select(np.array([number]))
        plain = index.query(posting)
        known = dict(zip(plain.pairs.right.tolist(), plain.pairs.first.tolist(), strict=True))
        take(COUNT, monkeypatch)
        whole = index.query(posting)
        take(FEW, monkeypatch)
        features = np.full((index.span, len(index.extractor.names)), np.nan, np.float32)
        features[whole.pairs.right] = whole.features.values[:, : features.shape[1]]
        for allowed in masks(index, number):
            found = index.query_among(posting, allowed)
            count = len(plain.pairs)
            assert (found.pairs.right[:count] == plain.pairs.right).all()
            assert (found.pairs.probabilities[:count] == plain.pairs.probabilities).all()
            assert (found.features.probabilities == found.pairs.probabilities).all()
            assert allowed[found.pairs.right[count:]].all()
            pairs = zip(found.pairs.right.tolist(), found.pairs.probabilities.tolist(), strict=True)
            expected = expected_of(index, index.span, known, allowed, features, posting)
            assert {row: it for row, it in pairs if allowed[row]} == pytest.approx(expected, abs=1e-5)
            more += len(found.pairs) - count
    assert more > 100


@pytest.mark.parametrize(("added", "gone"), INDICES)
def test_a_stored_posting_among_some_is_a_naive_search(added: Sequence[int], gone: Sequence[int]) -> None:
    index, more = index_of(added, gone), 0
    every = index.base.joined(index.added)
    for own in np.flatnonzero(index.alive)[::4].tolist():
        others = np.flatnonzero(index.alive & (np.arange(index.span) != own))
        features = np.full((index.span, len(index.extractor.names)), np.nan, np.float32)
        features[others] = index.pair_features(np.full(len(others), own), others)
        rows, _ = index.candidates_of(own)
        ends = zip(every.left.tolist(), every.right.tolist(), every.first.tolist(), strict=True)
        known = {one + other - own: first for one, other, first in ends if own in (one, other)}
        known = {row: known[row] for row in rows.tolist()}
        for allowed in masks(index, own):
            found, probabilities = index.more_of(own, allowed)
            assert set(found.tolist()).isdisjoint([own, *known])
            rows, scores = index.candidates_of(own)
            kept = {row: it for row, it in zip(rows.tolist(), scores.tolist(), strict=True) if allowed[row]}
            got = kept | dict(zip(found.tolist(), probabilities.tolist(), strict=True))
            expected = expected_of(index, own, known, allowed, features, POSTINGS.select(np.array([own])))
            assert set(got) == set(expected)
            assert {row: got[row] for row in found.tolist()} == pytest.approx(
                {row: expected[row] for row in found.tolist()}, abs=1e-5
            )
            more += len(found)
    assert more > 100


def test_a_pair_is_as_probable_under_every_filter() -> None:
    """Whatever else is allowed beside it; sums of another length are rounded otherwise in their last bits."""
    index = index_of((20, 5), (2, 80))
    for number in range(COUNT, COUNT + 10):
        seen = dict[int, float]()
        for seed in range(12):
            allowed = index.alive & (np.random.default_rng(seed).random(index.span) < 0.3)
            found = index.query_among(POSTINGS.select(np.array([number])), allowed)
            pairs = dict(zip(found.pairs.right.tolist(), found.pairs.probabilities.tolist(), strict=True))
            before = {row: seen.setdefault(row, it) for row, it in pairs.items()}
            assert pairs == pytest.approx(before, rel=1e-12)


def test_all_allowed_postings_of_one_hash_are_candidates() -> None:
    """Of equally near ones only some would be, by their order; so it is without a filter."""
    count = 4 * FEW
    titles = [f"{word(row)} {word(row + 100)}" for row in range(count)]
    index = MatchIndex.build(Features.of(titles, ["0" * 16] * count), narrowed(MODEL, ("hash", "title")))
    query = Features.of([word(500)], ["0" * 16])
    assert set(index.query(query).pairs.right.tolist()) == set(range(count))
    allowed = np.arange(count) % 4 != 0
    assert set(index.query_among(query, allowed).pairs.right.tolist()) >= set(np.flatnonzero(allowed).tolist())
    few = Features.of(titles, ["0" * 16] * FEW + ["f" * 16] * (count - FEW))
    index = MatchIndex.build(few, narrowed(MODEL, ("hash", "title"))).with_added(query)
    assert index.more_of(count, np.arange(count + 1) < FEW - 1)[0].tolist() == []
    allowed = np.arange(count) >= 1
    near = index.extractor.nearest_among(index.extractor.own, count - 1, index.delta, np.append(allowed, False))
    assert set(near.tolist()) >= set(range(FEW, count - 1))
