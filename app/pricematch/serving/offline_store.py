"""Which store answers questions about a catalogue file without being served over HTTP."""

import shutil
from collections.abc import Sequence
from contextlib import closing

from pricematch.catalogue.fields import Field
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.formats.atomic_writes import make_folder
from pricematch.formats.manifest import digest_of_file
from pricematch.formats.matcher_files import evidence_of
from pricematch.serving.initial_load import loaded_from
from pricematch.settings import Settings
from pricematch.store.folder import PRIVATE_FOLDER
from pricematch.store.sqlite.store import DATABASE, open_store

_OWN = "shown"
"""Folder, below the data folder, of a store for catalogue files that no service was filled from."""


def with_store_of_catalogue(settings: Settings, posting_id: str | None = None) -> Settings:
    """Settings whose data folder is the store that was filled from the catalogue file, or a folder of our own below it.

    A store that was never filled is left to the service, which would go on serving what we filled it with. In one of
    our own the fields that the matcher compares by are declared as evidence.

    Args:
        settings: where catalogue and data folder are.
        posting_id: a posting that is needed; None where it does not matter which there are.

    Raises:
        CatalogueError: bad rows.
        PostingNotFound: the file has no posting with this id.
        ArtefactError: the manifest of the matcher is damaged.
    """
    digest = digest_of_file(settings.catalogue)
    if (settings.data / DATABASE).exists():
        with closing(open_store(settings.data)) as store:
            if loaded_from(store) == digest:
                return settings
    content = read_catalogue(settings)
    content.refuse(content.problems)
    if posting_id is not None:
        Catalogue(content.postings).row(posting_id)  # before anything is encoded
    data = settings.data / _OWN / digest[:16]
    for other in (settings.data / _OWN).glob("*"):
        if other != data:
            shutil.rmtree(other)
    for folder in (settings.data, settings.data / _OWN):
        make_folder(folder, PRIVATE_FOLDER)
    own = settings.model_copy(update={"data": data})
    _declare(own, evidence_of(settings, settings.matcher))
    return own


def _declare(settings: Settings, fields: Sequence[Field]) -> None:
    """Let these be the declared fields of a store of our own."""
    if not fields and not (settings.data / DATABASE).exists():
        return
    with closing(open_store(settings.data)) as store:
        for field in store.fields.fields():
            if field not in fields:
                store.fields.undeclare(field.name)
        for field in fields:
            store.fields.declare(field, max(len(fields), settings.max_declared_fields))
