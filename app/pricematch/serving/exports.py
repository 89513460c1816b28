"""Exports: what a store holds as files that an import takes."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pricematch.catalogue.postings import Posting
from pricematch.errors import SettingsError
from pricematch.formats.atomic_writes import make_folder, whole_file, write_whole
from pricematch.formats.posting_lines import posting_line
from pricematch.progress import Progress
from pricematch.serving.feedback_files import feedback_content
from pricematch.settings import Settings
from pricematch.store.sqlite.store import Store, open_store

_PAGE = 1000


@dataclass(frozen=True)
class Exported:
    """How many postings, images and verdicts were written."""

    postings: int
    images: int
    verdicts: int


def export_catalogue(
    settings: Settings, file: Path, images: Path | None, verdicts: Path | None, progress: Progress
) -> Exported:
    """Write the postings of a store to a file of NDJSON, while a service may run on it.

    Postings that change meanwhile are in it as they were before or after.

    Args:
        settings: where the store is.
        file: to write; it appears whole or not at all.
        images: folder to write the images into, by the names that the file has; None for none.
        verdicts: file to write, NDJSON by its ending, else CSV; None for none.
        progress: called with how many postings are done.

    Raises:
        SettingsError: there is no store, or a file cannot be written, or is to be a CSV file by its ending.
        ImageUnavailable: an image is not there, or not as it was stored.
        StoreError: the store cannot be read.
    """
    if file.suffix.lower() == ".csv":
        raise SettingsError(f"postings are written as NDJSON, expected a file such as {file.with_suffix('.ndjson')}")
    with closing(open_store(settings.data, create=False)) as store:
        total, count, written = store.postings.count(), 0, set[str]()
        if images is not None:
            make_folder(images)
        with whole_file(file) as lines:
            for posting in _postings(store):
                lines.write(posting_line(posting))
                if images is not None:
                    for name in {*posting.images} - written:
                        write_whole(images / name, store.images.read(name))
                        written.add(name)
                count += 1
                progress("Writing postings", count, max(count, total))
        feedback = [] if verdicts is None else store.feedback.all_feedback()
        if verdicts is not None:
            write_whole(verdicts, feedback_content(feedback, verdicts))
        return Exported(count, len(written), len(feedback))


def _postings(store: Store) -> Iterator[Posting]:
    """All postings, in the order of their ids."""
    after = ""
    while page := store.postings.page(after, _PAGE):
        yield from (stored.posting for stored in page)
        after = page[-1].posting.posting_id
