"""The catalogue file and the folder of images that settings name, before any image of it is decoded."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pricematch.errors import CatalogueError, ImageError, ImageUnavailable, SettingsError
from pricematch.formats.csv_files import CsvCatalogue, read_csv
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.posting_rows import RowLimits, TextFormat, metadata_limits
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")


def read_catalogue(settings: Settings) -> CsvCatalogue:
    """The catalogue file; bad rows are in its `problems`, and what is odd in it is logged. Raises CatalogueError."""
    content = read_csv(settings.catalogue, *row_format(settings))
    for warning in content.warnings:
        _log.warning("%s: %s", content.path, warning)
    if any(warning.startswith(("label_group", "posting_id")) for warning in content.warnings):
        _log.warning("`pricematch check %s` says more", content.path)
    return content


def read_to_learn(settings: Settings) -> CsvCatalogue:
    """The catalogue file as `read_catalogue`, without labels that are no truth, whose count is logged."""
    content = read_catalogue(settings)
    learnable = content.without_rounded_labels()
    pairs = zip(content.postings, learnable.postings, strict=True)
    if count := sum(before.label_group != after.label_group for before, after in pairs):
        _log.warning("%s: nothing is learned from the rounded labels of %d postings", content.path, count)
    return learnable


def row_format(settings: Settings) -> tuple[RowLimits, TextFormat]:
    """How files of postings are read: their limits, encoding and delimiter."""
    limits = RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes, metadata_limits(settings))
    return limits, TextFormat(settings.csv_encoding, settings.csv_delimiter)


def image_folder(settings: Settings) -> ImageFolder:
    """The images the catalogue names; raises SettingsError if there is no such folder."""
    if not settings.images.is_dir():
        raise SettingsError(
            f"expected a folder of images, got {settings.images}, which is not a folder; name yours with --images"
        )
    return ImageFolder(settings.images, settings.max_image_bytes)


def find_images(settings: Settings, names: Sequence[str]) -> ImageFolder | None:
    """The folder of images; None where nobody named one and the default one holds none of these names.

    Raises:
        SettingsError: the one that was named is no folder.
    """
    if "images" in settings.model_fields_set:
        return image_folder(settings)
    if not settings.images.is_dir():
        return None
    images = image_folder(settings)
    for name in names:
        with suppress(ImageError):
            images.read(name)
            return images
    return None


def skip_or_refuse(content: CsvCatalogue, errors: Mapping[str, ImageError], *, skip: bool) -> None:
    """Refuse bad rows and images; bad images are only logged where they are to be skipped and some are good."""
    problems = content.image_problems(errors)
    bad = len({problem.row for problem in problems})
    unavailable = all(isinstance(error, ImageUnavailable) for error in errors.values())
    if errors and unavailable and bad == len(content.postings) and not content.problems:
        first = problems[0]
        raise CatalogueError(f"{content.path}: none of its images is there; is it another folder? The first is {first}")
    if content.problems or not skip or bad == len(content.postings):
        content.refuse([*content.problems, *problems])
    for problem in problems:
        _log.warning("skipped %s", problem)
    if problems:
        _log.warning("skipped %d of %d postings whose image is bad", bad, len(content.postings))
