"""The models of a service: versions on disk, which are chosen, and what is loaded of them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from pricematch.catalogue.features import EncoderInfo
from pricematch.encoding.encoders import EncoderSpec, colours_spec, encoder_spec, find_artefacts
from pricematch.encoding.versions import CNN
from pricematch.errors import ArtefactError, PricematchError, RuntimeMissing, SettingsError
from pricematch.formats.default_matcher import DEFAULT, NAME, DefaultManifest, read_default
from pricematch.formats.manifest import Artefact, find, verify, versions
from pricematch.formats.matcher_files import LoadedMatcher, load_matcher, read_matcher
from pricematch.formats.matcher_manifest import read_manifest
from pricematch.progress import Progress
from pricematch.settings import ENCODERS, EncoderName, Settings
from pricematch.store.sqlite.store import DATABASE, open_store

NAMES = (NAME, *ENCODERS)
NONE = "none"
_log = logging.getLogger("pricematch")


@dataclass(frozen=True)
class Exported:
    """A version on disk.

    Attributes:
        name, version, created: of its manifest; `created` is what is wrong with it where that cannot be read.
        status: whether it was activated, or would be taken: as the newest, or as the default where none was trained.
    """

    name: str
    version: str
    created: str
    status: str


def exported(settings: Settings) -> list[Exported]:
    """Every version of every model, the newest first, and the default matcher."""
    active = _active(settings)
    found = []
    for name in NAMES:
        every = sorted(versions(settings.models, name), key=int, reverse=True)
        for place, version in enumerate(every):
            status = "active" if active.get(name) == version else "newest" if place == 0 and name not in active else ""
            found.append(Exported(name, version, _created(settings, name, version), status))
        if name == NAME:
            status = "active" if active.get(name) == DEFAULT else "" if every else DEFAULT
            found.append(Exported(name, DEFAULT, read_default().created, status))
    return found


def activate(settings: Settings, label: str) -> str | None:
    """Let a version serve, named as `cnn/2` or `matcher/default`; the one that was active before, None for the newest.

    Raises:
        SettingsError: this is no name of a model and a version, or there is no store.
        ArtefactError: there is no such version, or it is damaged.
    """
    name, _, version = label.partition("/")
    if name not in NAMES or not (version == DEFAULT or (version.isdecimal() and version.isascii())):
        raise SettingsError(f"expected {' or '.join(NAMES)}, a slash and a version, such as cnn/2, got {label!r}")
    if label == f"{NAME}/{DEFAULT}":
        read_default()
    elif name == NAME:
        read_matcher(settings.models, version, settings.workers)
    else:
        find(settings.models, name, version)
    with closing(open_store(settings.data, create=False)) as store:
        before = store.models.active().get(name)
        store.models.activate(name, version)
    return before


def _active(settings: Settings) -> Mapping[str, str]:
    if not (settings.data / DATABASE).exists():
        return {}
    with closing(open_store(settings.data, create=False)) as store:
        return store.models.active()


def _created(settings: Settings, name: str, version: str) -> str:
    path = settings.models / name / version
    try:
        if name == NAME:
            return read_manifest(path).created
        return verify(path).manifest.created
    except ArtefactError as error:
        return str(error)


@dataclass(frozen=True)
class ChosenModels:
    """Which models are to be loaded; verified on disk.

    Attributes:
        settings: of the service.
        active: version by name of the activated models.
        matched: settings with the encoder whose embeddings the pair model takes; None where it takes none.
        matcher: the matcher; None where similarity decides.
        lacking: why the default matcher goes without its encoder; None where it does not.
    """

    settings: Settings
    active: Mapping[str, str]
    matched: Settings | None
    matcher: LoadedMatcher | None
    lacking: PricematchError | None = None

    def artefacts(self, settings: Settings) -> Sequence[Artefact]:
        """Those of an encoder: the version that settings name, else the one that was activated, else the newest."""
        version = settings.encoder_version or self.active.get(settings.encoder)
        return find_artefacts(settings.model_copy(update={"encoder_version": version}))

    def without_encoder(self, reason: PricematchError) -> "ChosenModels":
        """The same without the default matcher's encoder; raises the reason where something else takes it."""
        if self.matched is None or self.matcher is None or not isinstance(self.matcher.manifest, DefaultManifest):
            raise reason
        return replace(self, matched=None, lacking=reason)

    def check_encoder(self, *, images: bool | None) -> None:
        """Raise why the default matcher lacks its encoder, unless no image is compared, or another encoder was named.

        Args:
            images: whether postings have images; None where there is no posting yet.
        """
        if self.lacking is not None and images is not False and self.settings.encoder == CNN:
            raise self.lacking

    def encoders(self, *, images: bool) -> Mapping[EncoderName, Settings]:
        """Settings of each encoder that requests may name, the default first.

        Args:
            images: whether postings have images. Where none has, and the pair model takes none, an encoder is loaded
                only if it was named.
        """
        given = {"encoder", "encoders"} & self.settings.model_fields_set
        if not (images or self.matcher is None or self.matched is not None or given):
            return {}
        return self._beside_matcher() if self.matcher is not None else self._alone()

    def _alone(self) -> Mapping[EncoderName, Settings]:
        names = dict.fromkeys([self.settings.encoder, *self.settings.encoders])
        return {name: self.settings if name == self.settings.encoder else self._of(name) for name in names}

    def _beside_matcher(self) -> Mapping[EncoderName, Settings]:
        """The default is the one that was named; if none was, the matcher's; else that of the settings."""
        settings, names = self.settings, dict[EncoderName, Settings]()
        named = "encoder" in settings.model_fields_set
        free = self.matched is None and self.lacking is None
        if named or (free and versions(settings.models, settings.encoder)):
            names[settings.encoder] = settings
        if self.matched is not None:
            names.setdefault(self.matched.encoder, self.matched)
        for name in settings.encoders:
            names.setdefault(name, self._of(name))
        if free and not names:
            _log.info("no encoder: %s holds no %s, and the matcher needs none", settings.models, settings.encoder)
        return names

    def _of(self, name: EncoderName) -> Settings:
        """Settings with the newest version of another encoder."""
        return self.settings.model_copy(update={"encoder": name, "encoder_version": None})


