"""Names of images as other computers write them."""

import unicodedata

import pytest

from pricematch.formats.image_names import ImageNames

NFD = unicodedata.normalize("NFD", "café/naïve ü.jpg")
NFC = unicodedata.normalize("NFC", NFD)


@pytest.mark.parametrize(
    ("stored", "wanted", "found"),
    [
        pytest.param([NFD, "b.jpg"], NFC, NFD, id="stored decomposed"),
        pytest.param([NFC, "b.jpg"], NFD, NFC, id="written decomposed"),
        pytest.param([NFC, NFD], NFD, NFD, id="both, as it is written"),
        pytest.param(["ga\u1e68.jpg", "b"], "gaS\u0307\u0323.jpg", "ga\u1e68.jpg", id="marks in another order"),
        pytest.param(["a\\b.jpg", "c.jpg"], "a/b.jpg", "a\\b.jpg", id="backslashes stored"),
        pytest.param(["a/b.jpg", "c.jpg"], "a\\b.jpg", "a/b.jpg", id="backslashes written"),
        pytest.param(["a/b.jpg", "c.jpg"], ".\\a\\b.jpg", "a/b.jpg", id="here"),
        pytest.param(["top/1.jpg", "top/2.jpg"], "1.jpg", "top/1.jpg", id="one folder around all"),
        pytest.param(["top/1.jpg", "top/2.jpg"], "top/1.jpg", "top/1.jpg", id="the folder written as well"),
        pytest.param(["top/in/1.jpg", "top/in/s/2.jpg"], "s/2.jpg", "top/in/s/2.jpg", id="two folders around all"),
        pytest.param(["top/in/1.jpg", "top/in/2.jpg"], "in/2.jpg", "top/in/2.jpg", id="one of two folders"),
        pytest.param(["top/1.jpg"], "1.jpg", "top/1.jpg", id="one image"),
        pytest.param(["top/1.jpg", "__MACOSX/top/._1.jpg", ".DS_Store"], "1.jpg", "top/1.jpg", id="junk beside it"),
        pytest.param(["T\u00fc/1.JPG", "T\u00fc/2.jpg"], "1.jpg", "T\u00fc/1.JPG", id="other case in the folder"),
        pytest.param(["STRASSE.jpg", "b"], "straße.jpg", "STRASSE.jpg", id="folded case"),
        pytest.param(["a.jpg", "A.jpg"], "A.jpg", "A.jpg", id="the case that is written"),
    ],
)
def test_a_name_is_found_as_another_computer_wrote_it(stored: list[str], wanted: str, found: str) -> None:
    """Fault C18: composed or decomposed, with either separator, below one folder, in other case."""
    assert ImageNames(stored).find(wanted) == found


@pytest.mark.parametrize(
    ("stored", "wanted", "hint"),
    [
        pytest.param(["a.jpg", "A.JPG"], "A.jpg", "; it may be 'A.JPG' or 'a.jpg', write one of them", id="two"),
        pytest.param(["x/1.jpg", "y/2.jpg"], "1.jpg", "; the nearest name is 'x/1.jpg'", id="in a folder"),
        pytest.param(["1.jpg", "2.jpg"], "images/1.jpg", "; the nearest name is '1.jpg'", id="in no folder"),
        pytest.param(["1.jpeg", "2.jpg"], "1.jpg", "; the nearest name is '1.jpeg'", id="another ending"),
        pytest.param(["red_shoe.jpg", "hat.jpg"], "red-shoe.jpg", "; the nearest name is 'red_shoe.jpg'", id="similar"),
        pytest.param(["hat.jpg"], "C:\\images\\hat.jpg", "; the nearest name is 'hat.jpg'", id="a path of Windows"),
        pytest.param(["__MACOSX/._1.jpg"], "1.jpg", "", id="junk alone"),
        pytest.param(["hat.jpg"], "0815", "", id="nothing like it"),
        pytest.param([], "1.jpg", "", id="nothing"),
    ],
)
def test_the_nearest_name_is_told_and_not_taken(stored: list[str], wanted: str, hint: str) -> None:
    """Fault C18: what is not certain is for the sender to decide."""
    names = ImageNames(stored)
    assert names.find(wanted) is None
    assert names.hint(wanted) == hint


def test_many_misses_cost_little() -> None:
    """Fault C18: the nearest of all names is looked for a hundred times."""
    names = ImageNames(f"image-{number}.jpg" for number in range(500))
    assert [names.hint(f"picture-{number}") for number in range(5000)][-1] == ""
