"""Where the namespaces of a data folder are, and the settings that each is served with."""

from pathlib import Path
from typing import Any

from pricematch.formats.atomic_writes import sync_folder
from pricematch.formats.manifest import versions
from pricematch.settings import DEFAULT_NAMESPACE, NAMESPACES, Settings, is_namespace
from pricematch.store.folder import PRIVATE_FOLDER, store_errors

_DEFAULTS_ALONE = frozenset(
    {"catalogue", "images", "encoder_version", "encoder", "encoders", "matcher", "import_folder"}
)
"""Settings that name files and models of the default namespace."""
_CATALOGUE, _FILE, _IMAGES = "catalogue", "catalogue.csv", "images"


def stored_namespaces(data: Path) -> list[str]:
    """Names of the namespaces of a data folder: the default one, and those that have a folder there, ascending.

    Whatever else is there is no namespace, such as a folder that was moved aside by another name.

    Raises:
        StoreError: the folder cannot be read.
    """
    folder = data / NAMESPACES
    with store_errors(folder):
        found = [path.name for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
    return [DEFAULT_NAMESPACE, *sorted(name for name in found if is_namespace(name) and name != DEFAULT_NAMESPACE)]


def make_namespace_folder(data: Path, name: str) -> None:
    """Make the folder of a namespace, forced to the disk, so that the next start finds it; raises StoreError."""
    with store_errors(data):
        for folder in (data / NAMESPACES, data / NAMESPACES / name):
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
            sync_folder(folder.parent)


def served_settings(settings: Settings, name: str) -> Settings:
    """The settings that a namespace is served with.

    What names models and files of the default one holds there alone: a version, an encoder that the namespace does not
    have, the catalogue file that an empty store is filled from, the folder that imports may read images from.
    """
    if name == DEFAULT_NAMESPACE:
        return settings
    found = settings.in_namespace(name)
    values: dict[str, Any] = {it: getattr(found, it) for it in Settings.model_fields if it not in _DEFAULTS_ALONE}
    files = {"catalogue": found.data / _CATALOGUE / _FILE, "images": found.data / _CATALOGUE / _IMAGES}
    held = {it for it in (settings.encoder, *settings.encoders) if versions(found.models, it)}
    given: dict[str, Any] = {"encoders": tuple(it for it in settings.encoders if it in held)}
    if settings.encoder in held:
        given["encoder"] = settings.encoder
    if not settings.matcher.isdecimal():
        given["matcher"] = settings.matcher
    named = (found.model_fields_set - _DEFAULTS_ALONE) | (given.keys() & settings.model_fields_set)
    return Settings.model_construct(named, **{**values, **files, **given})
