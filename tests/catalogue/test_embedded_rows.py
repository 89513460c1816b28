"""Embeddings that follow the changes of a catalogue, against ones that are put together anew."""

import random

import numpy as np
import pytest

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.embeddings import Embeddings, unit_rows
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.exact_index import ExactIndex

DIMENSION = 5


def vector(drawn: random.Random) -> Embeddings:
    """[1, d]: one of a few, so that many are equal, a near or an opposite one, or zeros for no picture."""
    if drawn.random() < 0.2:
        return np.zeros((1, DIMENSION), np.float32)
    base = np.random.default_rng(drawn.randrange(4)).standard_normal((1, DIMENSION))
    shift = np.random.default_rng(drawn.randrange(6)).standard_normal((1, DIMENSION)) * drawn.choice([0, 0, 1e-7, 0.5])
    return unit_rows(drawn.choice([-1, 1]) * (base + shift), DIMENSION)


class Stream:
    """Random changes to embedded rows, and beside them what is stored, by id."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)
        self.held: dict[str, Embeddings] = {}
        self.rows = EmbeddedRows(Catalogue([]), np.empty((0, DIMENSION), np.float32))

    def change(self, ids: int, most: int) -> None:
        """Put up to `most` postings, new or not, and remove as many of those that there may be."""
        names = [f"p{number}" for number in range(ids)]
        put = self._drawn.sample(names, self._drawn.randint(0, most))
        removed = self._drawn.sample(names, self._drawn.randint(0, most))
        embeddings = np.concatenate([np.empty((0, DIMENSION), np.float32), *(vector(self._drawn) for _ in put)])
        self.held = {name: found for name, found in self.held.items() if name not in removed}
        self.held |= {name: embeddings[line : line + 1] for line, name in enumerate(put)}
        postings = [Posting(name, None) for name in put]
        self.rows = self.rows.changed(self.rows.catalogue.changed(postings, removed), embeddings)

    def anew(self) -> EmbeddedRows:
        """The same postings in some order of rows, as if they had all been there from the start."""
        names = self._drawn.sample(list(self.held), len(self.held))
        embeddings = np.concatenate([np.empty((0, DIMENSION), np.float32), *(self.held[name] for name in names)])
        return EmbeddedRows(Catalogue([Posting(name, None) for name in names]), embeddings)


def found(rows: EmbeddedRows, queries: Embeddings, limit: int) -> list[list[tuple[str, float | None]]]:
    answers = ExactIndex(rows).search(queries, limit)
    return [[(match.posting_id, match.similarity) for match in matches] for matches in answers]


@pytest.mark.parametrize("seed", range(8))
def test_after_any_changes_a_search_gives_to_the_bit_what_rows_built_anew_give(seed: int) -> None:
    stream, drawn = Stream(seed), random.Random(seed)
    queries = np.concatenate([vector(drawn) for _ in range(6)])
    for _ in range(25):
        stream.change(40, 8)
        anew = stream.anew()
        for limit in (1, 3, 100):
            assert found(stream.rows, queries, limit) == found(anew, queries, limit)


@pytest.mark.parametrize("seed", range(4))
def test_each_posting_has_its_latest_embedding_and_those_that_are_gone_or_bare_have_none(seed: int) -> None:
    stream = Stream(seed)
    for _ in range(40):
        stream.change(12, 4)
        names = [f"p{number}" for number in range(14)]
        for line, name in zip(stream.rows.embeddings_of(names), names, strict=True):
            expected = stream.held.get(name, np.zeros((1, DIMENSION), np.float32))
            np.testing.assert_array_equal(line, expected[0])
            one = stream.rows.embedding(name)
            assert (one is None) == (not expected.any())
            assert one is None or one.tolist() == expected.tolist()
        by_id = [stream.rows.catalogue[row].posting_id for row in stream.rows.by_id()]
        assert by_id == sorted(name for name, embedding in stream.held.items() if embedding.any())


def test_rows_of_before_a_change_go_on_giving_what_they_gave() -> None:
    stream, queries = Stream(3), np.concatenate([vector(random.Random(seed)) for seed in range(5)])
    kept = []
    for _ in range(30):
        stream.change(30, 6)
        kept.append((stream.rows, found(stream.rows, queries, 9)))
    assert [found(rows, queries, 9) for rows, _ in kept] == [before for _, before in kept]


def test_where_all_are_gone_nothing_is_found() -> None:
    catalogue = Catalogue([Posting("a", None), Posting("b", None)])
    rows = EmbeddedRows(catalogue, np.eye(2, dtype=np.float32))
    empty = rows.changed(catalogue.changed([], ["a", "b"]), np.empty((0, 2), np.float32))
    assert found(empty, np.eye(2, dtype=np.float32), 5) == [[], []]
    assert (empty.by_id().tolist(), empty.known.tolist(), empty.dimension) == ([], [False, False], 2)


def test_as_many_embeddings_as_rows_are_asked_for() -> None:
    catalogue = Catalogue([Posting("a", None)])
    with pytest.raises(ValueError, match="expected embeddings of 1 rows, got 2"):
        EmbeddedRows(catalogue, np.eye(2, dtype=np.float32))
    rows = EmbeddedRows(catalogue, np.eye(1, 2, dtype=np.float32))
    with pytest.raises(ValueError, match="expected embeddings of 2 rows, got 1"):
        rows.changed(catalogue.changed([Posting("b", None)], []), np.empty((0, 2), np.float32))
