"""A catalogue judged by a trained matcher."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

import pricematch
from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.ingest import digest_images
from pricematch.evaluation.load_signals import hash_pictures
from pricematch.formats.csv_catalogue import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.judgement_file import JudgementFile, code_digest, judgement_key
from pricematch.formats.manifest import MANIFEST
from pricematch.formats.matcher_files import LoadedMatcher
from pricematch.formats.whole_file import make_folder
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from pricematch.matching.grown_catalogue import GrownCatalogue
from pricematch.matching.judge import Judge
from pricematch.pairs.model import JudgedCatalogue
from pricematch.pairs.reference import Reference
from pricematch.pairs.retrievers import IMAGE_SPACES
from pricematch.progress import Progress
from pricematch.serving.encoders import refuse_or_tell
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_CODE = Path(pricematch.__file__).parent
"""What computes evidence and judges it: with other code, what was judged before is judged anew."""


def judge_catalogue(
    settings: Settings,
    content: CsvCatalogue,
    images: ImageFolder | None,
    loaded: LoadedMatcher,
    embedded: Mapping[str, EmbeddedCatalogue],
    progress: Progress,
) -> tuple[Catalogue, Judge]:
    """All postings of a catalogue, and a matcher that has judged them; postings may lack a picture.

    Args:
        settings: limits, and whether bad pictures are refused or count as absent.
        content: the postings.
        images: their pictures; None where there are none.
        loaded: the matcher.
        embedded: the embeddings it takes, by the name of the evidence's space; empty where there are no pictures.
        progress: told what is being done.

    Raises:
        CatalogueError: bad pictures, unless they are to be skipped.
        SettingsError: the data folder cannot be written to.
    """
    catalogue = Catalogue(content.postings)
    postings = _carried(settings, content, images, loaded, embedded, progress)
    make_folder(settings.data)
    return catalogue, judge(settings.data, catalogue, postings, loaded, progress)


def judge(data: Path, catalogue: Catalogue, postings: Features, loaded: LoadedMatcher, progress: Progress) -> Judge:
    """A matcher that has judged a catalogue.

    Args:
        data: folder that judgements are kept in.
        catalogue: the postings, in the order of their ids.
        postings: their features.
        loaded: the matcher.
        progress: told what is being done.
    """
    key = judgement_key(code_digest(_CODE), (loaded.path / MANIFEST).read_bytes(), postings)
    judged = judge_postings(postings, loaded, progress, JudgementFile(data, key))
    return Judge(loaded.label, catalogue, GrownCatalogue.of(judged), loaded.thresholds)


def _tell_of_absent(postings: Features, loaded: LoadedMatcher) -> None:
    """Warn of signals that no posting has anything for: a column may have been forgotten."""
    present = {
        "hash": postings.hashes.known.any(),
        "title": any(title.strip() for title in postings.titles),
        "image": any(vectors.any() for vectors in postings.embeddings.values()),
    }
    for signal in loaded.model.signals if len(postings) else ():
        if not present[signal]:
            thing = "picture" if signal == "image" else signal
            _log.warning("%s judges by %s, and no posting has a %s", loaded.label, signal, thing)


def judge_postings(
    postings: Features, loaded: LoadedMatcher, progress: Progress, file: JudgementFile | None = None
) -> JudgedCatalogue:
    """The judged catalogue.

    Args:
        postings: their features.
        loaded: the matcher.
        progress: told what is being done.
        file: what the same matcher said of the same postings before is not said again; None where nothing is kept.
    """
    _tell_of_absent(postings, loaded)
    progress("Comparing postings", 0, 1)
    reference = Reference(postings, loaded.model.signals)
    progress("Comparing postings", 1, 1)
    kept = None if file is None else file.load(len(reference.pairs()[0]))
    judged = JudgedCatalogue(reference, loaded.model, kept, partial(progress, "Judging pairs"))
    if kept is None and file is not None:
        file.save(judged.judgements)
    return judged


def _carried(
    settings: Settings,
    content: CsvCatalogue,
    images: ImageFolder | None,
    loaded: LoadedMatcher,
    embedded: Mapping[str, EmbeddedCatalogue],
    progress: Progress,
) -> Features:
    """The features of the postings; hashes that the file lacks are computed from the pictures."""
    hashes: dict[str, str] = {}
    digests: Mapping[str, bytes] = {}
    if images is not None:
        digests, errors = digest_images(content.names(), images, workers=settings.workers, progress=progress)
        if "hash" in loaded.model.signals:
            readable = [posting for posting in content.postings if posting.image in digests]
            lacking = [posting for posting in readable if posting.image_phash is None]
            hashes, unhashed = hash_pictures(settings, lacking, images, progress)
            errors = {**errors, **unhashed}
        if not embedded:  # whose encoder has told of them
            refuse_or_tell(content.pictured(), errors, skip=settings.skip_bad_images)
    return Features.of(
        [posting.title for posting in content.postings],
        [posting.image_phash or hashes.get(posting.image or "") for posting in content.postings],
        _embeddings(content, embedded) if "image" in loaded.model.signals else {},
        [digests.get(posting.image or "") for posting in content.postings],
    )


def _embeddings(content: CsvCatalogue, embedded: Mapping[str, EmbeddedCatalogue]) -> Mapping[str, Embeddings]:
    """By space, float32 [n, d], zeros where a posting has no picture; d is 1 where none has."""
    posting_ids = [posting.posting_id for posting in content.postings]
    nothing = np.zeros((len(posting_ids), 1), np.float32)
    return {
        name: embedded[name].rows.embeddings_of(posting_ids) if name in embedded else nothing for name in IMAGE_SPACES
    }
