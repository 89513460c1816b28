"""Search by probability over a catalogue that changes, against one whose postings were all scored together."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Decision, FeedbackChange
from pricematch.errors import ImageCorrupt, ImageError, PostingNotFound, SignalNeeded
from pricematch.matching.clusters import Clusters, cluster_by_probability
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import match_query
from pricematch.matching.review import Unsure, review
from pricematch.pairs.bounds import ordinary
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.thresholds import DecisionRule, Thresholds
from tests.support.fakes import tiny_search
from tests.support.matchers import hashed, scored_search
from tests.support.searches import after, features_of, matches, queried

pytestmark = pytest.mark.slow

HASH = ("hash",)
BIT_APART = float(ordinary(np.array(63 / 64)))
"""The probability of postings whose hashes differ in one bit."""
DECISIONS: Sequence[Decision | None] = ["same", "different", None]


@pytest.mark.parametrize("seed", range(6))
def test_matches_after_changes_are_those_of_a_rebuild(seed: int) -> None:
    """Of every stored posting, and of queries."""
    drawn, held = random.Random(seed), dict[str, Posting]()
    first = hashed(*(drawn.randint(0, 64) for _ in range(drawn.choice([0, 8]))))
    held = {posting.posting_id: posting for posting in first}
    search = scored_search(first, HASH)
    for _ in range(12):
        names = [f"p{number}" for number in range(25)]
        put = [
            replace(posting, posting_id=name)
            for name, posting in zip(
                drawn.sample(names, 4), hashed(*(drawn.choice([None, *range(65)]) for _ in range(4))), strict=True
            )
        ]
        removed = drawn.sample(names, 3)
        held = {name: posting for name, posting in held.items() if name not in removed}
        held |= {posting.posting_id: posting for posting in put}
        search = after(search, put, removed)
        anew = scored_search(drawn.sample(list(held.values()), len(held)), HASH)
        assert len(search.catalogue) == len(held)
        assert len(search.index) == len(anew.index)
        for posting_id in held:
            assert matches(search, posting_id) == matches(anew, posting_id)
        [stranger] = hashed(drawn.randint(0, 64))
        assert queried(search, stranger) == queried(anew, stranger)


def test_a_replaced_posting_matches_by_its_new_title() -> None:
    """And no longer by its old one; the search of before still finds that."""
    titles = {"p0": "kopi susu gula aren", "p1": "kopi susu aren", "p2": "teh manis melati", "p3": "teh melati"}
    before = scored_search([Posting(name, None, title) for name, title in titles.items()])
    search = after(before, [Posting("p1", None, "teh manis melati")])
    old, new = Posting("", None, "kopi susu aren"), Posting("", None, "teh manis melati")
    assert {name for name, _ in queried(search, old)} == {"p0"}
    assert {name for name, value in queried(search, new) if value > 0.99} == {"p1", "p2"}
    assert matches(search, "p0") == []
    assert search.catalogue[search.catalogue.row("p1")].title == "teh manis melati"
    assert dict(matches(search, "p2"))["p1"] == pytest.approx(1, abs=1e-5)
    assert dict(queried(before, old))["p1"] == pytest.approx(1, abs=1e-5)  # who holds the catalogue of before sees that
    assert [name for name, _ in matches(before, "p0")] == ["p1"]


def test_decisions_follow_ids() -> None:
    """They stay where a posting is replaced, and rest where it is gone."""
    changes = [FeedbackChange("p0", "p2", 1, "same"), FeedbackChange("p0", "p1", 2, "different")]
    said = NO_FEEDBACK.changed(changes)
    search = replace(scored_search(hashed(0, 0, 60), HASH), feedback=said)
    assert matches(search, "p0") == [("p2", 1)]
    replaced = after(search, [Posting("p2", None, image_phash="f" * 16), Posting("p1", None, image_phash="0" * 16)])
    assert matches(replaced, "p0") == [("p2", 1)]
    assert matches(after(replaced, [], ["p2"]), "p0") == []


@pytest.mark.parametrize("seed", range(6))
def test_clusters_after_changes_are_those_of_a_rebuild(seed: int) -> None:
    """And so are the pairs to review, whatever people decided."""
    drawn, verdicts = random.Random(seed), NO_FEEDBACK
    names, search, held = (
        [f"p{number}" for number in range(18)],
        scored_search([], HASH),
        dict[str, Posting](),
    )
    for revision in range(8):
        hashes = hashed(*(drawn.randint(0, 64) for _ in range(5)))
        put = [replace(it, posting_id=name) for it, name in zip(hashes, drawn.sample(names, 5), strict=True)]
        removed = [name for name in drawn.sample(names, 2) if name not in {posting.posting_id for posting in put}]
        held = {name: posting for name, posting in held.items() if name not in removed}
        held |= {posting.posting_id: posting for posting in put}
        first, second = sorted(drawn.sample(names, 2))
        said = drawn.choice(DECISIONS)
        verdicts = verdicts.changed([FeedbackChange(first, second, revision, said)])
        search = replace(after(search, put, removed), feedback=verdicts)
        anew = replace(scored_search(drawn.sample(list(held.values()), len(held)), HASH), feedback=verdicts)
        for threshold in (0.8, 0.9, float("inf")):
            assert clusters(search, threshold) == clusters(anew, threshold)
            rule = DecisionRule(None, Thresholds(threshold, threshold))
            assert [asked_of(it) for it in review(search, rule, 9)] == [asked_of(it) for it in review(anew, rule, 9)]


def clusters(search: ProbabilitySearch, threshold: float) -> set[frozenset[str]]:
    """The postings of each cluster."""
    labels = search.clusters.all(threshold).assignment.labels
    ids = [search.catalogue[row].posting_id for row in search.catalogue.by_id]
    return {frozenset(compress(ids, (labels == label).tolist())) for label in range(labels.max(initial=-1) + 1)}


def asked_of(pair: Unsure) -> tuple[str, str, float]:
    return pair.first, pair.second, round(pair.probability, 6)


def test_the_rule_follows_the_catalogue_size() -> None:
    """It is that of how many postings there are now."""
    search = scored_search(hashed(0, 0), HASH)
    assert search.rule(None, None) == after(search, [], ["p0", "p1"]).rule(None, None)
    assert len(after(after(search, [], ["p0"]), hashed(0)).catalogue) == 2


def test_added_images_are_compared_by_embeddings() -> None:
    """Postings without one are nobody's matches, and a title alone is no signal."""
    tiny, signals = tiny_search(["#ff0000", "#00ff00"]), ("image",)
    search = scored_search(list(tiny.catalogue), signals, dict.fromkeys(IMAGE_RETRIEVERS, tiny.embeddings))
    put = [Posting("red", "red.png"), Posting("bare", None)]
    vectors = np.concatenate([tiny.embeddings[:1], np.zeros((1, 4), np.float32)])
    features = features_of(put, {"image": vectors, "colours": np.zeros((2, 4), np.float32)})
    catalogue = search.catalogue.changed(put, [])
    changed = search.placed(catalogue, np.array([2, 3]), features)
    [(first, probability), *_] = matches(changed, "red")
    assert first == "p0"
    assert probability == pytest.approx(ordinary(np.array(1.0)))  # their files may be two
    assert matches(changed, "bare") == []
    nothing = {name: np.zeros((1, 4), np.float32) for name in IMAGE_RETRIEVERS}
    with pytest.raises(SignalNeeded, match="compares by image"):
        match_query(changed, features_of([Posting("new", None, "kopi")], nothing), changed.rule(None, 0))