@dataclass(frozen=True)
class LoadedModels:
    """The models of a service.

    Attributes:
        matcher: the matcher; None where similarity decides.
        named: encoders that requests may name, the default first.
        retrieved: encoders whose embeddings the pair model takes, by the name of its retriever.
        manifests: of the models, the matcher's first, as JSON has them.
        lacking: why the default matcher goes without its encoder; None where it does not.
    """

    matcher: LoadedMatcher | None
    named: Mapping[str, EncoderInfo]
    retrieved: Mapping[str, EncoderInfo]
    manifests: Sequence[Mapping[str, Any]]
    lacking: PricematchError | None = None

    @property
    def encoders(self) -> Mapping[str, EncoderInfo]:
        """All encoders, by the key of their embeddings."""
        return {encoder.key: encoder for encoder in (*self.named.values(), *self.retrieved.values())}


def choose_models(settings: Settings, active: Mapping[str, str]) -> ChosenModels:
    """The models that settings name, else the activated ones, else the newest.

    The default matcher goes without its encoder where that cannot be written; whether it may, `load_models` sees.

    Raises:
        ArtefactError: one is missing or damaged, or does not fit the others.
        SettingsError: the default encoder cannot be written, and something else takes it, or settings name it.
    """
    wanted = settings.matcher
    if wanted == "auto" and versions(settings.models, NAME):
        wanted = active.get(NAME, wanted)
    chosen = ChosenModels(settings, active, None, None)
    if wanted != NONE:
        matched, loaded = load_matcher(settings, wanted)
        chosen = ChosenModels(settings, active, matched if "image" in loaded.model.signals else None, loaded)
    try:
        _verify(chosen)
    except SettingsError as error:  # the default encoder is to be written first, and cannot be
        chosen = chosen.without_encoder(error)
        _verify(chosen)
    return chosen


def _verify(chosen: ChosenModels) -> None:
    """Raise ArtefactError, SettingsError where an encoder that is taken in any case cannot be had."""
    for encoder in chosen.encoders(images=False).values():
        chosen.artefacts(encoder)


def load_models(
    chosen: ChosenModels, load: Callable[[Sequence[EncoderSpec]], None], progress: Progress, *, images: bool | None
) -> LoadedModels:
    """Load the chosen models.

    Args:
        chosen: which.
        load: makes encoders ready, and blocks until they are; see `BlockingEncoding.load`.
        progress: called with what is being done.
        images: whether any posting has an image, see `ChosenModels.encoders`; None where there is no posting yet.

    Raises:
        ArtefactError, ModelOutputError: one does not load, or gives something else than when it was exported.
        SettingsError: the encoder of the default matcher is needed, and cannot be written.
    """
    chosen.check_encoder(images=images)
    specs: dict[str, EncoderSpec] = {}
    manifests: list[BaseModel] = [] if chosen.matcher is None else [chosen.matcher.manifest]

    def info(spec: EncoderSpec) -> EncoderInfo:
        specs[spec.key] = spec
        return EncoderInfo(spec.key, spec.versions, spec.dimension, spec.threshold)

    def exported(wanted: Settings) -> EncoderInfo:
        artefacts = chosen.artefacts(wanted)
        manifests.extend(it.manifest for it in artefacts if it.manifest not in manifests)
        return info(encoder_spec(wanted, artefacts))

    named: Mapping[str, EncoderInfo] = {name: exported(it) for name, it in chosen.encoders(images=bool(images)).items()}
    retrieved: dict[str, EncoderInfo] = {}
    if chosen.matched is not None and chosen.matcher is not None:
        colours = colours_spec(chosen.matcher.colours)
        retrieved = {"image": exported(chosen.matched), "colours": info(colours)}
    progress("Loading models", 0, 1)
    try:
        load(list(specs.values()))
    except RuntimeMissing as error:
        return load_models(chosen.without_encoder(error), load, progress, images=images)
    progress("Loading models", 1, 1)
    described = [_as_json(manifest) for manifest in manifests]
    return LoadedModels(chosen.matcher, named, retrieved, described, chosen.lacking)


def _as_json(manifest: BaseModel) -> Mapping[str, Any]:
    """A manifest as JSON has it; of the label groups, which are many, their number, and of their postings nothing."""
    found = manifest.model_dump(mode="json")
    if found.get("trained_on"):
        found["trained_on"]["groups"] = len(found["trained_on"]["groups"])
        del found["trained_on"]["postings"]
    return found
