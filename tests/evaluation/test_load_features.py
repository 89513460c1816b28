"""What the postings of a catalogue carry, from files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.hashes import parse_hashes
from pricematch.catalogue.image_arrays import image_keys
from pricematch.catalogue.postings import Posting
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.encoding.colours import ColourHistogram, ShadeHistogram
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.evaluation.load_features import load_features
from pricematch.settings import Settings
from tests.support.catalogues import write_catalogue
from tests.support.fakes import encoded, image_bytes, scene
from tests.support.served import Told

POSTINGS = [
    Posting("p0", "red.png", "kopi susu", "0" * 16),
    Posting("p1", "scene.png", "", "f" * 16),
    Posting("p2", "gone.png", "teh manis", "0" * 15 + "1"),
    Posting("p3", None, "teh", "0" * 16),
]
PICTURES = {"red.png": image_bytes("#ff0000"), "scene.png": encoded(scene())}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Four postings of which two have an image, and embeddings of all four."""
    (tmp_path / "images").mkdir()
    for name, content in PICTURES.items():
        (tmp_path / "images" / name).write_bytes(content)
    np.save(tmp_path / "embeddings.npy", np.eye(4, dtype=np.float32))
    write_catalogue(tmp_path / "catalogue.csv", POSTINGS)
    return Settings(catalogue=tmp_path / "catalogue.csv", images=tmp_path / "images", data=tmp_path / "data")


def without_pictures(settings: Settings) -> Settings:
    """The same, no folder of images being named, and the default one not being there."""
    return Settings(catalogue=settings.catalogue, data=settings.data)


def loaded(settings: Settings, *names: str, colours: str = NEWEST_COLOURS) -> Features:
    embeddings = settings.catalogue.parent / "embeddings.npy" if "image" in names else None
    return load_features(settings, read_catalogue(settings), names, embeddings, Told(), colours)[1]


def test_the_signals_requested_are_carried_and_no_other(settings: Settings) -> None:
    both = loaded(settings, "hash", "title")
    assert both.titles == [posting.title for posting in POSTINGS]
    np.testing.assert_array_equal(both.hashes.values, parse_hashes([it.image_phash for it in POSTINGS]).values)
    assert both.embeddings == {}
    title = loaded(settings, "title")
    assert not title.hashes.known.any()
    assert loaded(settings, "hash").titles == [""] * 4


def test_images_that_can_be_read_are_known_by_their_bytes(settings: Settings) -> None:
    digests = [hashlib.sha256(content).digest() for content in PICTURES.values()]
    np.testing.assert_array_equal(loaded(settings, "title").images, image_keys([*digests, None, None]))
    assert not loaded(without_pictures(settings), "title").images.any()


def test_embeddings_come_with_the_colours_of_the_images(settings: Settings) -> None:
    found = loaded(settings, "image").embeddings
    np.testing.assert_array_equal(found["image"], np.eye(4))
    colours = found["colours"]
    assert colours.shape == (4, ShadeHistogram().dimension)
    red = ShadeHistogram().encode(np.full((1, 2, 2, 3), (255, 0, 0), np.uint8))
    np.testing.assert_allclose(colours[0], red[0], atol=1e-6)
    assert np.linalg.norm(colours[1]) == pytest.approx(1)
    assert not colours[2:].any()
    earlier = loaded(settings, "image", colours="1").embeddings["colours"]
    assert earlier.shape == (4, ColourHistogram().dimension)


def test_colours_are_kept_and_those_of_a_changed_image_counted_anew(settings: Settings) -> None:
    before = loaded(settings, "image").embeddings["colours"]
    [kept] = (settings.data / "embeddings").iterdir()
    assert kept.name.startswith("colours-")
    np.testing.assert_array_equal(loaded(settings, "image").embeddings["colours"], before)
    (settings.images / "red.png").write_bytes(image_bytes("#00ff00"))
    after = loaded(settings, "image").embeddings["colours"]
    assert after[0] @ before[0] == 0
    np.testing.assert_array_equal(after[1], before[1])


def test_without_images_nothing_is_known_of_colours(settings: Settings) -> None:
    assert not loaded(without_pictures(settings), "image").embeddings["colours"].any()
