"""Catalogues drawn from a seed, labelled or not, and naive lists, relations and scores of them."""

import csv
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from pricematch.catalogue.features import Features, unit_rows
from pricematch.catalogue.metadata import MetadataLimits
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Decision
from pricematch.evaluation.near_duplicates import Relation
from pricematch.evaluation.signals import Pairs, pairs_of, signal_candidates
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.store.sqlite.store import open_store

METADATA_LIMITS = MetadataLimits(bytes=8192, depth=4, fields=64)
LOGO = "8f" * 8
_WORDS = (
    "kopi",
    "teh",
    "sampo",
    "mug",
    "kaos",
    "tas",
    "rak",
    "lampu",
    "sepatu",
    "case",
    "serum",
    "kabel",
    "botol",
    "topi",
)


def labelled_postings(count: int, seed: int = 0) -> list[Posting]:
    """Postings of groups of 1 to 7; some groups have each other's hash but for a few bits, or each other's words."""
    rng = np.random.default_rng(seed)
    postings: list[Posting] = []
    base, words = int(rng.integers(2**63)), rng.choice(_WORDS, 3, replace=False)
    while len(postings) < count:
        if rng.random() < 0.7:
            base = int(rng.integers(2**63))
        if rng.random() < 0.7:
            words = rng.choice(_WORDS, 3, replace=False)
        base = _flipped(base, 4, rng)
        group = f"group {len(postings)}"
        for _ in range(min(int(rng.integers(1, 8)), count - len(postings))):
            title = " ".join(rng.permutation([*words[: rng.integers(1, 4)], *rng.choice(_WORDS, rng.integers(0, 3))]))
            number = len(postings)
            postings.append(
                Posting(
                    f"p{number}", f"p{number}.png", title, f"{_flipped(base, int(rng.integers(0, 9)), rng):016x}", group
                )
            )
    return postings


def features_of(postings: Sequence[Posting]) -> ParsedFeatures:
    """Hashes and titles of some postings."""
    titles = [posting.title for posting in postings]
    return ParsedFeatures.of(Features.of(titles, [posting.image_phash for posting in postings], {}))


def proposed_pairs(postings: Sequence[Posting]) -> Pairs:
    """The candidates of some postings by hash and by title."""
    features = features_of(postings)
    return pairs_of({signal: signal_candidates(signal, features) for signal in ("hash", "title")}, len(postings))


def groups_of(postings: Sequence[Posting]) -> list[str]:
    """The label groups."""
    return [str(posting.label_group) for posting in postings]


def distance(first: Posting, second: Posting) -> int:
    """Bits that two hashes differ in."""
    return (int(str(first.image_phash), 16) ^ int(str(second.image_phash), 16)).bit_count()


def hash_lists(postings: Sequence[Posting], bits: int) -> list[set[int]]:
    """Per posting the rows of all postings within a Hamming distance, itself included."""
    return [{row for row, other in enumerate(postings) if distance(one, other) <= bits} for one in postings]


def naive_scores(lists: Sequence[Iterable[int]], groups: Sequence[str]) -> list[tuple[float, float, float]]:
    """F1, precision and recall of each list, from sets."""
    scores = []
    for row, answer in enumerate(map(set, lists)):
        truth = {other for other, group in enumerate(groups) if group == groups[row]}
        hits, wrong, missed = len(truth & answer), len(answer - truth), len(truth - answer)
        scores.append((hits / (hits + (wrong + missed) / 2), hits / (hits + wrong), hits / (hits + missed)))
    return scores


def naive_means(lists: Sequence[Iterable[int]], groups: Sequence[str]) -> tuple[float, float, float]:
    """Mean F1, precision and recall."""
    f1, precision, recall = zip(*naive_scores(lists, groups), strict=True)
    return sum(f1) / len(f1), sum(precision) / len(f1), sum(recall) / len(f1)


def write_catalogue(path: Path, postings: Sequence[Posting]) -> Path:
    """Write postings as a CSV file, with their metadata where one has some; what is None is empty."""
    columns = ["posting_id", "image", "image_phash", "title", "label_group"]
    told = any(posting.metadata for posting in postings)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *["metadata"] * told])
        for posting in postings:
            row = [getattr(posting, column) or "" for column in columns]
            writer.writerow([*row, *[posting.metadata.text] * told])
    return path


def _flipped(value: int, bits: int, rng: np.random.Generator) -> int:
    """A 64-bit number with some of its bits turned."""
    for bit in rng.choice(64, bits, replace=False):
        value ^= 1 << int(bit)
    return value


def mislabelled(postings: Sequence[Posting]) -> tuple[list[Posting], list[tuple[str, str, Decision]]]:
    """Some postings of groups of three or more under labels of their own, and the verdicts that mend that."""
    groups: dict[str | None, list[Posting]] = {}
    for posting in postings:
        groups.setdefault(posting.label_group, []).append(posting)
    moved = {group[-1].posting_id: group[0].posting_id for group in groups.values() if len(group) > 2}
    wrong = [
        replace(posting, label_group=f"wrong {posting.posting_id}") if posting.posting_id in moved else posting
        for posting in postings
    ]
    return wrong, [(one, other, "same") for one, other in moved.items()]


def write_verdicts(path: Path, said: Iterable[tuple[str, str, Decision]]) -> None:
    """Write verdicts as a CSV file, or into a store where the path is none of one."""
    if path.suffix != ".csv":
        with closing(open_store(path)) as store:
            for one, other, decision in said:
                store.feedback.decide(one, other, decision)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("posting_id", "other_posting_id", "verdict"), *said])


TITLES = ("tas", "tas merah", "kopi", "kopi susu", "")


def word(number: int) -> str:
    """A word that no other number has."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:05}")


def logos(count: int, first: int = 0) -> list[Posting]:
    """Postings of different products under one image."""
    return [Posting(f"logo{row:02}", None, f"{word(row)} {word(row + 100)} black", LOGO) for row in range(first, count)]


def others(count: int) -> list[Posting]:
    """Postings with images and titles of their own."""
    return [
        Posting(f"other{row:02}", None, f"{word(row + 200)} {word(row + 300)} black", f"{row:016x}")
        for row in range(count)
    ]


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
    return Relation.UNCLEAR if None in labels else Relation.WITHIN


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
