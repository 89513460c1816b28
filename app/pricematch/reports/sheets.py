"""Contact sheets: images in rows with a caption under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pricematch.encoding.ports import Pixels
from pricematch.errors import SettingsError

_GAP, _FRAME, _FONT, _LINE, _MARGIN = 12, 4, 15, 20, 6


@dataclass(frozen=True)
class Captioned:
    """An image, uint8 [h, w, 3], the lines under it, and the colour of a frame around it, if there is one."""

    pixels: Pixels
    caption: str
    frame: str | None = None


def draw_sheet(rows: Sequence[Sequence[Captioned]], cell: int = 256) -> Image.Image:
    """A white sheet of the images, each fitted into a square of `cell` pixels."""
    columns = max(len(row) for row in rows)
    lines = max(captioned.caption.count("\n") + 1 for row in rows for captioned in row)
    step_x, step_y = cell + _GAP, cell + _MARGIN + lines * _LINE + _GAP
    sheet = Image.new("RGB", (_GAP + columns * step_x, _GAP + len(rows) * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT)
    for y, row in enumerate(rows):
        for x, captioned in enumerate(row):
            left, top = _GAP + x * step_x, _GAP + y * step_y
            shrunk = Image.fromarray(captioned.pixels)
            shrunk.thumbnail((cell, cell))
            sheet.paste(shrunk, (left + (cell - shrunk.width) // 2, top + (cell - shrunk.height) // 2))
            if captioned.frame is not None:
                corners = (left - _FRAME, top - _FRAME, left + cell + _FRAME - 1, top + cell + _FRAME - 1)
                draw.rectangle(corners, outline=captioned.frame, width=_FRAME)
            draw.text((left + cell / 2, top + cell + 4), captioned.caption, "black", font, anchor="ma", align="center")
    return sheet


def check_output(output: Path) -> None:
    """Raise SettingsError if a sheet cannot be written there, for callers that take long until they have drawn it."""
    known = Image.registered_extensions()
    if known.get(output.suffix.lower()) not in Image.SAVE:
        raise SettingsError(f"cannot write {output} (expected a name that ends in .png, .jpg or .webp)")
    if not output.parent.is_dir():
        raise SettingsError(f"cannot write {output} ({output.parent} is not a folder)")


def save_sheet(sheet: Image.Image, output: Path) -> None:
    """Write the sheet, in the format its name ends in; raises SettingsError if that cannot be."""
    try:
        sheet.save(output)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot write {output} ({error})") from error
