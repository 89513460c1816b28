"""Which pictures of a catalogue are trained on, which are held out to choose by, and the record of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.splits import group_digest, training_groups
from pricematch.formats.manifest import TrainedOn


def label_of_picture(postings: Iterable[Posting]) -> dict[str, str]:
    """The label group of each picture, by image name; pictures of several groups, or of none, have none to teach."""
    labels: dict[str, set[str | None]] = {}
    for posting in postings:
        if posting.image is not None:
            labels.setdefault(posting.image, set()).add(posting.label_group)
    known = {image: found - {None} for image, found in labels.items()}
    return {image: str(*found) for image, found in known.items() if len(found) == 1}


@dataclass(frozen=True, eq=False)
class TrainedGroups:
    """The label groups of n pictures, as numbers from 0, −1 for a picture that is not of the part.

    Attributes:
        learnt: intp [n], those to learn from.
        held_out: intp [n], those to choose by; no group is in both.
        learnt_labels: what those to learn from are called.
        record: both, for the manifest.
    """

    learnt: NDArray[np.intp]
    held_out: NDArray[np.intp]
    learnt_labels: frozenset[str]
    record: TrainedOn

    @property
    def count(self) -> int:
        """How many groups there are to learn from."""
        return len(self.learnt_labels)

    @property
    def teach(self) -> bool:
        """Whether there is something to learn from: two groups at least."""
        return self.count > 1


def choose_groups(
    names: Sequence[str], labels: Mapping[str, str], share: float, validation_share: float, seed: int
) -> TrainedGroups:
    """Deal the label groups out by `training_groups`: a share to train on, and a share of that to hold out.

    Args:
        names: of n pictures.
        labels: the label group of those that have one.
        share: of the groups, to train on.
        validation_share: of those, to hold out.
        seed: of the choice.
    """
    rows = [row for row, name in enumerate(names) if name in labels]
    known = [labels[names[row]] for row in rows]
    trained, held = (training_groups(known, part, seed) for part in (share, share * validation_share))
    numbers = number_groups(known)
    learnt, held_out = np.full((2, len(names)), -1, np.intp)
    learnt[rows] = np.where(trained & ~held, numbers, -1)
    held_out[rows] = np.where(held, numbers, -1)
    digests = sorted({group_digest(label) for label, taken in zip(known, trained, strict=True) if taken})
    learnt_labels = frozenset(label for label, taken in zip(known, trained & ~held, strict=True) if taken)
    return TrainedGroups(learnt, held_out, learnt_labels, TrainedOn(share=share, seed=seed, groups=tuple(digests)))
