"""Splits of label groups, so that nothing is evaluated on postings of a product it was tuned on."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.formats.manifest import TrainedOn

_DIGEST = np.dtype(">u8")


def split_groups(groups: NDArray[np.integer], folds: int, seed: int) -> NDArray[np.intp]:
    """Deal whole label groups out to folds: no group is in two, and the folds hold as many groups each, or one more.

    `groups` [n] number the label groups from 0, none left out. Returns intp [n], the fold of each posting, from 0.

    Raises:
        ValueError: there are fewer groups than folds.
    """
    count = int(groups.max(initial=-1)) + 1
    if count < folds:
        raise ValueError(f"expected at least as many label groups as folds, got {count} and {folds}")
    fold_of_group = np.empty(count, np.intp)
    fold_of_group[np.random.default_rng(seed).permutation(count)] = np.arange(count) % folds
    folds_of: NDArray[np.intp] = fold_of_group[groups]
    return folds_of


def whole_groups(groups: NDArray[np.integer], size: int, seed: int) -> NDArray[np.intp]:
    """Rows of a random sub-catalogue: whole label groups, drawn one by one until the next would not fit; ascending.

    The first group is taken in any case. With the same seed, a smaller sub-catalogue is part of a larger one. `groups`
    [n] are as for `split_groups`; `size` is in postings.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = max(1, int(np.searchsorted(np.cumsum(sizes[order]), size, side="right")))
    chosen = np.zeros(len(sizes), bool)
    chosen[order[:taken]] = True
    return np.flatnonzero(chosen[groups])


def each_its_own(groups: NDArray[np.integer]) -> NDArray[np.intp]:
    """Group numbers from 0, with a number of its own for each posting that has none, a negative number.

    >>> each_its_own(np.array([7, -1, 7, -1])).tolist()
    [0, 1, 0, 2]
    """
    unknown = groups < 0
    numbers = np.where(unknown, groups.max(initial=-1) + np.cumsum(unknown), groups)
    return np.unique(numbers, return_inverse=True)[1].astype(np.intp)


def training_groups(labels: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Which of n postings belong to the label groups that are trained on, bool [n]; the others are left to evaluate on.

    A group is decided by its label alone (its BLAKE2b digest, keyed by the seed and read as a fraction, is below
    `share` or not), so neither order nor other groups change it, and a smaller share is part of a larger one. Another
    seed, 0 to 2^64 − 1, decides independently.

    Raises:
        ValueError: the share is not in 0…1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"expected a share from 0 to 1, got {share}")
    key = seed.to_bytes(8, "little")
    chosen = {}
    for label in set(labels):
        digest = hashlib.blake2b(label.encode("utf-8"), digest_size=8, key=key).digest()
        # 53 bits: no digest is rounded up to 1
        chosen[label] = (int.from_bytes(digest, "big") >> 11) / 2**53 < share
    return np.array([chosen[label] for label in labels], np.bool_)


def group_digest(label: str) -> str:
    """Names a label group in a record of what was trained on: 16 hexadecimal digits of its BLAKE2b digest."""
    return hashlib.blake2b(label.encode("utf-8"), digest_size=8).hexdigest()


def digest_postings(postings: Iterable[Posting]) -> str:
    """Names postings in a record of what was trained on: 8-byte digests, ascending, behind each other in base 64."""
    found = np.array(sorted({digest for posting in postings for digest in _digests(posting)}), _DIGEST)
    return b64encode(found.tobytes()).decode("ascii")


def seen_postings(record: TrainedOn, labels: Sequence[str | None], postings: Sequence[Posting]) -> NDArray[np.bool_]:
    """Which of n postings are of label groups that a model was trained on, bool [n].

    A group was trained on if one of its postings was: what groups are called says nothing, since another catalogue may
    have the same names, and this one have others now. Two postings are the same if two of id, title and hash are equal.
    A record of an earlier version holds names only.

    Args:
        record: of what the model was trained on.
        labels: n; a posting without one is of no group.
        postings: n.
    """
    if record.postings is None:
        names = set(record.groups)
        return np.array([label is not None and group_digest(label) in names for label in labels], np.bool_)
    known = set(np.frombuffer(b64decode(record.postings), _DIGEST).tolist())
    taught = {
        label for label, posting in zip(labels, postings, strict=True) if not known.isdisjoint(_digests(posting))
    } - {None}
    return np.array([label in taught for label in labels], np.bool_)


def _digests(posting: Posting) -> Iterator[int]:
    """Of each two of a posting's id, title and hash; where it has neither title nor hash, of its id and image."""
    facts = {"title": posting.title, "hash": posting.image_phash}
    if not any(facts.values()):
        facts["image"] = posting.image
    every = [(name, value) for name, value in {"id": posting.posting_id, **facts}.items() if value]
    for both in combinations(every, 2):
        yield int.from_bytes(
            hashlib.blake2b(repr(both).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
        )
