"""Evidence of pairs, against loops over what two postings carry."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.rank_features import STANDING
from pricematch.pairs.reference import PROPOSED, SIGNALS, Reference, feature_names
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.pairs.title_features import WORDS
from pricematch.titles.comparison import SUMMARY
from pricematch.titles.normalise import parse_title
from tests.support.drawn import drawn

POSTINGS = drawn(70)
EVERY = ("hash", "title", "image")
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(SIGNALS, size)]


def named(
    reference: Reference, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> dict[str, NDArray[np.float32]]:
    found = reference.evidence(reference.side, lines, rows)
    return dict(zip(reference.features, found.T, strict=True))


def every_pair(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(count, 1)


@pytest.mark.parametrize("signals", SUBSETS)
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_there_are_as_many_columns_as_names(signals: Sequence[str], count: int) -> None:
    reference = Reference(drawn(count), signals)
    lines, rows = reference.pairs()
    names = feature_names(signals)
    assert len(set(names)) == len(names)
    assert reference.evidence(reference.side, lines, rows).shape == (len(lines), len(names))
    side, new_lines, new_rows = reference.describe(ParsedFeatures.of(drawn(3, seed=5)))
    assert reference.evidence(side, new_lines, new_rows).shape == (len(new_lines), len(names))


def test_a_pair_says_the_same_from_both_sides() -> None:
    reference = Reference(POSTINGS, EVERY)
    lines, rows = every_pair(len(POSTINGS))
    one, other = named(reference, lines, rows), named(reference, rows, lines)
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-6, atol=2e-6, err_msg=name)


def test_candidates_are_whoever_a_similarity_proposes_from_one_side_at_least() -> None:
    reference = Reference(POSTINGS, EVERY)
    lines, rows = reference.pairs()
    found = set(zip(lines.tolist(), rows.tolist(), strict=True))
    proposed = set()
    for space in reference._spaces.values():
        for line, places in enumerate(space.nearest(PROPOSED).rows.tolist()):
            proposed |= {(min(line, row), max(line, row)) for row in places if row >= 0}
    assert found == proposed
    assert (np.diff(lines.astype(np.int64) * len(POSTINGS) + rows) > 0).all()


def naive_standing(similarity: float, own: list[list[float]], tie: float) -> list[float]:
    """`STANDING` of one pair from the similarities of all neighbours of both ends, this pair among them or not."""
    ranks, leads, above = [], [], []
    for neighbours in own:
        nearest = sorted(neighbours, reverse=True)[:100]
        ranks.append(sum(value > similarity + tie for value in nearest))
        others = list(nearest)
        if others and similarity >= others[0] - 2e-6:
            others.pop(0)  # the pair itself
        leads.append(similarity - max([*others, -1.0]))
        above.append(similarity - sum(nearest[:10]) / len(nearest[:10]) if nearest else np.nan)
    return [similarity, min(ranks), max(ranks), min(leads), max(leads), float(np.min(above)), float(np.max(above))]


@pytest.mark.parametrize("name", ["hash", "words", "grams", "blend", "image"])
def test_ranks_leads_and_crowds_are_those_of_a_loop(name: str) -> None:
    reference = Reference(POSTINGS, EVERY)
    lines, rows = every_pair(len(POSTINGS))
    found = named(reference, lines, rows)
    space, count = reference._spaces[name], len(POSTINGS)
    grid = np.indices((count, count)).reshape(2, -1)
    similarities = space.similarities(space.own, space.own, *grid).reshape(count, count).astype(np.float64)
    for pair, (line, row) in enumerate(zip(lines, rows, strict=True)):
        of_pair = [float(found[f"{name}_{what}"][pair]) for what in STANDING]
        if np.isnan(similarities[line, row]):
            assert np.isnan(of_pair).all()
            continue
        own = [[similarities[end, k] for k in range(count) if k != end and similarities[end, k] >= space.least]
               for end in (line, row)]  # fmt: skip
        strict, lenient = (naive_standing(similarities[line, row], own, tie) for tie in (4e-6, -1e-6))
        ranks = slice(1, 3)  # what is nearer by a rounding may count or not
        assert (np.less_equal(strict[ranks], of_pair[ranks]) & np.less_equal(of_pair[ranks], lenient[ranks])).all()
        of_pair[ranks] = strict[ranks]
        np.testing.assert_allclose(of_pair, strict, atol=3e-6)


def test_what_a_posting_lacks_is_told_by_no_number() -> None:
    reference = Reference(POSTINGS, EVERY)
    lines, rows = every_pair(len(POSTINGS))
    found = named(reference, lines, rows)
    has = {
        "hash": POSTINGS.hashes.known,
        "words": np.array([bool(parse_title(title).words) for title in POSTINGS.titles]),
        "image": POSTINGS.embeddings["image"].any(axis=1),
        "bytes": POSTINGS.images != 0,
    }
    lacks = {name: ~(known[lines] & known[rows]) for name, known in has.items()}
    for name, columns in {
        "hash": ["hash_similarity", "hash_lead_low", "hash_repeats_low", "hash_repeats_high"],
        "words": ["words_similarity", "words_rank_high", "grams_similarity", *WORDS],
        "image": ["image_similarity", "image_rank_low", "image_above_high", "colours_similarity", "colours_lead_low"],
        "bytes": ["same_image"],
    }.items():
        assert lacks[name].any()
        for column in columns:
            np.testing.assert_array_equal(np.isnan(found[column]), lacks[name], err_msg=column)
    assert not np.isnan(np.column_stack([found[name] for name in SUMMARY])).any()


def test_repeats_and_equalities_are_counted_by_hand() -> None:
    postings = Features.of(
        ["Kopi Susu", "kopi  susu", "Kopi", ""],
        ["0" * 15 + "1", "0" * 15 + "1", "0" * 15 + "3", None],
        images=[b"a" * 32, b"a" * 32, b"b" * 32, None],
    )
    found = named(Reference(postings, ("hash", "title")), *every_pair(4))
    assert found["hash_repeats_low"][:2].tolist() == [2, 1]
    assert found["hash_repeats_high"][:2].tolist() == [2, 2]
    assert found["title_repeats_low"][:2].tolist() == [2, 1]
    assert found["same_title"][:2].tolist() == [1, 0]
    assert found["same_first_word"][:2].tolist() == [1, 1]
    assert found["same_image"][:2].tolist() == [1, 0]
    assert found["characters_high"][:2].tolist() == [10, 9]
    assert (found["catalogue_size"] == np.float32(np.log(4))).all()


WEIGHTED = {"shared_weight", "apart_low", "apart_high", "shared_of_shorter", "shared_of_longer", "rarest_shared"}
"""What depends on how many titles of the catalogue hold a word; so do the spaces of titles."""


@pytest.mark.parametrize("seed", range(3))
def test_a_new_posting_has_the_evidence_it_has_as_one_of_the_catalogue(seed: int) -> None:
    whole = drawn(40, seed)
    newest = len(whole) - 1
    stored, full = Reference(whole.select(np.arange(newest)), EVERY), Reference(whole, EVERY)
    side, lines, rows = stored.describe(ParsedFeatures.of(whole.select(np.array([newest]))))
    asked = dict(zip(stored.features, stored.evidence(side, lines, rows).T, strict=True))
    held = named(full, np.full(len(rows), newest), rows)
    for name, values in asked.items():
        if name not in WEIGHTED and not name.startswith(("words_", "grams_", "blend_")):
            np.testing.assert_allclose(values, held[name], atol=2e-6, err_msg=name)
    assert len(rows) > 0


def test_the_weights_of_words_hardly_change_by_one_more_title() -> None:
    whole = drawn(400, lacking=0)
    newest = len(whole) - 1
    stored, full = Reference(whole.select(np.arange(newest)), ("title",)), Reference(whole, ("title",))
    side, lines, rows = stored.describe(ParsedFeatures.of(whole.select(np.array([newest]))))
    asked = stored.evidence(side, lines, rows)[:, [stored.features.index("grams_similarity")]]
    held = full.evidence(full.side, np.full(len(rows), newest), rows)[:, [stored.features.index("grams_similarity")]]
    np.testing.assert_allclose(asked, held, atol=0.01)


@pytest.mark.parametrize(
    "postings",
    [
        Features.of([""] * 5, [None] * 5),
        Features.of(["kopi"] * 5, ["00000000000000ff"] * 5),
        Features.of(["", "kopi", "teh", "", ""], [None, None, None, "0" * 16, None]),
        Features.of(["k " * 5_000, "kopi" * 2_500, "1" * 10_000, "12ml " * 2_000, "👍" * 10_000], ["f" * 16] * 5),
    ],
    ids=["nothing", "all the same", "little", "long"],
)
def test_odd_catalogues_are_compared(postings: Features) -> None:
    reference = Reference(postings, ("hash", "title"))
    lines, rows = reference.pairs()
    found = reference.evidence(reference.side, *every_pair(5))
    assert (lines < rows).all()
    assert not np.isinf(found).any()
    side, new_lines, new_rows = reference.describe(ParsedFeatures.of(postings))
    assert not np.isinf(reference.evidence(side, new_lines, new_rows)).any()


def test_of_equal_postings_nobody_leads() -> None:
    reference = Reference(Features.of(["kopi"] * 4, ["00000000000000ff"] * 4), ("hash", "title"))
    found = named(reference, *every_pair(4))
    for name in ("hash", "words", "grams"):
        for what, value in zip(STANDING, (1, 0, 0, 0, 0, 0, 0), strict=True):
            np.testing.assert_allclose(found[f"{name}_{what}"], value, atol=1e-6)


def test_titles_that_hold_a_word_are_counted_where_titles_are_a_signal() -> None:
    postings = Features.of(["Kopi Kopi", "kopi", "teh"], [None] * 3)
    assert Reference(postings, ("title",)).titles_with("kopi") == 2
    assert Reference(postings, ("hash",)).titles_with("kopi") == 0
