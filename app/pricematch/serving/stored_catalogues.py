"""What the namespaces of a data folder hold, without a service."""

from contextlib import closing
from dataclasses import dataclass

from pricematch.errors import StoreError
from pricematch.serving.tenant_settings import stored_namespaces
from pricematch.settings import Settings
from pricematch.store.sqlite.store import DATABASE, open_store


@dataclass(frozen=True, slots=True)
class StoredCatalogue:
    """A namespace on the disk.

    Attributes:
        name: of it.
        folder: of its store.
        postings: how many there are; None where there is no store yet, or it cannot be read.
        catalogue_version: of it; None where there is none.
        fault: why it cannot be read; None where it can.
    """

    name: str
    folder: str
    postings: int | None = None
    catalogue_version: int | None = None
    fault: str | None = None


def stored_catalogues(settings: Settings) -> list[StoredCatalogue]:
    """The namespaces of a data folder, the default one first; raises StoreError where the folder cannot be read."""
    return [_stored(name, settings.in_namespace(name)) for name in stored_namespaces(settings.data)]


def _stored(name: str, settings: Settings) -> StoredCatalogue:
    folder = settings.data
    if not (folder / DATABASE).exists():
        return StoredCatalogue(name, str(folder))
    try:
        with closing(open_store(folder, create=False)) as store:
            return StoredCatalogue(name, str(folder), store.postings.count(), store.postings.version())
    except StoreError as error:
        return StoredCatalogue(name, str(folder), fault=str(error))
