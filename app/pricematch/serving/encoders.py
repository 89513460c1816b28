"""The encoders that the service holds, and the pictures each embedded."""

import logging
from collections.abc import Mapping

from pricematch.encoding.bootstrap import embed_catalogue, embed_postings, find_artefacts
from pricematch.errors import CatalogueError, ImageError
from pricematch.formats.csv_catalogue import CsvCatalogue
from pricematch.formats.manifest import versions
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from pricematch.progress import Progress
from pricematch.settings import EncoderName, Settings

_log = logging.getLogger("pricematch")


def similarity_encoders(settings: Settings, progress: Progress) -> Mapping[str, EmbeddedCatalogue]:
    """What each encoder embedded, the default first, where every posting has to have a picture."""
    return {name: embed_catalogue(using, progress) for name, using in names_alone(settings).items()}


def held_encoders(
    settings: Settings, matched: Settings | None, content: CsvCatalogue, progress: Progress
) -> tuple[EmbeddedCatalogue | None, Mapping[str, EmbeddedCatalogue]]:
    """What the matcher's encoder embedded, and what each one embedded that requests may name, the default first.

    The default is the one that was named; if none was, the matcher's; if it has none, that of the settings, where there
    is one. Postings without a picture are in neither.

    Args:
        settings: as given.
        matched: with the encoder that the matcher was trained with; None where it needs none.
        content: all postings, with pictures or not.
        progress: told what is being done.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: as `embed_postings`.
    """
    found: dict[tuple[str, ...], EmbeddedCatalogue] = {}
    pictures = content.pictured()

    def judge(errors: Mapping[str, ImageError]) -> None:
        refuse_or_tell(pictures, errors if not found else {}, skip=settings.skip_bad_images)

    def embedded(wanted: Settings) -> EmbeddedCatalogue:
        key = tuple(artefact.manifest.weights_digest for artefact in find_artefacts(wanted))
        if key not in found:
            found[key] = embed_postings(wanted, pictures, judge, progress)
        return found[key]

    names = names_beside(settings, matched)
    held: Mapping[str, EmbeddedCatalogue] = {name: embedded(wanted) for name, wanted in names.items()}
    return None if matched is None else embedded(matched), held


def names_beside(settings: Settings, matched: Settings | None) -> Mapping[EncoderName, Settings]:
    """The encoders that are held where a trained matcher decides, the default first; see `held_encoders`."""
    names: dict[EncoderName, Settings] = {}
    if "encoder" in settings.model_fields_set or (matched is None and versions(settings.models, settings.encoder)):
        names[settings.encoder] = settings
    if matched is not None:
        names.setdefault(matched.encoder, matched)
    for name in settings.encoders:
        names.setdefault(name, _using(settings, name))
    if not names:
        _log.info("no encoder: %s holds no %s, and the matcher needs none", settings.models, settings.encoder)
    return names


def names_alone(settings: Settings) -> Mapping[EncoderName, Settings]:
    """The encoders that are held where similarity decides, the default first."""
    names = dict.fromkeys([settings.encoder, *settings.encoders])
    return {name: settings if name == settings.encoder else _using(settings, name) for name in names}


def _using(settings: Settings, name: EncoderName) -> Settings:
    """Settings with the newest version of another encoder."""
    return settings.model_copy(update={"encoder": name, "encoder_version": None})


def refuse_or_tell(content: CsvCatalogue, errors: Mapping[str, ImageError], *, skip: bool) -> None:
    """Refuse bad pictures, unless they are to be skipped: then they are named, and their postings go without."""
    problems = content.image_problems(errors)
    if not skip:
        content.refuse(problems)
    if problems:
        _log.warning("%s", CatalogueError(f"{content.path}: {len(problems)} postings whose picture is bad", problems))
