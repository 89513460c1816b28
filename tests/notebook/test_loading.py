"""Loading a catalogue into a shop: what cannot be, and why."""

from pathlib import Path
from typing import Any

import pytest

import pricematch as pm
from pricematch.errors import CatalogueError, SettingsError

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"source": "absent.csv"}, CatalogueError, "absent.csv: cannot be read"),
        ({"source": [{"posting_id": "a", "image_phash": "xyz"}]}, CatalogueError, "expected 16 hexadecimal digits"),
        ({"source": [{"posting_id": "a"}], "images": "nowhere"}, SettingsError, "folder of images, got nowhere"),
        ({"source": [{"posting_id": "a"}], "matcher": "best"}, SettingsError, "matcher"),
        ({"source": [{"posting_id": "a"}], "workers": 0}, SettingsError, "workers"),
    ],
)
def test_what_cannot_be_loaded_is_said_at_once(
    given: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(error, match=message):
        pm.load(**given)
    assert list(tmp_path.iterdir()) == []
