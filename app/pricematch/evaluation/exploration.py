"""What a catalogue holds: label groups, repeated values, near-duplicates, titles and images."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import parse_hashes
from pricematch.catalogue.image_arrays import image_keys
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.ingest import each_image
from pricematch.encoding.ports import Header, ImageSource
from pricematch.errors import ImageError
from pricematch.evaluation.near_duplicates import (
    NearDuplicates,
    Repeats,
    choose_groups,
    find_near_duplicates,
    find_repeats,
    known_groups,
)
from pricematch.matching.stock_images import StockImage, StockImages
from pricematch.progress import Progress
from pricematch.titles.normalise import parse_titles

NEAR = 4
"""Bits in which the hashes of near-duplicates differ, at most."""
_COMMON_WORDS, _EXAMPLE_GROUPS, _EXAMPLE_PAIRS = 40, 8, 6
_LEAST_LETTERS = 2


@dataclass(frozen=True, eq=False)
class TitleFacts:
    """Of m titles.

    Attributes:
        characters: int64 [m], the length of each.
        words: int64 [m], the number of words between white space.
        common: the commonest words as `ParsedTitle` has them, and how many titles hold them, descending, equal ones
            in alphabetical order.
    """

    characters: NDArray[np.int64]
    words: NDArray[np.int64]
    common: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image file: format, width and height; bytes, their SHA-256, and the hash, 16 hexadecimal digits if any."""

    header: Header
    size: int
    digest: bytes
    phash: str | None


@dataclass(frozen=True, eq=False)
class Exploration:
    """What a catalogue of n postings holds.

    Attributes:
        postings: in order.
        groups: int32 [n], see `known_groups`.
        names, contents, hashes, titles: how these repeat: names of images, their bytes, perceptual hashes, titles.
        hashed_here: postings whose hash was computed from the image, because the catalogue has none.
        title_facts: of the titles that are not empty.
        near: near-duplicates by hash.
        stock: images that are no evidence, since postings show them under many different titles.
        images: facts of the images, by name; None where they were not read.
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
    stock: Sequence[StockImage]
    images: Mapping[str, ImageFacts] | None
    examples: Sequence[NDArray[np.intp]]


def explore(
    postings: Sequence[Posting], images: Mapping[str, ImageFacts] | None, seed: int, progress: Progress
) -> Exploration:
    """Collect the facts of a catalogue of at least one posting; the seed draws the examples.

    `images` are facts of the good images by name, or None to leave them out.
    """
    generator = np.random.default_rng(seed)
    groups = known_groups(postings)
    known = images or {}
    seen = [known.get(posting.image or "") for posting in postings]
    computed = [None if facts is None else facts.phash for facts in seen]
    hashes = [posting.image_phash or phash for posting, phash in zip(postings, computed, strict=True)]
    contents: list[Hashable | None] = [None if facts is None else facts.digest for facts in seen]
    progress("Comparing hashes", 0, 1)
    near = find_near_duplicates(parse_hashes(hashes), groups, NEAR, _EXAMPLE_PAIRS, generator)
    progress("Comparing hashes", 1, 1)
    titles = parse_titles([posting.title for posting in postings])
    keys = image_keys([None if facts is None else facts.digest for facts in seen])
    stock = StockImages.of(Catalogue(postings), parse_hashes(hashes), keys, titles)
    return Exploration(
        postings,
        groups,
        find_repeats([posting.image for posting in postings], groups),
        find_repeats(contents, groups),
        find_repeats(hashes, groups),
        find_repeats([posting.title or None for posting in postings], groups),
        sum(posting.image_phash is None and phash is not None for posting, phash in zip(postings, hashes, strict=True)),
        describe_titles([posting.title for posting in postings if posting.title], _COMMON_WORDS),
        near,
        stock.each,
        images,
        choose_groups(groups, _EXAMPLE_GROUPS, generator),
    )


def describe_titles(titles: Sequence[str], common: int) -> TitleFacts:
    """Lengths of titles, and their `common` commonest words, of two letters or digits at least."""
    characters = np.array([len(title) for title in titles], np.int64)
    words = np.array([len(title.split()) for title in titles], np.int64)
    holding = Counter(word for title in parse_titles(titles) for word in {*title.words} if len(word) >= _LEAST_LETTERS)
    ranked = sorted(holding.items(), key=lambda item: (-item[1], item[0]))
    return TitleFacts(characters, words, tuple(ranked[:common]))


def read_image_facts(
    names: Sequence[str],
    images: ImageSource,
    header: Callable[[bytes], Header],
    phash: Callable[[bytes], str],
    unhashed: Collection[str],
    *,
    workers: int,
    progress: Progress,
) -> tuple[dict[str, ImageFacts], dict[str, ImageError]]:
    """Read each image once; only those of `unhashed` are decoded, for their hash.

    Returns:
        facts of the good images, and why the others are bad, both by name.
    """

    def read(name: str) -> ImageFacts:
        image = images.read(name)
        digest = hashlib.sha256(image).digest()
        return ImageFacts(header(image), len(image), digest, phash(image) if name in unhashed else None)

    return each_image(names, read, "Looking at images", workers=workers, progress=progress)
