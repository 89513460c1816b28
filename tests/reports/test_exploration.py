"""The page of an exploration, as a browser reads it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Header
from pricematch.errors import RowProblem
from pricematch.evaluation.exploration import Exploration, ImageFacts, explore
from pricematch.evaluation.near_duplicates import Relation
from pricematch.reports.exploration import LISTED, Source, exploration_page, shown_names
from pricematch.reports.page import Thumbnails, thumbnail
from tests.support.browser import Page
from tests.support.catalogues import repetitive_postings

SOURCE = Source("catalogue.csv", None, [], [], 0)
POSTINGS = repetitive_postings(80, 0)
HOSTILE = (
    "<script>alert('x')</script>",
    "\"quotes\" & 'apostrophes' <img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} $x^2$",
    "</td></table><iframe src=//evil>",
    "👩‍👩‍👧 ✨ مرحبا 日本語",
)


def explored(postings: Sequence[Posting], *, looked: bool = False) -> Exploration:
    """The facts; where images are looked at, two names each have the same bytes."""
    names = list(dict.fromkeys(posting.image for posting in postings if posting.image is not None))
    images = {
        name: ImageFacts(
            Header(f"image/{'png' if row % 3 else 'jpeg'}", 100 + row, 80),
            2048,
            hashlib.sha256(bytes(row // 2)).digest(),
            None,
        )
        for row, name in enumerate(names)
    }
    return explore(postings, images if looked else None, 0, lambda *_: None)


def drawn(names: Sequence[str]) -> Thumbnails:
    return Thumbnails({name: thumbnail(np.zeros((4, 4, 3), np.uint8), f"image {name}") for name in names}, {})


def page_of(postings: Sequence[Posting], source: Source = SOURCE, *, looked: bool = False) -> Page:
    found = explored(postings, looked=looked)
    return Page(exploration_page(found, source, drawn(shown_names(found)) if looked else None))


def without(postings: Sequence[Posting], **emptied: str | None) -> list[Posting]:
    return [replace(posting, **emptied) for posting in postings]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def full() -> Page:
    """The page of a catalogue that has everything."""
    return page_of(POSTINGS, looked=True)


@pytest.fixture(scope="module")
def pictureless() -> Page:
    """The page of the same catalogue without images."""
    return page_of(POSTINGS)


def test_a_full_catalogue_has_every_section_and_leaves_nothing_out(full: Page) -> None:
    assert full.needs_nothing_beside_itself()
    assert full.headings() == ["look", "groups", "repeats", "near", "titles", "images"]
    assert "Left out" not in full.text
    plots = [alt for alt in full.alts() if not alt.startswith("image ")]
    assert plots == [
        "group sizes",
        "characters of titles",
        "words of titles",
        "widths of images",
        "heights of images",
        "aspect ratios of images",
        "bytes of images",
    ]


def test_the_figures_are_those_of_the_facts(pictureless: Page) -> None:
    found, page = explored(POSTINGS), pictureless
    assert page.figures() == [
        "80 postings",
        f"{len({posting.label_group for posting in POSTINGS} - {None})} groups",
        f"{len({posting.image for posting in POSTINGS} - {None})} different file names",
        f"{len({posting.image_phash for posting in POSTINGS} - {None})} different hashes",
        f"{len({posting.title for posting in POSTINGS} - {''})} different titles",
    ]
    assert f"{len(found.titles.across)} titles in more than one group." in page.items()
    for bits, pairs in enumerate(found.near.pairs):
        within, across = pairs[Relation.WITHIN], pairs[Relation.ACROSS]
        share = f"{100 * within / (within + across):.1f} %"
        assert [str(bits), f"{pairs.sum():,}", f"{within:,}", f"{across:,}", share] in page.rows()


def test_the_same_facts_are_the_same_page(full: Page) -> None:
    assert page_of(POSTINGS, looked=True).html == full.html


def test_what_is_left_out_comes_with_advice(pictureless: Page) -> None:
    [left_out] = [item for item in pictureless.items() if item.startswith("Left out")]
    assert left_out == "Left out: images, their sizes, formats and bytes. Name their folder with --images."
    bare = without(POSTINGS, title="", image_phash=None, label_group=None)
    page = page_of(bare)
    assert page.headings() == ["look", "repeats"]
    assert [item.split(".")[0] for item in page.items() if item.startswith("Left out")] == [
        "Left out: images, their sizes, formats and bytes",
        "Left out: hashes and near-duplicates",
        "Left out: groups, and whether repeats are right or wrong",
        "Left out: titles",
    ]
    assert "with --images they are computed from the images" in page.text
    assert "with --images" not in page_of(bare, looked=True).text


@pytest.mark.parametrize("looked", [False, True])
def test_without_groups_only_repetitions_are_counted(looked: bool) -> None:
    """Not whether they are right."""
    page = page_of(without(POSTINGS, label_group=None), looked=looked)
    assert "more than one group" not in page.text
    assert "group" not in " ".join(page.alts())
    assert "Some near-duplicates" in page.text


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize(
    "posting", [Posting("p0", None), Posting("p0", "a.png"), Posting("p0", "a.png", "tas", "f" * 16, "g")]
)
def test_a_catalogue_of_one_posting_has_a_page(posting: Posting, looked: bool) -> None:
    page = page_of([posting], looked=looked)
    assert "1 postings" not in page.text.replace("\n", " ")
    assert page.headings()[:1] == ["look"]


def test_nothing_wrong_is_reported_in_a_line() -> None:
    postings = [Posting(f"p{row}", f"{row}.png", f"tas {row}", f"{row:x}" * 16, f"g{row // 2}") for row in range(4)]
    assert page_of(postings).items()[0] == "Nothing is wrong with rows, and nothing repeats across groups."


def test_near_duplicates_of_different_groups_are_worth_a_look() -> None:
    postings = [Posting(f"p{row}", f"{row}.png", f"tas {row}", f"{row:016x}", f"g{row // 2}") for row in range(4)]
    # hashes 0 to 3 are one or two bits apart, four pairs of them in different groups
    assert page_of(postings).items()[0] == "4 pairs of near-duplicates in different groups."


@pytest.mark.parametrize("looked", [False, True])
def test_what_stands_in_the_catalogue_is_text_and_never_markup(looked: bool) -> None:
    def page_with(texts: Sequence[str]) -> Page:
        postings = [
            Posting(f"p{row}", f"{text}{row % 7}", text, f"{row % 3:016x}", f"{text}{row % 2}")
            for row, text in enumerate(texts)
        ]
        problems = [RowProblem(row, "image", text) for row, text in enumerate(texts[:5])]
        return page_of(postings, Source(texts[0], texts[0] if looked else None, problems, problems, 0), looked=looked)

    hostile, tame = page_with(HOSTILE * 6), page_with([f"tame {number}" for number in range(5)] * 6)
    assert hostile.needs_nothing_beside_itself()
    for text in HOSTILE:
        assert hostile.text.count(text) > 6
    assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in tame.tags}


def test_titles_are_isolated_and_cut() -> None:
    turned, long = "abc\u202egnp.exe", "W" * 5000
    page = page_of([Posting(f"p{row}", "a.png", title, None, "g") for row, title in enumerate([turned, turned, long])])
    assert page.html.count(turned) == page.html.count(f"<bdi>{turned}</bdi>") > 0
    assert long not in page.text
    assert "W" * 100 in page.text


def test_bad_rows_and_images_are_counted_and_the_first_twenty_listed() -> None:
    rows = [RowProblem(row, "posting_id", f"bad row {row}") for row in range(2, 27)]
    images = [RowProblem(row, "image", f"bad image {row}") for row in range(2, 5)]
    page = page_of(POSTINGS, Source("c.csv", "images", rows, images, 0), looked=True)
    assert "25 bad rows in the file; the others are explored." in page.items()
    assert "3 postings without a usable image." in page.items()
    assert page.headings()[:3] == ["look", "rows", "bad-images"]
    assert [item for item in page.items() if "bad row " in item] == [
        f"row {row}, column posting_id: bad row {row}" for row in range(2, 22)
    ]
    assert "and 5 more" in page.items()
    assert "Nothing is wrong" not in page.text


def test_what_repeats_across_groups_is_listed() -> None:
    """With postings, groups and titles, up to a limit."""
    count = LISTED + 5
    postings = [
        Posting(f"p{row}", f"{row // 2}.png", f"title {row}", f"{row:016x}", f"g{row}") for row in range(2 * count)
    ]
    page = page_of(postings)
    assert f"{count} file names in more than one group." in page.items()
    assert f"{LISTED} of {count}" in page.text
    listed = [[f"g{row}", f"p{row}", f"title {row}"] for row in range(2 * LISTED)]
    assert [row for row in page.rows() if len(row) == 3 and row[1].startswith("p")][1:] == listed


def test_a_repeat_of_many_postings_names_some_and_counts_the_others() -> None:
    postings = [Posting(f"p{row}", "same.png", label_group=f"g{row % 2}") for row in range(10)]
    assert "and 4 more" in page_of(postings).text


def test_shown_names_are_those_of_the_images(full: Page) -> None:
    names = shown_names(explored(POSTINGS, looked=True))
    assert len(names) == len(set(names)) > 10
    assert {alt for alt in full.alts() if alt.startswith("image ")} == {f"image {name}" for name in names}


def test_an_image_that_cannot_be_drawn_leaves_a_note() -> None:
    found = explored(POSTINGS, looked=True)
    assert "no usable image" in Page(exploration_page(found, SOURCE, drawn([]))).text


def test_images_are_counted_by_format_and_size() -> None:
    postings = [Posting(f"p{row}", f"{row}.png") for row in range(6)]
    rows = page_of(postings, looked=True).rows()
    # every third is a JPEG; each is 2 KiB, and its width is its own
    assert [row for row in rows if row[0] in {"PNG", "JPEG"}] == [
        ["PNG", "4", "0.0", "2.0"],
        ["JPEG", "2", "0.0", "2.0"],
    ]
    assert [row for row in rows if "×" in row[0]] == [[f"{100 + row} × 80", "1", "0.0", "2.0"] for row in range(6)]
