"""Finding a posting by image and title as a user of Pillow, ImageHash, TensorFlow and scikit-learn would write it."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from user_networks import Networks

LIMIT = 10


@dataclass(frozen=True)
class Picture:
    """An image, decoded: pixels [side, side, 3], and the 64 bits of its hash."""

    pixels: NDArray[np.uint8]
    bits: NDArray[np.bool_]


@dataclass(frozen=True)
class Query:
    """What a request holds; None: not given."""

    picture: Picture | None
    title: str | None


class Search:
    """The ten nearest postings by the cosine of embeddings, the Hamming distance of hashes and TF-IDF of titles.

    Postings that several of them find have their similarities added up. Nothing is learned and no reasons are given,
    so that this is less work than a matcher does.

    Args:
        catalogue: `.npz` file of `posting_ids` [n], `titles` [n], `bits` [n, 64] and `embeddings` [n, d].
        models: paths of the SavedModels, the first takes pixels.
        bfloat16: see `Networks`.
    """

    def __init__(self, catalogue: Path, models: Sequence[Path], *, bfloat16: bool) -> None:
        self._networks = Networks(models, bfloat16=bfloat16)
        with np.load(catalogue) as arrays:
            self._posting_ids = arrays["posting_ids"].tolist()
            titles, bits, embeddings = arrays["titles"].tolist(), arrays["bits"], arrays["embeddings"]
        self._words = TfidfVectorizer()
        nearest = min(LIMIT, len(titles))
        self._by_title = NearestNeighbors(n_neighbors=nearest, metric="cosine").fit(self._words.fit_transform(titles))
        self._by_hash = NearestNeighbors(n_neighbors=nearest, metric="hamming", algorithm="brute").fit(bits)
        self._by_image = NearestNeighbors(n_neighbors=nearest, metric="cosine").fit(embeddings)

    def query(self, image: bytes | None, title: str | None) -> Query:
        """Decode and hash."""
        if image is None:
            return Query(None, title)
        decoded, side = Image.open(io.BytesIO(image)).convert("RGB"), self._networks.side
        bits = imagehash.phash(decoded).hash.ravel()
        return Query(Picture(np.asarray(decoded.resize((side, side))), bits), title)

    def find(self, queries: Sequence[Query]) -> list[list[dict[str, Any]]]:
        """Of each query the nearest postings; all of them go through the network together."""
        found: list[dict[int, float]] = [{} for _ in queries]
        pictures = {row: query.picture for row, query in enumerate(queries) if query.picture is not None}
        if pictures:
            pixels = np.stack([picture.pixels for picture in pictures.values()])
            _add(found, pictures, self._by_image.kneighbors(self._networks.encode(pixels)))
            bits = np.stack([picture.bits for picture in pictures.values()])
            _add(found, pictures, self._by_hash.kneighbors(bits))
        titles = {row: query.title for row, query in enumerate(queries) if query.title is not None}
        if titles:
            _add(found, titles, self._by_title.kneighbors(self._words.transform(titles.values())))
        return [self._shown(one) for one in found]

    def _shown(self, found: dict[int, float]) -> list[dict[str, Any]]:
        best = sorted(found.items(), key=lambda item: -item[1])[:LIMIT]
        return [{"posting_id": self._posting_ids[row], "similarity": similarity} for row, similarity in best]


def _add(found: list[dict[int, float]], of: Iterable[int], nearest: tuple[Any, Any]) -> None:
    """Add similarities, 1 less the distances, to what was found for some queries."""
    for query, distances, rows in zip(of, *nearest, strict=True):
        for distance, row in zip(distances.tolist(), rows.tolist(), strict=True):
            found[query][row] = found[query].get(row, 0.0) + 1 - distance
