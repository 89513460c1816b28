"""Catalogues and submissions as CSV files."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.labels import says_nothing, strip_blanks
from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError, ImageEmpty, RowProblem, SettingsError
from pricematch.formats.csv_files import CsvCatalogue, read_csv, write_submission
from pricematch.formats.posting_rows import RowLimits
from pricematch.search.candidates import Lists
from tests.support.catalogues import METADATA_LIMITS

LIMITS = RowLimits(rows=1000, row_bytes=4096, metadata=METADATA_LIMITS)
HEADER = "posting_id,image,image_phash,title,label_group\n"
PHASH = "94974f937d4c2433"


def read(folder: Path, content: str | bytes, limits: RowLimits = LIMITS) -> CsvCatalogue:
    path = folder / "catalogue.csv"
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return read_csv(path, limits)


def test_a_row_becomes_a_posting(tmp_path: Path) -> None:
    content = read(tmp_path, HEADER + f"train_1,0000a68812.jpg,{PHASH.upper()},Paper Bag Victoria Secret,249114794\n")
    assert content.postings == [Posting("train_1", "0000a68812.jpg", "Paper Bag Victoria Secret", PHASH, "249114794")]
    assert content.rows == [2]
    assert content.problems == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("posting_id,image\na,1.png\nb,2.png\n", id="plain"),
        pytest.param("\ufeffposting_id,image\na,1.png\nb,2.png\n", id="byte order mark"),
        pytest.param("posting_id,image\r\na,1.png\r\nb,2.png\r\n", id="CRLF"),
        pytest.param('"posting_id","image"\n"a","1.png"\n"b","2.png"\n', id="quotes"),
        pytest.param("posting_id,image\na,1.png\nb,2.png", id="no line end at the end"),
        pytest.param("posting_id,image\na,1.png\nb,2.png\n\n\n", id="blank lines at the end"),
        pytest.param(" posting_id , image \na,1.png\nb,2.png\n", id="spaces around the columns"),
        pytest.param("image,extra,posting_id\n1.png,,a\n2.png,x,b\n", id="other order, unknown column"),
    ],
)
def test_fault_25_the_ways_programs_write_csv_give_the_same_postings(tmp_path: Path, content: str) -> None:
    read_content = read(tmp_path, content)
    assert read_content.postings == [Posting("a", "1.png"), Posting("b", "2.png")]
    assert read_content.problems == []


def test_fault_25_quotes_commas_and_line_ends_inside_quotes_belong_to_the_title(tmp_path: Path) -> None:
    content = read(tmp_path, 'posting_id,image,title\na,1.png,"say ""hi"", then\ngo"\nb,2.png,next\n')
    assert [posting.title for posting in content.postings] == ['say "hi", then\ngo', "next"]
    assert content.rows == [2, 3]


def test_titles_are_decoded(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image,title\na,1.png,Caf\\xc3\\xa9\nb,2.png,Café\n")
    assert [posting.title for posting in content.postings] == ["Café", "Café"]


def test_absent_columns_and_empty_cells_are_none(tmp_path: Path) -> None:
    expected = [Posting("a", None, "", None, None)]
    assert read(tmp_path, "posting_id,image\na,\n").postings == expected
    assert read(tmp_path, HEADER + "a,,,,\n").postings == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), min_size=1, max_size=5))
def test_what_pythons_writer_writes_is_read_back(titles: list[str]) -> None:
    import tempfile

    titles = [title.replace("\\", "/").lstrip("b") for title in titles]
    titles = ["" if says_nothing(strip_blanks(title)) else title for title in titles]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["posting_id", "image", "title"])
    writer.writerows([f"p{row}", "1.png", title] for row, title in enumerate(titles))
    with tempfile.TemporaryDirectory() as folder:
        content = read(Path(folder), text.getvalue())
    assert [posting.title for posting in content.postings] == titles


# --- rows that are refused, each with its number -----------------------------------------------------------------


def problems(folder: Path, content: str | bytes) -> list[str]:
    return [str(problem) for problem in read(folder, content).problems]


def test_fault_25_an_id_given_twice_names_both_rows(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\na,1.png\nb,2.png\na,3.png\n")
    assert [str(problem) for problem in content.problems] == ["row 4, column posting_id: 'a' already stands in row 2"]
    assert [posting.posting_id for posting in content.postings] == ["a", "b"]
    assert content.rows == [2, 3]


def test_blank_lines_count_as_rows_like_in_a_spreadsheet(tmp_path: Path) -> None:
    assert problems(tmp_path, "posting_id,image\n\na,1.png\n\na,1.png\n") == [
        "row 5, column posting_id: 'a' already stands in row 3"
    ]


@pytest.mark.parametrize(("row", "count"), [("a", 1), ("a,1.png,x", 3)])
def test_a_row_of_another_length_is_refused(tmp_path: Path, row: str, count: int) -> None:
    assert problems(tmp_path, f"posting_id,image\n{row}\n") == [f"row 2: expected 2 fields, got {count}"]


@pytest.mark.parametrize("posting_id", ["", "../x", "a?b", "-a", "x" * 129])
def test_an_id_that_breaks_the_pattern_is_refused(tmp_path: Path, posting_id: str) -> None:
    [problem] = problems(tmp_path, f"posting_id,image\n{posting_id},1.png\n")
    assert problem.startswith("row 2, column posting_id: expected 1–128 bytes of UTF-8: letters")
    assert problem.endswith(f"got {posting_id[:80]!r}")


def test_a_hash_of_another_length_or_alphabet_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, f"posting_id,image,image_phash\na,1,{PHASH}0\nb,1,zz\nc,1,{PHASH}\n") == [
        f"row 2, column image_phash: expected 16 hexadecimal digits, got '{PHASH}0'",
        "row 3, column image_phash: expected 16 hexadecimal digits, got 'zz'",
    ]


def test_everything_wrong_with_a_row_is_reported_at_once(tmp_path: Path) -> None:
    found = read(tmp_path, "posting_id,image,image_phash\na/b,1.png,zz\n").problems
    assert [(problem.row, problem.column) for problem in found] == [(2, "posting_id"), (2, "image_phash")]


def test_fault_25_a_damaged_byte_is_refused_with_its_place(tmp_path: Path) -> None:
    """In a file that is UTF-8 elsewhere; the other rows are read (fault C19)."""
    content = read(
        tmp_path, "posting_id,image,title\na,1.png,caf\udce9\nb,2.png,café ½ l\n".encode(errors="surrogateescape")
    )
    assert [str(problem) for problem in content.problems] == [
        "row 2, column title: expected UTF-8, got the byte 0xe9 behind 'caf'"
        "; if the file is in another encoding, name it"
    ]
    assert [posting.posting_id for posting in content.postings] == ["b"]


def test_fault_25_a_nul_character_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, b"posting_id,image\na,1\0.png\nb,2.png\n") == [
        "row 2, column image: expected text, got a NUL character"
    ]


def test_damage_in_the_header_is_the_headers_not_the_next_rows(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="row 1: expected"):
        read(tmp_path, b"posting_id,image,nul\0\na,1.png,x\n")


def test_damage_inside_a_quoted_title_is_the_whole_rows(tmp_path: Path) -> None:
    text = 'posting_id,image,title\na,1.png,"x\n\udce9\ny"\nb,2.png,é\n'
    assert problems(tmp_path, text.encode(errors="surrogateescape")) == [
        "row 2, column title: expected UTF-8, got the byte 0xe9 behind 'x\\n'"
        "; if the file is in another encoding, name it"
    ]


def test_twenty_problems_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\n" + "bad?id,1.png\n" * 23)
    with pytest.raises(CatalogueError) as caught:
        content.refuse(content.problems)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("catalogue.csv: 23 bad rows")
    assert [line.split(",")[0].strip() for line in lines[1:21]] == [f"row {row}" for row in range(2, 22)]
    assert lines[21:] == ["  … and 3 more"]
    assert len(caught.value.problems) == 23


def test_exactly_twenty_problems_are_all_shown(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\n" + "bad?id,1.png\n" * 20)
    with pytest.raises(CatalogueError) as caught:
        content.refuse(content.problems)
    assert len(str(caught.value).splitlines()) == 21


def test_refusing_no_problems_does_nothing_and_one_is_not_many(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\na,1.png\n")
    content.refuse([])
    with pytest.raises(CatalogueError, match="1 bad row\n"):
        content.refuse([RowProblem(2, None, "odd")])


# --- files that are refused as a whole ---------------------------------------------------------------------------


def refusal(folder: Path, content: str | bytes, limits: RowLimits = LIMITS) -> str:
    def read_and_refuse() -> None:
        catalogue = read(folder, content, limits)
        catalogue.refuse(catalogue.problems)

    with pytest.raises(CatalogueError) as caught:
        read_and_refuse()
    assert str(folder / "catalogue.csv") in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("header", "missing"), [("image", "posting_id"), ("id,picture", "posting_id, image")])
def test_fault_25_a_missing_column_is_named(tmp_path: Path, header: str, missing: str) -> None:
    assert refusal(tmp_path, f"{header}\nx,y\n").endswith(f"missing {missing}; got {header.replace(',', ', ')!r}")


def test_a_column_given_twice_is_named_unless_it_is_ignored_anyway(tmp_path: Path) -> None:
    assert "expected each column once, got image more than once" in refusal(
        tmp_path, "posting_id,image,image\na,1.png,2.png\n"
    )
    assert len(read(tmp_path, "posting_id,image,x,x\na,1.png,,\n").postings) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("", "expected a header row, got an empty file", id="empty"),
        pytest.param("\ufeff", "expected a header row, got an empty file", id="only a byte order mark"),
        pytest.param(HEADER, "expected at least one posting, got none", id="only a header"),
        pytest.param(HEADER + "\n\n", "expected at least one posting, got none", id="only blank rows"),
        pytest.param(
            'posting_id,image\na,"1.png\n', "row 2: a quotation mark is not closed (line 2)", id="unclosed quote"
        ),
        pytest.param('posting_id,image\na,"1"x\n', "row 2: ',' expected after '\"' (line 2)", id="text after a quote"),
        pytest.param("posting_id,image\na,1\rb\n", "row 3: expected 2 fields, got 1", id="bare carriage return"),
    ],
)
def test_fault_25_what_is_no_catalogue_is_refused_with_a_reason(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in refusal(tmp_path, content)


def test_fault_25_a_line_over_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    with path.open("wb") as file:
        file.write(b"posting_id,image\na,1.png\nb,")
        file.truncate(1 << 30)  # a line of a gibibyte of which nothing is stored
    [problem] = read_csv(path, LIMITS).problems
    assert str(problem) == "row 3: expected at most 4096 bytes, got more (line 3); what follows was not read"


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    row = "a,1.png," + "x" * 247 + "\n"
    limits = RowLimits(rows=10, row_bytes=len(row), metadata=METADATA_LIMITS)
    assert len(read(tmp_path, "posting_id,image,title\n" + row, limits).postings) == 1
    assert "(line 2)" in refusal(tmp_path, "posting_id,image,title\n" + row.replace("x", "xx", 1), limits)


def test_an_unclosed_quote_is_refused_within_a_row(tmp_path: Path) -> None:
    """A large file is read no further than a row may be long."""
    text = 'posting_id,image\na,"1.png\n' + "b,2.png\n" * 10_000
    assert "row 2" in refusal(tmp_path, text)
    assert "field larger than field limit (4096)" in refusal(tmp_path, text)


def test_rows_before_a_broken_one_are_read(tmp_path: Path) -> None:
    found = problems(tmp_path, 'posting_id,image\n..,1.png\na,2.png\nb,"3.png\nc,4.png\n')
    assert [problem.partition(":")[0] for problem in found] == ["row 2, column posting_id", "row 4"]


def test_a_header_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    assert "row 1: a quotation mark is not closed" in refusal(tmp_path, 'posting_id,"image\n')


def test_more_rows_than_the_limit_are_refused(tmp_path: Path) -> None:
    rows = [f"p{row},1.png\n" for row in range(4)]
    limits = RowLimits(rows=3, row_bytes=256, metadata=METADATA_LIMITS)
    assert len(read(tmp_path, "posting_id,image\n" + "".join(rows[:3]), limits).postings) == 3
    assert len(read(tmp_path, "posting_id,image\n" + "\n".join(rows[:3]) + "\n\n", limits).postings) == 3
    assert "expected at most 3 postings, got more" in refusal(tmp_path, "posting_id,image\n" + "".join(rows), limits)


def test_an_unreadable_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none.csv: cannot be read \(No such file"):
        read_csv(tmp_path / "none.csv", LIMITS)
    with pytest.raises(CatalogueError, match=r"cannot be read \(Is a directory"):
        read_csv(tmp_path, LIMITS)


# --- images ----------------------------------------------------------------------------------------------------


def test_bad_images_are_named_by_row(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\na,1.png\nb,\nc,2.png\nd,1.png\n")
    found = content.image_problems({"1.png": ImageEmpty("no bytes")})
    assert [str(problem) for problem in found] == [
        "row 2, column image: '1.png': no bytes",
        "row 3, column image: expected a file name, got nothing",
        "row 5, column image: '1.png': no bytes",
    ]


def test_sorting_by_id_keeps_rows_and_problems(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\np2,\n?,x\np10,\np1,1.png\n").by_id()
    assert [posting.posting_id for posting in content.postings] == ["p1", "p10", "p2"]
    assert content.rows == [5, 4, 2]
    assert [problem.row for problem in content.problems] == [3]
    assert [problem.row for problem in content.image_problems({"1.png": ImageEmpty("no bytes")})] == [2, 4, 5]
    assert [problem.row for problem in content.label_problems()] == [2, 4, 5]


def test_postings_without_an_image_are_left_out_where_only_images_count(tmp_path: Path) -> None:
    content = read(tmp_path, "posting_id,image\na,1.png\n?,x\nb,\nc,2.png\n").with_images()
    assert [posting.posting_id for posting in content.postings] == ["a", "c"]
    assert (content.rows, len(content.problems)) == ([2, 5], 1)


def test_names_are_distinct_and_in_order(tmp_path: Path) -> None:
    assert read(tmp_path, "posting_id,image\na,2.png\nb,\nc,1.png\nd,2.png\n").names() == ["2.png", "1.png"]


LISTS = Lists(np.array([0, 2, 3, 6]), np.array([0, 2, 1, 2, 1, 0], np.int32))


def test_each_posting_has_a_line_with_its_matches_in_their_order(tmp_path: Path) -> None:
    write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
    assert (tmp_path / "submission.csv").read_bytes() == b"posting_id,matches\na,a c\nb,b\nc,c b a\n"


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_text("something longer than what comes" * 9)
    write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
    assert (tmp_path / "submission.csv").read_bytes().startswith(b"posting_id,matches\na,a c\n")
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").mkdir()
    with pytest.raises(SettingsError, match=r"cannot write .*submission\.csv"):
        write_submission(tmp_path / "submission.csv", ["a", "b", "c"], LISTS)
