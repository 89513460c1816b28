"""`pricematch check`: what is wrong and what is odd in a file, before anything is stored or trained."""

from pathlib import Path

import pytest

from pricematch.catalogue.postings import POSTING_ID_RULE
from pricematch.errors import CatalogueError, SettingsError
from pricematch.serving.check import CheckedFile, check_file
from pricematch.settings import Settings
from tests.support.cli import Run
from tests.support.fakes import image_bytes, tiny_catalogue
from tests.support.files import zip_of
from tests.support.odd_images import truncated
from tests.support.served import Told

DAMAGED = """posting_id,image,image_phash,titel,label_group
a,red.png,,x,2.49115E+11
b,red.png,,x,2.49115E+11
c,red.png,,x,18
d,red.png,,x,18.0
e,red.png,,x,NULL
f,red.png,,x,nan
"""


def checked(folder: Path, text: str, images: Path | None = None) -> CheckedFile:
    """The outcome of checking a file."""
    path = folder / "postings.csv"
    path.write_bytes(text.encode())
    return check_file(Settings(data=folder / "data"), path, images, Told())


def test_damaged_labels_and_columns_are_reported(tmp_path: Path, run: Run) -> None:
    """With counts, and the exit code is 0: no row would be refused (fault C12)."""
    (tmp_path / "postings.csv").write_text(DAMAGED)
    ran = run("check", str(tmp_path / "postings.csv"))
    assert ran.code == 0
    for told in (
        "CSV in UTF-8, delimiter ','",
        "warning: columns that nothing reads: 'titel' (is it title?)",
        "warning: label_group: 2 cells say nothing ('NULL' 1, 'nan' 1), and count as empty",
        "warning: label_group: 1 label on 2 postings read like numbers that a spreadsheet rounded ('2.49115E+11' 2)",
        "warning: label_group: 2 labels look like another, and count as different products ('18' 1 and '18.0' 1)",
        "no row would be refused",
    ):
        assert told in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["postings.csv"]


def test_rows_are_refused_as_an_import_would(tmp_path: Path, run: Run) -> None:
    """Each with its number, and the exit code is 1 (fault C12)."""
    text = "posting_id;image;title\na;;tea\na;1.png;\nb/c;;x\nd;;\ne;;" + "x" * 1001 + "\nf;1\ng;1.png;\n"
    (tmp_path / "postings.csv").write_bytes(text.encode("utf-16"))
    ran = run("check", str(tmp_path / "postings.csv"))
    assert ran.code == 1
    assert "CSV in UTF-16, delimiter ';'" in ran.out
    assert "5 of 7 rows would be refused" in ran.out
    assert [line.strip().partition(", got")[0] for line in ran.err.splitlines() if "row " in line][-5:] == [
        "row 3, column posting_id: 'a' already stands in row 2",
        f"row 4, column posting_id: expected {POSTING_ID_RULE}",
        "row 5: expected an image or a title",
        "row 6, column title: expected at most 1000 characters",
        "row 7: expected 3 fields",
    ]


@pytest.mark.process
def test_images_are_decoded_and_nothing_is_stored(tmp_path: Path) -> None:
    """Of a folder or a ZIP file; one that is missing or damaged is named by its row (fault C12)."""
    contents = {"red.png": image_bytes("red"), "cut.jpg": truncated("JPEG"), "empty.png": b""}
    folder = tmp_path / "images"
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (tmp_path / "images.zip").write_bytes(zip_of(contents))
    text = "posting_id,image,title\na,red.png,\nb,cut.jpg,\nc,empty.png,\nd,none.png,\ne,,tea\nf,../x.png,\n"
    for images in (folder, tmp_path / "images.zip"):
        found = checked(tmp_path, text, images)
        assert (found.counts["rows"], found.counts["bad rows"]) == (6, 4)
        assert [(it.row, it.column) for it in found.problems] == [(row, "image") for row in (3, 4, 5, 7)]
    assert not (tmp_path / "data").exists()
    assert checked(tmp_path, text).counts["bad rows"] == 0  # images are not looked at


def test_titles_that_look_damaged_are_warned_of(tmp_path: Path) -> None:
    """HTML, and text that was decoded wrongly before (fault C19)."""
    found = checked(
        tmp_path, "posting_id,image,title\na,,<b>Kopi</b> 5 g\nb,,CafÃ© &eacute;\nc,,Ã¼ber\nd,,Kopi 5 g < 6 g\n"
    )
    assert found.warnings == [
        "title: 2 titles hold HTML, such as '<b>Kopi</b> 5 g'",
        "title: 2 titles look as if they had been read in another encoding than they were written in, such as "
        "'CafÃ© &eacute;'",
    ]
    sound = "posting_id,image,title\na,,Café “doux” 5 € ½ Größe Ñandú\nb,,ÀÂÃ\nc,,รองเท้า\n"
    assert checked(tmp_path, sound).warnings == []


def test_a_file_of_no_use_is_one_line(tmp_path: Path, run: Run) -> None:
    """And so are images that are not there, and an encoding that nobody knows (fault C19)."""
    file, images = tiny_catalogue(tmp_path)
    ran = run("check", str(tmp_path / "none.csv"))
    assert (ran.code, "cannot be read" in ran.one_line()) == (1, True)
    ran = run("check", str(file), "--encoding", "klingon")
    assert (ran.code, "csv_encoding" in ran.one_line()) == (2, True)
    with pytest.raises(SettingsError, match="which is not there"):
        check_file(Settings(), file, tmp_path / "nowhere", Told())
    with pytest.raises(CatalogueError, match="missing"):
        checked(tmp_path, "a,b\n1,2\n", images)


def test_an_encoding_can_be_named(tmp_path: Path, run: Run) -> None:
    """And a delimiter, by options or the environment (fault C19)."""
    path = tmp_path / "postings.csv"
    path.write_bytes("posting_id|image|title\nа|1.png|Кофе\n".encode("cp1251"))
    assert run("check", str(path)).code == 1
    ran = run("check", str(path), "--encoding", "cp1251", "--delimiter", "pipe")
    assert (ran.code, "CSV in cp1251, delimiter '|'" in ran.out) == (0, True)