def test_a_filled_catalogue_is_clustered() -> None:
    """Though it was empty when it was built."""
    search = after(scored_search([], HASH), hashed(0, 30, 1))
    search = after(search, [Posting("p3", None, image_phash=hashed(31)[0].image_phash)], [])
    by_id = [search.catalogue[row].posting_id for row in search.catalogue.by_id]
    labels = dict(zip(by_id, search.clusters.all(0.9).assignment.labels.tolist(), strict=True))
    assert labels["p0"] == labels["p2"] != labels["p1"] == labels["p3"]
    assert list(Catalogue([]).by_id) == []


POSTINGS = [*hashed(0, 30, 1, 31, 60, None)]
"""By pairs of equal hashes save a bit: p0 and p2, p1 and p3; p4 is alone, and p5 has no hash."""


def search_of(postings: list[Posting]) -> ProbabilitySearch:
    return scored_search(postings, ["hash"])


def with_images(
    postings: list[Posting],
    posting_ids: list[str],
    bits: list[int],
    threshold: float = 0.9,
    errors: list[ImageError | None] | None = None,
) -> Clusters:
    """Cluster postings and images; those that are good have that many bits set in their hashes (see `hashed`)."""
    digests = [bytes([count + 1]) * 32 for count in bits]
    images = Features.of([""] * len(bits), [posting.image_phash for posting in hashed(*bits)], images=digests)
    told = errors if errors is not None else [None] * len(bits)
    return cluster_by_probability(search_of(postings), posting_ids, threshold, images, told)


