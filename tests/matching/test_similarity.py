"""Search by similarity, against sorting everything, and of a catalogue that changes, against one built anew."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, EncoderInfo, unit_rows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.queries import Matches
from pricematch.matching.similarity import SimilaritySearch
from tests.support.fakes import tiny_search
from tests.support.vectors import duplicated, lattice, scattered

DIMENSION = 5
Found = Sequence[tuple[str, float | None]]


def search_of(embeddings: Embeddings, order: list[int] | None = None) -> SimilaritySearch:
    """Postings `p00`, `p01` … with these embeddings, in the catalogue in some order of theirs."""
    order = list(range(len(embeddings))) if order is None else order
    catalogue = Catalogue([Posting(f"p{row:02}", None) for row in order])
    return SimilaritySearch.of(EncoderInfo("key", {}, embeddings.shape[1]), catalogue, embeddings[order])


def pairs(found: Matches) -> Found:
    return [(match.posting_id, match.similarity) for match in found]


def nearest(search: SimilaritySearch, queries: Embeddings, limit: int) -> list[Found]:
    """What is found for each query."""
    return [pairs(search.nearest(queries[row : row + 1], limit)) for row in range(len(queries))]


def naive(search: SimilaritySearch, query: NDArray[np.float32], limit: int) -> Found:
    """The same by sorting all postings."""
    found = []
    for posting in search.catalogue:
        if (embedding := search.embedding(posting.posting_id)) is not None:
            cosine = round(float(embedding[0].astype(np.float64) @ query.astype(np.float64)), 12)
            found.append((posting.posting_id, min(1.0, max(-1.0, cosine))))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]


# --- exact search ------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_finds_what_sorting_finds(count: int, limit: int, seed: int) -> None:
    """Ties included: vectors on a lattice have exact products."""
    search = search_of(lattice(count, seed=seed))
    for queries in (lattice(3, seed=seed + 1), search.embeddings[:2]):
        found = nearest(search, queries, limit)
        assert found == [naive(search, query, limit) for query in queries]
        assert {len(matches) for matches in found} == {min(limit, count)}


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_similarities_are_right_to_twelve_decimals(count: int, limit: int, seed: int) -> None:
    """Also where products are rounded, and the postings are the same."""
    search = search_of(duplicated(count, seed=seed))
    for queries in (scattered(3, seed=seed + 1), search.embeddings[:2]):
        for one, query in zip(nearest(search, queries, limit), queries, strict=True):
            other = naive(search, query, limit)
            assert [posting_id for posting_id, _ in one] == [posting_id for posting_id, _ in other]
            assert [value for _, value in one] == pytest.approx([value for _, value in other], abs=2e-12)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 1000), st.sampled_from([3, 8, 61]))
def test_order_of_rows_does_not_matter(count: int, limit: int, seed: int, dimension: int) -> None:
    """In which row a posting is changes not a bit of what is found."""
    embeddings = np.concatenate([duplicated(count, dimension, seed), scattered(count, dimension, seed)])
    order = np.random.default_rng(seed).permutation(2 * count).tolist()
    queries = np.concatenate([embeddings[:2], scattered(2, dimension, seed + 1)])
    one, other = (nearest(search_of(embeddings, places), queries, limit) for places in (None, order))
    assert one == other


def test_equal_embeddings_come_by_their_ids() -> None:
    """Also at the cut."""
    embeddings = np.array([[0, 1], [1, 0], [1, 0], [0.6, 0.8], [1, 0]], np.float32)
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 1, 3]):
        search = search_of(embeddings, order)
        assert pairs(search.nearest(embeddings[1:2], 2)) == [("p01", 1), ("p02", 1)]
        found = [posting_id for posting_id, _ in pairs(search.nearest(embeddings[1:2], 5))]
        assert found == ["p01", "p02", "p04", "p03", "p00"]


def test_float64_decides_where_float32_is_equal() -> None:
    """Rows that float32 products cannot tell apart come by their exact cosine."""
    close = np.nextafter(np.float32(1), np.float32(0))
    search = search_of(np.array([[close, 0, 0.01], [1, 0, 0], [close, 0, 0]], np.float32))
    query = np.array([[1, 1e-9, 0]], np.float32)
    assert [match.posting_id for match in search.nearest(query, 1)] == ["p01"]
    assert [match.posting_id for match in search.nearest(query, 2)] == ["p01", "p00"]


def test_postings_without_an_embedding_are_never_found() -> None:
    """Opposite ones are."""
    search = search_of(np.array([[0, 0], [-1, 0], [0, 0], [0, -1]], np.float32))
    assert pairs(search.nearest(np.array([[1, 0]], np.float32), 9)) == [("p03", 0), ("p01", -1)]


def test_similarities_stay_cosines() -> None:
    """Rounding never leaves −1…1."""
    embeddings = scattered(90, dimension=64)
    for found in nearest(search_of(embeddings), np.concatenate([embeddings, -embeddings]), 90):
        assert all(-1 <= (similarity or 0) <= 1 for _, similarity in found)


def test_limit_and_least_similarity_cut_the_matches() -> None:
    """Of an embedding, and of a stored posting, which is not its own match."""
    search = tiny_search()
    red = search.embeddings[:1]
    assert [match.posting_id for match in search.nearest(red, 1)] == ["p0"]
    assert [match.posting_id for match in search.nearest(red, 100, 0.9)] == ["p0", "p1"]
    assert [match.posting_id for match in search.nearest_of("p0", 100, 0.9)] == ["p1"]


def test_a_stored_posting_has_as_many_matches_as_wanted() -> None:
    """Also among many equal ones, before or behind it."""
    search = tiny_search(["#ff0000"] * 5)
    assert [match.posting_id for match in search.nearest_of("p4", 2)] == ["p0", "p1"]
    assert [match.posting_id for match in search.nearest_of("p0", 2)] == ["p1", "p2"]
    assert [match.posting_id for match in search.nearest_of("p0", 50)] == ["p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("limit", [1, 10])
def test_an_empty_catalogue_has_no_matches(limit: int) -> None:
    """Whatever the limit."""
    assert nearest(search_of(np.empty((0, 3), np.float32)), scattered(2, 3), limit) == [[], []]


# --- a catalogue that changes ------------------------------------------------------------------------------------


def vector(drawn: random.Random) -> Embeddings:
    """[1, d]: one of a few, so that many are equal, a near or an opposite one, or zeros for no image."""
    if drawn.random() < 0.2:
        return np.zeros((1, DIMENSION), np.float32)
    base = np.random.default_rng(drawn.randrange(4)).standard_normal((1, DIMENSION))
    shift = np.random.default_rng(drawn.randrange(6)).standard_normal((1, DIMENSION)) * drawn.choice([0, 0, 1e-7, 0.5])
    return unit_rows(drawn.choice([-1, 1]) * (base + shift), DIMENSION)


class Stream:
    """Random changes to a catalogue, and beside it what is stored, by id."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)
        self.stored: dict[str, Embeddings] = {}
        self.search = search_of(np.empty((0, DIMENSION), np.float32))

    def change(self, ids: int, most: int) -> None:
        """Put up to `most` postings, new or not, and remove as many of those that there may be."""
        names = [f"p{number}" for number in range(ids)]
        put = self._drawn.sample(names, self._drawn.randint(0, most))
        removed = self._drawn.sample(names, self._drawn.randint(0, most))
        embeddings = np.concatenate([np.empty((0, DIMENSION), np.float32), *(vector(self._drawn) for _ in put)])
        self.stored = {name: found for name, found in self.stored.items() if name not in removed}
        self.stored |= {name: embeddings[line : line + 1] for line, name in enumerate(put)}
        postings = [Posting(name, None) for name in put]
        self.search = self.search.changed(self.search.catalogue.changed(postings, removed), embeddings)

    def anew(self) -> SimilaritySearch:
        """The same postings in some order of rows, as if they had all been there from the start."""
        names = self._drawn.sample(list(self.stored), len(self.stored))
        embeddings = np.concatenate([np.empty((0, DIMENSION), np.float32), *(self.stored[name] for name in names)])
        return SimilaritySearch.of(self.search.encoder, Catalogue([Posting(name, None) for name in names]), embeddings)


