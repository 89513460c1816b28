"""Postings that are added to a store without images have what a matcher compares."""

from contextlib import closing
from pathlib import Path

import numpy as np
from drawn_postings import add_postings, mixed, read_features

from pricematch.catalogue.features import unit_rows
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.versions import HASHING
from pricematch.store.sqlite.store import open_store
from tests.support.stores import image_bytes, put

SAMPLE, ADDED = 6, 150


def _sample(data: Path) -> Path:
    """A store of the sample's postings, the last of which shows nothing."""
    with closing(open_store(data)) as store:
        puts = [put(f"sample_{row}", image_bytes(row), f"title {row}") for row in range(SAMPLE)]
        store.postings.put(puts)
        digests = [bytes.fromhex(it.posting.image or "") for it in puts]
        draw = np.random.default_rng(1)
        store.computed.keep_embeddings("network", digests, unit_rows(draw.standard_normal((SAMPLE, 8)), 8))
        store.computed.keep_embeddings("colours", digests, unit_rows(draw.random((SAMPLE, 4)), 4))
        hashes = [f"{number:016x}" for number in draw.integers(2**63, size=SAMPLE - 1).tolist()]
        store.computed.keep_hashes(HASHING, digests, [*hashes, ONE_COLOUR])
    return data


def test_added_postings_have_titles_hashes_and_embeddings_under_every_key(tmp_path: Path) -> None:
    """Each is stored under all keys of one embedding, colours stay shares, and every title is told."""
    data = _sample(tmp_path / "data")
    add_postings(data, ADDED, [["network", "network in bfloat16"], ["colours"]])
    found = read_features(data, ["network", "network in bfloat16", "colours"])
    assert len(found.posting_ids) == ADDED  # the sample's lack the second key
    np.testing.assert_array_equal(found.embeddings["network"], found.embeddings["network in bfloat16"])
    assert (found.embeddings["colours"] >= 0).all()
    assert all(found.titles)
    assert found.bits.shape == (ADDED, 64)
    assert len(read_features(data, ["network"]).posting_ids) == ADDED + SAMPLE - 1


def test_the_same_seed_draws_the_same_postings(tmp_path: Path) -> None:
    first, again = (tmp_path / name for name in ("first", "again"))
    found = []
    for data in (first, again):
        add_postings(_sample(data), ADDED, [["network"], ["colours"]])
        found.append(read_features(data, ["network"]))
    assert found[0].titles == found[1].titles
    np.testing.assert_array_equal(found[0].bits, found[1].bits)
    np.testing.assert_array_equal(found[0].embeddings["network"], found[1].embeddings["network"])


def test_added_postings_are_alike_within_groups_as_products_are(tmp_path: Path) -> None:
    """Some have a neighbour as near as another photo of the same product, and most are no copies of the sample."""
    data = _sample(tmp_path / "data")
    add_postings(data, ADDED, [["network"], ["colours"]])
    bits = read_features(data, ["network"]).bits
    distances = (bits[:, np.newaxis] != bits[np.newaxis]).sum(axis=2) + 64 * np.eye(len(bits), dtype=int)
    nearest = distances.min(axis=1)
    assert 0.1 < (nearest <= 8).mean() < 1


def test_a_mixture_is_the_unit_sum_of_rows_in_their_shares() -> None:
    draw = np.random.default_rng(0)
    embeddings, rows = unit_rows(draw.standard_normal((5, 3)), 3), draw.integers(5, size=(7, 3))
    shares = draw.dirichlet(np.ones(3), 7)
    expected = []
    for of, share in zip(rows, shares, strict=True):
        total = sum(weight * embeddings[row] for row, weight in zip(of, share, strict=True))
        expected.append(total / np.linalg.norm(total))
    np.testing.assert_allclose(mixed(embeddings, rows, shares), expected, atol=1e-5)
