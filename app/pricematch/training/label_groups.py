"""Label groups of a training: those to train on, those held out, and those that pick the threshold."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.curves import SimilarityThreshold, enough_groups, pick_similarity_threshold
from pricematch.evaluation.metrics import map_at_k, number_groups
from pricematch.evaluation.splits import digest_postings, group_digest, training_groups
from pricematch.formats.manifest import PickedOn, TrainedOn
from pricematch.progress import Progress

_BLOCK = 512


def label_of_image(postings: Iterable[Posting]) -> dict[str, str]:
    """The label group of each image, by name; images of several groups, or of none, have none."""
    labels: dict[str, set[str | None]] = {}
    for posting in postings:
        if posting.image is not None:
            labels.setdefault(posting.image, set()).add(posting.label_group)
    known = {image: found - {None} for image, found in labels.items()}
    return {image: str(*found) for image, found in known.items() if len(found) == 1}


@dataclass(frozen=True, eq=False)
class TrainedGroups:
    """The label groups of n images, as numbers from 0, −1 for an image that is not of the part.

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
    names: Sequence[str],
    labels: Mapping[str, str],
    share: float,
    validation_share: float,
    seed: int,
    postings: Iterable[Posting] = (),
) -> TrainedGroups:
    """Deal the label groups of n images out by `training_groups`: a share to train on, of that a share to hold out.

    `labels` holds the label group of those images that have one, by name; `postings` are those that show the images.
    """
    numbers = number_groups([labels.get(name) for name in names])
    given = [labels.get(name, "") for name in names]
    trained, held = ((numbers >= 0) & training_groups(given, part, seed) for part in (share, share * validation_share))
    learnt = trained & ~held
    digests = sorted({group_digest(label) for label, taken in zip(given, trained, strict=True) if taken})
    shown = {name for name, taken in zip(names, trained, strict=True) if taken}
    return TrainedGroups(
        np.where(learnt, numbers, -1),
        np.where(held, numbers, -1),
        frozenset(label for label, taken in zip(given, learnt, strict=True) if taken),
        TrainedOn(
            share=share,
            seed=seed,
            groups=tuple(digests),
            postings=digest_postings(posting for posting in postings if posting.image in shown),
        ),
    )


@dataclass(frozen=True, eq=False)
class ThresholdPostings:
    """The n postings that show the images of a training: all are searched, some are queries.

    Attributes:
        images: intp [n], which image each shows, from 0.
        groups: intp [n], the number of its label group; −1 where it has none.
        queries: bool [n], whether it has one that the encoder did not learn from.
    """

    images: NDArray[np.intp]
    groups: NDArray[np.intp]
    queries: NDArray[np.bool_]

    def threshold(
        self, name: str, embed: Callable[[], NDArray[np.float32]], progress: Progress
    ) -> SimilarityThreshold | None:
        """The best threshold of an encoder; None where too few label groups are left, see `enough_groups`.

        `embed` gives the outputs [m, d] of the encoder for all images; called only where it is needed.
        """
        if not enough_groups(self.groups, self.queries):
            return None

        def show(done: int) -> None:
            progress(f"Picking the threshold of {name}", done, len(self.images))

        return pick_similarity_threshold(embed()[self.images], self.groups, self.queries, show)


def threshold_postings(
    postings: Sequence[Posting], names: Sequence[str], learnt: Collection[str] = ()
) -> ThresholdPostings:
    """The postings that show some images, by name, and which of them pick the threshold.

    Those that show none of the images are left out, as the service leaves them out; those of the label groups that the
    encoder learns from are searched only.
    """
    place = {name: number for number, name in enumerate(names)}
    shown = [posting for posting in postings if posting.image in place]
    labels = [posting.label_group for posting in shown]
    queries = np.array([label is not None and label not in learnt for label in labels], np.bool_)
    images = np.array([place[str(posting.image)] for posting in shown], np.intp)
    return ThresholdPostings(images, number_groups(labels), queries)


def described(threshold: SimilarityThreshold | None) -> dict[str, Any]:
    """A threshold as the fields of a manifest."""
    if threshold is None:
        return {"threshold": None, "threshold_picked_on": None}
    fields = asdict(threshold)
    return {"threshold": fields.pop("threshold"), "threshold_picked_on": PickedOn(**fields)}


def group_batches(
    groups: NDArray[np.integer], batch: int, per_group: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Every group once, `per_group` of its rows, in steps of batch // per_group groups, but two groups in any case.

    A group with fewer rows gives some more than once, to be augmented differently; rows with −1 in `groups` [n] are
    left out. Seed and epoch give the order. The rows of a group are together; a last group alone joins the step before.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(np.unique(groups[groups >= 0]))
    members = {group: np.flatnonzero(groups == group) for group in order.tolist()}
    picked = [_draw(members[group], per_group, rng) for group in order.tolist()]
    size = max(2, batch // per_group)
    steps = [picked[first : first + size] for first in range(0, len(picked), size)]
    if len(steps) > 1 and len(steps[-1]) == 1:
        steps[-2:] = [steps[-2] + steps[-1]]
    return [np.concatenate(step) for step in steps]


def _draw(rows: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of the rows, each as often as any other, or once more or less."""
    rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate(rounds)[:count].astype(np.int64)


def held_out_map(embeddings: Embeddings, held_out: NDArray[np.intp], k: int) -> float:
    """mAP@k of the held-out rows among all rows of embeddings [n, d]; see `map_at_k`.

    `held_out` [n] is the label group of each held-out row, −1 for the others, which are candidates only. The value is
    in [0, 1], and 1.0 if no held-out row has another of its group.
    """
    count = len(embeddings)
    queries = np.flatnonzero(held_out >= 0)
    candidates = np.full((count, min(k, count - 1)), -1)
    for first in range(0, len(queries), _BLOCK):
        rows = queries[first : first + _BLOCK]
        similarities = embeddings[rows] @ embeddings.T
        similarities[np.arange(len(rows)), rows] = -np.inf
        candidates[rows] = np.argsort(-similarities, axis=1, kind="stable")[:, : candidates.shape[1]]
    # rows that are not held out become groups of their own, which the mean leaves out
    singletons = held_out.max(initial=-1) + 1 + np.arange(count)
    return map_at_k(candidates, np.where(held_out >= 0, held_out, singletons), k)