@pytest.mark.parametrize("seed", range(8))
def test_a_changed_search_equals_one_built_anew(seed: int) -> None:
    """To the bit, after any changes."""
    stream, drawn = Stream(seed), random.Random(seed)
    queries = np.concatenate([vector(drawn) for _ in range(6)])
    for _ in range(25):
        stream.change(40, 8)
        anew = stream.anew()
        for limit in (1, 3, 100):
            assert nearest(stream.search, queries, limit) == nearest(anew, queries, limit)


@pytest.mark.parametrize("seed", range(4))
def test_each_posting_has_its_latest_embedding(seed: int) -> None:
    """Those that are gone or have no image have none."""
    stream = Stream(seed)
    for _ in range(40):
        stream.change(12, 4)
        names = [f"p{number}" for number in range(14)]
        for row, name in zip(stream.search.embeddings_of(names), names, strict=True):
            expected = stream.stored.get(name, np.zeros((1, DIMENSION), np.float32))
            np.testing.assert_array_equal(row, expected[0])
            one = stream.search.embedding(name)
            assert (one is None) == (not expected.any())
            assert one is None or one.tolist() == expected.tolist()
        by_id = [stream.search.catalogue[row].posting_id for row in stream.search.by_id]
        assert by_id == sorted(name for name, embedding in stream.stored.items() if embedding.any())


