"""All facts of a catalogue together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import parse_hashes
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.groups import choose_groups, known_groups
from pricematch.evaluation.near_duplicates import NearDuplicates, find_near_duplicates
from pricematch.evaluation.pictures import PictureFacts
from pricematch.evaluation.repeats import Repeats, find_repeats
from pricematch.evaluation.titles import TitleFacts, describe_titles
from pricematch.progress import Progress

NEAR = 4
"""Bits in which the hashes of near-duplicates differ, at most."""
COMMON_WORDS, EXAMPLE_GROUPS, EXAMPLE_PAIRS = 40, 8, 6


@dataclass(frozen=True, eq=False)
class Exploration:
    """What a catalogue of n postings holds.

    Attributes:
        postings: in order.
        groups: int32 [n], see `known_groups`.
        names, contents, hashes, titles: how these repeat: names of pictures, their bytes, perceptual hashes, titles.
        hashed_here: postings whose hash was computed from the picture, because the catalogue has none.
        title_facts: of the titles that are not empty.
        near: near-duplicates by hash.
        pictures: what is known of the pictures, by name; None where they were not looked at.
        examples: the rows of some groups.
    """

    postings: Sequence[Posting]
    groups: NDArray[np.int32]
    names: Repeats
    contents: Repeats
    hashes: Repeats
    titles: Repeats
    hashed_here: int
    title_facts: TitleFacts
    near: NearDuplicates
    pictures: Mapping[str, PictureFacts] | None
    examples: Sequence[NDArray[np.intp]]


def explore(
    postings: Sequence[Posting], pictures: Mapping[str, PictureFacts] | None, seed: int, progress: Progress
) -> Exploration:
    """Find out all facts; the seed draws the examples.

    Args:
        postings: at least one.
        pictures: what is known of the good ones by name, or None to leave them out.
        seed: at least 0.
        progress: told of what takes long.
    """
    generator = np.random.default_rng(seed)
    groups = known_groups(postings)
    known = pictures or {}
    seen = [known.get(posting.image or "") for posting in postings]
    computed = [None if facts is None else facts.phash for facts in seen]
    hashes = [posting.image_phash or phash for posting, phash in zip(postings, computed, strict=True)]
    contents: list[Hashable | None] = [None if facts is None else facts.digest for facts in seen]
    progress("Comparing hashes", 0, 1)
    near = find_near_duplicates(parse_hashes(hashes), groups, NEAR, EXAMPLE_PAIRS, generator)
    progress("Comparing hashes", 1, 1)
    return Exploration(
        postings,
        groups,
        find_repeats([posting.image for posting in postings], groups),
        find_repeats(contents, groups),
        find_repeats(hashes, groups),
        find_repeats([posting.title or None for posting in postings], groups),
        sum(posting.image_phash is None and phash is not None for posting, phash in zip(postings, hashes, strict=True)),
        describe_titles([posting.title for posting in postings if posting.title], COMMON_WORDS),
        near,
        pictures,
        choose_groups(groups, EXAMPLE_GROUPS, generator),
    )
