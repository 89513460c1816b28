"""The judge of a catalogue that changes, against one that judged all its postings together."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
import pytest

from pricematch.catalogue.features import Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Decision, VerdictChange
from pricematch.catalogue.verdicts import NO_VERDICTS
from pricematch.errors import SignalNeeded
from pricematch.matching.judge import Found, Judge
from pricematch.matching.review import Unsure, review
from pricematch.pairs.retrievers import IMAGE_SPACES
from pricematch.pairs.thresholds import DecisionRule, Thresholds
from tests.support.fakes import tiny_embedded
from tests.support.judged import hashed, tiny_judge

HASH = ("hash",)
DECISIONS: Sequence[Decision | None] = ["same", "different", None]


def after(judge: Judge, put: Sequence[Posting], removed: Sequence[str] = ()) -> Judge:
    """The judge after a change; hashes are the postings' own."""
    nothing = [None] * len(put)
    return judge.changed(judge.catalogue.changed(put, removed), judge.features_of(put, {}, nothing, nothing))


def told(judge: Judge, found: Found) -> list[tuple[str, float]]:
    """Id and probability of each match."""
    ids = [judge.catalogue[row].posting_id for row in found.rows]
    return list(zip(ids, found.probabilities.round(6).tolist(), strict=True))


def matches(judge: Judge, posting_id: str) -> list[tuple[str, float]]:
    return told(judge, judge.of(judge.catalogue.row(posting_id), judge.bar(None, 0)))


def asked(judge: Judge, posting: Posting) -> list[tuple[str, float]]:
    """The same of a posting that is not of the catalogue."""
    features = judge.features_of([posting], {}, [None], [None])
    return told(judge, judge.new(features, judge.bar(None, 0)))


@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_everybody_gets_the_matches_they_get_where_all_are_judged_anew(seed: int) -> None:
    drawn, held = random.Random(seed), dict[str, Posting]()
    first = hashed(*(drawn.randint(0, 64) for _ in range(drawn.choice([0, 8]))))
    held = {posting.posting_id: posting for posting in first}
    judge = tiny_judge(first, HASH)
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
        judge = after(judge, put, removed)
        anew = tiny_judge(drawn.sample(list(held.values()), len(held)), HASH)
        assert len(judge.index) == len(judge.catalogue) == len(held)
        for posting_id in held:
            assert matches(judge, posting_id) == matches(anew, posting_id)
        [stranger] = hashed(drawn.randint(0, 64))
        assert asked(judge, stranger) == asked(anew, stranger)


def test_equally_sure_matches_come_by_their_ids_whenever_they_came() -> None:
    judge = tiny_judge([Posting("m", None, image_phash="0" * 16), Posting("x", None, image_phash="0" * 16)], HASH)
    judge = after(judge, [Posting("z", None, image_phash="0" * 16), Posting("a", None, image_phash="0" * 16)])
    judge = after(judge, [Posting("x", None, image_phash="0" * 16), Posting("c", None, image_phash="0" * 16)])
    assert [name for name, _ in matches(judge, "m")] == ["a", "c", "x", "z"]
    assert [name for name, _ in asked(judge, Posting("new", None, image_phash="0" * 16))] == ["a", "c", "m", "x", "z"]


def test_a_replaced_posting_is_found_at_its_new_title_and_no_longer_at_its_old_one() -> None:
    titles = {"p0": "kopi susu gula aren", "p1": "kopi susu aren", "p2": "teh manis melati", "p3": "teh melati"}
    before = tiny_judge([Posting(name, None, title) for name, title in titles.items()])
    judge = after(before, [Posting("p1", None, "teh manis melati")])
    old, new = Posting("", None, "kopi susu aren"), Posting("", None, "teh manis melati")
    assert {name for name, _ in asked(judge, old)} == {"p0"}
    assert {name for name, value in asked(judge, new) if value > 0.99} == {"p1", "p2"}
    assert matches(judge, "p0") == []
    assert judge.catalogue[judge.catalogue.row("p1")].title == "teh manis melati"
    assert dict(matches(judge, "p2"))["p1"] == pytest.approx(1, abs=1e-5)
    assert dict(asked(before, old))["p1"] == pytest.approx(1, abs=1e-5)  # who holds the catalogue of before sees that
    assert [name for name, _ in matches(before, "p0")] == ["p1"]


def test_matches_that_came_or_are_of_one_that_came_are_explained_by_their_own_titles() -> None:
    judge = tiny_judge([Posting("p0", None, "kopi susu 200 ml"), Posting("p1", None, "kopi hitam", "0" * 16)])
    judge = after(judge, [Posting("p1", None, "kopi susu 1 l"), Posting("p2", None, "kopi susu 200 ml")])
    for posting_id, other in (("p0", "p2"), ("p2", "p0"), ("p1", "p2")):
        found = judge.of(judge.catalogue.row(posting_id), judge.bar(None, 0))
        place = [judge.catalogue[row].posting_id for row in found.rows].index(other)
        [explanation] = judge.explained(found, np.array([place]))
        assert found.title.text == judge.catalogue.posting(posting_id).title
        assert "hash" not in explanation.signals
        assert (explanation.signals["words"] > 0.99) == (posting_id != "p1")


