"""Catalogues whose label groups are known, from their files or by people's feedback; and their embeddings."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback, corrected_labels
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.encoding.bootstrap import embed_catalogue
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.errors import CatalogueError, LimitExceeded
from pricematch.evaluation.splits import seen_postings
from pricematch.formats.array_files import read_embeddings
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.feedback_files import read_feedback
from pricematch.formats.manifest import Origin, TrainedOn, find
from pricematch.formats.matcher_files import LoadedMatcher
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.sqlite.store import Store, open_store

_log = logging.getLogger("pricematch")
_SHOWN = 5


def read_labelled(settings: Settings) -> CsvCatalogue:
    """The catalogue file, every row of which is good and has a label group; raises CatalogueError."""
    content = read_catalogue(settings)
    if content.postings and all(posting.label_group is None for posting in content.postings):
        raise CatalogueError(
            f"{content.path}: expected a column label_group that names each posting's product, got none"
        )
    content.refuse([*content.problems, *content.label_problems()])
    return content


def embedded(
    settings: Settings, content: CsvCatalogue, embeddings: Path | None, progress: Progress
) -> tuple[Catalogue, Embeddings]:
    """The postings of a catalogue file, and their embeddings [n, d]: from the images, or from a NumPy file if given.

    Raises:
        CatalogueError: a bad row.
        SettingsError: the file is of no use.
        PricematchError: as `embed_catalogue`.
    """
    if embeddings is None:
        found = embed_catalogue(settings, content, progress)
        return found.catalogue, found.embeddings
    content.refuse(content.problems)
    return Catalogue(content.postings), read_embeddings(embeddings, len(content.postings))


@contextmanager
def limit_setting_named() -> Iterator[None]:
    """Name the setting that allows more pairs in a LimitExceeded error."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitExceeded(f"{error}, or allow more with PRICEMATCH_MAX_CLUSTER_PAIRS") from error


def load_feedback(settings: Settings, path: Path) -> Feedback:
    """The feedback in a file, or in the store of a data folder.

    Raises:
        CatalogueError: the file has bad rows.
        SettingsError, StoreError: there is no store in the folder, or none that can be read.
    """
    if not path.is_dir():
        return read_feedback(path, settings.max_csv_row_bytes)
    with closing(open_store(path, create=False)) as store:
        return stored_feedback(store)


def stored_feedback(store: Store) -> Feedback:
    """The feedback of a store; raises StoreError."""
    found = store.feedback.all_feedback()
    return NO_FEEDBACK.changed(FeedbackChange(it.first, it.second, it.revision, it.decision) for it in found)


def relabelled(content: CsvCatalogue, labels: Sequence[str]) -> CsvCatalogue:
    """A catalogue whose postings are of other label groups."""
    pairs = zip(content.postings, labels, strict=True)
    return replace(content, postings=[replace(posting, label_group=label) for posting, label in pairs])


def labels_of(settings: Settings, content: CsvCatalogue, verdicts: Path | None) -> Sequence[str | None]:
    """The label group of each posting of a catalogue file, corrected by feedback; None where it is not known.

    Contradicting feedback is logged. Raises as `load_feedback`.
    """
    if verdicts is None:
        return [posting.label_group for posting in content.postings]
    return corrected(content.postings, load_feedback(settings, verdicts), verdicts)


def corrected(postings: Sequence[Posting], feedback: Feedback, path: Path) -> Sequence[str | None]:
    """The label group of each posting, corrected by the feedback of a file or folder; None where it is not known.

    Contradicting feedback is logged.
    """
    given = [posting.label_group for posting in postings]
    found = corrected_labels([it.posting_id for it in postings], given, feedback)
    changed = sum(before != after for before, after in zip(given, found.labels, strict=True))
    _log.info("%d verdicts of %s changed the label group of %d postings", found.used, path, changed)
    text = "contradiction, the verdict is left out: %s and %s are different, and the same by %s"
    for it in found.contradicting[:_SHOWN]:
        _log.warning(text, it.first, it.second, " = ".join(it.chain))
    if hidden := len(found.contradicting[_SHOWN:]):
        _log.warning("… and %d more contradictions", hidden)
    return found.labels


def unseen(
    settings: Settings,
    loaded: LoadedMatcher,
    postings: Sequence[Posting],
    labels: Sequence[str],
    given: Sequence[str] | None = None,
) -> NDArray[np.bool_]:
    """Which of n postings are of label groups that neither a matcher nor its encoder was trained on, bool [n].

    `given` are the label groups before feedback changed them, the same if None; a group with a posting of a group that
    was trained on is left out as well.

    Raises:
        CatalogueError: all were trained on.
    """
    given = labels if given is None else given
    seen = np.zeros(len(labels), np.bool_)
    if loaded.trained_on is not None:
        seen = _seen(loaded.label, loaded.trained_on, postings, labels, given)
    alone = bool(seen.all())
    if (wanted := loaded.encoder) is not None:
        encoder = find(settings.models, wanted.name, wanted.version)
        if encoder.manifest.trained_on is not None:
            seen |= _seen(encoder.label, encoder.manifest.trained_on, postings, labels, given)
    # groups are whole in both readings of the labels
    known = {label for label, taught in zip(labels, seen, strict=True) if taught}
    found = np.array([label not in known for label in labels], bool)
    if not found.any():
        raise CatalogueError(f"{settings.catalogue}: {_all_seen(loaded, None if alone else wanted)}")
    return found


def _seen(
    model: str, record: TrainedOn, postings: Sequence[Posting], labels: Sequence[str], given: Sequence[str]
) -> NDArray[np.bool_]:
    """Which postings a model was trained on, by their label groups after and before feedback."""
    if record.postings is None:
        _log.warning(
            "%s was trained by an earlier version, which kept the names of its label groups only: groups of the same "
            "names count as those it was trained on, others do not; trained anew, it knows them by their postings",
            model,
        )
    return seen_postings(record, labels, postings) | seen_postings(record, given, postings)


def _all_seen(loaded: LoadedMatcher, encoder: Origin | None) -> str:
    """That there is no label group to evaluate on, and what leaves some; an encoder is given if it saw some alone."""
    who, first = f"{loaded.label} was", ""
    if encoder is not None:
        who = f"{loaded.label} and its encoder {encoder.name}/{encoder.version} were"
        first = "with an encoder of fewer, as of `pricematch train encoder --recipe cnn --train-share 0.3`, "
    return (
        f"{who} trained on every label group of it, so figures on them would say nothing; "
        f"{first}`pricematch train matcher --train-share 0.5` leaves half of them to evaluate on"
    )
