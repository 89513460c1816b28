"""Trained matchers for what runs without the service."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.errors import ArtefactError, CatalogueError, SettingsError
from pricematch.evaluation.splits import group_digest
from pricematch.formats.manifest import Origin, find
from pricematch.formats.matcher_files import LoadedMatcher, read_matcher
from pricematch.settings import Settings

_AUTO = "auto"


def load_matcher(settings: Settings, version: str) -> tuple[Settings, LoadedMatcher]:
    """A matcher, and the settings with the encoder it was trained with.

    Args:
        settings: where the models are.
        version: a whole number; auto for the newest.

    Raises:
        ArtefactError: there is no such matcher, it is damaged, or its encoder is not the one it was trained with.
        SettingsError: the version is neither.
    """
    if version != _AUTO and not (version.isdecimal() and version.isascii()):
        raise SettingsError(f"--matcher: expected {_AUTO} or the whole number of a version, got {version!r}")
    loaded = read_matcher(settings.models, None if version == _AUTO else version, settings.workers)
    wanted = loaded.manifest.encoder
    if wanted is None:
        return settings, loaded
    try:
        found = find(settings.models, wanted.name, wanted.version).manifest
    except ArtefactError as error:
        raise ArtefactError(f"{loaded.path} needs the encoder it was trained with: {error}") from error
    if found.weights_digest != wanted.weights_digest:
        raise ArtefactError(
            f"{loaded.path} does not fit {settings.models / wanted.name / wanted.version}: it was trained with weights "
            f"{wanted.weights_digest[:12]}…, got {found.weights_digest[:12]}…"
        )
    return settings.model_copy(update={"encoder": wanted.name, "encoder_version": wanted.version}), loaded


def unseen(
    settings: Settings, loaded: LoadedMatcher, labels: Sequence[str], given: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """Which postings are of label groups that neither a matcher nor its encoder was trained on, bool [n].

    Args:
        settings: where the models are.
        loaded: the matcher.
        labels: the label group of each of n postings.
        given: what it was before verdicts changed it; a group with a posting of a group that was trained on is left
            out as well. None: the same.

    Raises:
        CatalogueError: all were trained on.
    """
    taught = set(loaded.manifest.trained_on.groups)
    seen = set(taught)
    if (wanted := loaded.manifest.encoder) is not None:
        encoder = find(settings.models, wanted.name, wanted.version).manifest
        seen |= set() if encoder.trained_on is None else set(encoder.trained_on.groups)
    both = list(zip(labels, labels if given is None else given, strict=True))
    digests = {label: group_digest(label) for pair in both for label in pair}
    known = {label for label, before in both if {digests[label], digests[before]} & seen}
    found = np.array([label not in known for label in labels], bool)
    if not found.any():
        alone = taught.issuperset(digests.values())
        raise CatalogueError(f"{settings.catalogue}: {_all_seen(loaded, None if alone else wanted)}")
    return found


def _all_seen(loaded: LoadedMatcher, encoder: Origin | None) -> str:
    """That there is no label group to evaluate on, and what leaves some; an encoder is given if it saw some alone."""
    who, first = f"{loaded.label} was", ""
    if encoder is not None:
        who = f"{loaded.label} and its encoder {encoder.name}/{encoder.version} were"
        first = "with an encoder of fewer, as of `pricematch train encoder --recipe cnn --train-share 0.3`, "
    return (
        f"{who} trained on every label group of it, so figures on them would say nothing; "
        f"{first}`pricematch train matcher --train-share 0.5` leaves half of them to evaluate on"
    )