def test_the_probability_of_one_pair_is_told_and_0_where_it_is_no_candidate() -> None:
    judge = after(tiny_judge(hashed(0, 60), HASH), [Posting("p2", None, image_phash=f"{1:016x}")])
    row = judge.catalogue.row
    assert judge.pair(row("p0"), row("p2")).probabilities.tolist() == pytest.approx([63 / 64])
    assert judge.pair(row("p2"), row("p0")).probabilities.tolist() == pytest.approx([63 / 64])
    assert judge.pair(row("p2"), row("p1")).probabilities.tolist() == [0]


def test_verdicts_are_of_ids_and_stay_where_a_posting_is_replaced_and_sleep_where_it_is_gone() -> None:
    changes = [VerdictChange("p0", "p2", 1, "same"), VerdictChange("p0", "p1", 2, "different")]
    said = NO_VERDICTS.changed(changes)
    judge = replace(tiny_judge(hashed(0, 0, 60), HASH), verdicts=said)
    assert matches(judge, "p0") == [("p2", 1)]
    replaced = after(judge, [Posting("p2", None, image_phash="f" * 16), Posting("p1", None, image_phash="0" * 16)])
    assert matches(replaced, "p0") == [("p2", 1)]
    assert matches(after(replaced, [], ["p2"]), "p0") == []


@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_and_verdicts_clusters_and_pairs_to_review_are_those_of_all_judged_anew(seed: int) -> None:
    drawn, verdicts = random.Random(seed), NO_VERDICTS
    names, judge, held = [f"p{number}" for number in range(18)], tiny_judge([], HASH), dict[str, Posting]()
    for revision in range(8):
        hashes = hashed(*(drawn.randint(0, 64) for _ in range(5)))
        put = [replace(it, posting_id=name) for it, name in zip(hashes, drawn.sample(names, 5), strict=True)]
        removed = [name for name in drawn.sample(names, 2) if name not in {posting.posting_id for posting in put}]
        held = {name: posting for name, posting in held.items() if name not in removed}
        held |= {posting.posting_id: posting for posting in put}
        first, second = sorted(drawn.sample(names, 2))
        said = drawn.choice(DECISIONS)
        verdicts = verdicts.changed([VerdictChange(first, second, revision, said)])
        judge = replace(after(judge, put, removed), verdicts=verdicts)
        anew = replace(tiny_judge(drawn.sample(list(held.values()), len(held)), HASH), verdicts=verdicts)
        for threshold in (0.8, 0.9, float("inf")):
            assert clusters(judge, threshold) == clusters(anew, threshold)
            bar = DecisionRule(None, Thresholds(threshold, threshold))
            assert [asked_of(it) for it in review(judge, bar, 9)] == [asked_of(it) for it in review(anew, bar, 9)]


def clusters(judge: Judge, threshold: float) -> set[frozenset[str]]:
    """The postings of each cluster."""
    labels = judge.clusters.all(threshold).assignment.labels
    ids = [judge.catalogue[row].posting_id for row in judge.catalogue.by_id]
    return {frozenset(compress(ids, (labels == label).tolist())) for label in range(labels.max(initial=-1) + 1)}


def asked_of(pair: Unsure) -> tuple[str, str, float]:
    return pair.first, pair.second, round(pair.probability, 6)


def test_the_bar_is_that_of_how_many_postings_there_are_now() -> None:
    judge = tiny_judge(hashed(0, 0), HASH)
    assert judge.bar(None, None) == after(judge, [], ["p0", "p1"]).bar(None, None)
    assert len(after(after(judge, [], ["p0"]), hashed(0)).index) == 2


def test_pictures_that_come_are_compared_by_their_embeddings_and_without_one_by_nothing() -> None:
    embedded, signals = tiny_embedded(["#ff0000", "#00ff00"]), ("image",)
    judge = tiny_judge(list(embedded.catalogue), signals, dict.fromkeys(IMAGE_SPACES, embedded.embeddings))
    put = [Posting("red", "red.png"), Posting("bare", None)]
    vectors = np.concatenate([embedded.embeddings[:1], np.zeros((1, 4), np.float32)])
    features = judge.features_of(put, {"image": vectors}, [None, None], [None, None])
    assert not features.embeddings["colours"].any()
    changed = judge.changed(judge.catalogue.changed(put, []), features)
    [(first, probability), *_] = matches(changed, "red")
    assert first == "p0"
    assert probability == pytest.approx(1)
    assert matches(changed, "bare") == []
    with pytest.raises(SignalNeeded, match="judges by image"):
        asked(changed, Posting("new", None, "kopi"))


def test_a_hash_of_its_own_goes_before_that_of_its_picture() -> None:
    judge = tiny_judge(hashed(0), HASH)
    put = [Posting("own", None, image_phash="f" * 16), Posting("computed", None)]
    found = judge.features_of(put, {}, ["0" * 16, "1" * 16], [None, None]).hashes
    expected = Features.of(["", ""], ["f" * 16, "1" * 16]).hashes
    np.testing.assert_array_equal(found.values, expected.values)


def test_an_empty_catalogue_that_is_filled_clusters_what_came() -> None:
    judge = after(tiny_judge([], HASH), hashed(0, 30, 1))
    judge = after(judge, [Posting("p3", None, image_phash=hashed(31)[0].image_phash)], [])
    by_id = [judge.catalogue[row].posting_id for row in judge.catalogue.by_id]
    labels = dict(zip(by_id, judge.clusters.all(0.9).assignment.labels.tolist(), strict=True))
    assert labels["p0"] == labels["p2"] != labels["p1"] == labels["p3"]
    assert list(Catalogue([]).by_id) == []
