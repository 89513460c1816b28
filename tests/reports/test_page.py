"""What all HTML pages share."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure
from PIL import Image

from pricematch.reports import page as page_module
from pricematch.reports.page import plot, render, thumbnail
from tests.support.browser import Page

HOSTILE = (
    "<script>alert('x')</script>",
    "\"quotes\" & 'apostrophes' <img src=x onerror=alert(1)>",
    "abc\u202egnp.exe\u202c",
    "{{ 7 * 7 }} {% raw %}",
    "</title></style><iframe src=//evil>",
    "👩‍👩‍👧 ✨",
    "W" * 5000,
)


def line(values: list[float]) -> Figure:
    figure = Figure()
    figure.add_subplot().plot(values)
    return figure


def decoded(markup: str) -> tuple[str, bytes]:
    """Media type and bytes of an inline image."""
    [(media_type, data)] = re.findall(r'src="data:([^;]+);base64,([^"]*)"', markup)
    return media_type, base64.b64decode(data, validate=True)


def test_a_page_needs_no_other_file() -> None:
    page = Page(render("page.html", title="Exploration"))
    assert page.html.startswith("<!doctype html>")
    assert page.html.rstrip().endswith("</html>")
    assert page.needs_nothing_beside_itself()
    assert "Exploration · pricematch" in page.text


def test_a_browser_is_reported_to_load_and_run_nothing_from_anywhere() -> None:
    [policy] = [
        attributes["content"]
        for tag, attributes in Page(render("page.html", title="t")).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    directives = dict(directive.split(maxsplit=1) for directive in str(policy).split(";"))
    assert directives == {"default-src": "'none'", "img-src": "data:", "style-src": "'unsafe-inline'"}


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is_and_is_never_markup(text: str) -> None:
    plain, hostile = Page(render("page.html", title="t")), Page(render("page.html", title=text))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert hostile.text.count(text) == 2  # in the title bar and in the heading
    assert hostile.needs_nothing_beside_itself()


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("page.html")


def test_every_template_is_reported_to_escape() -> None:
    templates = Path(page_module.__file__).parent / "templates"
    for path in templates.iterdir():
        assert path.suffix == ".html"
        assert "|safe" not in path.read_text(encoding="utf-8").replace(" ", "")
        assert "autoescape" not in path.read_text(encoding="utf-8")


def test_numbers_are_written_with_commas() -> None:
    assert page_module._TEMPLATES.from_string("{{ 1234567 | thousands }}").render() == "1,234,567"


def test_a_plot_is_an_image_inside_the_page() -> None:
    markup = plot(line([1, 2, 4]), 'the "growth" <b>')
    media_type, data = decoded(markup)
    assert media_type == "image/svg+xml"
    assert b"<svg" in data
    assert Page(markup).alts() == ['the "growth" <b>']
    assert [tag for tag, _ in Page(markup).tags] == ["img"]


def test_the_same_plot_is_the_same_bytes_and_another_is_not() -> None:
    assert plot(line([1, 2, 4]), "growth") == plot(line([1, 2, 4]), "growth")
    assert plot(line([1, 2, 4]), "growth") != plot(line([1, 2, 5]), "growth")


@pytest.mark.parametrize(("width", "height"), [(400, 200), (200, 400), (20, 10)])
def test_an_image_is_shrunk_with_its_proportions_and_never_enlarged(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    media_type, data = decoded(thumbnail(pixels, "a shoe", side=100))
    with Image.open(io.BytesIO(data)) as image:
        scale = min(1, 100 / max(width, height))
        assert (image.format, image.size) == ("JPEG", (width * scale, height * scale))
    assert media_type == "image/jpeg"


def test_an_image_keeps_its_colours_and_is_the_same_bytes_twice() -> None:
    pixels = np.full((50, 50, 3), (200, 30, 60), np.uint8)
    markup = thumbnail(pixels, "red")
    with Image.open(io.BytesIO(decoded(markup)[1])) as image:
        np.testing.assert_allclose(np.asarray(image), pixels, atol=4)
    assert markup == thumbnail(pixels, "red")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_breaks_out_of_the_alt_text(text: str) -> None:
    markup = thumbnail(np.zeros((4, 4, 3), np.uint8), text)
    assert Page(markup).alts() == [text]
    assert [tag for tag, _ in Page(markup).tags] == ["img"]
