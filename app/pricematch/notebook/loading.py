"""Loads a catalogue into a shop: what it is read from, and which settings a shop has that nobody else uses."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.errors import SettingsError
from pricematch.notebook.kept import kept_in
from pricematch.notebook.shop import Shop
from pricematch.notebook.sources import CatalogueSource, catalogue_file
from pricematch.settings import load_settings

_PATIENT: Mapping[str, Any] = {"request_seconds": 3600.0, "follow_seconds": 3600.0, "max_scanned_postings": 10**9}
"""Nobody else waits for an answer, and nobody else changes what is searched."""


def load(
    source: CatalogueSource,
    images: "str | PathLike[str] | None" = None,
    *,
    folder: "str | PathLike[str] | None" = None,
    matcher: str = "auto",
    skip_bad_images: bool = False,
    workers: int | None = None,
) -> Shop:
    """Load a catalogue.

    Args:
        source: the path of a CSV or NDJSON file, a data frame (pandas, polars), columns by name, or records; with
            posting_id and perhaps image, title, image_phash, label_group.
        images: the folder that holds the images the postings name; None where there are none.
        folder: to keep models, features and trained matchers in, for the next time; None for a temporary one.
        matcher: `auto` for the newest that was trained in this folder, else the default one; `default`; a version.
        skip_bad_images: go on without missing or unreadable images, and say how many.
        workers: processes that decode and encode; those of the setting if None.

    Raises:
        CatalogueError: the catalogue cannot be used; names the bad rows.
        SettingsError: a folder is missing or cannot be written to.
    """
    kept = kept_in(folder)
    try:
        settings = load_settings(
            catalogue=catalogue_file(source, lambda: kept.folder),
            images=None if images is None else Path(images),
            models=kept.folder / "models",
            data=kept.folder / "data",
            matcher=matcher,
            skip_bad_images=skip_bad_images or None,
            workers=workers,
            **_PATIENT,
        )
        content = read_catalogue(settings)
        content.refuse(content.problems)
        _check_images(images)
        return Shop(settings, kept, len(content.postings))
    except BaseException:
        kept.close()
        raise


def _check_images(images: "str | PathLike[str] | None") -> None:
    if images is not None and not Path(images).is_dir():
        raise SettingsError(f"expected a folder of images, got {images}, which is not a folder")
