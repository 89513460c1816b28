"""What is known of pictures without decoding them."""

import hashlib

from pricematch.encoding.ports import Header
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageUnavailable
from pricematch.evaluation.pictures import look_at_pictures
from tests.support.fakes import FolderlessImages


class Told:
    """Remembers what progress was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.told.append((what, done, total))


def header(image: bytes) -> Header:
    if not image:
        raise ImageEmpty("nothing")
    return Header("image/png", len(image), 1)


def phash(image: bytes) -> str:
    if image == b"broken":
        raise ImageCorrupt("it is broken")
    return f"{len(image):016x}"


def test_each_picture_is_described_and_only_those_without_a_hash_are_hashed() -> None:
    images, told = FolderlessImages({"a": b"one", "b": b"three", "c": b"one"}), Told()
    facts, errors = look_at_pictures(["a", "b", "c"], images, header, phash, {"b"}, workers=2, progress=told)
    assert errors == {}
    assert {name: (fact.header.width, fact.size, fact.phash) for name, fact in facts.items()} == {
        "a": (3, 3, None),
        "b": (5, 5, f"{5:016x}"),
        "c": (3, 3, None),
    }
    assert facts["a"].digest == facts["c"].digest == hashlib.sha256(b"one").digest()
    assert told.told == [("Looking at pictures", 3, 3)]


def test_bad_pictures_are_told_by_name_and_the_others_are_described() -> None:
    images = FolderlessImages({"good": b"good", "empty": b"", "broken": b"broken"})
    names = ["good", "missing", "empty", "broken"]
    facts, errors = look_at_pictures(names, images, header, phash, {"broken"}, workers=2, progress=Told())
    assert list(facts) == ["good"]
    assert {name: type(error) for name, error in errors.items()} == {
        "missing": ImageUnavailable,
        "empty": ImageEmpty,
        "broken": ImageCorrupt,
    }


def test_progress_is_told_in_batches_and_at_the_end() -> None:
    images, told = FolderlessImages({f"{number}": b"x" for number in range(70)}), Told()
    look_at_pictures(list(images.contents), images, header, phash, (), workers=2, progress=told)
    assert [done for _, done, _ in told.told] == [32, 64, 70]


def test_no_pictures_are_no_work() -> None:
    assert look_at_pictures([], FolderlessImages({}), header, phash, (), workers=1, progress=Told()) == ({}, {})
