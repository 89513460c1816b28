"""ZIP files of images: good ones, damaged ones, bombs and tricks."""

import io
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricematch.errors import ImageCorrupt, ImageError, ImageTooLarge, ImageUnavailable, ImportRefused
from pricematch.formats.zip_images import ZipImages, ZipLimits
from pricematch.settings import KIB, MIB
from tests.support.files import Member, archive, overlapping

LIMITS = ZipLimits(members=1000, image_bytes=MIB, total_bytes=64 * MIB, ratio=100)
CONTENTS = {"1.png": b"one", "folder/2.png": b"two" * 1000, "ü.png": b"three"}


def opened(folder: Path, content: bytes, limits: ZipLimits = LIMITS) -> ZipImages:
    path = folder / "images.zip"
    path.write_bytes(content)
    return ZipImages(path, "images", limits)


def refused(folder: Path, content: bytes, limits: ZipLimits = LIMITS) -> str:
    """Why an archive is refused."""
    with pytest.raises(ImportRefused) as caught:
        opened(folder, content, limits)
    return str(caught.value)


def written(contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, zip64: bool = False) -> bytes:
    """An archive as Python writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer:
        for name, content in contents.items():
            with writer.open(name, "w", force_zip64=zip64) as member:
                member.write(content)
    return file.getvalue()


@pytest.fixture
def few(tmp_path: Path) -> Iterator[ZipImages]:
    with closing(opened(tmp_path, written(CONTENTS))) as images:
        yield images


def test_images_are_read_by_the_names_of_their_members(few: ZipImages) -> None:
    assert {name: few.read(name) for name in CONTENTS} == CONTENTS


@pytest.mark.parametrize("name", ["2.png", "", "/1.png", "folder", "folder/", "../1.png", "x" * 5000])
def test_what_no_member_is_named_by_is_not_there(few: ZipImages, name: str) -> None:
    with pytest.raises(ImageUnavailable, match="is not in the ZIP file"):
        few.read(name)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(written(CONTENTS, zipfile.ZIP_STORED), id="stored"),
        pytest.param(written(CONTENTS, zip64=True), id="64-bit sizes"),
        pytest.param(archive([Member(n.encode(), c, flags=0x800) for n, c in CONTENTS.items()]), id="by hand"),
        pytest.param(
            archive([Member(n.encode(), c, flags=0x800) for n, c in CONTENTS.items()], zip64=True), id="zip64"
        ),
    ],
)
def test_the_ways_programs_write_archives_give_the_same_images(tmp_path: Path, content: bytes) -> None:
    with closing(opened(tmp_path, content)) as images:
        assert {name: images.read(name) for name in CONTENTS} == CONTENTS


def test_folders_and_a_comment_are_no_fault(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.mkdir("folder")
        writer.writestr("folder/1.png", b"one")
        writer.comment = b"made by hand"
    with closing(opened(tmp_path, file.getvalue())) as images:
        assert images.read("folder/1.png") == b"one"


@pytest.mark.slow
def test_more_than_65535_members_are_read(tmp_path: Path) -> None:
    members = [Member(b"%d" % number, b"") for number in range(65_540)]
    with closing(opened(tmp_path, archive(members, zip64=True), replace(LIMITS, members=70_000))) as images:
        assert images.read("65539") == b""
    # without the record of large archives the number is 4, and zipfile reads them all the same
    assert "at most 65539 images" in refused(tmp_path, archive(members), replace(LIMITS, members=65_539))


# --- names -------------------------------------------------------------------------------------------------------


def mac(name: str) -> str:
    return unicodedata.normalize("NFD", name)


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        pytest.param([Member(mac("Fotos/é.png").encode(), flags=0x800)], "é.png", id="macOS, below a folder"),
        pytest.param([Member(mac("é.png").encode())], "é.png", id="UTF-8 without its flag"),
        pytest.param([Member("é.png".encode("cp437"))], "é.png", id="code page 437"),
        pytest.param([Member(b"Fotos\\a\\1.png"), Member(b"Fotos\\2.png")], "a/1.png", id="backslashes"),
        pytest.param([Member(b"Fotos\\"), Member(b"Fotos\\1.png")], "1.png", id="a folder with a backslash"),
        pytest.param([Member(b"F/"), Member(b"F/1.png"), Member(b"__MACOSX/F/._1.png")], "1.png", id="junk of macOS"),
        pytest.param([Member(b"F/1.png"), Member(b"F/.DS_Store"), Member(b"Icon\r")], "1.png", id="more junk"),
        pytest.param([Member(b"IMG_1.PNG"), Member(b"b.png")], "img_1.png", id="other case"),
        pytest.param([Member(b"b.png"), Member("ключ.png".encode())], "КЛЮЧ.png", id="other case, not ASCII"),
    ],
)
def test_images_are_found_as_other_programs_name_them(tmp_path: Path, members: list[Member], wanted: str) -> None:
    """Fault C18: archives of macOS, Windows and older programs."""
    with closing(opened(tmp_path, archive(members))) as images:
        assert images.read(wanted) == b"content"


def test_the_extra_field_of_a_name_counts_where_it_belongs_to_it(tmp_path: Path) -> None:
    """Fault C18: Info-ZIP writes the name in UTF-8 there, and another one beside it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        for raw, name, crc in ((b"#U00e9.png", "é.png", 0), (b"other.png", "wrong.png", 1)):
            member = zipfile.ZipInfo(raw.decode())
            field = struct.pack("<BL", 1, zlib.crc32(raw) + crc) + name.encode()
            member.extra = struct.pack("<2H", 0x9999, 1) + b"x" + struct.pack("<2H", 0x7075, len(field)) + field
            writer.writestr(member, name)
    with closing(opened(tmp_path, file.getvalue())) as images:
        assert images.read("é.png") == "é.png".encode()
        assert images.read("other.png") == b"wrong.png"