def named(batch: Clusters, bits: list[int]) -> set[frozenset[str]]:
    """The postings and images of each cluster, images by the bits of their hashes."""
    items = [batch.items(0, len(batch))[place] for place in range(len(batch))]
    names = [item.posting_id or f"{bits[item.image or 0]} bits" for item in items]
    return {frozenset(names[place] for place in members) for members in batch.members}


def listed(batch: Clusters) -> list[set[str]]:
    """The postings of each cluster."""
    return [{str(batch[int(place)].posting_id) for place in members} for members in batch.members]


def test_likely_postings_share_a_cluster() -> None:
    """Others are alone."""
    batch = cluster_by_probability(search_of(POSTINGS), "all", 0.9)
    assert listed(batch) == [{"p0", "p2"}, {"p1", "p3"}]
    assert batch.labels.tolist() == [0, 1, 0, 1, -1, -1]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([BIT_APART, BIT_APART])


def test_some_postings_are_clustered_among_each_other() -> None:
    """An id given twice counts once, and an unknown one has a problem."""
    batch = cluster_by_probability(search_of(POSTINGS), ["p3", "nobody", "p0", "p1", "p3"], 0.9)
    assert [item.posting_id for item in batch.items(0, 9)] == ["p3", "nobody", "p0", "p1"]
    assert [item.cluster for item in batch.items(0, 9)] == [0, None, None, 0]
    assert isinstance(batch[1].problem, PostingNotFound)


def test_all_ids_are_clustered_like_the_catalogue() -> None:
    """With the same cohesion."""
    search = search_of(POSTINGS)
    whole = cluster_by_probability(search, "all", 0.9)
    batch = cluster_by_probability(search, search.catalogue.posting_ids, 0.9)
    assert listed(whole) == listed(batch)
    np.testing.assert_array_equal(whole.cohesion, batch.cohesion)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_catalogue_does_not_matter(seed: int) -> None:
    """Ids break ties."""
    postings = hashed(*np.random.default_rng(9).integers(0, 64, 40).tolist())
    shuffled = [postings[row] for row in np.random.default_rng(seed).permutation(40)]
    expected = listed(cluster_by_probability(search_of(postings), "all", 0.95))
    found = listed(cluster_by_probability(search_of(shuffled), "all", 0.95))
    assert len(expected) > 2
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


def test_a_chain_does_not_hold_together() -> None:
    """Neighbours are alike, the next but one are not."""
    chain = hashed(*range(0, 64, 4))
    batch = cluster_by_probability(search_of(chain), "all", 0.9)
    assert max(map(len, batch.members)) == 2  # neighbours are alike to 60 / 64, the next but one to 56 / 64 < 0.9


def test_no_cluster_above_one() -> None:
    """No probability reaches such a threshold."""
    batch = cluster_by_probability(search_of(POSTINGS), "all", float("inf"))
    assert (listed(batch), set(batch.labels.tolist())) == ([], {-1})


def test_decided_pairs_count_as_sure_in_cohesion() -> None:
    """A verdict is a probability of 1."""
    search = scored_search(hashed(0, 2, 4), ["hash"])  # 62 / 64 next to each other, 60 / 64 at the ends
    said = NO_FEEDBACK.changed([FeedbackChange("p0", "p1", 1, "same")])
    [before] = search.clusters.all(0.9).cohesion
    [after] = replace(search, feedback=said).clusters.all(0.9).cohesion
    assert before == pytest.approx((62 + 62 + 60) / 64 / 3)
    assert after == pytest.approx((64 + 62 + 60) / 64 / 3)


