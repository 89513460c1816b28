"""Images that are no evidence: stock images, one under many titles such as a logo, and those of one colour."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features, Hashes, ImageFeatures, image_keys
from pricematch.catalogue.postings import Catalogue
from pricematch.titles.normalise import ParsedTitle, parse_title, parse_titles

LEAST_TITLES = 5
"""Different titles, in effect, that make an image a stock image.

Of 16,874 postings of a marketplace, where four titles or more share each of 225 hashes, those of one product come to
2.0 in effect at most, and those of two or three to 2.7; ten postings drawn at random come to 5 at least, 43 to 15."""
_TELLING_SHARE, _TELLING_ALWAYS = 0.02, 2
"""Part of the other postings, and number of them, whose titles may hold a word that tells a product."""
_MOST_TITLES = 256
"""Titles of one image that are compared with each other."""
_CACHED = 2**16
_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class StockImage:
    """An image that is no evidence.

    Attributes:
        postings: how many show it.
        titles: how many different titles they have.
        example: the lowest posting_id of them.
    """

    postings: int
    titles: int
    example: str

    def __str__(self) -> str:
        return f"the image of {self.example}, which {self.postings} postings show under {self.titles} titles"


@dataclass(frozen=True, eq=False)
class StockImages:
    """The stock images of a catalogue: by equal hash, or by equal bytes; and which images are of one colour. Immutable.

    Titles are different that share no telling word, one that few postings without the image have. How many there are in
    effect is the inverse of the share of pairs of titles, each with itself among them, that share one (the inverse
    Simpson index): one where all do, as the titles of many sellers of one product, as many as there are where none do.

    Attributes:
        catalogue: of `span` rows.
        hashes: of each row.
        images: uint64 [span], image keys, 0 where there is none.
        counts: by word, how many titles of the catalogue hold it.
        found: by kind and value of the hash or image key.
        one_colour: bool [span], the rows of which the image is of one colour; they have no hash and no image key.
    """

    catalogue: Catalogue
    hashes: Hashes
    images: NDArray[np.uint64]
    counts: Mapping[str, int]
    found: Mapping[_Key, StockImage]
    one_colour: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        hashes: Hashes,
        images: NDArray[np.uint64],
        titles: Sequence[ParsedTitle],
        one_colour: NDArray[np.bool_] | None = None,
    ) -> "StockImages":
        """Those of a catalogue.

        Args:
            catalogue: of `span` rows.
            hashes: of each row, whether it is alive or not.
            images: uint64 [span].
            titles: of each row, parsed.
            one_colour: bool [span]; None: no image is of one colour.
        """
        there = catalogue.alive
        counts = Counter(word for title, alive in zip(titles, there, strict=True) if alive for word in {*title.words})
        plain = np.zeros(len(images), np.bool_) if one_colour is None else one_colour
        whole = cls(catalogue, hashes, images, counts, {}, plain)
        keys = [("hash", value) for value in _repeated(hashes.values[hashes.known & there])]
        keys += [("image", value) for value in _repeated(images[there]) if value]
        return whole._with(keys)

    @cached_property
    def marked(self) -> NDArray[np.bool_]:
        """Bool [span], the rows of which the image is a stock image."""
        marked = np.zeros(len(self.images), np.bool_)
        for key in self.found:
            marked[self._rows(key)] = True
        return marked

    @cached_property
    def no_evidence(self) -> NDArray[np.bool_]:
        """Bool [span], the rows of which the image is a stock image, or of one colour."""
        return self.marked | self.one_colour

    def changed(
        self, catalogue: Catalogue, hashes: Hashes, images: NDArray[np.uint64], one_colour: NDArray[np.bool_]
    ) -> "StockImages":
        """Those of a changed catalogue, whose new rows have these hashes, image keys [k], and images of one colour [k].

        Only images are looked at again that postings have come to, or gone from.
        """
        before = len(self.images)
        gone = np.flatnonzero(self.catalogue.alive[:before] & ~catalogue.alive[:before])
        counts = Counter(self.counts)
        for row in gone.tolist():
            counts.subtract({*_words(catalogue[row].title)})
        for row in range(before, catalogue.span):
            counts.update({*_words(catalogue[row].title)})
        every = self.hashes.joined(hashes), np.concatenate([self.images, images])
        rows = np.concatenate([gone, np.arange(before, catalogue.span)])
        touched = [("hash", int(every[0].values[row])) for row in rows if every[0].known[row]]
        touched += [("image", int(every[1][row])) for row in rows if every[1][row]]
        plain = np.concatenate([self.one_colour, one_colour])
        return StockImages(catalogue, *every, counts, self.found, plain)._with(touched)

    def of_image(self, image: ImageFeatures) -> StockImage | None:
        """The stock image that an image is; None where it is none."""
        found = self.found.get(("image", int(image_keys([image.digest])[0])))
        if found is not None or image.phash is None or image.one_colour:
            return found
        return self.found.get(("hash", int(image.phash, 16)))

    def of_row(self, row: int) -> StockImage | None:
        """The stock image that a row shows; None where it shows none."""
        found = self.found.get(("image", int(self.images[row])))
        return found or (self.found.get(("hash", int(self.hashes.values[row]))) if self.hashes.known[row] else None)

    @property
    def each(self) -> list[StockImage]:
        """Each once, the one that most postings show first."""
        return sorted({*self.found.values()}, key=lambda it: (-it.postings, it.example))

    def _with(self, keys: Iterable[_Key]) -> "StockImages":
        """The same with some images looked at again."""
        found = dict(self.found)
        for key in dict.fromkeys(keys):
            found.pop(key, None)
            if (stock := self._judged(self._rows(key))) is not None:
                found[key] = stock
        return replace(self, found=found)

    def _rows(self, key: _Key) -> NDArray[np.intp]:
        kind, value = key
        values, known = (self.images, True) if kind == "image" else (self.hashes.values, self.hashes.known)
        return np.flatnonzero((values == np.uint64(value)) & known & self.catalogue.alive)

    def _judged(self, rows: NDArray[np.intp]) -> StockImage | None:
        """What an image that some rows show is; None where it is evidence."""
        if len(rows) < LEAST_TITLES:
            return None
        titles = [_words(posting.title) for posting in self.catalogue.select(rows)]
        different = {title for title in titles if title}
        if len(different) < LEAST_TITLES:
            return None
        inside = Counter(word for title in titles for word in title)
        most = max(_TELLING_ALWAYS, _TELLING_SHARE * (len(self.catalogue) - len(rows)))
        compared = sorted(different, key=_digest)[:_MOST_TITLES]
        telling = [{word for word in title if self.counts[word] - inside[word] <= most} for title in compared]
        shared = sum(not one.isdisjoint(other) for one, other in combinations(telling, 2))
        if len(telling) ** 2 / (len(telling) + 2 * shared) < LEAST_TITLES:
            return None
        return StockImage(len(rows), len(different), min(self.catalogue.ids_of(rows)))


def without_stock_images(catalogue: Catalogue, features: Features) -> Features:
    """The features of a catalogue's postings without those of stock images."""
    stock = StockImages.of(catalogue, features.hashes, features.images, parse_titles([it.title for it in catalogue]))
    return features.without_images(np.flatnonzero(stock.marked)) if stock.found else features


@lru_cache(_CACHED)
def _words(title: str) -> frozenset[str]:
    return frozenset(parse_title(title).words)


def _digest(words: frozenset[str]) -> bytes:
    """Orders titles by something that has nothing to do with what they say, nor with the catalogue's order."""
    return blake2b(repr(sorted(words)).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _repeated(values: NDArray[np.uint64]) -> list[int]:
    distinct, counts = np.unique(values, return_counts=True)
    return [int(value) for value in distinct[counts >= LEAST_TITLES]]
