"""A catalogue prepared to be compared with: its own pairs, and new postings against it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.pairs.rank_features import STANDING, Standing, joined, low_high, standing, standing_evidence
from pricematch.pairs.retrievers import IMAGE_SPACES, Alive, HashSpace, ImageSpace, ParsedFeatures, Space
from pricematch.pairs.side import Side, occurrences
from pricematch.pairs.title_features import WORDS, TitleWords, fact_evidence, word_evidence
from pricematch.pairs.title_retrievers import BlendSpace, TitleSpace
from pricematch.pairs.together import (
    beside,
    candidates,
    candidates_between,
    nearness,
    nearness_among,
    together,
    without,
)
from pricematch.titles.comparison import SUMMARY
from pricematch.titles.grams import grams, words
from pricematch.titles.normalise import ParsedTitle, parse_titles

NEAREST = 100
"""Neighbours that ranks are counted among."""
PROPOSED = 50
"""Neighbours by each similarity that are candidates."""
SIGNALS = ("hash", "title", "image")
_BLOCK = 128 * 1024


class Reference:
    """The postings of a catalogue, searchable by each of some signals. Immutable, safe to use from several threads.

    Args:
        postings: what the n postings carry.
        signals: some of `SIGNALS`.
    """

    def __init__(self, postings: Features, signals: Sequence[str]) -> None:
        self.signals = tuple(signals)
        self._count = len(postings)
        titles = parse_titles(postings.titles) if "title" in signals else []
        self._spaces = {space.name: space for space in _spaces(postings, titles, signals)}
        self._titles = TitleWords(titles) if "title" in signals else None
        self._hashes = np.sort(postings.hashes.values[postings.hashes.known])
        found = {name: space.nearest(NEAREST) for name, space in self._spaces.items()}
        self._proposed = _pairs([proposed.rows[:, :PROPOSED] for proposed in found.values()])
        self.side = self._side(
            ParsedFeatures(postings, titles),
            {name: space.own for name, space in self._spaces.items()},
            {name: standing(proposed) for name, proposed in found.items()},
            own=True,
        )

    def __len__(self) -> int:
        return self._count

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the evidence, in order."""
        return feature_names(self.signals)

    @property
    def dimensions(self) -> dict[str, int]:
        """Length of the embeddings of each space of pictures."""
        spaces = (space for space in self._spaces.values() if isinstance(space, ImageSpace))
        return {space.name: space.own.shape[1] for space in spaces}

    def nobody(self) -> Features:
        """No postings, which carry what those of the catalogue do."""
        return Features.of([], [], {name: np.empty((0, size), np.float32) for name, size in self.dimensions.items()})

    def titles_with(self, word: str) -> int:
        """How many titles of the catalogue hold a word (see `ParsedTitle.words`); 0 where titles are no signal."""
        return 0 if self._titles is None else self._titles.titles_with(word)

    def pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Unordered pairs that a similarity proposes from one side at least: lines < rows, int32 [m], ascending."""
        line, row = self._proposed
        keys = np.unique(np.minimum(line, row).astype(np.int64) * self._count + np.maximum(line, row))
        lines, rows = np.divmod(keys, max(1, self._count))
        return lines.astype(np.int32), rows.astype(np.int32)

    def describe(
        self, postings: ParsedFeatures, alive: Alive = None
    ) -> tuple[Side, NDArray[np.int32], NDArray[np.int32]]:
        """New postings as a side of pairs, and their candidates.

        Args:
            postings: what they carry.
            alive: bool [n], which postings of the catalogue may be candidates; None: all.

        Returns:
            The side, each as if the catalogue held it and no other; lines and rows int32 [m], ascending.
        """
        described = {name: space.describe(postings, alive) for name, space in self._spaces.items()}
        found = {name: space.nearest_to(described[name], NEAREST, alive) for name, space in self._spaces.items()}
        line, row = _pairs([proposed.rows[:, :PROPOSED] for proposed in found.values()])
        keys = np.unique(line.astype(np.int64) * self._count + row)
        lines, rows = np.divmod(keys, max(1, self._count))
        standings = {name: standing(proposed) for name, proposed in found.items()}
        side = self._side(postings, described, standings, own=False)
        if alive is not None and not alive.all():
            side = replace(without(side, self.side, ~alive), catalogue_size=int(alive.sum()) + 1)
        return side, lines.astype(np.int32), rows.astype(np.int32)

    def together(self, side: Side) -> tuple[Side, NDArray[np.int32], NDArray[np.int32]]:
        """New postings as if the catalogue held all of them, and the candidates among them.

        All are compared with all, which suits some hundred.

        Args:
            side: what `describe` gave.

        Returns:
            The side they are then, of pairs with the catalogue's and, on both sides, with each other; and the
            candidates among them: lines < rows, int32 [m], ascending.
        """
        spaces, count = self._spaces, len(side.images)
        near = {name: nearness_among(space, side.described[name], count) for name, space in spaces.items()}
        found = together(side, near)
        return found, *candidates(found, near, PROPOSED)

    def beside(
        self, side: Side, others: Side, alive: NDArray[np.bool_]
    ) -> tuple[Side, Side, NDArray[np.int32], NDArray[np.int32]]:
        """New postings and others that came before them, as if the catalogue held both.

        Args:
            side: what `describe` or `together` gave of k postings.
            others: the same of m postings, which know of each other.
            alive: bool [m], which of these are still there; `side` knows of no others.

        Returns:
            Both sides, knowing of each other (`others` are one side of pairs only, with each other or with the
            catalogue's; their repeats stay); and the candidates between them: lines and rows int32 [p], ascending.
        """
        near = {
            name: np.where(
                alive,
                nearness(space, side.described[name], others.described[name], (len(side.images), len(alive))),
                -np.inf,
            )
            for name, space in self._spaces.items()
        }
        found = without(beside(side, near, others), others, ~alive)
        knowing = beside(others, {name: similarities.T for name, similarities in near.items()}, side)
        size = side.catalogue_size + int(alive.sum())
        lines, rows = candidates_between(found, knowing, near, PROPOSED)
        return replace(found, catalogue_size=size), replace(knowing, catalogue_size=size), lines, rows

    def joined(self, one: Side, other: Side) -> Side:
        """Postings that know of others and these, as one side."""
        titled = None if one.titled is None or other.titled is None else one.titled.joined(other.titled)
        return Side(
            other.catalogue_size,
            {name: space.joined(one.described[name], other.described[name]) for name, space in self._spaces.items()},
            {name: stands.joined(other.standings[name]) for name, stands in one.standings.items()},
            titled,
            None if one.hashes is None or other.hashes is None else one.hashes.joined(other.hashes),
            np.concatenate([one.hash_repeats, other.hash_repeats]),
            np.concatenate([one.images, other.images]),
        )

    def evidence(
        self, left: Side, lines: NDArray[np.integer], rows: NDArray[np.integer], right: Side | None = None
    ) -> NDArray[np.float32]:
        """What the signals say of pairs, float32 [m, features]; NaN where a posting lacks what it takes.

        The same for (a, b) and (b, a) of the catalogue's own, and of those that are seen together.

        Args:
            left: `side` or what `describe`, `together` or `beside` gave.
            lines: [m], which of its postings.
            rows: [m], which of the others. A pair with a new posting is looked at as if the catalogue held it too;
                only the weights of words and grams, which depend on all titles, are a little different then.
            right: whose the rows are: what `together` gave, the same as `left`, or others that do not know of `left`;
                None for the catalogue's own.
        """
        found = np.empty((len(lines), len(self.features)), np.float32)
        for first in range(0, len(lines), _BLOCK):
            piece = slice(first, first + _BLOCK)
            parts = self._evidence(left, right or self.side, lines[piece], rows[piece])
            np.concatenate(parts, axis=1, out=found[piece])
        return found

    def _evidence(
        self, left: Side, right: Side, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> list[NDArray[np.float32]]:
        parts = [np.full((len(lines), 1), np.log(left.catalogue_size), np.float32)]
        for name, space in self._spaces.items():
            similarity = space.similarities(left.described[name], right.described[name], lines, rows)
            one, other = left.standings[name].of(lines), right.standings[name].of(rows)
            if left is not right:  # which does not know the new postings
                other = joined(other.nearest, np.where(similarity >= space.least, similarity, -np.inf))
            parts.append(standing_evidence(similarity, one, other))
        if left.titled is not None and right.titled is not None:
            parts.append(word_evidence(left.titled, right.titled, lines, rows))
            parts.append(fact_evidence(left.titled, right.titled, lines, rows))
        if left.hashes is not None and right.hashes is not None:
            known = left.hashes.known[lines] & right.hashes.known[rows]
            equal = left.hashes.values[lines] == right.hashes.values[rows]
            one = left.hash_repeats[lines]
            repeats = np.column_stack(low_high(one, np.where(equal, one, right.hash_repeats[rows])))
            parts.append(np.where(known[:, np.newaxis], repeats, np.nan).astype(np.float32))
        parts.append(same_image(left.images[lines], right.images[rows])[:, np.newaxis])
        return parts

    def _side(
        self, postings: ParsedFeatures, described: dict[str, Any], standings: dict[str, Standing], *, own: bool
    ) -> Side:
        return Side(
            self._count + (not own),
            described,
            standings,
            None if self._titles is None else self._titles.describe(postings.titles, own=own),
            postings.features.hashes if "hash" in self.signals else None,
            occurrences(postings.features.hashes.values, self._hashes) + (not own),
            postings.features.images,
        )


def _spaces(postings: Features, titles: Sequence[ParsedTitle], signals: Sequence[str]) -> list[Space[Any]]:
    """The spaces of some signals, in the order of `feature_names`."""
    hashes = HashSpace(postings) if "hash" in signals else None
    found: list[Space[Any]] = []
    for signal in signals:
        if signal == "hash" and hashes is not None:
            found.append(hashes)
        elif signal == "title":
            plain = TitleSpace("grams", titles, grams)
            found += [TitleSpace("words", titles, words), plain, BlendSpace(plain, hashes)]
        elif signal == "image":
            found += [ImageSpace(name, postings) for name in IMAGE_SPACES]
    return found


def feature_names(signals: Sequence[str]) -> tuple[str, ...]:
    """Names of the evidence of some signals, in order."""
    spaces = {"hash": ("hash",), "title": ("words", "grams", "blend"), "image": IMAGE_SPACES}
    standings = [f"{name}_{what}" for signal in signals for name in spaces[signal] for what in STANDING]
    titles = [*WORDS, *SUMMARY] if "title" in signals else []
    hashes = ["hash_repeats_low", "hash_repeats_high"] if "hash" in signals else []
    return ("catalogue_size", *standings, *titles, *hashes, "same_image")


def same_image(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.float32]:
    """1 where two pictures are the same bytes, 0 where not, NaN where one was not read."""
    return np.where((left == 0) | (right == 0), np.nan, left == right).astype(np.float32)


def _pairs(proposed: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The pairs of several tables of candidates, one after the other."""
    lines = [np.nonzero(rows >= 0)[0] for rows in proposed]
    return np.concatenate(lines), np.concatenate([rows[rows >= 0] for rows in proposed])
