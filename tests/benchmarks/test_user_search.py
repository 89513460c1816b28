"""What benchmarks compare with finds postings by image, hash and title."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
import user_search
from numpy.typing import NDArray
from PIL import Image

TITLES = ["red cotton shirt", "blue wool scarf", "green tea 50 bags"]


class _Means:
    """Stands for the network: the mean colour, of unit length."""

    side = 8

    def __init__(self, models: Sequence[Path], **_: Any) -> None:
        self.models = models

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        means = pixels.mean(axis=(1, 2), dtype=np.float32) + 1
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


@pytest.fixture
def images() -> list[bytes]:
    found = []
    for number in range(3):
        pixels = np.zeros((32, 32, 3), np.uint8)
        pixels[..., number], pixels[number * 8 : number * 8 + 8, :16] = 200, 90
        target = io.BytesIO()
        Image.fromarray(pixels).save(target, "PNG")
        found.append(target.getvalue())
    return found


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: list[bytes]) -> user_search.Search:
    monkeypatch.setattr(user_search, "Networks", _Means)
    pictures = [Image.open(io.BytesIO(image)) for image in images]
    np.savez(
        tmp_path / "arrays.npz",
        posting_ids=np.array(["a", "b", "c"]),
        titles=np.array(TITLES),
        bits=np.array([imagehash.phash(picture).hash.ravel() for picture in pictures]),
        embeddings=_Means([]).encode(np.stack([np.asarray(picture.resize((8, 8))) for picture in pictures])),
    )
    return user_search.Search(tmp_path / "arrays.npz", [], bfloat16=False)


def test_requests_of_a_batch_find_what_each_finds_alone(search: user_search.Search, images: list[bytes]) -> None:
    """Image, title and both may come together, and each finds its own posting first."""
    asked = [(images[1], None), (None, "tea green"), (images[0], "cotton shirt"), (images[2], TITLES[2])]
    queries = [search.query(image, title) for image, title in asked]
    found = search.find(queries)
    assert [matches[0]["posting_id"] for matches in found] == ["b", "c", "a", "c"]
    assert found == [search.find([query])[0] for query in queries]
    assert found[3][0]["similarity"] == pytest.approx(3, abs=1e-4)  # image, hash and title each agree
