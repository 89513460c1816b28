"""Contact sheets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pricematch.errors import SettingsError
from pricematch.reports.sheets import Captioned, check_output, draw_sheet, save_sheet


def plain(
    colour: tuple[int, int, int], size: tuple[int, int] = (32, 32)
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def places(sheet: Image.Image, colour: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which pixels of the sheet have exactly this colour."""
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (np.asarray(sheet) == colour).all(axis=2)
    return found


def test_every_image_is_drawn_whole_in_its_row_and_column() -> None:
    red, blue, lime = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    sheet = draw_sheet([[Captioned(plain(red), "a"), Captioned(plain(blue), "b")], [Captioned(plain(lime), "c")]], 32)
    for colour in (red, blue, lime):
        assert places(sheet, colour).sum() == 32 * 32
    (red_y, red_x), (blue_y, blue_x), (lime_y, lime_x) = (
        np.argwhere(places(sheet, colour)).mean(axis=0) for colour in (red, blue, lime)
    )
    assert red_y == blue_y < lime_y
    assert red_x == lime_x < blue_x


def test_a_large_image_is_shrunk_with_its_proportions() -> None:
    sheet = draw_sheet([[Captioned(plain((255, 0, 0), (400, 200)), "wide")]], cell=64)
    height, width = np.ptp(np.argwhere(places(sheet, (255, 0, 0))), axis=0) + 1
    assert (width, height) == (64, 32)


def test_a_caption_is_written_below_its_image() -> None:
    captions = [draw_sheet([[Captioned(plain((255, 255, 255)), text)]], 32) for text in ("", "caption")]
    written = np.argwhere(np.asarray(captions[0]).min(axis=2) != np.asarray(captions[1]).min(axis=2))
    assert len(written) > 0
    assert written[:, 0].min() > 32


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg", "sheet.webp"])
def test_the_ending_chooses_the_format(tmp_path: Path, name: str) -> None:
    sheet = draw_sheet([[Captioned(plain((255, 0, 0)), "a")]], 32)
    save_sheet(sheet, tmp_path / name)
    with Image.open(tmp_path / name) as saved:
        assert saved.format == {"sheet.png": "PNG", "sheet.jpg": "JPEG", "sheet.webp": "WEBP"}[name]
        assert saved.size == sheet.size


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet", "nowhere/sheet.png"])
def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"cannot write .*{name}"):
        save_sheet(Image.new("RGB", (4, 4)), tmp_path / name)


def test_a_frame_is_drawn_around_its_image_and_around_no_other() -> None:
    lime, blue, red = (0, 255, 0), (0, 0, 255), (255, 0, 0)
    cells = [Captioned(plain(lime), "framed", frame="#ff0000"), Captioned(plain(blue), "plain")]
    sheet = draw_sheet([cells], 32)
    framed = np.argwhere(places(sheet, lime))
    frame = np.argwhere(places(sheet, red))
    np.testing.assert_array_equal(frame.min(axis=0), framed.min(axis=0) - 4)
    np.testing.assert_array_equal(frame.max(axis=0), framed.max(axis=0) + 4)
    assert places(sheet, lime).sum() == places(sheet, blue).sum() == 32 * 32
    assert places(sheet, red).sum() == 40 * 40 - 32 * 32


def test_a_caption_of_two_lines_is_written_whole() -> None:
    white = (255, 255, 255)
    blank, written = (
        np.asarray(draw_sheet([[Captioned(plain(white), text)], [Captioned(plain((255, 0, 0)), "")]], 32))
        for text in ("\n", "one\ntwo")
    )
    changed = np.flatnonzero((blank != written).any(axis=(1, 2)))
    next_row = np.flatnonzero((written == (255, 0, 0)).all(axis=2).any(axis=1)).min()
    assert np.diff(changed).max() > 1  # the gap between both lines
    assert changed.max() < next_row


@pytest.mark.parametrize("name", ["sheet.png", "sheet.JPG", "sheet.webp"])
def test_an_output_that_can_be_written_is_known_beforehand(tmp_path: Path, name: str) -> None:
    check_output(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet", "nowhere/sheet.png"])
def test_an_output_that_cannot_be_written_is_known_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"cannot write .*{name}"):
        check_output(tmp_path / name)
