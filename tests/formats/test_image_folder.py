"""Nothing outside the image folder is ever opened (row 26 of the table of faults)."""

import os
import socket
from pathlib import Path

import pytest

from pricematch.errors import ImageTooLarge, ImageUnavailable
from pricematch.formats.image_folder import ImageFolder, folder_within

LIMIT = 100


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of images beside a secret."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "images-of-others").mkdir()
    (tmp_path / "images-of-others" / "x.png").write_bytes(b"secret")
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"image a")
    (folder / "sub" / "b.png").write_bytes(b"image b")
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.png", b"image a"), ("sub/b.png", b"image b"), ("./a.png", b"image a"), ("sub/../a.png", b"image a")],
)
def test_a_file_inside_is_read(root: Path, name: str, content: bytes) -> None:
    assert ImageFolder(root, LIMIT).read(name) == content


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "sub/../../secret.png",
        "../images/../secret.png",
        "../images-of-others/x.png",
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "//etc/passwd",
        "http://localhost/a.png",
        "file:///etc/passwd",
        "a.png\0.jpg",
        "..",
        ".",
        "",
        "sub",
        "sub/",
        "a.png/x",
        "missing.png",
        "~/a.png",
        "x" * 5000,
        "a/" * 3000,
        "\U0001f600.png",
    ],
)
def test_whatever_else_a_name_may_be_is_refused(root: Path, name: str) -> None:
    with pytest.raises(ImageUnavailable):
        ImageFolder(root, LIMIT).read(name)


def test_an_absolute_path_is_refused_even_if_it_points_inside(root: Path) -> None:
    with pytest.raises(ImageUnavailable):
        ImageFolder(root, LIMIT).read(str(root / "a.png"))


@pytest.mark.parametrize("target", ["../secret.png", "/dev/zero", "/etc/passwd", "..", "nowhere", "link"])
def test_a_link_that_leads_elsewhere_is_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    with pytest.raises(ImageUnavailable):
        ImageFolder(root, LIMIT).read("link")


def test_a_folder_link_that_leads_out_is_refused(root: Path) -> None:
    (root / "out").symlink_to("..")
    with pytest.raises(ImageUnavailable):
        ImageFolder(root, LIMIT).read("out/secret.png")


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "link.png").symlink_to("sub/b.png")
    (root / "folder").symlink_to("sub")
    images = ImageFolder(root, LIMIT)
    assert images.read("link.png") == images.read("folder/b.png") == b"image b"


def test_a_folder_that_is_itself_a_link_is_served(root: Path) -> None:
    (root.parent / "alias").symlink_to("images")
    assert ImageFolder(root.parent / "alias", LIMIT).read("a.png") == b"image a"


def test_a_fifo_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "fifo.png")
    with pytest.raises(ImageUnavailable, match="regular file"):
        ImageFolder(root, LIMIT).read("fifo.png")


def test_a_fifo_after_the_check_is_refused_without_waiting(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo.png")
    monkeypatch.setattr(ImageFolder, "_inside", lambda self, name: root / name)
    with pytest.raises(ImageUnavailable, match="regular file"):
        ImageFolder(root, LIMIT).read("fifo.png")


def test_a_link_after_the_check_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "link.png").symlink_to("../secret.png")
    monkeypatch.setattr(ImageFolder, "_inside", lambda self, name: root / name)
    with pytest.raises(ImageUnavailable, match="cannot be opened"):
        ImageFolder(root, LIMIT).read("link.png")


def test_a_socket_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        with pytest.raises(ImageUnavailable, match="regular file"):
            ImageFolder(root, LIMIT).read("socket.png")


def test_a_file_over_the_limit_is_refused(root: Path) -> None:
    (root / "full.png").write_bytes(b"x" * LIMIT)
    (root / "over.png").write_bytes(b"x" * (LIMIT + 1))
    assert ImageFolder(root, LIMIT).read("full.png") == b"x" * LIMIT
    with pytest.raises(ImageTooLarge, match=r"at most 100 bytes, got 101 in 'over\.png'"):
        ImageFolder(root, LIMIT).read("over.png")


def test_every_reading_closes_its_file(root: Path) -> None:
    images = ImageFolder(root, 5)
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 — these names are no files to look at
    for name in ("a.png", "missing.png", "sub"):
        with pytest.raises((ImageTooLarge, ImageUnavailable)):
            images.read(name)
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208


@pytest.mark.parametrize("name", ["..", "a/../..", "/", "out", "file", "none", "a\0b", "file://a", "loop", "x" * 300])
def test_a_folder_that_leads_elsewhere_or_is_none_is_not_within(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "file").touch()
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    assert folder_within(root, name) is None


def test_folders_below_and_links_that_stay_are_within(tmp_path: Path) -> None:
    """So is the folder itself."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    expected = {"a": "a", "a/b": "a/b", ".": ".", "link": "a", "a/../a": "a"}
    for name, path in expected.items():
        assert folder_within(tmp_path, name) == (tmp_path / path).resolve()


def test_a_folder_that_has_a_name_is_called_by_it(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable) as caught:
        ImageFolder(tmp_path, 100, "the folder").read("a/b/none.png")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("wanted", ["caf\u00e9/x.png", "cafe\u0301/x.png", "caf\u00e9\\x.png", "CAF\u00c9/X.png"])
def test_a_file_is_found_as_another_computer_named_it(root: Path, wanted: str) -> None:
    """Fault C18: a folder that was unpacked from an archive of a Mac, with its junk."""
    (root / "cafe\u0301").mkdir()
    (root / "cafe\u0301" / "x.png").write_bytes(b"image x")
    (root / ".DS_Store").write_bytes(b"")
    assert ImageFolder(root, LIMIT).read(wanted) == b"image x"


def test_one_folder_in_the_folder_is_passed_over(root: Path) -> None:
    """Fault C18: as it is in an archive."""
    assert ImageFolder(root.parent / "images-of-others", LIMIT).read("X.png") == b"secret"
    (root / "sub" / "b.png").unlink()
    (root / "a.png").rename(root / "sub" / "a.png")
    images = ImageFolder(root, LIMIT)
    assert images.read("a.png") == b"image a"
    with pytest.raises(ImageUnavailable, match=r"'a.jpg' is not in .*; the nearest name is 'sub/a.png'"):
        images.read("a.jpg")


def test_a_link_under_another_name_leads_out_of_nothing(root: Path) -> None:
    """Fault C18: a name that is found in other case is checked as any is."""
    (root / "LINK.png").symlink_to("../secret.png")
    (root / "OUT").symlink_to("..")
    for name in ("link.png", "out/secret.png"):
        with pytest.raises(ImageUnavailable):
            ImageFolder(root, LIMIT).read(name)
