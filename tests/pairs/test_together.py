"""Evidence of pairs of new postings, against a catalogue that really holds them."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.reference import PROPOSED, SIGNALS, Reference
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.pairs.side import Side
from tests.support.drawn import drawn

OF_PICTURES = ("hash", "image")
WEIGHTED = {"shared_weight", "apart_low", "apart_high", "shared_of_shorter", "shared_of_longer", "rarest_shared"}
"""What depends on how many titles of the catalogue hold a word; so do the spaces of titles."""


def split(count: int, new: int, seed: int, signals: Sequence[str]) -> tuple[Reference, Reference, Side]:
    """A catalogue, the same without its `new` last postings, and these as one new side."""
    whole = drawn(count, seed)
    stored = Reference(whole.select(np.arange(count - new)), signals)
    side, _, _ = stored.describe(ParsedFeatures.of(whole.select(np.arange(count - new, count))))
    return Reference(whole, signals), stored, side


def every_pair(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count, 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("new", [2, 7, 40])
def test_new_postings_have_the_evidence_they_have_as_postings_of_the_catalogue(seed: int, new: int) -> None:
    full, stored, side = split(60, new, seed, SIGNALS)
    side, _, _ = stored.together(side)
    lines, rows = every_pair(new)
    asked = dict(zip(stored.features, stored.evidence(side, lines, rows, side).T, strict=True))
    first = len(stored)
    held = dict(zip(full.features, full.evidence(full.side, first + lines, first + rows).T, strict=True))
    for name, values in asked.items():
        if name not in WEIGHTED and not name.startswith(("words_", "grams_", "blend_")):
            np.testing.assert_allclose(values, held[name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_candidates_among_new_postings_are_those_of_a_catalogue_that_holds_them(seed: int) -> None:
    full, stored, side = split(PROPOSED + 70, 40, seed, OF_PICTURES)
    _, lines, rows = stored.together(side)
    found = set(zip((lines + len(stored)).tolist(), (rows + len(stored)).tolist(), strict=True))
    every = set(zip(*(ends.tolist() for ends in full.pairs()), strict=True))
    held = {pair for pair in every if pair[0] >= len(stored)}
    assert held <= found  # beyond them only what ties with the last that is proposed
    assert len(found - held) <= len(held) / 50
    assert len(held) < 40 * 39 / 2
    assert (lines < rows).all()
    assert (np.diff(lines.astype(np.int64) * 40 + rows) > 0).all()


def test_a_pair_says_the_same_from_both_sides() -> None:
    _, stored, side = split(60, 20, 0, SIGNALS)
    side, _, _ = stored.together(side)
    lines, rows = every_pair(20)
    one, other = (stored.evidence(side, *ends, side) for ends in ((lines, rows), (rows, lines)))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=2e-6)


def test_equal_hashes_and_titles_of_new_postings_and_of_the_catalogue_are_counted() -> None:
    stored = Reference(Features.of(["kopi", "kopi", "teh"], ["0" * 16, None, "f" * 16]), ("hash", "title"))
    new = Features.of(["kopi", "kopi", "gula", ""], ["0" * 16, "0" * 16, "f" * 16, None])
    side, _, _ = stored.together(stored.describe(ParsedFeatures.of(new))[0])
    found = dict(zip(stored.features, stored.evidence(side, *every_pair(4), side).T, strict=True))
    pairs = list(zip(*(ends.tolist() for ends in every_pair(4)), strict=True))
    told = {name: dict(zip(pairs, found[name].tolist(), strict=True)) for name in found}
    assert (told["hash_repeats_low"][0, 1], told["hash_repeats_high"][0, 1]) == (3, 3)  # one stored, two new
    assert (told["hash_repeats_low"][0, 2], told["hash_repeats_high"][0, 2]) == (2, 3)
    assert (told["title_repeats_low"][0, 1], told["title_repeats_high"][0, 1]) == (4, 4)  # two stored, two new
    assert (told["title_repeats_low"][1, 2], told["title_repeats_high"][1, 2]) == (1, 4)
    assert np.isnan(told["hash_repeats_low"][0, 3])
    assert np.isnan(told["title_repeats_low"][0, 3])
    assert set(found["catalogue_size"].tolist()) == {np.float32(np.log(7))}


def test_from_where_a_new_posting_stands_the_others_are_nearer_than_what_is_stored() -> None:
    stored = Reference(Features.of(["", "kopi"], [f"{7:016x}", "0" * 16]), ("hash", "title"))
    new = Features.of(["kopi", "teh", "teh", "kopi"], [f"{value:016x}" for value in (0, 1, 3, 0)])
    side, _, _ = stored.describe(ParsedFeatures.of(new))
    for seen, ranks, repeats in ((side, [0, 1], [2, 2]), (stored.together(side)[0], [0, 4], [3, 3])):
        found = dict(zip(stored.features, stored.evidence(seen, np.array([0, 0]), np.array([0, 1])).T, strict=True))
        # three bits from the first stored one: nearer are the second, and where they are known all the others
        assert [found["hash_rank_low"][0], found["hash_rank_high"][0]] == ranks
        # equal to the second stored one: it and the last new one, where that is known
        for name in ("hash_repeats", "title_repeats"):
            assert [found[f"{name}_low"][1], found[f"{name}_high"][1]] == repeats


def test_one_alone_is_seen_as_before() -> None:
    _, stored, side = split(60, 1, 0, SIGNALS)
    together, lines, _ = stored.together(side)
    pairs = np.zeros(59, np.intp), np.arange(59)
    assert len(lines) == 0
    np.testing.assert_array_equal(stored.evidence(together, *pairs), stored.evidence(side, *pairs))


@pytest.mark.parametrize("signals", [("hash",), ("title",), ("image",), SIGNALS])
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("new", [0, 1, 2])
def test_next_to_nothing_is_seen_together(signals: Sequence[str], count: int, new: int) -> None:
    stored = Reference(drawn(count, lacking=0), signals)
    postings: Features = drawn(new, seed=4, lacking=0)
    side, lines, rows = stored.together(stored.describe(ParsedFeatures.of(postings))[0])
    assert len(lines) == len(rows) <= max(0, new - 1)
    assert stored.evidence(side, lines, rows, side).shape == (len(lines), len(stored.features))
