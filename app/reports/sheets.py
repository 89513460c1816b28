"""Contact sheets: pictures in rows with a caption under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from app.errors import SettingsError
from app.matching.ports import Pixels

_GAP, _CAPTION, _FONT = 12, 26, 15


@dataclass(frozen=True)
class Captioned:
    """A picture, uint8 [h, w, 3], and the line under it."""

    pixels: Pixels
    caption: str


def draw_sheet(rows: Sequence[Sequence[Captioned]], cell: int = 256) -> Image.Image:
    """A white sheet of the pictures, each fitted into a square of `cell` pixels."""
    columns = max(len(row) for row in rows)
    step_x, step_y = cell + _GAP, cell + _CAPTION + _GAP
    sheet = Image.new("RGB", (_GAP + columns * step_x, _GAP + len(rows) * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT)
    for y, row in enumerate(rows):
        for x, captioned in enumerate(row):
            left, top = _GAP + x * step_x, _GAP + y * step_y
            picture = Image.fromarray(captioned.pixels)
            picture.thumbnail((cell, cell))
            sheet.paste(picture, (left + (cell - picture.width) // 2, top + (cell - picture.height) // 2))
            draw.text((left + cell / 2, top + cell + 4), captioned.caption, "black", font, anchor="ma")
    return sheet


def save_sheet(sheet: Image.Image, output: Path) -> None:
    """Write the sheet, in the format its name ends in; raises SettingsError if that cannot be."""
    try:
        sheet.save(output)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot write {output} ({error})") from error
