"""Encoders: what each one's embeddings are kept under, and what a process loads to compute them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from pricematch.encoding.colours import ColourHistogram, ShadeHistogram
from pricematch.encoding.ports import Encoder
from pricematch.encoding.versions import CNN, DECODING
from pricematch.errors import ArtefactError
from pricematch.formats.manifest import Artefact, find_chain, side_of_pixels

if TYPE_CHECKING:
    from pricematch.settings import Settings

_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of `ONEDNN_MAX_CPU_ISA` (oneDNN, "CPU Dispatcher Control") with which oneDNN has no networks in bfloat16."""


def resolve_precision(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """`float32` where that is wanted, else `bfloat16` where the processor multiplies it natively.

    Native are AVX512-BF16 and AMX-BF16, unless `ONEDNN_MAX_CPU_ISA` keeps oneDNN from them.

    Args:
        precision: `auto`, `float32` or `bfloat16`.
        cpuinfo: the kernel's description of the processor.
    """
    if precision == "float32":
        return precision
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT_BFLOAT16:
        return "float32"
    flags = cpuinfo.read_text(encoding="ascii", errors="replace") if cpuinfo.is_file() else ""
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


COLOURS_SIDE = 128
"""Pixels a side that colours are counted in: many enough for their shares, and quick to resize to."""


class NetworkSpec(BaseModel):
    """An exported network and all that its outputs depend on; what a worker process needs in order to load it.

    Attributes:
        models: folder of exported models.
        name, version: the network's.
        weights: digests of the models' weights, the first model's first; what is loaded must have these.
        precision: `float32` or `bfloat16`.
    """

    model_config = ConfigDict(frozen=True)

    models: Path
    name: str
    version: str
    weights: tuple[str, ...]
    precision: str


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder, which worker processes can load.

    Attributes:
        key: names everything that an embedding depends on besides its image: weights, arithmetic, decoder. Embeddings
            are stored under it.
        side: height and width of the pixels that it takes.
        dimension: length d of an embedding.
        versions: name and version of each model involved.
        threshold: the cosine from which on two images are taken for the same product; None where none was measured.
        network: what is to be loaded; None for colours, which need no network.
    """

    key: str
    side: int
    dimension: int
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)
    threshold: float | None = None
    network: NetworkSpec | None = None


COLOURS: Mapping[str, Encoder] = {"1": ColourHistogram(), "2": ShadeHistogram()}
"""By version what counts colours; the version grows whenever the same pixels give another histogram.

A matcher takes the histograms that it was trained with. Every worker process has all of them without loading anything.
"""
NEWEST_COLOURS = "2"
"""What matchers are trained with."""


def colours_spec(version: str) -> EncoderSpec:
    """The encoder that counts colours, in a version of `COLOURS`."""
    key = f"colours-{version}-{COLOURS_SIDE}-decoding{DECODING}"
    return EncoderSpec(key, COLOURS_SIDE, COLOURS[version].dimension)


def find_artefacts(settings: "Settings") -> list[Artefact]:
    """The artefacts of the encoder that settings name, verified, without loading them.

    Where there is no version of the default encoder, and none is named, it is written first.

    Raises:
        ArtefactError: there is no such version, or it is damaged.
        SettingsError: the default encoder cannot be written.
    """
    if settings.encoder == CNN and settings.encoder_version is None:
        # here, since processes that encode never come here
        from pricematch.encoding.default_encoder import ensure_default_encoder

        ensure_default_encoder(settings.models)
    return find_chain(settings.models, settings.encoder, settings.encoder_version)


def encoder_spec(settings: "Settings", artefacts: Sequence[Artefact]) -> EncoderSpec:
    """The encoder of verified artefacts.

    Args:
        settings: the folder of models, and the precision.
        artefacts: a chain of models, the first takes pixels.

    Raises:
        ArtefactError: the first model does not take square RGB pixels.
    """
    last, precision = artefacts[-1].manifest, resolve_precision(settings.precision)
    weights = tuple(artefact.manifest.weights_digest for artefact in artefacts)
    # float32 is the same for every runtime but for rounding, bfloat16 is not
    arithmetic = {"float32": "float32-frozen", "bfloat16": "bfloat16-openvino"}[precision]
    shortened = "-".join(digest[:16] for digest in weights)
    return EncoderSpec(
        key=f"{last.name}-{shortened}-{arithmetic}-decoding{DECODING}",
        side=side_of_pixels(artefacts[0]),
        dimension=last.output.shape[-1] or 0,
        versions={artefact.manifest.name: artefact.manifest.version for artefact in artefacts},
        threshold=last.threshold,
        network=NetworkSpec(
            models=settings.models.absolute(),
            name=last.name,
            version=last.version,
            weights=weights,
            precision=precision,
        ),
    )


def load_network(spec: NetworkSpec, threads: int) -> Encoder:
    """Load a network into this process, which imports what runs it.

    Args:
        spec: which.
        threads: that it may compute in.

    Raises:
        ArtefactError: it is damaged, or has other weights than those of the specification.
    """
    artefacts = find_chain(spec.models, spec.name, spec.version)
    if tuple(artefact.manifest.weights_digest for artefact in artefacts) != spec.weights:
        raise ArtefactError(f"{artefacts[-1].path} has other weights than when the service began with it")
    from pricematch.encoding.exported_encoder import ExportedEncoder

    return ExportedEncoder(artefacts, spec.precision, threads)