def test_a_search_never_changes() -> None:
    """Whatever is made of it, its own answers stay."""
    stream, queries = Stream(3), np.concatenate([vector(random.Random(seed)) for seed in range(5)])
    seen = []
    for _ in range(30):
        stream.change(30, 6)
        seen.append((stream.search, nearest(stream.search, queries, 9)))
    assert [nearest(search, queries, 9) for search, _ in seen] == [before for _, before in seen]


def test_removing_all_leaves_nothing() -> None:
    """Rows stay, but none of them is known."""
    search = search_of(np.eye(2, dtype=np.float32))
    empty = search.changed(search.catalogue.changed([], ["p00", "p01"]), np.empty((0, 2), np.float32))
    assert nearest(empty, np.eye(2, dtype=np.float32), 5) == [[], []]
    assert (empty.by_id.tolist(), empty.known.tolist()) == ([], [False, False])


def test_as_many_embeddings_as_rows_are_expected() -> None:
    """At the start and at every change."""
    catalogue, info = Catalogue([Posting("a", None)]), EncoderInfo("key", {}, 2)
    with pytest.raises(ValueError, match="expected embeddings of 1 rows, got 2"):
        SimilaritySearch.of(info, catalogue, np.eye(2, dtype=np.float32))
    search = SimilaritySearch.of(info, catalogue, np.eye(1, 2, dtype=np.float32))
    with pytest.raises(ValueError, match="expected embeddings of 2 rows, got 1"):
        search.changed(catalogue.changed([Posting("b", None)], []), np.empty((0, 2), np.float32))


def without_an_image() -> SimilaritySearch:
    """The tiny catalogue after a change: `p1` is gone, `bare` has come without an image, `p3` got that of `p0`."""
    search = tiny_search()
    catalogue = search.catalogue.changed([Posting("bare", None), Posting("p3", "p0.png")], ["p1"])
    return search.changed(catalogue, np.concatenate([np.zeros((1, 4), np.float32), search.embeddings[:1]]))


def test_a_posting_without_an_embedding_has_no_matches() -> None:
    """Neither has one that is gone, nor one that never was there."""
    search = without_an_image()
    assert [list(search.nearest_of(posting_id, 9)) for posting_id in ("bare", "p1", "p99")] == [[], [], []]


def test_the_graph_has_the_postings_with_an_embedding() -> None:
    """By their ids."""
    search = without_an_image()
    assert [search.catalogue[row].posting_id for row in search.by_id] == ["p0", "p2", "p3", "p4", "p5", "p6"]
    near = search.graph.within(1e-6, 99)
    found = set(zip(near.lines().tolist(), near.rows.tolist(), strict=True))
    assert found == {*((row, row) for row in range(6)), (0, 2), (2, 0)}


def test_similarity_without_an_embedding_is_none() -> None:
    """Of a stored posting, of one that is gone, or of the query."""
    search = without_an_image()
    query = search.embedding("p0")
    rows = np.array([search.catalogue.row("bare"), 1, search.catalogue.row("p3")])
    assert search.similarities(query, rows) == [None, None, pytest.approx(1)]
    assert search.similarities(None, rows) == [None, None, None]


def test_embeddings_of_postings_are_zeros_where_there_is_none() -> None:
    """In the order of the ids, repeated ones too."""
    search = tiny_search()
    found = search.embeddings_of(["p3", "bare", "p0", "p3"])
    np.testing.assert_array_equal(found[[0, 2, 3]], search.embeddings[[3, 0, 3]])
    assert not found[1].any()
    assert search.embeddings_of([]).shape == (0, search.encoder.dimension)
