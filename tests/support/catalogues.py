"""Random catalogues in which much repeats, and some of it wrongly; and the naive word on groups."""

from collections.abc import Iterable

import numpy as np

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.near_duplicates import Relation

TITLES = ("tas", "tas merah", "kopi", "kopi susu", "")


def repetitive_postings(count: int, seed: int, unlabelled: float = 0.2) -> list[Posting]:
    """Postings of few images, hashes a few bits apart, titles and groups, some of which are missing."""
    rng = np.random.default_rng(seed)
    base = int(rng.integers(2**63))

    def one(row: int) -> Posting:
        near = base ^ (1 << int(rng.integers(6))) ^ (int(rng.integers(8)) << 40) ^ (int(rng.integers(2)) << 60)
        return Posting(
            f"p{row}",
            None if rng.random() < 0.1 else f"{rng.integers(max(1, count // 2))}.png",
            str(rng.choice(TITLES)),
            None if rng.random() < 0.2 else f"{near:016x}",
            None if rng.random() < unlabelled else f"g{rng.integers(max(1, count // 4))}",
        )

    return [one(row) for row in range(count)]


def naive_relation(label_groups: Iterable[str | None]) -> Relation:
    """What some postings' groups say of them."""
    labels = set(label_groups)
    if len(labels - {None}) > 1:
        return Relation.ACROSS
    return Relation.UNSAID if None in labels else Relation.WITHIN
