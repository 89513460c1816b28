"""Whitens the default encoder on the images of a catalogue file, as a service does on those that it stores.

The general whitening is worth less: verbs that work on a file would evaluate, or train on, another encoder than the one
that serves the same catalogue in the end.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from pricematch.encoding.decoder import decoder
from pricematch.encoding.default_encoder import write_untrained
from pricematch.encoding.encoders import find_artefacts
from pricematch.encoding.general_statistics import read_general_statistics
from pricematch.encoding.ingest import each_image
from pricematch.encoding.versions import CNN
from pricematch.encoding.whitening import MOST_IMAGES, blended_whitening
from pricematch.errors import ArtefactExists
from pricematch.formats.exports import next_version
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.manifest import WhitenedOn
from pricematch.progress import Progress
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")


def whiten_offline(settings: Settings, names: Sequence[str], images: ImageFolder, progress: Progress) -> None:
    """Write the next version of `cnn`, whitened on these images, where the newest is whitened in general alone.

    One that was trained, that the settings name, or that was whitened on a catalogue already, stays. Images that cannot
    be used are left out; whoever embeds them tells of them.

    Args:
        settings: `whiten_images` says how many images are enough, and `models` where versions are.
        names: of the images, each once.
        images: where they are.
        progress: gets what is being done.

    Raises:
        SettingsError, ArtefactError: as `find_artefacts`.
    """
    enough = settings.whiten_images
    if settings.encoder != CNN or settings.encoder_version is not None or not enough or len(names) < enough:
        return
    whitened_on = find_artefacts(settings)[-1].manifest.whitened_on
    if whitened_on is None or whitened_on.what != "general":
        return
    # here, since verbs that find a whitened encoder run it elsewhere
    from pricematch.encoding.pooled_features import pooling

    pooled, decode = pooling(), decoder(settings, 1)
    found, _ = each_image(
        sorted(names)[:MOST_IMAGES],
        lambda name: pooled(decode.decoded(images.read(name))),
        "Whitening the encoder",
        workers=1,  # what runs the network is not for several threads
        progress=progress,
    )
    if len(found) < enough:
        return
    general = read_general_statistics()
    linear = blended_whitening(general, np.stack([found[name] for name in sorted(found)]))
    about = WhitenedOn(what="catalogue", images=len(found), general=general.sources)
    with suppress(ArtefactExists):  # another process was quicker, and its own will do
        path = write_untrained(settings.models, next_version(settings.models, [CNN], None), linear, about)
        _log.info("%s/%s is whitened on %d images of this catalogue", CNN, path.name, len(found))
