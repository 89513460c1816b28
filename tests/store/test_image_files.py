"""Image files by content."""

import hashlib
from pathlib import Path

import pytest

from pricematch.errors import ImageUnavailable, StoreUnavailable
from pricematch.store.image_files import ImageFiles, image_digest, incoming_images, sweep_incoming
from tests.support.stores import image_bytes, name_of

DIGESTS = [hashlib.sha256(image_bytes(number)).digest() for number in range(5)]


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    for name in ("images", "incoming"):
        (tmp_path / name).mkdir()
    return ImageFiles(tmp_path / "images")


def add(images: ImageFiles, *numbers: int) -> None:
    with incoming_images(images.folder.parent / "incoming", images, 1) as incoming:
        for number in numbers:
            incoming.write(DIGESTS[number], image_bytes(number))
        incoming.place()


def test_an_image_is_read_by_its_digest(images: ImageFiles) -> None:
    add(images, 1, 2)
    for number in (1, 2):
        name = name_of(image_bytes(number))
        assert images.read(name) == image_bytes(number)
        assert (images.folder / name[:2] / name[2:]).read_bytes() == image_bytes(number)
        assert images.has(DIGESTS[number])
    assert not images.has(DIGESTS[3])


def test_an_open_image_is_whole_and_at_its_beginning(images: ImageFiles) -> None:
    """A file that does not hold what it is named by, or is not there, is not opened: fault F5."""
    add(images, 1)
    name = name_of(image_bytes(1))
    with images.open(name) as file:
        images.remove(DIGESTS[1])
        assert file.read() == image_bytes(1)
    with pytest.raises(ImageUnavailable):
        images.open(name)
    images.path(DIGESTS[1]).write_bytes(image_bytes(1)[:-1])
    for read in (images.open, images.read):
        with pytest.raises(ImageUnavailable, match="does not hold the image"):
            read(name)


@pytest.mark.parametrize(
    "name",
    ["", "../secret", "ab", "AB" * 32, "ab" * 31, "ab" * 33, "g" * 64, "é" * 64, "/etc/passwd", "a\0b", " " * 64],
)
def test_fault_26_a_name_that_is_no_digest_opens_nothing(name: str, images: ImageFiles) -> None:
    (images.folder.parent / "secret").write_bytes(b"")
    with pytest.raises(ImageUnavailable):
        images.read(name)
    with pytest.raises(ValueError, match=r"hexadecimal"):
        image_digest(name)


def test_fault_27_a_missing_or_changed_image_is_unavailable(images: ImageFiles) -> None:
    add(images, 1)
    with pytest.raises(ImageUnavailable, match="No such file"):
        images.read(name_of(image_bytes(2)))
    images.path(DIGESTS[1]).write_bytes(image_bytes(2))
    with pytest.raises(ImageUnavailable, match="does not hold"):
        images.read(name_of(image_bytes(1)))


def test_what_was_not_placed_is_gone_behind_the_block(images: ImageFiles) -> None:
    incoming_folder = images.folder.parent / "incoming"
    with incoming_images(incoming_folder, images, 1) as incoming:
        incoming.write(DIGESTS[1], image_bytes(1))
        assert len(list(incoming_folder.iterdir())) == 1
    assert list(incoming_folder.iterdir()) == []
    assert not images.has(DIGESTS[1])


def test_an_image_deleted_while_it_is_put_is_written_again(images: ImageFiles) -> None:
    add(images, 1)
    with incoming_images(images.folder.parent / "incoming", images, 1) as incoming:
        incoming.write(DIGESTS[1], image_bytes(1))
        images.remove(DIGESTS[1])
        incoming.place()
    assert images.read(name_of(image_bytes(1))) == image_bytes(1)


def test_half_written_images_are_swept_up_only_while_nobody_writes(images: ImageFiles) -> None:
    folder = images.folder.parent / "incoming"
    (folder / "left").write_bytes(b"")
    with incoming_images(folder, images, 1) as incoming:
        incoming.write(DIGESTS[1], image_bytes(1))
        with pytest.raises(StoreUnavailable, match="held by another process"):
            sweep_incoming(folder)
        incoming.place()
    sweep_incoming(folder)
    assert list(folder.iterdir()) == []
    assert images.has(DIGESTS[1])


def test_images_are_listed_by_first_byte(images: ImageFiles) -> None:
    """Of their digests; other files are left out."""
    add(images, *range(5))
    (images.folder / "README").write_bytes(b"")
    (images.path(DIGESTS[0]).parent / "README").write_bytes(b"")
    for prefix in (bytes([number]) for number in range(256)):
        assert images.digests(prefix) == {digest for digest in DIGESTS if digest[:1] == prefix}
