"""Encoders: what each one's embeddings are kept under, and what a process loads to compute them."""

import importlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pricematch.encoding.colours import ColourHistogram, ShadeHistogram
from pricematch.encoding.decoder import DECODING
from pricematch.encoding.ports import Encoder
from pricematch.errors import ArtefactError
from pricematch.formats.manifest import Artefact, find_chain, side_of_pixels
from pricematch.settings import Settings

_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
"""Values of `ONEDNN_MAX_CPU_ISA` (oneDNN, "CPU Dispatcher Control") with which oneDNN has no networks in bfloat16."""


def resolve_precision(precision: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """`auto` becomes bfloat16 where the processor multiplies it natively (AVX512-BF16 or AMX-BF16), else float32.

    Float32 too where `ONEDNN_MAX_CPU_ISA` keeps oneDNN from those instructions.
    """
    if precision != "auto":
        return precision
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT_BFLOAT16:
        return "float32"
    flags = cpuinfo.read_text(encoding="ascii", errors="replace") if cpuinfo.is_file() else ""
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def import_tensorflow() -> None:
    """Import TensorFlow with file descriptor 2 silenced meanwhile, and let it log errors only.

    Its native code writes half a dozen lines there before any of its logging settings is read. Python's own messages
    are not lost, provided that `sys.stderr` writes elsewhere; the command line sees to that.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
    for logger in (tensorflow.get_logger(), logging.getLogger("absl")):
        logger.setLevel(logging.ERROR)


_COLOURS_SIDE = 128
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
    key = f"colours-{version}-{_COLOURS_SIDE}-decoding{DECODING}"
    return EncoderSpec(key, _COLOURS_SIDE, COLOURS[version].dimension)


def find_artefacts(settings: Settings) -> list[Artefact]:
    """The artefacts of the encoder that settings name, verified, without loading them; raises ArtefactError."""
    return find_chain(settings.models, settings.encoder, settings.encoder_version)


def encoder_spec(settings: Settings, artefacts: Sequence[Artefact]) -> EncoderSpec:
    """The encoder of verified artefacts.

    Args:
        settings: the folder of models, and the precision.
        artefacts: a chain of models, the first takes pixels.

    Raises:
        ArtefactError: the first model does not take square RGB pixels.
    """
    last, precision = artefacts[-1].manifest, resolve_precision(settings.precision)
    weights = tuple(artefact.manifest.weights_digest for artefact in artefacts)
    shortened = "-".join(digest[:16] for digest in weights)
    return EncoderSpec(
        key=f"{last.name}-{shortened}-{precision}-frozen-decoding{DECODING}",
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
    """Load a network into this process, which imports TensorFlow.

    Args:
        spec: which.
        threads: that TensorFlow may compute in; the same for every network.

    Raises:
        ArtefactError: it is damaged, or has other weights than those of the specification.
    """
    artefacts = find_chain(spec.models, spec.name, spec.version)
    if tuple(artefact.manifest.weights_digest for artefact in artefacts) != spec.weights:
        raise ArtefactError(f"{artefacts[-1].path} has other weights than when the service began with it")
    import_tensorflow()
    import tensorflow as tf

    from pricematch.encoding.saved_model import SavedModelEncoder

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return SavedModelEncoder(artefacts, spec.precision)
