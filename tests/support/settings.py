"""Settings over tiny catalogues, and progress that is remembered."""

from pathlib import Path
from typing import Any

from pricematch.catalogue.postings import Posting
from pricematch.settings import Settings, load_settings
from tests.support.exported_matcher import export_matcher
from tests.support.fakes import tiny_catalogue
from tests.support.labelled import write_catalogue


class Told:
    """Remembers what progress was told."""

    def __init__(self) -> None:
        self.what: list[str] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.what.append(what)


def settings_of(folder: Path, **given: Any) -> Settings:
    """Settings over a tiny catalogue of one's own, and no models unless given."""
    if not (folder / "catalogue.csv").exists():
        tiny_catalogue(folder)
    paths = {name: folder / name for name in ("images", "models", "data")}
    return load_settings(**{"catalogue": folder / "catalogue.csv", **paths, "precision": "float32", **given})


def titles_and_hashes(folder: Path, **given: Any) -> Settings:
    """Settings over a catalogue file with hashes, beside no images, and a matcher of hashes and titles."""
    export_matcher(folder / "models", ["hash", "title"])
    hashes = ["0" * 16, "0" * 16, "f" * 16, None]
    titles = ["kopi susu", "", "teh manis", "teh manis"]
    write_catalogue(
        folder / "catalogue.csv",
        [Posting(f"p{row}", f"p{row}.png", titles[row], hashes[row]) for row in range(4)],
    )
    return without_pictures(folder, **given)


def without_pictures(folder: Path, **given: Any) -> Settings:
    """Settings that name no folder of images, and the default one is not there."""
    paths = {name: folder / name for name in ("models", "data")}
    return Settings(**{"catalogue": folder / "catalogue.csv", **paths, **given})


def coloured(folder: Path, signals: list[str], **given: Any) -> Settings:
    """Settings over the tiny catalogue of colours, without hashes in its file, with its images and a matcher."""
    export_matcher(folder / "models", signals)
    return settings_of(folder, **given)
