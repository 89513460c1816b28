"""All that the service needs to answer, put together from Settings."""

import logging
from collections.abc import Mapping

from pricematch.api.state import Ready
from pricematch.encoding.bootstrap import decoder, embed_colours, image_folder, read_catalogue
from pricematch.encoding.perceptual_hash import PerceptualHasher
from pricematch.evaluation.load_signals import pictures
from pricematch.evaluation.matchers import load_matcher
from pricematch.formats.manifest import versions
from pricematch.formats.matcher_files import NAME, LoadedMatcher
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from pricematch.matching.matcher import Matcher
from pricematch.progress import Progress
from pricematch.serving.encoders import held_encoders, similarity_encoders
from pricematch.serving.judging import judge_catalogue
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_ANY_SIDE = 32


def load(settings: Settings, progress: Progress) -> Ready:
    """The matcher, and where pictures come from.

    With a trained matcher postings may lack pictures, and an encoder is loaded only where there are some and somebody
    needs it. Without one, similarity decides, so every posting has a picture.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: says why it cannot be.
    """
    if settings.matcher == "none":
        return _by_similarity(settings, progress)
    if settings.matcher == "auto" and not versions(settings.models, NAME):
        _log.warning("no trained matcher: similarity decides; `pricematch train matcher` makes one")
        return _by_similarity(settings, progress)
    matched, loaded = load_matcher(settings, settings.matcher)
    return _by_probability(settings, matched, loaded, progress)


def _by_similarity(settings: Settings, progress: Progress) -> Ready:
    encoders, read = similarity_encoders(settings, progress), decoder(settings, _ANY_SIDE)
    catalogue = encoders[settings.encoder].catalogue
    _log.info("similarity by %s decides", settings.encoder)
    return Ready(Matcher(catalogue, encoders, PerceptualHasher(read)), image_folder(settings), read)


def _by_probability(settings: Settings, matched: Settings, loaded: LoadedMatcher, progress: Progress) -> Ready:
    content = read_catalogue(settings).by_id()
    content.refuse(content.problems)
    images, read = pictures(settings, content.names()), decoder(settings, _ANY_SIDE)
    judged: dict[str, EmbeddedCatalogue] = {}
    encoders: Mapping[str, EmbeddedCatalogue] = {}
    if images is not None:
        wanted = matched if loaded.manifest.encoder is not None else None
        encoder, encoders = held_encoders(settings, wanted, content, progress)
        if encoder is not None:
            judged = {"image": encoder, "colours": embed_colours(settings, content, images, progress)}
    else:
        _log.info("no pictures: %s judges by what the catalogue file holds", loaded.label)
    catalogue, judge = judge_catalogue(settings, content, images, loaded, judged, progress)
    _log.info("%s judged %d pairs of %d postings", loaded.label, len(judge.judged.judged.lines), len(catalogue))
    return Ready(Matcher(catalogue, encoders, PerceptualHasher(read), judge, judged), images, read)
