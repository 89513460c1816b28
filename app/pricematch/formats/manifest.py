"""Exported models on disk: `models/<name>/<version>/` with a network and a manifest that describes it.

A network is a SavedModel, or a file in OpenVINO's own form with its weights beside, or both: `files` says which.
Versions are whole numbers, as TensorFlow Serving wants them. Nothing here imports TensorFlow.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pricematch.errors import ArtefactError

MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
SAVED_MODEL, NETWORK, NETWORK_WEIGHTS = "saved_model.pb", "network.xml", "network.bin"
_Model = TypeVar("_Model", bound=BaseModel)
_Cosine: TypeAlias = Annotated[float, Field(ge=-1, le=1)]


class Described(BaseModel):
    """Part of a manifest; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorDescription(Described):
    """Name, shape (None where free) and dtype of a signature's input or output."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Origin(Described):
    """The encoder whose outputs a model was trained on."""

    name: str
    version: str
    weights_digest: str


class WeightsOrigin(Described):
    """Where the weights come from that a training started with: a name, their source, licence and file's SHA-256."""

    name: str
    source: str
    licence: str | None
    digest: str | None


class TrainedOn(Described):
    """The label groups a model was trained on, so that it can be evaluated on others.

    Attributes:
        share, seed: what `pricematch.evaluation.splits.training_groups` chose them by.
        groups: `group_digest` of each, ascending; those held out to stop early are among them.
        postings: of all of their postings, see `pricematch.evaluation.splits.digest_postings`; None where an earlier
            version trained it.
    """

    share: float
    seed: int
    groups: tuple[str, ...]
    postings: str | None = None


class ImageSet(Described):
    """Images of one shop that general statistics were made of: their name, their licence, and how many there were."""

    name: str
    licence: str
    images: int


class WhitenedOn(Described):
    """What the features of a network that was trained on nothing else were whitened on.

    Attributes:
        what: `general`, images of other catalogues; or `catalogue`, those of the catalogue it serves, beside these.
        images: how many distinct ones there were, of the catalogue where it is that.
        general: the image sets of other catalogues; none where an earlier version wrote it.
    """

    what: Literal["general", "catalogue"]
    images: int
    general: tuple[ImageSet, ...] = ()


class PickedOn(Described):
    """What a threshold was picked on: label groups that the encoder did not learn from.

    Attributes:
        postings, groups: how many were evaluated, and of how many label groups.
        catalogue: how many postings were searched, these among them.
        mean_f1: of the evaluated postings at the threshold, which is picked for it: another catalogue's will be lower.
    """

    postings: int
    groups: int
    catalogue: int
    mean_f1: float


class Manifest(Described):
    """What an exported encoder is and where it comes from.

    Attributes:
        recipe: every hyper-parameter it was trained with.
        losses: per epoch, by name (`loss`, `validation_loss`).
        counts: images, training, validation, epochs; and seconds.
        catalogue_digest: SHA-256 over the names and bytes of the training images, in order.
        weights_digest: SHA-256 over the weights, in order; the same for the same training.
        input_encoder: the encoder whose outputs it takes; None where it takes pixels.
        weights: what its weights were before; None where they were drawn at random.
        trained_on: the label groups it was trained on; None where it was trained on none.
        whitened_on: the images that its linear embedding is made of; None where a recipe trained it.
        threshold: the cosine from which on images count as the same product; None where none was picked.
        threshold_picked_on: what it was picked on.
        bfloat16_tolerance: largest relative error (Euclidean) of a golden output where the network runs in bfloat16,
            which keeps 8 bits of a number: the deeper the network, the larger.
        files: SHA-256 of every file but the manifest, by path.
    """

    name: str
    version: str
    created: str
    recipe: dict[str, Any]
    seed: int
    input: TensorDescription
    output: TensorDescription
    losses: dict[str, list[float]]
    counts: dict[str, int | float]
    catalogue_digest: str
    weights_digest: str
    input_encoder: Origin | None
    weights: WeightsOrigin | None = None
    trained_on: TrainedOn | None = None
    whitened_on: WhitenedOn | None = None
    threshold: _Cosine | None = None
    threshold_picked_on: PickedOn | None = None
    bfloat16_tolerance: float = 0.05
    libraries: dict[str, str]
    files: dict[str, str]

    @property
    def origin(self) -> Origin:
        """What a model that is trained on its outputs names."""
        return Origin(name=self.name, version=self.version, weights_digest=self.weights_digest)


