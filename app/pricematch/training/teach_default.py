"""Makes the default matcher anew from catalogues of several shops, whose licences allow it. Needs no TensorFlow."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features, unit_rows
from pricematch.encoding.catalogue_files import image_folder, read_to_learn
from pricematch.encoding.decoder import decoder
from pricematch.encoding.efficientnet_lite import HEAD
from pricematch.encoding.encoders import COLOURS, COLOURS_SIDE, NEWEST_COLOURS
from pricematch.encoding.features import matching_hash
from pricematch.encoding.general_statistics import general_statistics
from pricematch.encoding.ingest import each_image
from pricematch.encoding.pooled_features import pooling
from pricematch.encoding.whitening import DIMENSION, blended_whitening
from pricematch.errors import SettingsError
from pricematch.evaluation.metrics import number_groups
from pricematch.formats.default_matcher import DefaultManifest, TeachingShop, write_default
from pricematch.learning.default_matcher import FittedDefault, Shop, fit_default
from pricematch.progress import Progress
from pricematch.settings import Settings

_LIBRARIES = ("numpy", "scipy")


@dataclass(frozen=True)
class ShopFolder:
    """Where a shop's catalogue is.

    Attributes:
        name, licence: of the shop, for the provenance.
        catalogue: its CSV file, with label groups; images are in `images` beside it.
        titles: whether its titles teach, too. Of a shop that names its postings by their product they must not: no
            other shop's sellers do.
    """

    name: str
    licence: str
    catalogue: Path
    titles: bool


@dataclass(frozen=True, eq=False)
class ShopFeatures:
    """What was computed of a shop's n postings.

    Attributes:
        folder: where they are from.
        titles: n.
        hashes: n, of 16 hexadecimal digits, or None.
        pooled: float32 [n, 1280], pooled features of the default encoder; zeros where there is no image.
        colours: float32 [n, c].
        groups: intp [n].
    """

    folder: ShopFolder
    titles: Sequence[str]
    hashes: Sequence[str | None]
    pooled: NDArray[np.float32]
    colours: NDArray[np.float32]
    groups: NDArray[np.intp]


def shop_features(settings: Settings, folder: ShopFolder, progress: Progress) -> ShopFeatures:
    """Compute the features of a shop's images.

    Raises:
        CatalogueError: a bad row, or an image that cannot be used.
        SettingsError: there is no folder of images.
    """
    places = {"catalogue": folder.catalogue, "images": folder.catalogue.parent / "images"}
    settings = settings.model_copy(update=places)
    content = read_to_learn(settings).by_id()
    content.refuse(content.problems)
    images, colours = image_folder(settings), COLOURS[NEWEST_COLOURS]
    pooled, decode = pooling(), decoder(settings, COLOURS_SIDE)

    def compute(name: str) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
        image = decode.decoded(images.read(name))
        shown = colours.encode(image.squeezed(COLOURS_SIDE)[np.newaxis])[0]
        return matching_hash(image), pooled(image), shown

    found, errors = each_image(content.names(), compute, f"Images of {folder.name}", workers=1, progress=progress)
    content.refuse(content.image_problems(errors))
    nothing = None, np.zeros(HEAD, np.float32), np.zeros(colours.dimension, np.float32)
    rows = [nothing if it.image is None else found[it.image] for it in content.postings]
    return ShopFeatures(
        folder,
        [it.title for it in content.postings],
        [hashed for hashed, _, _ in rows],
        np.stack([features for _, features, _ in rows]),
        np.stack([shown for _, _, shown in rows]),
        number_groups([it.label_group for it in content.postings]),
    )


def teaching_shops(found: Sequence[ShopFeatures]) -> list[Shop]:
    """Shops with views of their postings: image and hash, hash alone, and where titles teach each way with them.

    Images are embedded as in a service: whitened by a blend of the shop's own statistics and general ones, which here
    are those of the other shops.
    """
    return [_teaching(one, [it for it in found if it is not one]) for one in found]


def _teaching(one: ShopFeatures, others: Sequence[ShopFeatures]) -> Shop:
    shown = np.asarray(one.pooled.any(axis=1), np.bool_)
    general = general_statistics([(it.folder.name, it.folder.licence, _distinct(it.pooled)) for it in others])
    linear = blended_whitening(general, _distinct(one.pooled))
    embeddings = np.zeros((len(shown), min(DIMENSION, linear.kernel.shape[1])), np.float32)
    embeddings[shown] = unit_rows(linear(one.pooled[shown]), embeddings.shape[1])
    every = Features.of(one.titles, one.hashes, {"image": embeddings, "colours": one.colours})
    rows = np.arange(len(every))
    untitled, unseen = every.without_titles(rows), replace(every, embeddings=_nothing(every))
    views = [untitled, replace(untitled, embeddings=_nothing(every))]
    if one.folder.titles:
        views += [unseen, every, every.without_images(rows)]
    return Shop(one.folder.name, views, one.groups)


def _nothing(features: Features) -> dict[str, NDArray[np.float32]]:
    return {name: np.zeros_like(vectors) for name, vectors in features.embeddings.items()}


def _distinct(pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each image once."""
    return np.unique(pooled[pooled.any(axis=1)], axis=0)


def teach_default(
    settings: Settings, folders: Sequence[ShopFolder], output: Path, seed: int, progress: Progress
) -> DefaultManifest:
    """Fit the default matcher on several shops and write it.

    Raises:
        SettingsError: there are fewer than two shops, or the file cannot be written.
        CatalogueError: see `shop_features`.
    """
    if len(folders) < 2:
        raise SettingsError(f"expected at least two shops to learn from, got {len(folders)}")
    found = [shop_features(settings, folder, progress) for folder in folders]
    progress("Learning", 0, 1)
    fitted = fit_default(teaching_shops(found), seed)
    progress("Learning", 1, 1)
    about = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "taught_by": [_provenance(one, fitted) for one in found],
        "libraries": {"python": platform.python_version()} | {it: version_of(it) for it in _LIBRARIES},
    }
    return write_default(output, fitted.evidence.tolist(), fitted.agreement, fitted.thresholds, about)


def _provenance(one: ShopFeatures, fitted: FittedDefault) -> TeachingShop:
    return TeachingShop(
        name=one.folder.name,
        licence=one.folder.licence,
        postings=len(one.titles),
        groups=len(np.unique(one.groups)),
        titles=one.folder.titles,
        held_out=dict(fitted.held_out[one.folder.name]),
    )
