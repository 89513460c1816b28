"""Exploring a catalogue, from the command to its page."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from pricematch.catalogue.postings import Posting
from tests.support.browser import Page
from tests.support.catalogues import labelled_postings, logos, others, write_catalogue
from tests.support.cli import Ran, Run
from tests.support.fakes import encoded, image_bytes, scene

POSTINGS = [
    Posting("p0", "red.png", "tas merah", "0" * 16, "g0"),
    Posting("p1", "red.png", "tas merah", "0" * 16, "g0"),
    Posting("p2", "lime.png", "<b>tas</b> [bold]hijau", "f" * 16, "g1"),
    Posting("p3", "scene.jpg", "tas merah", "0" * 14 + "03", "g2"),
]
PICTURES = {
    "red.png": image_bytes("red"),
    "lime.png": image_bytes("lime"),
    "scene.jpg": encoded(scene((120, 80)), "JPEG"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_catalogue(tmp_path / "catalogue.csv", POSTINGS)
    return tmp_path


def write_images(folder: Path, pictures: Mapping[str, bytes] = PICTURES) -> list[str]:
    """Write images; returns the option that names their folder."""
    (folder / "images").mkdir()
    for name, content in pictures.items():
        (folder / "images" / name).write_bytes(content)
    return ["--images", str(folder / "images")]


def explore(run: Run, folder: Path, *options: str) -> Ran:
    return run("explore", "--catalogue", str(folder / "catalogue.csv"), "--output", str(folder / "out"), *options)


def page_in(folder: Path) -> Page:
    return Page((folder / "out" / "explore.html").read_text(encoding="utf-8"))


def counts(ran: Ran) -> dict[str, str]:
    """The table on the terminal."""
    rows: Sequence[Sequence[str]] = [line.split("│")[1:-1] for line in ran.out.splitlines() if "│" in line]
    return {what.strip(): count.strip() for what, count in rows}


def test_stock_images_are_counted_and_described(run: Run, tmp_path: Path) -> None:
    """On the terminal and on the page; fault C5."""
    write_catalogue(tmp_path / "catalogue.csv", [*logos(12), *others(30)])
    ran = explore(run, tmp_path)
    assert ran.code == 0, ran.err
    assert counts(ran)["stock images"] == "1"
    stock = "A stock image is no evidence: the image of logo00, which 12 postings show under 12 titles."
    assert stock in page_in(tmp_path).text


def test_without_images_the_page_says_so_and_the_terminal_counts(run: Run, folder: Path) -> None:
    ran = explore(run, folder)
    assert ran.code == 0, ran.err
    assert counts(ran) == {
        "postings": "4",
        "bad rows": "0",
        "groups": "3",
        "different file names": "3",
        "file names in more than one group": "0",
        "different hashes": "3",
        "hashes in more than one group": "0",
        "different titles": "2",
        "titles in more than one group": "1",
        "near-duplicates, 1 to 4 bits apart": "2",
        "near-duplicates of different groups": "2",
    }
    assert ran.out.splitlines()[-1] == f"wrote {folder}/out/explore.html"
    assert "Left out: images" in page_in(folder).text
    assert page_in(folder).needs_nothing_beside_itself()


def test_with_images_they_are_shown_and_counted(run: Run, folder: Path) -> None:
    ran = explore(run, folder, *write_images(folder))
    assert ran.code == 0, ran.err
    assert counts(ran)["postings without a usable image"] == "0"
    assert counts(ran)["different file contents"] == "3"
    page = page_in(folder)
    assert "Left out" not in page.text
    assert {"image red.png", "image lime.png", "image scene.jpg"} >= {
        alt for alt in page.alts() if alt.startswith("image ")
    }
    assert ["120 × 80", "1"] in [row[:2] for row in page.rows()]
    assert ["PNG", "2"] in [row[:2] for row in page.rows()]


def test_hashes_that_the_catalogue_lacks_are_computed_from_the_images(run: Run, tmp_path: Path) -> None:
    turned = {f"{degrees}.png": encoded(scene().rotate(degrees)) for degrees in (0, 90, 180)}
    names = [*turned, "0.png"]
    write_catalogue(tmp_path / "catalogue.csv", [Posting(f"p{row}", name) for row, name in enumerate(names)])
    ran = explore(run, tmp_path, *write_images(tmp_path, turned))
    hashes = {str(imagehash.phash(scene().rotate(degrees))) for degrees in (0, 90, 180)}
    assert counts(ran)["different hashes"] == str(len(hashes)) == "3"
    assert "The hashes of 4 postings were computed from the images." in page_in(tmp_path).text


def test_missing_and_damaged_images_are_named_and_the_others_explored(run: Run, folder: Path) -> None:
    truncated = PICTURES["scene.jpg"][:-200]  # its header is whole: seen only because the page shows it
    images = write_images(folder, {"red.png": b"hello", "lime.png": PICTURES["lime.png"], "scene.jpg": truncated})
    postings = [
        *POSTINGS,
        Posting("p4", "../catalogue.csv", "", None, "g2"),
        Posting("p5", None),
        Posting("p6", "none.png"),
    ]
    write_catalogue(folder / "catalogue.csv", postings)
    ran = explore(run, folder, *images)
    assert ran.code == 0, ran.err
    assert counts(ran)["postings"] == "7"
    assert counts(ran)["postings without a usable image"] == "6"
    listed = [item.split(":")[0] for item in page_in(folder).items() if item.startswith("row ")]
    assert listed == [f"row {row}, column image" for row in (2, 3, 5, 6, 7, 8)]
    assert str(Path(folder / "catalogue.csv").read_text(encoding="utf-8")[:20]) not in page_in(folder).html


def test_bad_rows_are_counted_and_listed_and_the_others_explored(run: Run, folder: Path) -> None:
    with (folder / "catalogue.csv").open("a", encoding="utf-8") as file:
        file.write("p0,again.png,,,\n<b>,x.png,,,\nshort,row\n")
    ran = explore(run, folder)
    assert ran.code == 0, ran.err
    assert (counts(ran)["postings"], counts(ran)["bad rows"]) == ("4", "3")
    page = page_in(folder)
    assert [item.split(":")[0] for item in page.items() if item.startswith("row ")] == [
        "row 6, column posting_id",
        "row 7, column posting_id",
        "row 8",
    ]
    assert "got '<b>'" in page.text


def test_a_catalogue_without_a_good_row_is_refused(run: Run, folder: Path) -> None:
    (folder / "catalogue.csv").write_text("posting_id,image\n<b>,x.png\n", encoding="utf-8")
    ran = explore(run, folder)
    assert ran.code == 1
    assert ran.err.splitlines()[0] == f"pricematch: {folder}/catalogue.csv: 1 bad row"
    assert not (folder / "out").exists()


@pytest.mark.parametrize("rows", [[["p0", "a.png"]], [["p0", "a.png"], ["p1", "a.png"]]])
def test_two_columns_and_one_row_are_enough(run: Run, tmp_path: Path, rows: list[list[str]]) -> None:
    with (tmp_path / "catalogue.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["posting_id", "image"], *rows])
    ran = explore(run, tmp_path)
    assert ran.code == 0, ran.err
    assert counts(ran) == {"postings": str(len(rows)), "bad rows": "0", "different file names": "1"}


def test_a_named_folder_that_is_none_is_one_line(run: Run, folder: Path) -> None:
    ran = explore(run, folder, "--images", str(folder / "none"))
    assert ran.code == 2
    assert ran.one_line() == (
        f"pricematch: expected a folder of images, got {folder}/none, which is not a folder; name yours with --images"
    )
    assert not (folder / "out").exists()


def test_a_named_folder_without_the_images_is_explored(run: Run, folder: Path) -> None:
    ran = explore(run, folder, *write_images(folder, {}))
    assert ran.code == 0, ran.err
    assert counts(ran)["postings without a usable image"] == "4"
    assert "Left out: images" not in page_in(folder).text


@pytest.mark.parametrize("named", [True, False])
def test_the_default_folder_may_hold_any_of_the_images(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    (folder / "catalogue").mkdir()
    images = folder / "catalogue" / "images"
    images.mkdir()
    (images / ("scene.jpg" if named else "other.jpg")).write_bytes(PICTURES["scene.jpg"])
    with monkeypatch.context() as context:
        context.chdir(folder)
        ran = explore(run, folder)
    assert ran.code == 0, ran.err
    assert ("Left out: images" in page_in(folder).text) is not named
    assert ("postings without a usable image" in counts(ran)) is named


def test_a_folder_named_by_the_environment_is_named(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICEMATCH_IMAGES", str(folder / "none"))
    ran = explore(run, folder)
    assert ran.code == 2
    assert "expected a folder of images" in ran.one_line()


def test_an_output_that_is_no_folder_is_one_line(run: Run, folder: Path) -> None:
    (folder / "out").write_text("a file", encoding="utf-8")
    ran = explore(run, folder)
    assert ran.code == 2
    assert str(folder / "out") in ran.one_line()


def test_a_missing_catalogue_is_one_line(run: Run, tmp_path: Path) -> None:
    ran = explore(run, tmp_path)
    assert ran.code == 1
    assert "cannot be read (No such file or directory)" in ran.one_line()


def test_the_same_seed_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue.csv", labelled_postings(120))
    pages = []
    for seed in ("1", "1", "2"):
        assert explore(run, tmp_path, "--seed", seed).code == 0
        pages.append(page_in(tmp_path).html.replace(f"seed {seed}", "seed"))
    assert pages[0] == pages[1] != pages[2]


def test_an_image_is_counted_by_its_content(run: Run, folder: Path) -> None:
    explore(run, folder, *write_images(folder, PICTURES | {"red.png": encoded(Image.new("RGB", (9, 9)), "GIF")}))
    assert ["GIF", "1"] in [row[:2] for row in page_in(folder).rows()]