@pytest.mark.parametrize("threshold", [0.9, float("inf")])
def test_same_wins_over_different(threshold: float) -> None:
    """Where verdicts contradict each other."""
    search = scored_search(hashed(0, 30, 60), ["hash"])
    changes = [FeedbackChange("p0", "p1", 1, "same"), FeedbackChange("p1", "p2", 2, "same")]
    said = NO_FEEDBACK.changed([*changes, FeedbackChange("p0", "p2", 3, "different")])
    decided = replace(search, feedback=said)
    assert listed(cluster_by_probability(decided, "all", threshold)) == [{"p0", "p1", "p2"}]
    assert decided.clusters.all(threshold).cohesion.tolist() == pytest.approx([2 / 3])


def test_the_last_four_results_are_kept() -> None:
    """So that pages are cut from one computation."""
    clusters = search_of(POSTINGS).clusters
    first = clusters.all(0.9)
    assert clusters.all(0.9) is first
    for threshold in (0.1, 0.2, 0.3, 0.4):
        clusters.all(threshold)
    assert clusters.all(0.9) is not first


# --- with images -----------------------------------------------------------------------------------------------


def test_images_join_postings_and_each_other() -> None:
    """Each is an item behind the postings."""
    batch = with_images(POSTINGS, ["p0", "p4"], [2, 45, 46, 20])
    assert [(item.posting_id, item.image, item.cluster) for item in batch.items(0, 9)] == [
        ("p0", None, 0),
        ("p4", None, None),
        (None, 0, 0),
        (None, 1, 1),
        (None, 2, 1),
        (None, 3, None),
    ]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([62 / 64, BIT_APART])


def test_other_postings_take_no_part() -> None:
    """Those that are not of the batch."""
    assert with_images(POSTINGS, ["p1"], [0]).members == []
    assert with_images(POSTINGS, [], [0, 30]).members == []


def test_all_postings_and_images_cluster_together() -> None:
    """Images join what they are near to."""
    ids = [posting.posting_id for posting in POSTINGS]
    assert named(with_images(POSTINGS, ids, [2, 62]), [2, 62]) == {
        frozenset({"p0", "p2", "2 bits"}),
        frozenset({"p1", "p3"}),
        frozenset({"p4", "62 bits"}),
    }


def test_no_images_change_nothing() -> None:
    """An empty list of images is none."""
    ids = [posting.posting_id for posting in POSTINGS]
    without = cluster_by_probability(search_of(POSTINGS), ids, 0.9)
    batch = with_images(POSTINGS, ids, [])
    assert batch.items(0, 9) == without.items(0, 9)
    np.testing.assert_array_equal(batch.cohesion, without.cohesion)


def test_bad_items_have_a_problem() -> None:
    """The rest is clustered around them."""
    errors: list[ImageError | None] = [None, ImageCorrupt("bad"), None]
    batch = with_images(POSTINGS, ["nobody", "p1", "p0"], [29, 1], errors=errors)
    problems = [type(item.problem) for item in batch.items(0, 9)]
    assert problems == [PostingNotFound, type(None), type(None), type(None), ImageCorrupt, type(None)]
    assert [item.cluster for item in batch.items(0, 9)] == [None, 0, 1, 0, None, 1]
    assert [members.tolist() for members in batch.members] == [[1, 3], [2, 5]]


def test_the_same_image_twice_is_two_items() -> None:
    """Of one cluster."""
    batch = with_images(POSTINGS, [], [40, 40, 40])
    assert [item.cluster for item in batch.items(0, 9)] == [0, 0, 0]
    assert batch.cohesion is not None
    assert batch.cohesion.tolist() == pytest.approx([1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_batch_does_not_matter(seed: int) -> None:
    """Of postings, ids and images."""
    drawn, order = np.random.default_rng(9), np.random.default_rng(seed)
    postings, bits = hashed(*drawn.integers(0, 64, 40).tolist()), drawn.integers(0, 64, 12).tolist()
    ids = [posting.posting_id for posting in postings[:25]]
    expected = named(with_images(postings, ids, bits, 0.95), bits)
    assert any(len(cluster) > 2 for cluster in expected)
    shuffled, ids, bits = ([part[row] for row in order.permutation(len(part))] for part in (postings, ids, bits))
    assert named(with_images(shuffled, ids, bits, 0.95), bits) == expected


def test_no_image_in_a_cluster_above_one() -> None:
    """No probability reaches such a threshold."""
    batch = with_images(POSTINGS, ["p0"], [0, 0], threshold=float("inf"))
    assert (batch.members, set(batch.labels.tolist())) == ([], {-1})
