"""Encodings of text files: given, or detected and told."""

import io
import random
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.formats.text_lines import TextError, TextLines
from pricematch.settings import CsvEncoding

HEADER = "posting_id,image,title\n"
WESTERN = HEADER + "a,1.png,Crème brûlée “doux” 5 €\nb,2.png,Größe 38 ½ Stück\n"
THAI = HEADER + "a,1.png,รองเท้าผ้าใบสีขาว\n"
CYRILLIC = HEADER + "a,1.png,Кофе молотый 250 г\n"
CHINESE = HEADER + "a,1.png,运动鞋男士白色\n"


def read(content: bytes, encoding: CsvEncoding = "auto", limit: int = 4096) -> tuple[str, str]:
    """Encoding and text of a file."""
    lines = TextLines(io.BytesIO(content), limit, encoding)
    return lines.name, "".join(line or "" for line in lines)


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (WESTERN, "utf-8", "UTF-8"),
        (WESTERN, "utf-8-sig", "UTF-8"),
        (WESTERN, "utf-16", "UTF-16"),
        (WESTERN, "utf-16-le", "UTF-16-le"),
        (WESTERN, "utf-16-be", "UTF-16-be"),
        (WESTERN, "utf-32", "UTF-32"),
        (WESTERN, "cp1252", "cp1252"),
        (HEADER, "ascii", "UTF-8"),
        (THAI, "utf-8", "UTF-8"),
        (THAI, "utf-16-le", "UTF-16-le"),
        (CHINESE, "utf-16", "UTF-16"),
    ],
)
def test_an_encoding_is_detected(text: str, encoding: str, told: str) -> None:
    """By its mark, by its zeros, and cp1252 where it is no UTF-8 (fault C19)."""
    assert read(text.encode(encoding)) == (told, text)
    assert read(("\ufeff" + text).encode("utf-16-be")) == ("UTF-16", text)


@pytest.mark.parametrize(("text", "encoding"), [(THAI, "cp874"), (CYRILLIC, "cp1251"), (CHINESE, "gb18030")])
def test_another_script_is_not_taken_for_cp1252(text: str, encoding: CsvEncoding) -> None:
    """It would become a jumble; named, it is read (fault C19)."""
    name, found = read(text.encode(encoding))
    assert name == "UTF-8"
    lines = TextLines(io.BytesIO(b""), 99)
    assert "expected UTF-8, got the byte 0x" in str(lines.undecoded(found))
    assert read(text.encode(encoding), encoding) == (encoding, text)


def test_one_damaged_byte_does_not_make_a_file_cp1252() -> None:
    """All else is UTF-8, so that byte is what is wrong (fault C19)."""
    content = (WESTERN * 20).encode() + b"c,3.png,caf\xe9\n"
    name, found = read(content)
    assert name == "UTF-8"
    assert found.endswith("caf\udce9\n")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp874", "gb18030", "shift_jis", "big5"]
)
def test_bytes_of_another_encoding_than_is_given_are_told(encoding: CsvEncoding) -> None:
    """Whatever they are, lines or a sentence (fault C19)."""
    lottery = random.Random(5)
    for length in (1, 2, 3, 7, 400):
        content = lottery.randbytes(length)
        lines = TextLines(io.BytesIO(content), 4096, encoding)
        with suppress(TextError):
            text = "".join(line or "" for line in lines)
            assert lines.undecoded(text) is None or "expected" in str(lines.undecoded(text))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_systems_end_them(end: str) -> None:
    """Of a Mac of old as well (fault C19)."""
    lines = TextLines(io.BytesIO(f"a{end}b{end}c".encode("utf-16")), 99)
    assert list(lines) == [f"a{end}", f"b{end}", "c"]
    assert lines.number == 3


def test_a_line_that_is_too_long_is_passed_over() -> None:
    """The limit counts bytes of UTF-8, whatever the file is in."""
    for encoding in ("utf-8", "utf-16"):
        lines = TextLines(io.BytesIO(f"{'é' * 50}\n{'é' * 51}\n{'x' * 5000}\nb\n".encode(encoding)), 101)
        assert list(lines) == ["é" * 50 + "\n", None, None, "b\n"]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), st.sampled_from(["utf-8", "utf-16", "utf-32"])
)
def test_what_is_written_in_unicode_is_read_back(text: str, encoding: str) -> None:
    text = HEADER + unicodedata.normalize("NFC", text).replace("\x85", "")
    assert read(text.encode(encoding), limit=10_000)[1] == text
