"""Many changes of postings in one request: each is made, or has its own problem."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from pricematch.catalogue.records import Patch, Put, Removal
from pricematch.errors import ImageError, ModelOutputError, PricematchError
from pricematch.serving.intake import Intake, Offered
from pricematch.serving.patches import PostingPatch
from pricematch.serving.snapshots import Snapshot
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
    given = [change.image for change in changes if not isinstance(change, Removal) and change.image is not None]
    wanted = intake.snapshots.current.matcher.wanted_of_stored
    forms = iter(intake.images.ensure_each(given, wanted) if given else ())
    stored, bad = list[Put | Patch | Removal](), dict[int, PricematchError]()
    for place, change in enumerate(changes):
        if isinstance(change, Removal):
            stored.append(change)
            continue
        form = None if change.image is None else next(forms)
        if isinstance(form, ImageError):
            bad[place] = form
            continue
        digest, content = (None, None) if form is None else (form.digest.hex(), form.stored_form)
        if isinstance(change, PostingPatch):
            stored.append(Patch(change.posting_id, partial(change.applied, image=digest), content, change.condition))
        else:
            posting = change.posting if digest is None else replace(change.posting, image=digest)
            stored.append(Put(posting, content, change.condition))
    outcomes = iter(intake.store.change_each(stored))
    return [bad[place] if place in bad else next(outcomes) for place in range(len(changes))]


def _posting_id(change: WantedChange) -> str:
    return change.posting.posting_id if isinstance(change, Offered) else change.posting_id
