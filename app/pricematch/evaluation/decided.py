"""Feedback as labels, for what learns and what judges."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback, corrected_labels
from pricematch.catalogue.records import FeedbackChange
from pricematch.formats.csv_files import CsvCatalogue, read_feedback
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store

_log = logging.getLogger("pricematch")
_SHOWN = 5


def load_verdicts(settings: Settings, path: Path) -> Feedback:
    """Those of a CSV file, or of the store in a data folder.

    Raises:
        CatalogueError: the file has bad rows.
        SettingsError, StoreError: there is no store in the folder, or none that can be read.
    """
    if not path.is_dir():
        return read_feedback(path, settings.max_csv_row_bytes)
    store = open_store(path, create=False)
    try:
        found = store.feedback.all_feedback()
    finally:
        store.close()
    return NO_FEEDBACK.changed(FeedbackChange(it.first, it.second, it.revision, it.decision) for it in found)


def relabelled(content: CsvCatalogue, labels: Sequence[str]) -> CsvCatalogue:
    """A catalogue whose postings are of other label groups."""
    postings = [replace(posting, label_group=label) for posting, label in zip(content.postings, labels, strict=True)]
    return replace(content, postings=postings)


def labels_of(settings: Settings, content: CsvCatalogue, verdicts: Path | None) -> Sequence[str | None]:
    """The label group of each posting of a catalogue file, as verdicts have it; None where it is not known.

    Feedback that contradict each other are told of.

    Raises:
        CatalogueError, SettingsError, StoreError: as `load_verdicts`.
    """
    given = [posting.label_group for posting in content.postings]
    if verdicts is None:
        return given
    found = corrected_labels([it.posting_id for it in content.postings], given, load_verdicts(settings, verdicts))
    changed = sum(before != after for before, after in zip(given, found.labels, strict=True))
    _log.info("%d verdicts of %s changed the label group of %d postings", found.used, verdicts, changed)
    for it in found.contradicting[:_SHOWN]:
        _log.warning(
            "contradiction, the verdict is left out: %s and %s are different, and the same by %s",
            it.first,
            it.second,
            " = ".join(it.chain),
        )
    if hidden := len(found.contradicting[_SHOWN:]):
        _log.warning("… and %d more contradictions", hidden)
    return found.labels
