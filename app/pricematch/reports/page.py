"""HTML pages that need no other files: plots, images and styles are inside."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from pricematch.encoding.decoder import decoder
from pricematch.encoding.ingest import each_image
from pricematch.encoding.ports import Pixels
from pricematch.errors import ImageError
from pricematch.evaluation.load_features import ANY_SIDE
from pricematch.formats.image_folder import ImageFolder
from pricematch.progress import Progress
from pricematch.settings import Settings

_TEMPLATES = Environment(
    loader=PackageLoader("pricematch.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["thousands"] = "{:,}".format


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """The small images that could be drawn, by name, and why the others could not."""

    drawn: dict[str, Markup]
    errors: dict[str, ImageError]


def render(template: str, **values: Any) -> str:
    """A page from one of the templates; whatever text is put into it is escaped."""
    return _TEMPLATES.get_template(template).render(values)


def plot(figure: Figure, alt: str) -> Markup:
    """A figure as an inline image, the same bytes for the same figure; `alt` describes it."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "pricematch"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _image("image/svg+xml", file.getvalue(), alt)


def thumbnail(pixels: Pixels, alt: str, side: int = 160) -> Markup:
    """An image, uint8 [h, w, 3], shrunk into a square of `side` pixels, as an inline JPEG."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return _image("image/jpeg", file.getvalue(), alt)


def _image(media_type: str, data: bytes, alt: str) -> Markup:
    encoded = base64.b64encode(data).decode("ascii")
    return Markup('<img src="data:{};base64,{}" alt="{}">').format(media_type, encoded, alt)


def draw_thumbnails(settings: Settings, names: Sequence[str], images: ImageFolder, progress: Progress) -> Thumbnails:
    """The images with these names, each once, small; and why some cannot be drawn."""
    decode = decoder(settings, ANY_SIDE)

    def draw(name: str) -> Markup:
        return thumbnail(decode.upright(images.read(name)), f"image {name}")

    return Thumbnails(*each_image(names, draw, "Drawing images", workers=settings.workers, progress=progress))
