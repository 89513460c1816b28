"""Postings by the thousand without drawing their images: titles as the sample's, and features mixed of drawn images.

Products and titles are drawn as `pricematch sample` draws them. What the image of a product is compared by (embedding,
colours, the 64 bits of the hash) is a mixture of that of two images of the drawn sample, in shares drawn for the
product; 44 % of its postings have next to the same, as with a maker's photo, the others take in a third image, as with
photos of sellers' own. The stored image itself is a few bytes that nobody decodes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put, Stored
from pricematch.encoding.versions import HASHING
from pricematch.sample.plan import plan_groups
from pricematch.sample.titles import write_title
from pricematch.store.sqlite.store import Store, open_store

_BATCH = 1000
_COPIED_TITLE, _MAKERS_PHOTO = 0.42, 0.44
_HASH_BITS = 64


@dataclass(frozen=True)
class StoredFeatures:
    """What a store holds of postings with images.

    Attributes:
        posting_ids, titles: [n].
        bits: bool [n, 64], the perceptual hashes.
        embeddings: [n, d] by the key they are stored under.
    """

    posting_ids: Sequence[str]
    titles: Sequence[str]
    bits: NDArray[np.bool_]
    embeddings: dict[str, Embeddings]


def read_features(data: Path, keys: Sequence[str]) -> StoredFeatures:
    """The features of all postings of a store whose image has a hash and embeddings under every key."""
    with closing(open_store(data, create=False)) as store:
        postings = [stored.posting for stored in _pages(store) if stored.posting.image]
        digests = [bytes.fromhex(posting.image or "") for posting in postings]
        hashes = store.computed.hashes(HASHING, digests)
        embeddings = {key: store.computed.embeddings(key, digests) for key in keys}
    whole = [
        (posting, digest)
        for posting, digest in zip(postings, digests, strict=True)
        if hashes.get(digest, ONE_COLOUR) != ONE_COLOUR and all(digest in of for of in embeddings.values())
    ]
    return StoredFeatures(
        [posting.posting_id for posting, _ in whole],
        [posting.title for posting, _ in whole],
        np.array([_bits_of(hashes[digest]) for _, digest in whole]),
        {key: np.stack([of[digest] for _, digest in whole]) for key, of in embeddings.items()},
    )


def add_postings(data: Path, count: int, same: Sequence[Sequence[str]], seed: int = 0) -> None:
    """Add drawn postings to a store that holds the drawn sample.

    Args:
        data: folder of the store.
        count: of postings to add.
        same: keys of embeddings, those together that hold one embedding in different arithmetic; the first of each is
            read, and what is drawn is stored under all.
        seed: of everything drawn.
    """
    sample = read_features(data, [keys[0] for keys in same])
    rng = np.random.default_rng(seed)
    groups, titles = _titles(count, rng)
    rows, shares = _mixtures(groups, len(sample.posting_ids), rng)
    embeddings = {keys: mixed(sample.embeddings[keys[0]], rows, shares) for keys in map(tuple, same)}
    hashes = _hashes(sample.bits, groups, rows, shares, rng)
    with closing(open_store(data, create=False)) as store:
        for first in range(0, count, _BATCH):
            some = range(first, min(first + _BATCH, count))
            images = [f"drawn image {row}".encode() for row in some]
            digests = [hashlib.sha256(image).digest() for image in images]
            for keys, of in embeddings.items():
                for key in keys:
                    store.computed.keep_embeddings(key, digests, of[some.start : some.stop])
            store.computed.keep_hashes(HASHING, digests, hashes[some.start : some.stop])
            puts = zip(some, digests, images, strict=True)
            store.postings.put(
                [Put(Posting(f"drawn_{row:06d}", digest.hex(), titles[row]), [image]) for row, digest, image in puts]
            )


def mixed(embeddings: Embeddings, rows: NDArray[np.intp], shares: NDArray[np.float64]) -> Embeddings:
    """Unit mixtures [m, d] of embeddings [n, d]: rows [m, 3] of them in shares [m, 3]."""
    found = np.zeros((len(rows), embeddings.shape[1]), np.float32)
    for place in range(rows.shape[1]):
        found += shares[:, place, np.newaxis].astype(np.float32) * embeddings[rows[:, place]]
    return unit_rows(found, embeddings.shape[1])


def _titles(count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], list[str]]:
    """The group of each posting, and its title: often the one that sellers of the group copy."""
    groups, titles = np.zeros(count, np.intp), [""] * count
    for group in plan_groups(count, rng):
        common = write_title(group.product, rng, bare=group.bare_title)
        for row in group.rows:
            groups[row] = group.number
            titles[row] = common if rng.random() < _COPIED_TITLE else write_title(group.product, rng)
    return groups, titles


def _mixtures(
    groups: NDArray[np.intp], images: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which three images each posting is mixed of, and their shares: two of its group, one of its own."""
    count = int(groups.max()) + 1
    of_group, share = rng.integers(images, size=(count, 2)), rng.uniform(0.5, 0.9, count)
    third = np.where(rng.random(len(groups)) < _MAKERS_PHOTO, 0.01, rng.uniform(0.1, 0.4, len(groups)))
    rows = np.column_stack([of_group[groups], rng.integers(images, size=len(groups))])
    first = (1 - third) * share[groups]
    return rows, np.column_stack([first, 1 - third - first, third])


def _hashes(
    bits: NDArray[np.bool_],
    groups: NDArray[np.intp],
    rows: NDArray[np.intp],
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> list[str]:
    """Hashes whose bits are each one of the three images', by their shares; those of a group agree in the first two."""
    of_group = rng.random((int(groups.max()) + 1, _HASH_BITS))[groups]
    first_of_two = of_group < (shares[:, 0] / (shares[:, 0] + shares[:, 1]))[:, np.newaxis]
    chosen = np.where(first_of_two, bits[rows[:, 0]], bits[rows[:, 1]])
    own = rng.random((len(groups), _HASH_BITS)) < shares[:, 2, np.newaxis]
    chosen = np.where(own, bits[rows[:, 2]], chosen)
    return [row.tobytes().hex() for row in np.packbits(chosen, axis=1)]


def _bits_of(digits: str) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8)).astype(np.bool_)


def _pages(store: Store) -> Iterator[Stored]:
    after = ""
    while page := store.postings.page(after, _BATCH):
        yield from page
        after = page[-1].posting.posting_id