@dataclass(frozen=True)
class Artefact:
    """A verified version on disk."""

    path: Path
    manifest: Manifest

    @property
    def label(self) -> str:
        """Name and version, `cae/1`."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @property
    def has_saved_model(self) -> bool:
        """Whether TensorFlow can load it."""
        return SAVED_MODEL in self.manifest.files

    @property
    def for_openvino(self) -> Path:
        """What OpenVINO reads: the network in its own form where there is one, else the folder of the SavedModel."""
        return self.path / NETWORK if NETWORK in self.manifest.files else self.path


def versions(models: Path, name: str) -> list[str]:
    """The versions of `name` under `models`, oldest first."""
    folder = models / name
    if not folder.is_dir():
        return []
    numbers = (entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name.isdecimal())
    return sorted(numbers, key=int)


def find(models: Path, name: str, version: str | None = None) -> Artefact:
    """The named version of an encoder, or its newest.

    Raises:
        ArtefactError: there is none, a file is missing or differs from the manifest, or the manifest is damaged.
    """
    present = versions(models, name)
    if not present:
        recipe = " --recipe cnn" if name == "cnn" else ""
        raise ArtefactError(
            f"{models / name} holds no version of {name}; `pricematch train encoder{recipe}` writes one"
        )
    if version is not None and version not in present:
        raise ArtefactError(f"expected a version of {name} among {', '.join(present)}, got {version or 'none'}")
    return verify(models / name / (version or present[-1]))


def find_chain(models: Path, name: str, version: str | None = None) -> list[Artefact]:
    """The encoder, preceded by the one whose outputs it was trained on, if any; the first takes pixels.

    Raises:
        ArtefactError: as `find`, or the two do not fit.
    """
    last = find(models, name, version)
    origin = last.manifest.input_encoder
    if origin is None:
        return [last]
    first = find(models, origin.name, origin.version)
    if first.manifest.weights_digest != origin.weights_digest:
        raise ArtefactError(
            f"{last.path} does not fit {first.path}: it was trained on weights {origin.weights_digest[:12]}…, "
            f"got {first.manifest.weights_digest[:12]}…"
        )
    if (given := first.manifest.output) != (wanted := last.manifest.input):
        raise ArtefactError(f"{last.path} does not fit {first.path}: expected {wanted}, got {given}")
    return [first, last]


def side_of_pixels(artefact: Artefact) -> int:
    """Height and width of the pixels an encoder takes; raises ArtefactError if it takes something else."""
    described = artefact.manifest.input
    if described.dtype != "uint8" or len(described.shape) != 4:
        raise ArtefactError(f"{artefact.path}: expected an encoder of pixels uint8 [n, side, side, 3], got {described}")
    free, height, width, channels = described.shape
    if free is not None or height is None or height != width or channels != 3:
        raise ArtefactError(f"{artefact.path}: expected pixels [n, side, side, 3], got {list(described.shape)}")
    return height


def verify(path: Path) -> Artefact:
    """Read the manifest of a version and compare every file with it; raises ArtefactError."""
    manifest = read_described(path / MANIFEST, Manifest)
    if (manifest.name, manifest.version) != (path.parent.name, path.name):
        raise ArtefactError(
            f"{path / MANIFEST}: expected {path.parent.name}/{path.name}, got {manifest.name}/{manifest.version}"
        )
    network = (NETWORK, NETWORK_WEIGHTS) if NETWORK in manifest.files else (SAVED_MODEL,)
    check_files(path, manifest.files, (*network, GOLDEN))
    return Artefact(path, manifest)


def check_files(path: Path, files: Mapping[str, str], required: Sequence[str]) -> None:
    """Compare the files of a version with the digests in its manifest; raises ArtefactError."""
    for relative, digest in files.items():
        file = path / relative
        if ".." in Path(relative).parts or Path(relative).is_absolute():
            raise ArtefactError(f"{path / MANIFEST}: expected paths inside the version, got {relative!r}")
        if not file.is_file():
            raise ArtefactError(f"{file} is missing")
        if digest_of_file(file) != digest:
            raise ArtefactError(f"{file} is damaged: its SHA-256 is not the one in {MANIFEST}")
    for name in required:
        if name not in files:
            raise ArtefactError(f"{path / MANIFEST}: expected {name} among its files, got none")


def digests(path: Path) -> Mapping[str, str]:
    """SHA-256 of every file below `path` but the manifest, by relative path."""
    files = (file for file in sorted(path.rglob("*")) if file.is_file() and file.name != MANIFEST)
    return {file.relative_to(path).as_posix(): digest_of_file(file) for file in files}


def digest_of_file(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_described(file: Path, kind: type[_Model]) -> _Model:
    """A manifest of this kind, its fields checked; raises ArtefactError."""
    try:
        return kind.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ArtefactError(f"{file} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        raise ArtefactError(f"{file} is damaged: {place}: {fault['msg']}") from error
