"""The encoder `cnn` without training: ImageNet weights from a package, pooled, and a whitening. Needs no TensorFlow.

The first start that finds no `cnn` writes one with the general whitening, by the statistics that the package holds.
"""

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

import numpy as np

from pricematch.encoding.efficientnet_lite import HEAD, POWER, VARIANTS, packaged_weights
from pricematch.encoding.general_statistics import read_general_statistics
from pricematch.encoding.versions import CNN
from pricematch.encoding.whitening import Linear, blended_whitening
from pricematch.errors import ArtefactExists, SettingsError
from pricematch.formats.atomic_writes import check_folder, make_folder, remove_abandoned
from pricematch.formats.exports import golden_pixels, next_version, publish, write_golden
from pricematch.formats.manifest import NETWORK, Manifest, TensorDescription, WeightsOrigin, WhitenedOn, versions
from pricematch.formats.torch_file import Tensors, read_tensors

BACKBONE = "efficientnet-lite0"
RECIPE = "pretrained"
BFLOAT16_TOLERANCE = 0.1
"""Three times what golden outputs are off by, after fifty layers and a whitening; a cosine moves by half its square."""
STAGED = ".cnn-"
"""How names of folders begin, below the folder of models, that are no versions yet."""
_LIBRARIES = ("numpy", "openvino")


def ensure_default_encoder(models: Path) -> None:
    """Write `models/cnn/1` with the general whitening, unless there is a version already; takes about a second.

    Where another process writes it at the same time, one of them wins.

    Raises:
        SettingsError: the folder cannot be written to, or the package of the weights is not installed.
        ArtefactError: the package of the weights, or the file of the statistics, is damaged.
    """
    if versions(models, CNN):
        return
    try:
        check_folder(models)
        linear, whitened_on = general_whitening()
        with suppress(ArtefactExists):
            write_untrained(models, "1", linear, whitened_on)
    except SettingsError as error:
        raise SettingsError(
            f"the default encoder {CNN} cannot be written at the first start: {error}; let the folder be written to, "
            f"write it beforehand by `pricematch train encoder --recipe {RECIPE} --models {models}`, or name another "
            "folder with --models"
        ) from error


def write_pretrained(models: Path, version: str | None, beside: Callable[[Path, Tensors, Linear], None] | None) -> Path:
    """Write the next version of `cnn`, or the one that is named, with the general whitening.

    Args:
        models: folder of exported models.
        version: a whole number; None for the next free one.
        beside: see `write_untrained`.

    Returns:
        The folder of the version.

    Raises:
        ArtefactExists: there is the version already.
        SettingsError, ArtefactError: as `ensure_default_encoder`.
    """
    number = next_version(models, [CNN], version)
    return write_untrained(models, number, *general_whitening(), beside)


def general_whitening() -> tuple[Linear, WhitenedOn]:
    """The whitening for catalogues of which nothing is known yet, kernel [1280, 256]; and what it was made of.

    Raises:
        ArtefactError: the file of the statistics is missing or damaged.
    """
    general = read_general_statistics()
    images = sum(source.images for source in general.sources)
    whitened_on = WhitenedOn(what="general", images=images, general=general.sources)
    return blended_whitening(general, np.empty((0, len(general.mean)), np.float32)), whitened_on


def write_untrained(
    models: Path,
    version: str,
    linear: Linear | None,
    whitened_on: WhitenedOn | None,
    beside: Callable[[Path, Tensors, Linear], None] | None = None,
) -> Path:
    """Write a version of `cnn` whose linear embedding alone is given, aside, and publish it by one rename.

    Args:
        models: folder of exported models; made if absent.
        version: a whole number.
        linear: kernel [1280, d] and bias [d]; None for pooled features as they are, 1280 values of unit length.
        whitened_on: what it was made of, for the manifest.
        beside: called with the folder, still empty, the weights and the linear embedding; may write another form of the
            network into it.

    Raises:
        ArtefactExists: there is the version already; it is left as it is.
        SettingsError: the folder cannot be written to, or the package of the weights is not installed.
        ArtefactError: the package of the weights is damaged.
    """
    file, origin = packaged_weights(BACKBONE)
    tensors = read_tensors(file)
    make_folder(models)
    remove_abandoned(models, STAGED)
    try:
        staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=models))
    except OSError as error:
        raise SettingsError(f"{models} cannot be written to ({error.strerror})") from error
    try:
        if beside is not None and linear is not None:
            beside(staged, tensors, linear)
        _write_network(staged, tensors, linear)
        staged.chmod(0o755)  # temporary folders are for their owner alone, a service may run as another user
        return publish(staged, _manifest(version, linear, whitened_on, origin), models)
    except OSError as error:
        raise SettingsError(f"{models} cannot be written to ({error.strerror})") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write_network(folder: Path, tensors: Tensors, linear: Linear | None) -> None:
    # here, since a start that finds an encoder runs none in its own process
    from pricematch.encoding.openvino_efficientnet import compose, in_float32
    from pricematch.encoding.openvino_import import openvino

    model = compose(BACKBONE, tensors, POWER, linear)
    pixels = golden_pixels(VARIANTS[BACKBONE].side)
    write_golden(folder, pixels, in_float32(model)(pixels))
    openvino.save_model(model, folder / NETWORK, compress_to_fp16=False)


def _manifest(version: str, linear: Linear | None, whitened_on: WhitenedOn | None, origin: WeightsOrigin) -> Manifest:
    side = VARIANTS[BACKBONE].side
    dimension = HEAD if linear is None else linear.kernel.shape[1]
    return Manifest(
        name=CNN,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe={"name": RECIPE, CNN: {"backbone": BACKBONE, "side": side, "power": POWER, "dimension": dimension}},
        seed=0,
        input=TensorDescription(name="pixels", shape=(None, side, side, 3), dtype="uint8"),
        output=TensorDescription(name="embedding", shape=(None, dimension), dtype="float32"),
        losses={},
        counts={} if whitened_on is None else {"images": whitened_on.images},
        catalogue_digest="",
        weights_digest=_digest(origin, linear),
        input_encoder=None,
        weights=origin,
        whitened_on=whitened_on,
        bfloat16_tolerance=BFLOAT16_TOLERANCE,
        libraries={"python": platform.python_version()} | {name: version_of(name) for name in _LIBRARIES},
        files={},
    )


def _digest(origin: WeightsOrigin, linear: Linear | None) -> str:
    """SHA-256 over what the weights are made of: the package's file, the pooling, the whitening."""
    digest = hashlib.sha256(f"{BACKBONE} {origin.digest} {POWER}".encode("ascii"))
    for values in () if linear is None else (linear.kernel, linear.bias):
        digest.update(repr(values.shape).encode("ascii") + values.astype(np.dtype("<f4")).tobytes())
    return digest.hexdigest()
