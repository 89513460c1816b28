"""Catalogues whose label groups are known, and their embeddings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.bootstrap import embed_catalogue, read_catalogue
from pricematch.errors import CatalogueError, LimitExceeded
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.embedding_array import read_embeddings
from pricematch.progress import Progress
from pricematch.settings import Settings


def read_labelled(settings: Settings) -> CsvCatalogue:
    """The catalogue file, every row of which is good and has a label group; raises CatalogueError."""
    content = read_catalogue(settings)
    if content.postings and all(posting.label_group is None for posting in content.postings):
        raise CatalogueError(
            f"{content.path}: expected a column label_group that names each posting's product, got none"
        )
    content.refuse([*content.problems, *content.label_problems()])
    return content


def embedded(settings: Settings, embeddings: Path | None, progress: Progress) -> tuple[Catalogue, Embeddings]:
    """The postings of a catalogue, and their embeddings [n, d].

    Args:
        settings: where catalogue, pictures and encoder are.
        embeddings: a NumPy file to take instead of encoding pictures.
        progress: told what is being done.

    Raises:
        CatalogueError: a bad row.
        SettingsError: the file is of no use.
        PricematchError: as `embed_catalogue`, where pictures are encoded.
    """
    if embeddings is None:
        found = embed_catalogue(settings, progress)
        return found.catalogue, found.embeddings
    content = read_catalogue(settings)
    content.refuse(content.problems)
    return Catalogue(content.postings), read_embeddings(embeddings, len(content.postings))


@contextmanager
def setting_told() -> Iterator[None]:
    """Where more pairs are found than allowed, the error says which setting allows them."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitExceeded(f"{error}, or allow more with PRICEMATCH_MAX_CLUSTER_PAIRS") from error
