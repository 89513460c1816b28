"""The threshold that an encoder is exported with, picked on label groups it did not learn from."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.curves import SimilarityThreshold, enough_groups, pick_similarity_threshold
from pricematch.evaluation.metrics import number_groups
from pricematch.formats.manifest import PickedOn
from pricematch.progress import Progress


@dataclass(frozen=True, eq=False)
class Judged:
    """The n postings that show the pictures of a training: what is searched, and what is judged.

    Attributes:
        pictures: intp [n], which picture each shows, from 0.
        groups: intp [n], the number of its label group; −1 where it has none.
        judged: bool [n], whether it has one that the encoder did not learn from.
    """

    pictures: NDArray[np.intp]
    groups: NDArray[np.intp]
    judged: NDArray[np.bool_]

    def threshold(
        self, name: str, embed: Callable[[], NDArray[np.float32]], progress: Progress
    ) -> SimilarityThreshold | None:
        """The best threshold of an encoder; None where too few label groups are judged, see `enough_groups`.

        Args:
            name: of the encoder.
            embed: gives the outputs [m, d] of the encoder for all pictures; called only where it is needed.
            progress: told how far it is.
        """
        if not enough_groups(self.groups, self.judged):
            return None

        def told(done: int) -> None:
            progress(f"Picking the threshold of {name}", done, len(self.pictures))

        return pick_similarity_threshold(embed()[self.pictures], self.groups, self.judged, told)


def judged_postings(postings: Sequence[Posting], names: Sequence[str], learnt: Collection[str] = ()) -> Judged:
    """Which postings show which picture, and which of them may be judged.

    Args:
        postings: of the catalogue; those that show none of the pictures are left out, as the service leaves them out.
        names: of the m pictures.
        learnt: the label groups that the encoder learns from.
    """
    place = {name: number for number, name in enumerate(names)}
    shown = [posting for posting in postings if posting.image in place]
    labels = [posting.label_group for posting in shown]
    known = [row for row, label in enumerate(labels) if label is not None]
    groups = np.full(len(shown), -1, np.intp)
    groups[known] = number_groups([str(labels[row]) for row in known])
    judged = np.array([label is not None and label not in learnt for label in labels], np.bool_)
    return Judged(np.array([place[str(posting.image)] for posting in shown], np.intp), groups, judged)


def described(threshold: SimilarityThreshold | None) -> dict[str, Any]:
    """A threshold as the fields of a manifest."""
    if threshold is None:
        return {"threshold": None, "threshold_picked_on": None}
    fields = asdict(threshold)
    return {"threshold": fields.pop("threshold"), "threshold_picked_on": PickedOn(**fields)}
