"""Fields that are declared in a data folder, whether a service runs on it or not."""

from collections.abc import Sequence
from contextlib import closing

from pricematch.catalogue.evidence import evidence_field
from pricematch.catalogue.fields import Field, FieldType
from pricematch.catalogue.filters import field_path
from pricematch.errors import FieldNotFound
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store


def declared(settings: Settings) -> Sequence[Field]:
    """All of them, by their names; raises SettingsError where there is no store, StoreError."""
    with closing(open_store(settings.data, create=False)) as store:
        return store.fields.fields()


def declare(settings: Settings, name: str, kind: FieldType, *, evidence: bool = False) -> bool:
    """Declare a field: whether it was not before.

    Raises:
        FilterInvalid: no field can have this name, or be evidence under it.
        LimitExceeded: as many are declared as may be.
        SettingsError, StoreError: there is no store, or it cannot be written to.
    """
    field = evidence_field(Field(field_path(name, "field"), kind, evidence))
    with closing(open_store(settings.data, create=False)) as store:
        return store.fields.declare(field, settings.max_declared_fields)


def remove(settings: Settings, name: str) -> None:
    """Let a field be as any other again; raises FieldNotFound, SettingsError, StoreError."""
    with closing(open_store(settings.data, create=False)) as store:
        if not store.fields.undeclare(name):
            raise FieldNotFound(name)
