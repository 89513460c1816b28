"""The partition into products follows a catalogue that changes, and is the one that clustering all anew gives."""

import random
from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import FeedbackChange
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.products import Partition, clustered, followed, renumbered
from tests.support.matchers import hashed, scored_search

pytestmark = pytest.mark.slow

HASH = ("hash",)


def members_of(search: ProbabilitySearch, partition: Partition) -> dict[str, int]:
    """Product number by posting_id."""
    rows = search.catalogue.rows
    return dict(zip(search.catalogue.ids_of(rows), partition.numbers[rows].tolist(), strict=True))


def after(search: ProbabilitySearch, drawn: random.Random) -> ProbabilitySearch:
    """The search after postings came, went and changed, or people decided, or took it back."""
    names = [f"p{number}" for number in range(30)]
    if drawn.random() < 0.3:
        return search.with_feedback(decided(search.feedback, search, drawn))
    count = drawn.choice([0, 1, 4])
    hashes = hashed(*(drawn.choice([None, *range(0, 65, 2)]) for _ in range(count)))
    put = [replace(it, posting_id=name) for it, name in zip(hashes, drawn.sample(names, count), strict=True)]
    catalogue = search.catalogue.changed(put, drawn.sample(names, drawn.choice([0, 0, 3])))
    features = Features.of([it.title for it in put], [it.image_phash for it in put])
    return search.placed(catalogue, np.arange(search.catalogue.span, catalogue.span), features)


def decided(feedback: Feedback, search: ProbabilitySearch, drawn: random.Random) -> Feedback:
    one, other = sorted(drawn.sample(sorted(search.catalogue.posting_ids), 2))
    return feedback.changed([FeedbackChange(one, other, 1, drawn.choice(["same", "different", None]))])


@pytest.mark.parametrize("seed", range(30))
def test_following_changes_is_clustering_all_anew(seed: int) -> None:
    """The same products, changes, doubts of what changed, and new numbers."""
    drawn = random.Random(seed)
    search = scored_search(hashed(*(drawn.choice([None, *range(0, 65, 3)]) for _ in range(14))), HASH)
    partition, first, kinds = clustered(search), 15, set[str]()
    for _ in range(25):
        now = after(search, drawn)
        found, changes = followed(partition, search, now, first)
        anew, expected = renumbered(clustered(now), now.catalogue, members_of(search, partition), first)
        assert list(changes) == list(expected)
        assert found.numbers.tolist() == anew.numbers.tolist()
        assert found.doubts.tolist() == anew.doubts.tolist()
        first = max([first, *(change.number + 1 for change in changes)])
        kinds |= {change.kind for change in changes}
        search, partition = now, found
    assert len(kinds) >= 4


def started(*bits: int | None) -> tuple[ProbabilitySearch, Partition]:
    search = scored_search(hashed(*bits), HASH)
    return search, clustered(search)


def test_postings_alone_are_products_of_one() -> None:
    """Without doubt."""
    search, found = started(0, 1, 40)
    assert members_of(search, found) == {"p0": 1, "p1": 1, "p2": 2}
    assert found.doubts[2] == 0
    assert 0 < found.doubts[0] == found.doubts[1] < 0.1


def test_products_that_there_were_go_on() -> None:
    """A posting that is gone is told to have left."""
    search, found = started(0, 1, 40)
    anew, changes = renumbered(found, search.catalogue, {"p0": 7, "p1": 5, "p2": 9, "p8": 9}, 20)
    assert members_of(search, anew) == {"p0": 5, "p1": 5, "p2": 9}
    assert [(it.number, it.kind, it.left, it.into) for it in changes] == [
        (5, "changed", (), None),
        (7, "merged", ("p0",), 5),
        (9, "changed", ("p8",), None),
    ]


def test_nothing_changes_where_nothing_has_changed() -> None:
    search, found = started(0, 1, 40)
    again, changes = followed(found, search, search, 3)
    assert (again.numbers.tolist(), list(changes)) == (found.numbers.tolist(), [])
    assert list(renumbered(clustered(search), search.catalogue, members_of(search, found), 3)[1]) == []


def test_an_arrival_joins_its_product() -> None:
    search, found = started(0, 1, 40)
    put = [Posting("new", None, image_phash="1")]
    features = Features.of([""], ["1".zfill(16)])
    now = search.placed(search.catalogue.changed(put, []), np.array([3]), features)
    after_arrival, changes = followed(found, search, now, 3)
    assert [(it.number, it.kind, it.joined) for it in changes] == [(1, "changed", ("new",))]
    assert after_arrival.numbers.tolist() == [1, 1, 2, 1]


def test_products_made_by_other_probabilities_are_not_torn() -> None:
    """Where a product joins postings that nothing connects, the change tells where each went."""
    search, found = started(0, 1, 40)
    odd = replace(found, numbers=np.array([1, 1, 1]))
    now = search.with_feedback(NO_FEEDBACK.changed([FeedbackChange("p0", "p1", 1, "same")]))
    _, changes = followed(odd, search, now, 2)
    assert [(it.number, it.kind, it.after) for it in changes] == [
        (1, "split", ("p0", "p1")),
        (2, "created", ("p2",)),
    ]


def test_a_catalogue_may_be_empty() -> None:
    search, found = started()
    assert len(found.numbers) == 0
    assert list(followed(found, search, search, 1)[1]) == []
