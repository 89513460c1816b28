"""Feedback of a store as files, whether a service runs on it or not."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pricematch.catalogue.feedback_batches import BatchCounts
from pricematch.catalogue.records import PairFeedback
from pricematch.formats.atomic_writes import write_whole
from pricematch.formats.feedback_files import NDJSON, read_whole_feedback, to_csv, to_ndjson
from pricematch.settings import Settings
from pricematch.store.sqlite.feedback_rows import now
from pricematch.store.sqlite.store import open_store


def feedback_text(settings: Settings) -> str:
    """All feedback as CSV; raises SettingsError where there is no store, StoreError."""
    with closing(open_store(settings.data, create=False)) as store:
        return to_csv(store.feedback.all_feedback())


def feedback_content(feedback: Sequence[PairFeedback], file: Path) -> bytes:
    """Feedback as a file holds it: NDJSON by its ending, else CSV."""
    return (to_ndjson(feedback) if file.suffix.lower() in NDJSON else to_csv(feedback)).encode()


def export_feedback(settings: Settings, file: Path) -> None:
    """Write all feedback to a file, whole or not at all: NDJSON by its ending, else CSV.

    Raises:
        SettingsError: there is no store, or the file cannot be written.
        StoreError: it cannot be read.
    """
    with closing(open_store(settings.data, create=False)) as store:
        write_whole(file, feedback_content(store.feedback.all_feedback(), file))


def import_feedback(settings: Settings, file: Path) -> BatchCounts:
    """Store the feedback of a file, all of it or none; each in place of what was decided on its pair.

    Raises:
        CatalogueError: it cannot be read, or has bad rows, which are named; nothing is stored.
        StoreError: it cannot be kept.
    """
    found = read_whole_feedback(file, settings.max_csv_row_bytes, now())
    with closing(open_store(settings.data)) as store:
        return store.feedback.take(found)
