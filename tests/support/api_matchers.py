"""Matchers of hashes and titles that the endpoints are tested with."""

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.features import phash
from pricematch.matching.matcher import Matcher
from tests.support.fakes import encoded, scene, tiny_decoder
from tests.support.scored import scored_search

SCENE = encoded(scene())
ALL = {"min_probability": 0}


def hash_of(image: bytes) -> str:
    """The perceptual hash of an image, 16 hexadecimal digits."""
    return phash(tiny_decoder().decoded(image))


POSTINGS = [
    Posting("scene", "scene.png", "Kopi Susu 200 ml", image_phash=hash_of(SCENE)),
    Posting("twin", None, "Kopi Susu 200 ml", image_phash=hash_of(SCENE)),
    Posting("worded", None, "kopi susu 500 ml"),
    Posting("other", None, "<b>Teh</b> manis"),
]


def judged_matcher() -> Matcher:
    """A matcher of hashes and titles, without encoders."""
    return Matcher(Catalogue(POSTINGS), {}, {}, scored_search(POSTINGS))
