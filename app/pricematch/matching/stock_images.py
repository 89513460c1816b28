"""Images that are no evidence: stock images, one under many titles such as a logo, and those of one colour."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features, ImageFeatures
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import image_keys
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Catalogue
from pricematch.matching.seen_images import SeenImages, counted, of_any
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
        shown: the images of each row.
        counts: by word, how many titles of the catalogue hold it.
        found: by kind and value of the hash or image key.
    """

    catalogue: Catalogue
    shown: Layered[SeenImages]
    counts: Mapping[str, int]
    found: Mapping[_Key, StockImage]

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        hashes: Hashes,
        images: NDArray[np.uint64],
        titles: Sequence[ParsedTitle],
        one_colour: NDArray[np.bool_] | None = None,
    ) -> "StockImages":
        """Those of a catalogue of postings that have one image at most; see `of_shown`.

        Args:
            catalogue: of `span` rows.
            hashes: of each row, whether it is alive or not.
            images: uint64 [span], image keys, 0 where there is none.
            titles: of each row, parsed.
            one_colour: bool [span]; None: no image is of one colour.
        """
        plain = np.zeros(len(images), np.bool_) if one_colour is None else one_colour
        return cls.of_shown(catalogue, Layered(SeenImages(hashes, images, plain)), titles)

    @classmethod
    def of_shown(cls, catalogue: Catalogue, shown: Layered[SeenImages], titles: Sequence[ParsedTitle]) -> "StockImages":
        """Those of a catalogue with the images, and the parsed titles, of each row, whether it is alive or not."""
        there = catalogue.alive
        counts = Counter(word for title, alive in zip(titles, there, strict=True) if alive for word in {*title.words})
        rows, values = shown.rows, shown.values
        alive = there[rows]
        hashed, seen = values.hashes.known & alive, (values.keys != 0) & alive
        keys = [("hash", value) for value in _repeated(rows[hashed], values.hashes.values[hashed])]
        keys += [("image", value) for value in _repeated(rows[seen], values.keys[seen])]
        return cls(catalogue, shown, counts, {})._with(keys)

    @cached_property
    def marked_images(self) -> Layered[NDArray[np.bool_]]:
        """Which images are stock images."""
        hashes = np.array([value for kind, value in self.found if kind == "hash"], np.uint64)
        keys = np.array([value for kind, value in self.found if kind == "image"], np.uint64)
        alive = self.catalogue.alive

        def marked(layer: Layer[SeenImages]) -> NDArray[np.bool_]:
            seen = layer.values
            found = (seen.hashes.known & np.isin(seen.hashes.values, hashes)) | np.isin(seen.keys, keys)
            return np.asarray(found & alive[layer.rows], np.bool_)

        first, *more = (Layer(layer.rows, marked(layer)) for layer in self.shown.layers)
        return Layered(first.values, tuple(more))

    @cached_property
    def no_evidence(self) -> Layered[NDArray[np.bool_]]:
        """Which images are stock images, or of one colour."""
        plain = self.shown.made(lambda it: it.one_colour)
        more = [Layer(a.rows, a.values | b.values) for a, b in zip(self.marked_images.more, plain.more, strict=True)]
        return Layered(self.marked_images.first | plain.first, tuple(more))

    @cached_property
    def counted_hashes(self) -> Layered[Hashes]:
        """The hashes of images that are evidence, and of postings that show none the hashes of all."""
        hashes = self.shown.made(lambda it: it.hashes)
        told = counted(hashes.made(lambda it: it.known), self.no_evidence)
        more = [Layer(a.rows, Hashes(a.values.values, b.values)) for a, b in zip(hashes.more, told.more, strict=True)]
        return Layered(Hashes(hashes.first.values, told.first), tuple(more))

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Bool [span], the rows none of whose images is evidence."""
        there = self.shown.made(lambda it: it.there)
        telling = [Layer(a.rows, a.values & ~b.values) for a, b in zip(there.more, self.no_evidence.more, strict=True)]
        return ~of_any(Layered(there.first & ~self.no_evidence.first, tuple(telling)))

    @cached_property
    def marked(self) -> NDArray[np.bool_]:
        """Bool [span], the rows that show a stock image, and no image that is evidence."""
        return of_any(self.marked_images) & self.silent

    @cached_property
    def one_colour(self) -> NDArray[np.bool_]:
        """Bool [span], the rows that show an image of one colour, and no image that is evidence."""
        return of_any(self.shown.made(lambda it: it.one_colour)) & self.silent

    def changed(self, catalogue: Catalogue, added: Layered[SeenImages]) -> "StockImages":
        """Those of a changed catalogue, whose new rows show these images.

        Only images are looked at again that postings have come to, or gone from.
        """
        before = len(self.shown)
        gone = np.flatnonzero(self.catalogue.alive[:before] & ~catalogue.alive[:before])
        counts = Counter(self.counts)
        for row in gone.tolist():
            counts.subtract({*_words(catalogue[row].title)})
        for row in range(before, catalogue.span):
            counts.update({*_words(catalogue[row].title)})
        shown = self.shown.joined(added)
        seen = shown.select(np.concatenate([gone, np.arange(before, catalogue.span)])).values
        touched = [("hash", int(value)) for value in seen.hashes.values[seen.hashes.known]]
        touched += [("image", int(value)) for value in seen.keys[seen.keys != 0]]
        return StockImages(catalogue, shown, counts, self.found)._with(touched)

    def turned(self, before: "StockImages") -> NDArray[np.intp]:
        """The rows alive, of those that were there before, of which an image is now a stock image, or no longer is."""
        count = len(before.shown)
        now, then = self.marked_images.select(np.arange(count)), before.marked_images
        differ = [Layer(a.rows, a.values != b.values) for a, b in zip(now.more, then.more, strict=True)]
        return np.flatnonzero(of_any(Layered(now.first != then.first, tuple(differ))) & self.catalogue.alive[:count])

    def of_image(self, image: ImageFeatures) -> StockImage | None:
        """The stock image that an image is; None where it is none."""
        found = self.found.get(("image", int(image_keys([image.digest])[0])))
        if found is not None or image.phash is None or image.one_colour:
            return found
        return self.found.get(("hash", int(image.phash, 16)))

    def silences(self, image: ImageFeatures) -> bool:
        """Whether an image is no evidence."""
        return image.one_colour or self.of_image(image) is not None

    def of_images(self, images: Sequence[ImageFeatures]) -> StockImage | None:
        """The first stock image among some; None where there is none, or another that is evidence."""
        found = [self.of_image(image) for image in images]
        if any(stock is None and not image.one_colour for stock, image in zip(found, images, strict=True)):
            return None
        return next(filter(None, found), None)

    def of_row(self, row: int) -> StockImage | None:
        """The first stock image that a row shows; None where it shows none, or another image that is evidence."""
        if not self.silent[row]:
            return None
        seen = self.shown.select(np.array([row])).values
        for place in range(len(seen)):
            found = self.found.get(("image", int(seen.keys[place])))
            if found is None and seen.hashes.known[place]:
                found = self.found.get(("hash", int(seen.hashes.values[place])))
            if found is not None:
                return found
        return None

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
        found = [layer.rows[_showing(layer.values, kind, np.uint64(value))] for layer in self.shown.layers]
        rows = found[0] if len(found) == 1 else np.unique(np.concatenate(found))
        return rows[self.catalogue.alive[rows]]

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
    shown = features.every.made(lambda it: SeenImages(it.hashes, it.images, np.zeros(len(it), np.bool_)))
    stock = StockImages.of_shown(catalogue, shown, parse_titles([it.title for it in catalogue]))
    return features.without_marked(stock.marked_images) if stock.found else features


@lru_cache(_CACHED)
def _words(title: str) -> frozenset[str]:
    return frozenset(parse_title(title).words)


def _digest(words: frozenset[str]) -> bytes:
    """Orders titles by something that has nothing to do with what they say, nor with the catalogue's order."""
    return blake2b(repr(sorted(words)).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _showing(seen: SeenImages, kind: str, value: np.uint64) -> NDArray[np.intp]:
    """Which of some images have a hash or image key."""
    if kind == "image":
        return np.flatnonzero(seen.keys == value)
    return np.flatnonzero((seen.hashes.values == value) & seen.hashes.known)


def _repeated(rows: NDArray[np.intp], values: NDArray[np.uint64]) -> list[int]:
    """The values that so many rows have, some of them perhaps twice."""
    distinct, counts = np.unique(values, return_counts=True)
    often = np.isin(values, distinct[counts >= LEAST_TITLES])
    pairs = np.unique(np.column_stack([values[often], rows[often].astype(np.uint64)]), axis=0)
    distinct, counts = np.unique(pairs[:, 0], return_counts=True)
    return [int(value) for value in distinct[counts >= LEAST_TITLES]]
