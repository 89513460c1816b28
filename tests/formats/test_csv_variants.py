"""Catalogues as people's programs write them, and damaged: read as meant, or refused by row."""

import itertools
import random
from pathlib import Path

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError
from pricematch.formats.csv_files import CsvCatalogue, read_csv
from pricematch.formats.posting_rows import RowLimits, TextFormat
from tests.support.catalogues import METADATA_LIMITS

LIMITS = RowLimits(rows=1000, row_bytes=4096, metadata=METADATA_LIMITS)
HEADER = ["posting_id", "image", "title", "label_group"]
ROWS = [
    ["a 1", "1.png", 'Crème "brûlée"', "18"],
    ["b", "2.png", "5, 10; 15|20\tpcs", "18"],
    ["ü", "", "Größe\n38", "19"],
]
POSTINGS = [
    Posting("a 1", "1.png", 'Crème "brûlée"', None, "18"),
    Posting("b", "2.png", "5, 10; 15|20\tpcs", None, "18"),
    Posting("ü", None, "Größe\n38", None, "19"),
]


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    """Rows as CSV, every cell in quotes."""
    lines = (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return "".join(line + end for line in lines)


def read(folder: Path, content: bytes, given: TextFormat | None = None) -> CsvCatalogue:
    path = folder / "catalogue.csv"
    path.write_bytes(content)
    return read_csv(path, LIMITS, given or TextFormat())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_and_an_encoding_are_detected(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """With every end of lines, and with the line by which a spreadsheet is told the delimiter (fault C19)."""
    for end, told in itertools.product(["\n", "\r\n", "\r"], ["", f"sep={delimiter}"]):
        text = (told + end if told else "") + written([HEADER, *ROWS], delimiter, end)
        content = read(tmp_path, text.encode(encoding))
        assert (content.postings, content.problems) == (POSTINGS, [])
        assert content.rows == [2 + bool(told), 3 + bool(told), 4 + bool(told)]
        usual = delimiter == "," and encoding.startswith("utf-8")
        assert [warning.startswith("the file is CSV in ") for warning in content.warnings] == ([] if usual else [True])
        assert usual or content.warnings[0].endswith(f", delimiter {delimiter!r}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_ndjson_is_read_in_every_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    """Also where a catalogue is served or trained on (fault C19)."""
    text = '{"posting_id": "ü", "image": "1.png", "brand": "x", "Title": "y"}\n\n{"posting_id": "b"}\n'
    content = read(tmp_path, text.encode(encoding))
    assert [posting.posting_id for posting in content.postings] == ["ü", "b"]
    assert content.warnings[-1] == "columns that nothing reads: 'brand', 'Title' (is it title?)"


def test_what_is_given_wins_over_what_is_detected(tmp_path: Path) -> None:
    """An encoding that is never detected, and a delimiter of a header that has two (fault C19)."""
    thai = "posting_id;image;title\na;1.png;รองเท้าผ้าใบ\n".encode("cp874")
    [problem] = read(tmp_path, thai).problems
    assert str(problem).startswith("row 2, column title: expected UTF-8, got the byte 0x")
    assert read(tmp_path, thai, TextFormat("cp874")).postings == [Posting("a", "1.png", "รองเท้าผ้าใบ")]
    both = b"posting_id,image;title\na,1.png;x\n"
    with pytest.raises(CatalogueError, match="missing"):
        read(tmp_path, both, TextFormat(delimiter="semicolon"))


@pytest.mark.parametrize(
    ("column", "told"),
    [
        *[
            ("Title", "'Title' (is it title?)"),
            ("titel", "'titel' (is it title?)"),
            ("TITLE ", "'TITLE' (is it title?)"),
        ],
        *[("label", "'label' (is it label_group?)"), ("labelgroup", "'labelgroup' (is it label_group?)")],
        *[
            ("phash", "'phash' (is it image_phash?)"),
            ("price", "'price'"),
            ("Größe", "'Größe'"),
            ("", "one without a name"),
        ],
    ],
)
def test_a_column_that_nothing_reads_is_named(tmp_path: Path, column: str, told: str) -> None:
    """With the one that it may be meant for (fault C19)."""
    content = read(tmp_path, f"posting_id,image,{column}\na,1.png,x\n".encode())
    assert content.warnings == [f"columns that nothing reads: {told}"]


def test_many_columns_that_nothing_reads_are_counted(tmp_path: Path) -> None:
    """A name may hold anything, and the warning stays one line (fault C19)."""
    names = [f"x{number}" for number in range(200)]
    [warning] = read(tmp_path, f"posting_id,image,{','.join(names)}\n".encode() + b"a,1" + b",y" * 200 + b"\n").warnings
    assert warning.endswith("'x5', 194 more")
    [warning] = read(tmp_path, b'posting_id,image,"a\nb\x1b[2J"\na,1.png,x\n').warnings
    assert warning.isprintable()


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("postingid,image", "'postingid' looks like posting_id"),
        ("Posting_ID,Image", "'Posting_ID' looks like posting_id"),
    ],
)
def test_a_missing_column_is_named_with_the_one_that_looks_like_it(tmp_path: Path, header: str, hint: str) -> None:
    """Rather than read what may be something else (fault C19)."""
    with pytest.raises(CatalogueError, match=hint):
        read(tmp_path, f"{header}\na,1.png\n".encode())


def test_cells_are_read_without_blanks_and_words_for_nothing(tmp_path: Path) -> None:
    """Each is told with its count (fault C12)."""
    text = (
        "posting_id,image,image_phash,title,label_group\n"
        " a ,1.png,\u00a0,nan,18\u00a0\n"
        "b,NULL, 94974f937d4c2433 ,N/A,\ufeff18\nc,2.png,None,tea,#N/A\nd,2.png,,tea,nan\n"
    )
    content = read(tmp_path, text.encode())
    assert content.postings == [
        Posting("a", "1.png", "", None, "18"),
        Posting("b", None, "", "94974f937d4c2433", "18"),
        Posting("c", "2.png", "tea"),
        Posting("d", "2.png", "tea"),
    ]
    assert content.warnings == [
        "image: 1 cells say nothing ('NULL' 1), and count as empty",
        "image_phash: 1 cells say nothing ('None' 1), and count as empty",
        "title: 2 cells say nothing ('N/A' 1, 'nan' 1), and count as empty",
        "label_group: 2 cells say nothing ('#N/A' 1, 'nan' 1), and count as empty",
        "label_group: all 2 postings with a label have the same one",
    ]


def test_rounded_ids_and_damaged_labels_are_warned_of(tmp_path: Path) -> None:
    """What a spreadsheet does to large numbers (fault C12)."""
    text = "posting_id,image,label_group\n1.2E+11,,2.49115E+11\n1.3E+11,,2.49115E+11\nc,,18\nd,,18.0\n"
    ids, rounded, alike = read(tmp_path, text.encode()).warnings
    assert ids.startswith("posting_id: 2 ids read like numbers that a spreadsheet rounded ('1.2E+11' 1, '1.3E+11' 1)")
    assert rounded.startswith("label_group: 1 label on 2 postings read like numbers that a spreadsheet rounded")
    assert alike.startswith("label_group: 2 labels look like another")


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"PK\x03\x04 a spreadsheet",
            b"%PDF-1.7",
            b"\xff\xd8\xff\xe0",
            b"<html><table>",
            b"\0" * 300,
            b"\xff\xfe",
            b"\xfe\xff\0",
        ),
        *(
            b"\xff\xfe\0\0",
            b"\x81" * 90,
            b"posting_id,image",
            b"sep=;\n",
            b"sep=",
            b'"posting_id,image"\n"a,1.png"\n',
            b"\n\n\n",
        ),
        *(
            b'posting_id,image\n"',
            b"[]",
            b"{",
            b"{}",
            b"posting_id\nimage\n",
            "posting_id\u037eimage\na\u037eb\n".encode(),
        ),
    ],
    ids=ascii,
)
def test_what_is_no_catalogue_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Of the file as a whole, or of a row (fault C19)."""

    def read_and_refuse() -> None:
        found = read(tmp_path, content)
        found.refuse(found.problems)

    with pytest.raises(CatalogueError, match=r"expected|not closed"):
        read_and_refuse()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04...", "spreadsheet; export"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    """With what to do (fault C19)."""
    with pytest.raises(CatalogueError, match=rf"expected CSV or NDJSON, got .*{told}"):
        read(tmp_path, content)


def mutated(content: bytes, lottery: random.Random) -> bytes:
    """A file with up to four pieces changed, doubled, dropped or moved."""
    changed = bytearray(content)
    for _ in range(lottery.randint(1, 4)):
        at, length = lottery.randrange(len(changed) + 1), lottery.choice([1, 1, 2, 40])
        piece = bytes(changed[at : at + length])
        odd = [
            b"\0",
            b'"',
            b"\r",
            b"\n",
            b",",
            b";",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xe9",
            b"\\",
            b"nan",
            b"\xc2\xa0",
            b" ",
        ]
        new = lottery.choice([b"", piece * 2, lottery.randbytes(length), lottery.choice(odd), piece[::-1]])
        changed[at : at + length] = new
        if lottery.random() < 0.1:
            changed = changed[at:] or bytearray(b"x")
    return bytes(changed)


def test_a_damaged_catalogue_is_read_or_refused_by_row(tmp_path: Path) -> None:
    """Two thousand mutations in eight forms: never a traceback, every problem has its row (fault C19)."""
    lottery = random.Random(19)
    rows = [*ROWS, *([f"p{number}", f"{number}.png", f"Teh {number} g", str(number // 3)] for number in range(8))]
    forms = [
        written([HEADER, *rows], delimiter, end).encode(encoding)
        for delimiter, end, encoding in [
            *[(",", "\n", "utf-8"), (";", "\r\n", "cp1252"), ("\t", "\n", "utf-16"), ("|", "\r", "utf-16-be")],
            *[(",", "\n", "utf-32"), (";", "\n", "utf-8-sig"), (",", "\r\n", "utf-16-le"), ("\t", "\r\n", "utf-8")],
        ]
    ]
    refused = bad = good = 0
    for _ in range(2000):
        content = mutated(lottery.choice(forms), lottery)
        try:
            found = read(tmp_path, content)
        except CatalogueError:
            refused += 1
            continue
        numbers = [problem.row for problem in found.problems]
        assert all(number >= 1 for number in numbers)
        assert not set(found.rows) & set(numbers)
        assert all("\n" not in str(problem) for problem in found.problems)
        "".join(f"{it.posting_id}{it.title}{it.label_group}{it.image}" for it in found.postings).encode()
        bad, good = bad + bool(numbers), good + (not numbers)
    assert min(refused, bad, good) > 100
