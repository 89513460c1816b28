"""Many changes of postings in one request: each is made, or has its own problem."""

from collections.abc import Sequence
from typing import TypeAlias

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.records import Patch, Put, Removal
from pricematch.errors import ModelOutputError
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.patches import PostingPatch
from pricematch.serving.posting_images import BadImage, of_each
from pricematch.serving.snapshot import Snapshot
from pricematch.store.ports import ChangeOutcome

WantedChange: TypeAlias = Offered | PostingPatch | Removal
AT_ONCE = 64
"""Changes that are stored together, so that requests of others come in between."""


def change_each(intake: Intake, changes: Sequence[WantedChange]) -> tuple[Sequence[ChangeOutcome], Snapshot]:
    """Make those of some changes that can be made, one after the other, together as one transaction.

    Returns:
        The outcome of each, or why it was not made; and a snapshot that has them.

    Raises:
        StoreError: nothing is changed.
    """
    try:
        outcomes = _stored(intake, changes)
    except ModelOutputError as error:  # an image that the network cannot take fails alone
        if len(changes) == 1:
            return [error], intake.snapshots.current
        outcomes = [outcome for change in changes for outcome in change_each(intake, [change])[0]]
    return outcomes, intake.snapshots.follow([_posting_id(change) for change in changes])


def _stored(intake: Intake, changes: Sequence[WantedChange]) -> list[ChangeOutcome]:
    given = [() if isinstance(change, Removal) else change.images or () for change in changes]
    each = [image for images in given for image in images]
    wanted = intake.snapshots.current.matcher.wanted_of_stored
    found = of_each(given, intake.images.ensure_each(each, wanted) if each else ())
    stored = [
        change if isinstance(change, Removal) else _with_forms(change, forms)
        for change, forms in zip(changes, found, strict=True)
        if not isinstance(forms, BadImage)
    ]
    outcomes = iter(intake.store.change_each(stored))
    return [it.told if isinstance(it, BadImage) else next(outcomes) for it in found]


def _with_forms(change: Offered | PostingPatch, forms: Sequence[ImageFeatures]) -> Put | Patch:
    """A change as a store takes it, with the stored forms of the images that it brings."""
    return change.patch(forms) if isinstance(change, PostingPatch) else change.put(forms)


def _posting_id(change: WantedChange) -> str:
    return change.posting.posting_id if isinstance(change, Offered) else change.posting_id
