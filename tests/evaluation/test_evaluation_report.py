"""Reports of evaluations: what stands in them, and the thresholds taken from them."""

from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.evaluation_report import POINTS, read_thresholds
from pricematch.evaluation.signal_evaluation import Evaluation
from pricematch.evaluation.signals import shown
from tests.support.labelled import groups_of, hash_lists, naive_means
from tests.support.written_report import POSTINGS, evaluated, written


@pytest.fixture
def both() -> Evaluation:
    return evaluated(POSTINGS, "hash", "title")


def test_the_held_out_figures_stand_on_top_and_those_of_each_signal_under_its_name(
    both: Evaluation, tmp_path: Path
) -> None:
    report = written(tmp_path / "report.json", both, POSTINGS)
    assert report["catalogue"] == "folder/catalogue.csv"
    assert report["signals"] == ["hash", "title"]
    for section, measured in (
        (report, both.together),
        (report["hash"], both.alone["hash"]),
        (report["title"], both.alone["title"]),
    ):
        assert section["postings"] == 120
        assert section["groups"] == len(set(groups_of(POSTINGS)))
        assert section["f1"] == measured.scores.mean_f1
        assert section["precision"] == measured.scores.mean_precision
        assert section["recall"] == measured.scores.mean_recall
        means = {"precision": section["precision"], "recall": section["recall"]}
        assert section["b_cubed"] == {"f1": measured.scores.b_cubed_f1, **means}
        pairwise = measured.pairwise
        assert section["pairwise"] == {
            "f1": pairwise.f1,
            "precision": pairwise.precision,
            "recall": pairwise.recall,
        }
        assert (section["f1_interval"]["low"], section["f1_interval"]["high"]) == measured.interval
        assert section["recall_at_k"] == {str(k): value for k, value in measured.recall_at_k.items()}
        assert section["map_at_k"] == {str(k): value for k, value in measured.map_at_k.items()}
        assert [fold["postings"] for fold in section["folds"]] == [fold.postings for fold in measured.folds]
        assert section["f1"] == pytest.approx(
            sum(fold["f1"] * fold["postings"] for fold in section["folds"]) / 120, abs=1e-12
        )
    assert (report["hash"]["signals"], report["title"]["signals"]) == (["hash"], ["title"])


def test_thresholds_are_bits_at_most_and_cosines_at_least_and_an_object_of_several_signals(
    both: Evaluation, tmp_path: Path
) -> None:
    report = written(tmp_path / "report.json", both, POSTINGS)
    assert report["threshold"] == {name: shown(name, value) for name, value in both.together.thresholds.items()}
    assert report["hash"]["measure"] == "Hamming distance in bits, at most"
    assert report["hash"]["threshold"] == round(64 * (1 - both.alone["hash"].thresholds["hash"]))
    assert isinstance(report["hash"]["threshold"], int)
    assert report["title"]["measure"] == "cosine similarity, at least"
    assert report["title"]["threshold"] == both.alone["title"].thresholds["title"]
    alone = evaluated(POSTINGS, "title")
    assert written(tmp_path / "title.json", alone, POSTINGS)["threshold"] == alone.together.thresholds["title"]


def test_curves_hold_every_hamming_distance_and_no_more_than_200_points(both: Evaluation, tmp_path: Path) -> None:
    report = written(tmp_path / "report.json", both, POSTINGS)
    assert [point["threshold"] for point in report["hash"]["curve"]] == list(range(17))
    for bits, point in enumerate(report["hash"]["curve"]):
        expected = naive_means(hash_lists(POSTINGS, bits), groups_of(POSTINGS))
        assert (point["f1"], point["precision"], point["recall"]) == pytest.approx(expected, abs=1e-12)
    curve = report["title"]["curve"]
    assert 100 < len(curve) <= POINTS
    assert [point["threshold"] for point in curve] == sorted((point["threshold"] for point in curve), reverse=True)


def test_groups_and_mistakes_are_named_by_their_posting_ids(both: Evaluation, tmp_path: Path) -> None:
    report = written(tmp_path / "report.json", both, POSTINGS)
    by_id = {posting.posting_id: posting for posting in POSTINGS}
    assert len(report["worst_groups"]) == len(report["mistakes"]) == 10
    for group in report["worst_groups"]:
        members = [posting.posting_id for posting in POSTINGS if posting.label_group == group["label_group"]]
        assert group["posting_ids"] == members
    for mistake in report["mistakes"]:
        first, second = (by_id[name] for name in mistake["posting_ids"])
        assert mistake["label_groups"] == [first.label_group, second.label_group]
        assert first.label_group != second.label_group
        assert mistake["titles"] == [first.title, second.title]
        assert set(mistake["similarity"]) <= {"hash", "title"}
    assert sum(part["postings"] for part in report["by_group_size"]) == 120
    assert report["by_catalogue_size"][-1]["threshold"] == report["threshold"]


def test_nothing_is_infinite_even_if_no_pair_is_ever_right(tmp_path: Path) -> None:
    postings = [Posting(f"p{row}", None, "tas", "0" * 16, f"group {row}") for row in range(9)]
    found = evaluated(postings, "hash", "title")
    report = written(tmp_path / "report.json", found, postings)
    assert report["threshold"] == {"hash": None, "title": None}
    assert (report["f1"], report["hash"]["f1"], report["hash"]["threshold"]) == (1, 1, None)
    assert read_thresholds(tmp_path / "report.json", ["hash", "title"]) == {"hash": np.inf, "title": np.inf}
    lonely = [Posting(f"p{row}", None, f"word{'abcdefghi'[row]}", None, f"group {row}") for row in range(9)]
    assert written(tmp_path / "none.json", evaluated(lonely, "hash", "title"), lonely)["title"]["curve"] == []
