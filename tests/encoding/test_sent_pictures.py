"""Pictures that are sent, read as those of a catalogue are."""

import hashlib
from dataclasses import replace

import numpy as np

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.perceptual_hash import PerceptualHasher
from pricematch.encoding.sent_pictures import read_pictures
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageTooLarge
from tests.support.fakes import SIDE, encoded, mean_colours, picture, scene, tiny_decoder, tiny_embedded, tiny_encoder

HASHER = PerceptualHasher(tiny_decoder())
SCENE = encoded(scene())
RED = picture("#ff0000")


def test_good_pictures_come_in_order_and_bad_ones_are_left_out_with_their_error() -> None:
    embedded = tiny_embedded()
    sent = read_pictures([SCENE, b"", RED, SCENE[:50]], HASHER, [embedded])
    assert [type(error) for error in sent.errors] == [type(None), ImageEmpty, type(None), ImageCorrupt]
    assert sent.hashes == [HASHER.hash(SCENE), HASHER.hash(RED)]
    assert sent.digests == [hashlib.sha256(SCENE).digest(), hashlib.sha256(RED).digest()]
    alone = [embedded.encoder.encode(image) for image in (SCENE, RED)]
    np.testing.assert_allclose(sent.embeddings[id(embedded)], np.concatenate(alone), atol=1e-6)


def test_each_encoder_encodes_all_pictures_in_one_call() -> None:
    one, other = tiny_embedded(), tiny_embedded()
    sent = read_pictures([RED, SCENE, RED], HASHER, [one, other, one])
    for embedded in (one, other):
        assert mean_colours(embedded.encoder).batches == [3]
    assert set(sent.embeddings) == {id(one), id(other)}


def test_a_picture_that_one_encoder_cannot_take_is_bad_for_all() -> None:
    usual, small = tiny_embedded(), picture("#00ff00", (32, 32))
    strict = replace(usual, encoder=tiny_encoder(decoder=PillowDecoder(SIDE, 64 * 64 - 1, 1)))
    sent = read_pictures([RED, small], HASHER, [strict, usual])
    assert [type(error) for error in sent.errors] == [ImageTooLarge, type(None)]
    assert sent.hashes == [HASHER.hash(small)]
    for embedded in (strict, usual):
        np.testing.assert_allclose(sent.embeddings[id(embedded)], usual.encoder.encode(small), atol=1e-6)


def test_without_an_encoder_pictures_still_have_hashes() -> None:
    sent = read_pictures([SCENE], HASHER, [])
    assert (sent.hashes, sent.embeddings, sent.errors) == ([HASHER.hash(SCENE)], {}, [None])


def test_they_carry_what_a_catalogue_carries_and_zeros_where_nothing_embedded_them() -> None:
    embedded = tiny_embedded()
    sent = read_pictures([SCENE, RED], HASHER, [embedded])
    found = sent.carried(["", "kopi"], {"image": embedded}, {"image": 4, "colours": 7})
    assert list(found.titles) == ["", "kopi"]
    assert found.hashes.known.all()
    assert [f"{value:016x}" for value in found.hashes.values] == [HASHER.hash(SCENE), HASHER.hash(RED)]
    assert found.images.tolist() == [
        int.from_bytes(hashlib.sha256(image).digest()[:8], "big") for image in (SCENE, RED)
    ]
    np.testing.assert_allclose(found.embeddings["image"][1:], embedded.encoder.encode(RED), atol=1e-6)
    assert found.embeddings["colours"].tolist() == [[0.0] * 7] * 2


def test_titles_alone_carry_neither_hash_nor_embedding() -> None:
    found = read_pictures([], HASHER, []).carried(["kopi"], {"image": tiny_embedded()}, {"image": 4})
    assert (list(found.titles), found.hashes.known.tolist(), found.images.tolist()) == (["kopi"], [False], [0])
    assert found.embeddings["image"].tolist() == [[0.0] * 4]


def test_where_all_pictures_are_bad_nothing_is_carried() -> None:
    embedded = tiny_embedded()
    sent = read_pictures([b"GIF89a", b""], HASHER, [embedded])
    found = sent.carried([], {"image": embedded}, {"image": 4})
    assert (len(found), found.embeddings["image"].shape) == (0, (0, 4))
    assert [type(error) for error in sent.errors] == [ImageCorrupt, ImageEmpty]
