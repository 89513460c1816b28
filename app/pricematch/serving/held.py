"""The models that a service holds, before it has embedded or judged anything with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from pricematch.encoding.batching import Batcher
from pricematch.encoding.bootstrap import colour_encoder, find_artefacts, host_encoder
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.processes import EncoderProcesses
from pricematch.evaluation.matchers import load_matcher
from pricematch.formats.manifest import Artefact, versions
from pricematch.formats.matcher_files import NAME, LoadedMatcher
from pricematch.progress import Progress
from pricematch.serving.encoders import names_alone, names_beside
from pricematch.settings import EncoderName, Settings

NONE = "none"


@dataclass(frozen=True)
class Encoding:
    """Who encodes, whatever the models are.

    Attributes:
        batcher: encodes together what is asked at the same time.
        processes: where the networks are.
    """

    batcher: Batcher
    processes: EncoderProcesses

    def close(self) -> None:
        """Encode nothing any more; who waits is told so."""
        self.batcher.close()
        self.processes.close()


@dataclass(frozen=True)
class Chosen:
    """Which models are to be held; verified on disk, not loaded.

    Attributes:
        settings: what was given at the start.
        active: version by name of the models that somebody activated.
        matched: with the encoder that the matcher was trained with; None where it needs none.
        matcher: the trained matcher; None where similarity decides.
    """

    settings: Settings
    active: Mapping[str, str]
    matched: Settings | None
    matcher: LoadedMatcher | None

    def artefacts(self, wanted: Settings) -> Sequence[Artefact]:
        """Those of an encoder: of the version that settings name, else the one that was activated, else the newest."""
        version = wanted.encoder_version or self.active.get(wanted.encoder)
        return find_artefacts(wanted.model_copy(update={"encoder_version": version}))

    @property
    def names(self) -> Mapping[EncoderName, Settings]:
        """The encoders that are held whatever the catalogue has, the default first."""
        given = {"encoder", "encoders"} & self.settings.model_fields_set
        return self.names_if_pictured if self.matcher is None or self.matched is not None or given else {}

    @property
    def names_if_pictured(self) -> Mapping[EncoderName, Settings]:
        """The encoders that are held where postings have pictures, the default first."""
        return names_alone(self.settings) if self.matcher is None else names_beside(self.settings, self.matched)


@dataclass(frozen=True)
class Held:
    """The models of a service.

    Attributes:
        matcher: the trained matcher; None where similarity decides.
        named: encoders that requests may name, the default first.
        judged: those that the matcher judges by, by the name of the evidence's space.
        manifests: what the models say of themselves, the matcher first, as JSON has it.
    """

    matcher: LoadedMatcher | None
    named: Mapping[str, PictureEncoder]
    judged: Mapping[str, PictureEncoder]
    manifests: Sequence[Mapping[str, Any]]

    @property
    def encoders(self) -> Mapping[str, PictureEncoder]:
        """All encoders, by the key of their embeddings."""
        return {encoder.key: encoder for encoder in (*self.named.values(), *self.judged.values())}


def choose(settings: Settings, active: Mapping[str, str]) -> Chosen:
    """The models that settings name, else those that somebody activated, else the newest.

    Args:
        settings: what was given at the start.
        active: version by name of those that were activated.

    Raises:
        ArtefactError: one is missing or damaged, or does not fit the others.
    """
    wanted = settings.matcher
    if wanted == "auto":
        wanted = active.get(NAME, "auto") if versions(settings.models, NAME) else NONE
    chosen = Chosen(settings, active, None, None)
    if wanted != NONE:
        matched, loaded = load_matcher(settings, wanted)
        chosen = Chosen(settings, active, None if loaded.manifest.encoder is None else matched, loaded)
    for encoder in chosen.names.values():
        chosen.artefacts(encoder)
    return chosen


def hold(chosen: Chosen, encoding: Encoding, progress: Progress, *, pictured: bool) -> Held:
    """Load the models.

    Args:
        chosen: which.
        encoding: encodes for them.
        progress: told what is being done.
        pictured: whether any posting has a picture. Where none has, and the matcher judges by none, an encoder is
            loaded only if it was named.

    Raises:
        ArtefactError, ModelOutputError: one does not load, or gives something else than when it was exported.
    """
    loaded: dict[tuple[str, ...], PictureEncoder] = {}
    manifests: list[BaseModel] = [] if chosen.matcher is None else [chosen.matcher.manifest]

    def load(wanted: Settings) -> PictureEncoder:
        artefacts = chosen.artefacts(wanted)
        key = tuple(artefact.manifest.weights_digest for artefact in artefacts)
        if key not in loaded:
            encoder = host_encoder(wanted, artefacts, encoding.processes, progress)
            loaded[key] = replace(encoder, embedder=encoding.batcher.over(encoder.embedder))
            manifests.extend(it.manifest for it in artefacts if it.manifest not in manifests)
        return loaded[key]

    names = chosen.names_if_pictured if pictured else chosen.names
    named: Mapping[str, PictureEncoder] = {name: load(wanted) for name, wanted in names.items()}
    matched = chosen.matched
    judged = {} if matched is None else {"image": load(matched), "colours": colour_encoder(chosen.settings)}
    return Held(chosen.matcher, named, judged, [_told(manifest) for manifest in manifests])


def _told(manifest: BaseModel) -> Mapping[str, Any]:
    """A manifest as JSON has it; the label groups, which are many, by their number."""
    said = manifest.model_dump(mode="json")
    if said.get("trained_on"):
        said["trained_on"]["groups"] = len(said["trained_on"]["groups"])
    return said
