"""Which versions of the exported models serve."""

from collections.abc import Mapping
from dataclasses import dataclass

from pricematch.errors import ArtefactError, SettingsError
from pricematch.formats import matcher_files
from pricematch.formats.manifest import find, verify, versions
from pricematch.settings import ENCODERS, Settings
from pricematch.store.sqlite.store import DATABASE, open_store

NAMES = (matcher_files.NAME, *ENCODERS)


@dataclass(frozen=True)
class Exported:
    """A version on disk.

    Attributes:
        name, version, created: of its manifest; `created` is what is wrong with it where that cannot be read.
        says: whether it was activated, or would be taken as the newest.
    """

    name: str
    version: str
    created: str
    says: str


def exported(settings: Settings) -> list[Exported]:
    """Every version of every model, the newest first."""
    active = _active(settings)
    found = []
    for name in NAMES:
        every = sorted(versions(settings.models, name), key=int, reverse=True)
        for place, version in enumerate(every):
            says = "active" if active.get(name) == version else "newest" if place == 0 and name not in active else ""
            found.append(Exported(name, version, _created(settings, name, version), says))
    return found


def activate(settings: Settings, label: str) -> str:
    """Let a version serve; what happens now, in a sentence.

    Raises:
        SettingsError: this is no name of a model and a version, or there is no store.
        ArtefactError: there is no such version, or it is damaged.
    """
    name, _, version = label.partition("/")
    if name not in NAMES or not (version.isdecimal() and version.isascii()):
        raise SettingsError(f"expected {' or '.join(NAMES)}, a slash and a version, such as cnn/2, got {label!r}")
    if name == matcher_files.NAME:
        matcher_files.read_matcher(settings.models, version, settings.workers)
    else:
        find(settings.models, name, version)
    store = open_store(settings.data, create=False)
    try:
        before = store.models.active().get(name)
        store.models.activate(name, version)
    finally:
        store.close()
    was = "the newest" if before is None else f"{name}/{before}"
    return f"{name}/{version} is active, instead of {was}; a service on {settings.data} takes it within seconds"


def _active(settings: Settings) -> Mapping[str, str]:
    if not (settings.data / DATABASE).exists():
        return {}
    store = open_store(settings.data, create=False)
    try:
        return store.models.active()
    finally:
        store.close()


def _created(settings: Settings, name: str, version: str) -> str:
    path = settings.models / name / version
    try:
        if name == matcher_files.NAME:
            return matcher_files.read_manifest(path).created
        return verify(path).manifest.created
    except ArtefactError as error:
        return str(error)
