"""Whitens the default encoder anew on the catalogue's own images, once there are enough of them.

The general whitening suits every catalogue somewhat; one that its own images have a share in tells them apart better,
and the more there are, the larger is their share. The network stays as it is: pooled features of stored images are
computed in the worker processes, and another linear embedding is made of them, which is the next version of `cnn`.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.blocking import BlockingEncoding
from pricematch.encoding.default_encoder import STAGED, write_untrained
from pricematch.encoding.encoders import encoder_spec
from pricematch.encoding.general_statistics import read_general_statistics
from pricematch.encoding.ingest import chunks
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.versions import CNN
from pricematch.encoding.whitening import MOST_IMAGES, blended_whitening
from pricematch.errors import CatalogueError, ImageError
from pricematch.formats.atomic_writes import check_folder
from pricematch.formats.exports import next_version
from pricematch.formats.manifest import WhitenedOn, verify, versions
from pricematch.serving.models import LoadedModels
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_GROWTH = 4
"""So many times as many images as before, and the whitening is made again."""
_AT_ONCE = 64


class CatalogueWhitening:
    """Decides whether a whitening is due, and makes it. For one thread.

    Args:
        settings: `whiten_images` says how many images are enough, and `models` where versions are.
        images: gives the stored images by their digests.
        encoding: computes features, behind the requests.
    """

    def __init__(self, settings: Settings, images: ImageSource, encoding: BlockingEncoding) -> None:
        self._settings, self._images, self._encoding = settings, images, encoding
        self._looks_at = 0

    def due(self, catalogue: Catalogue, models: LoadedModels, active: Mapping[str, str]) -> Sequence[str]:
        """Digests of the images to whiten on, hexadecimal and ascending; none while it is not due.

        It is due where the encoder that serves was whitened in general on nothing of the catalogue's, or on a fourth of
        its images. An encoder that was trained, that the settings, the matcher or an activation names, or that is not
        the newest, stays.

        Args:
            catalogue: that is served.
            models: that serve.
            active: version by name of the models that were activated.
        """
        least = self._least(models, active)
        if least is None or len(catalogue) < max(least, self._looks_at):
            return ()
        images = sorted({name for posting in catalogue for name in posting.images})
        if len(images) < least:
            self._looks_at = len(catalogue) + least - len(images)  # there cannot be enough before
            return ()
        self._looks_at = _GROWTH * len(catalogue)  # if it fails, it is not tried again and again
        return images

    def whiten(self, images: Sequence[str], models: LoadedModels) -> Path:
        """Write the next version of the encoder, whitened on these images, at most 4,000 of them; its folder.

        Raises:
            CatalogueError: too few of them can be encoded.
            ArtefactError: the file of the general statistics is missing or damaged.
            SettingsError: the folder of models cannot be written to.
            ModelOutputError, NotReady: they cannot be encoded.
        """
        check_folder(self._settings.models)
        _log.info("whitening %s on %d images of the catalogue", CNN, len(images))
        try:
            features = self._pooled_features(images[:MOST_IMAGES])
        finally:
            self._encoding.retain(models.encoders)
        if 2 * len(features) < len(images[:MOST_IMAGES]):
            raise CatalogueError(f"{CNN} is not whitened anew: {len(features)} of {len(images)} images can be encoded")
        general = read_general_statistics()
        linear = blended_whitening(general, features)
        version = next_version(self._settings.models, [CNN], None)
        about = WhitenedOn(what="catalogue", images=len(images), general=general.sources)
        path = write_untrained(self._settings.models, version, linear, about)
        self._looks_at = 0
        return path

    def _least(self, models: LoadedModels, active: Mapping[str, str]) -> int | None:
        """How many images are enough; None where the encoder is not to be replaced."""
        settings, manifest = self._settings, _manifest(models)
        whitened_on = None if manifest is None else manifest["whitened_on"]
        if not settings.whiten_images or manifest is None or whitened_on is None or CNN in active:
            return None
        named = settings.encoder == CNN and settings.encoder_version is not None
        encoder = None if models.matcher is None else models.matcher.encoder
        if named or (encoder is not None and encoder.name == CNN):
            return None
        if versions(settings.models, CNN)[-1:] != [manifest["version"]]:
            return None
        before = _GROWTH * int(whitened_on["images"]) if whitened_on["what"] == "catalogue" else 0
        return max(settings.whiten_images, before)

    def _pooled_features(self, images: Sequence[str]) -> NDArray[np.float32]:
        """Features float32 [m, 1280] of those that can be used, by an encoder that ends with the pooled ones."""
        with tempfile.TemporaryDirectory(prefix=STAGED, dir=self._settings.models) as folder:
            pooled = verify(write_untrained(Path(folder), "1", None, None))
            spec = encoder_spec(self._settings.model_copy(update={"models": Path(folder)}), [pooled])
            self._encoding.load([spec])
            wanted = Wanted(frozenset({spec.key}))
            rows = [
                found.embeddings[spec.key]
                for some in chunks(images, _AT_ONCE)
                for found in self._encoding.encode(list(self._readable(some)), wanted)
                if isinstance(found, ImageFeatures)
            ]
        return np.array(rows, np.float32).reshape(len(rows), spec.dimension)

    def _readable(self, images: Sequence[str]) -> Iterator[bytes]:
        for digest in images:
            try:
                yield self._images.read(digest)
            except ImageError as error:
                _log.warning("the stored image %s cannot be used: %s", digest, error)


def _manifest(models: LoadedModels) -> Mapping[str, Any] | None:
    """That of the default encoder, as JSON has it; None where another one serves alone."""
    return next((manifest for manifest in models.manifests if manifest["name"] == CNN), None)