def test_a_name_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Fault C18: and one of two that differ by case is neither."""
    with closing(opened(tmp_path, archive([Member(b"A.png"), Member(b"a.PNG"), Member(b"x/red.png")]))) as images:
        with pytest.raises(ImageUnavailable, match=r"'a.png' is not in the ZIP file; it may be 'A.png' or 'a.PNG'"):
            images.read("a.png")
        with pytest.raises(ImageUnavailable, match=r"'red.png' is not in .*; the nearest name is 'x/red.png'"):
            images.read("red.png")


@pytest.mark.parametrize("name", ["a\\..\\..\\1.png", "\\1.png", "a\\\\1.png", ".\\1.png", "a\\.."])
def test_backslashes_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    """Fault C18: what is refused with slashes is refused with backslashes."""
    assert "a name that leads elsewhere" in refused(tmp_path, archive([Member(name.encode())]))


# --- bombs -------------------------------------------------------------------------------------------------------


def test_a_flat_bomb_is_refused_before_unpacking(tmp_path: Path) -> None:
    bomb = archive([Member(b"1.png", bytes(48 * MIB), deflated=True)])
    assert len(bomb) < 64 * KIB
    tracemalloc.start()
    assert "expected at most 100 times its own" in refused(tmp_path, bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    tracemalloc.stop()


def test_a_bomb_of_many_members_is_refused(tmp_path: Path) -> None:
    members = [Member(b"%d" % number, bytes(MIB), deflated=True) for number in range(20)]
    assert "expected at most 10485760 bytes uncompressed, got 20971520" in refused(
        tmp_path, archive(members), replace(LIMITS, total_bytes=10 * MIB)
    )


@pytest.mark.slow
def test_a_bomb_whose_members_share_their_bytes_is_refused(tmp_path: Path) -> None:
    bomb = overlapping(Member(b"x", b"kernel" * 1000, deflated=True), 100)
    assert "shares bytes with another" in refused(tmp_path, bomb)
    large = overlapping(Member(b"x", bytes(MIB), deflated=True), 500)
    assert "bytes uncompressed, got 524288000" in refused(tmp_path, large)


def test_an_overlapping_member_is_refused(tmp_path: Path) -> None:
    inner = Member(b"inner", b"abc")
    outer = Member(b"outer", b"x" * 10, compressed_size=200, size=200)
    assert "'outer' shares bytes" in refused(tmp_path, archive([outer, inner]))
    assert "'inner' shares bytes" in refused(tmp_path, archive([replace(inner, compressed_size=9, size=9)]))


def test_more_members_than_the_limit_are_refused(tmp_path: Path) -> None:
    members = [Member(b"%d" % number) for number in range(11)]
    limits = replace(LIMITS, members=10)
    for content in (archive(members), archive(members, count=3), archive(members, zip64=True)):
        assert "expected at most 10 images, got more" in refused(tmp_path, content, limits)


def test_a_directory_of_long_names_is_refused_before_it_is_read(tmp_path: Path) -> None:
    members = [Member(b"x" * 60_000) for _ in range(10)]
    assert "expected at most 100 images" in refused(tmp_path, archive(members), replace(LIMITS, members=100))


# --- lies --------------------------------------------------------------------------------------------------------


def test_a_member_larger_than_an_image_may_be_fails_alone(tmp_path: Path) -> None:
    large = Member(b"large", bytes(MIB + 1))
    with closing(opened(tmp_path, archive([large, Member(b"small")]))) as images:
        with pytest.raises(ImageTooLarge, match="expected at most 1048576 bytes, got 1048577"):
            images.read("large")
        assert images.read("small") == b"content"


@pytest.mark.parametrize("size", [10, 0xFFF0], ids=["less", "more"])
def test_a_member_that_lies_about_its_size_fails_alone(tmp_path: Path, size: int) -> None:
    liar = Member(b"liar", bytes(50_000), deflated=True, size=size)
    with closing(opened(tmp_path, archive([liar, Member(b"honest")]))) as images:
        with pytest.raises(ImageCorrupt):
            images.read("liar")
        assert images.read("honest") == b"content"


@pytest.mark.slow
def test_a_small_size_that_hides_a_bomb_never_has_it_unpacked(tmp_path: Path) -> None:
    bomb = Member(b"bomb", bytes(256 * MIB), deflated=True, size=1000)
    with closing(opened(tmp_path, archive([bomb]))) as images:
        tracemalloc.start()
        with pytest.raises(ImageCorrupt):
            images.read("bomb")
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [{"local_name": b"brokem"}, {"deflated": False, "method": 8}])
def test_a_damaged_member_fails_alone(tmp_path: Path, damage: dict[str, object]) -> None:
    broken = replace(Member(b"broken", b"\xff" * 99), **damage)  # type: ignore[arg-type]
    with closing(opened(tmp_path, archive([broken, Member(b"whole")]))) as images:
        with pytest.raises(ImageCorrupt, match="cannot be read from the ZIP file"):
            images.read("broken")
        assert images.read("whole") == b"content"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no end"),
        (b"posting_id,image\n", "no end"),
        (b"PK\5\6", "no end"),
        (written(CONTENTS)[:-1], "no end|behind its end"),
        (written(CONTENTS) + b"x", "behind its end"),
        (b"#!/bin/sh\n" + written(CONTENTS), "before it"),
        (archive([Member(b"1")], count=2), "tells of 2 members, its directory of 1"),
        (archive([Member(b"1")], zip64=True).replace(b"PK\6\6", b"PK\6\1"), "large archive is damaged"),
        (archive([Member(b"1")]).replace(b"PK\1\2", b"PK\1\1"), "directory is damaged"),
        (written(CONTENTS) + written({"1.png": b"other"}), "before it"),
    ],
)
def test_a_damaged_archive_or_one_with_something_around_it_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "images.zip"
    path.write_bytes(content)
    with pytest.raises(ImportRefused, match=rf"^images: cannot be read as a ZIP file \(.*({why})"):
        ZipImages(path, "images", LIMITS)


# --- tricks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../1.png",
        "a/../../1.png",
        "a/..",
        "./1.png",
        "a//1.png",
        "C:/1.png",
        "C:1.png",
        "\\\\server\\share\\1.png",
        "..\\1.png",
        "1.png\0.txt",
        "1\n.png",
        "",
        "/",
        "x" * 1025,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    assert "a name that leads elsewhere" in refused(tmp_path, archive([Member(name.encode())]))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, mode: int) -> None:
    assert "is a link or a device" in refused(tmp_path, archive([Member(b"1.png", b"/etc/passwd", mode=mode | 0o777)]))


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    for flags in (1, 0x41, 0x2000):
        assert "'1.png' is encrypted" in refused(tmp_path, archive([Member(b"1.png", flags=flags)]))


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    assert "each name once" in refused(tmp_path, archive([Member(b"1.png", b"a"), Member(b"1.png", b"b")]))


def test_other_methods_of_compression_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert f"by method {method}, expected stored or deflated" in refused(tmp_path, written(CONTENTS, method))


def test_an_archive_within_an_archive_is_no_more_than_bytes(tmp_path: Path) -> None:
    inner = written(CONTENTS)
    with closing(opened(tmp_path, written({"inner.zip": inner}))) as images:
        assert images.read("inner.zip") == inner


def test_nothing_is_written_to_the_disk(tmp_path: Path) -> None:
    with closing(opened(tmp_path, written(CONTENTS))) as images:
        for name in CONTENTS:
            images.read(name)
    assert [path.name for path in tmp_path.iterdir()] == ["images.zip"]


_WHOLE = written(CONTENTS)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_an_altered_file_is_refused_or_read_right(
    alterations: list[tuple[int, int]],
) -> None:
    import tempfile

    content = bytearray(_WHOLE)
    for place, value in alterations:
        content[place] = value
    with tempfile.TemporaryDirectory() as folder:
        try:
            images = opened(Path(folder), bytes(content))
        except ImportRefused:
            return
        with closing(images):
            for name, expected in CONTENTS.items():
                try:
                    assert images.read(name) == expected
                except ImageError:
                    continue
