"""Embedding the images of a catalogue: each content once, the rest from the store."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ingest import check_images, chunks
from pricematch.encoding.ports import EmbeddingStore, Encoder, ImageSource, Pixels
from pricematch.encoding.stored_images import EmbeddedImages, ImageEncoder, embed_images
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageUnavailable, ModelOutputError
from tests.support.fakes import FolderlessImages, MeanColourEncoder, image_bytes, tiny_decoder

CONTENTS = {f"{number}.png": image_bytes(f"rgb({number}, {255 - number}, 7)", (16, 16)) for number in range(100)}


class _Embeddings:
    """Implements `ports.EmbeddingStore` in memory.

    Attributes:
        saves: how often something was kept.
    """

    def __init__(self) -> None:
        self.kept: dict[bytes, NDArray[np.float32]] = {}
        self.saves = 0

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        return dict(self.kept)

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        self.kept = dict(zip(digests, embeddings, strict=True))
        self.saves += 1


def ignore(what: str, done: int, total: int) -> None:
    """No progress is shown."""


def image_encoder(encoder: Encoder | None = None) -> ImageEncoder:
    """Embeds images by another encoder than mean colours, or by these."""
    return ImageEncoder("mean-colour", tiny_decoder(), encoder or MeanColourEncoder())


def embed(
    images: ImageSource,
    names: Iterable[str],
    *,
    encoder: Encoder | None = None,
    store: EmbeddingStore | None = None,
) -> EmbeddedImages:
    return embed_images(
        names,
        images,
        image_encoder(encoder),
        store or _Embeddings(),
        workers=3,
        progress=ignore,
    )


def test_every_image_gets_the_embedding_it_would_get_alone() -> None:
    embedded = embed(FolderlessImages(CONTENTS), CONTENTS)
    assert embedded.errors == {}
    assert embedded.encoded == len(embedded.embeddings) == 100
    for name, content in CONTENTS.items():
        alone = MeanColourEncoder().encode(tiny_decoder().decode(content)[np.newaxis])[0]
        np.testing.assert_array_equal(embedded.embeddings[embedded.rows[name]], alone)


def test_equal_contents_are_encoded_once_and_share_a_row() -> None:
    encoder = MeanColourEncoder()
    images = FolderlessImages({"a": CONTENTS["0.png"], "b": CONTENTS["1.png"], "c": CONTENTS["0.png"]})
    embedded = embed(images, ["a", "b", "c", "a"], encoder=encoder)
    assert sum(encoder.batches) == embedded.encoded == 2
    assert embedded.rows["a"] == embedded.rows["c"] != embedded.rows["b"]


def test_a_batch_is_at_most_64_images() -> None:
    encoder = MeanColourEncoder()
    embed(FolderlessImages(CONTENTS), CONTENTS, encoder=encoder)
    assert sorted(encoder.batches) == [36, 64]


def test_a_second_run_encodes_and_writes_nothing_and_gives_the_same() -> None:
    store, encoder = _Embeddings(), MeanColourEncoder()
    first = embed(FolderlessImages(CONTENTS), CONTENTS, store=store)
    second = embed(FolderlessImages(CONTENTS), CONTENTS, store=store, encoder=encoder)
    assert encoder.batches == []
    assert second.encoded == 0
    assert store.saves == 1
    for name in CONTENTS:
        np.testing.assert_array_equal(first.embeddings[first.rows[name]], second.embeddings[second.rows[name]])


def test_only_changed_content_is_encoded_again() -> None:
    store, encoder = _Embeddings(), MeanColourEncoder()
    images = FolderlessImages(CONTENTS)
    embed(images, CONTENTS, store=store)
    images.contents["5.png"] = image_bytes("#123456", (16, 16))
    embedded = embed(images, CONTENTS, store=store, encoder=encoder)
    assert encoder.batches == [1]
    alone = MeanColourEncoder().encode(tiny_decoder().decode(images.contents["5.png"])[np.newaxis])[0]
    np.testing.assert_array_equal(embedded.embeddings[embedded.rows["5.png"]], alone)


def test_a_renamed_image_is_not_encoded_again() -> None:
    store, encoder = _Embeddings(), MeanColourEncoder()
    embed(FolderlessImages({"old": CONTENTS["0.png"]}), ["old"], store=store)
    embed(FolderlessImages({"new": CONTENTS["0.png"]}), ["new"], store=store, encoder=encoder)
    assert encoder.batches == []


def test_what_no_image_has_any_more_is_dropped_from_the_store() -> None:
    store = _Embeddings()
    embed(FolderlessImages(CONTENTS), ["0.png", "1.png"], store=store)
    embed(FolderlessImages(CONTENTS), ["1.png"], store=store)
    assert list(store.kept) == [hashlib.sha256(CONTENTS["1.png"]).digest()]


def test_bad_images_are_named_with_their_reason_and_the_others_embedded() -> None:
    bad = {"empty": b"", "cut": CONTENTS["0.png"][:50], "again": CONTENTS["0.png"][:50]}
    embedded = embed(FolderlessImages(CONTENTS | bad), ["0.png", "empty", "missing", "cut", "1.png", "again"])
    assert {name: type(error) for name, error in embedded.errors.items()} == {
        "empty": ImageEmpty,
        "missing": ImageUnavailable,
        "cut": ImageCorrupt,
        "again": ImageCorrupt,
    }
    assert sorted(embedded.rows) == ["0.png", "1.png"]
    assert embedded.encoded == len(embedded.embeddings) == 2


def test_no_names_give_no_rows() -> None:
    embedded = embed(FolderlessImages({}), [])
    assert embedded.embeddings.shape == (0, 4)
    assert not embedded.rows


def test_an_image_that_changes_between_hashing_and_encoding_is_refused() -> None:
    class Restless(FolderlessImages):
        """Gives another image at each reading."""

        def read(self, name: str) -> bytes:
            self.contents[name] = CONTENTS[f"{len(self.contents[name]) % 7}.png"] + self.contents[name][-1:]
            return self.contents[name]

    embedded = embed(Restless({"a": CONTENTS["0.png"]}), ["a"])
    assert isinstance(embedded.errors["a"], ImageUnavailable)
    assert not embedded.rows


def test_a_failing_encoder_leaves_the_store_as_it_was() -> None:
    class Broken(MeanColourEncoder):
        def encode(self, pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            raise ModelOutputError("broken")

    store = _Embeddings()
    embed(FolderlessImages(CONTENTS), ["0.png"], store=store)
    with pytest.raises(ModelOutputError, match="broken"):
        embed(FolderlessImages(CONTENTS), ["0.png", "1.png"], store=store, encoder=Broken())
    assert len(store.kept) == 1


def test_check_images_finds_the_same_bad_images_without_encoding() -> None:
    images = FolderlessImages({"good": CONTENTS["0.png"], "empty": b""})
    errors = check_images(["good", "empty", "missing"], images, tiny_decoder(), workers=2, progress=ignore)
    assert {name: type(error) for name, error in errors.items()} == {"empty": ImageEmpty, "missing": ImageUnavailable}


def test_progress_ends_at_the_whole() -> None:
    told: list[tuple[str, int, int]] = []
    embed_images(
        CONTENTS,
        FolderlessImages(CONTENTS),
        image_encoder(),
        _Embeddings(),
        workers=2,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    for what in ("Reading images", "Encoding images"):
        counts = [done for told_what, done, _ in told if told_what == what]
        assert counts == sorted(counts)
        assert counts[-1] == 100


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (32, [32]), (65, [32, 32, 1])])
def test_chunks_cover_everything_in_order(count: int, sizes: list[int]) -> None:
    pieces = chunks(range(count))
    assert [len(piece) for piece in pieces] == sizes
    assert [item for piece in pieces for item in piece] == list(range(count))
