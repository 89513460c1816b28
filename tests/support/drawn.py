"""Catalogues whose postings lack now their title, now their hash, now their image."""

import numpy as np

from pricematch.catalogue.features import Features, unit_rows
from pricematch.pairs.retrievers import IMAGE_RETRIEVERS

WORDS = ("kopi", "teh", "susu", "100ml", "200 ml", "isi 3", "merah", "biru", "SM-A515", "promo", "ori")


def drawn(count: int, seed: int = 0, lacking: float = 0.2) -> Features:
    """Some postings, each likely to resemble another, that lack each of title, hash and image now and then."""
    rng = np.random.default_rng(seed)
    titles = [" ".join(rng.choice(WORDS, rng.integers(1, 6))) for _ in range(count)]
    seeds = rng.integers(2**63, size=4)
    values = [int(rng.choice(seeds)) ^ (int(rng.integers(16)) << int(rng.integers(56))) for _ in range(count)]
    without_image = rng.random(count) < lacking
    embeddings = {name: unit_rows(rng.normal(size=(count, 3)) + 2, 3) for name in IMAGE_RETRIEVERS}
    for vectors in embeddings.values():
        vectors[without_image] = 0
    return Features.of(
        ["" if rng.random() < lacking else title for title in titles],
        [None if rng.random() < lacking else f"{value:016x}" for value in values],
        embeddings,
        [None if rng.random() < lacking else bytes([int(rng.integers(1, 9))] * 32) for _ in range(count)],
    )
