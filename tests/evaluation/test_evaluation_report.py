"""Reports of evaluations: what stands in them, and the thresholds taken from them."""

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.errors import SettingsError
from pricematch.evaluation.evaluation_report import (
    POINTS,
    REPORT_VERSION,
    read_signals,
    read_thresholds,
    report_of,
    write_report,
)
from pricematch.evaluation.metrics import number_groups
from pricematch.evaluation.signal_evaluation import Evaluation, evaluate
from pricematch.evaluation.signals import shown
from tests.support.catalogues import features_of, groups_of, hash_lists, labelled_postings, naive_means

POSTINGS = labelled_postings(120)


def evaluated(postings: list[Posting], *names: str) -> Evaluation:
    return evaluate(features_of(postings), names, number_groups(groups_of(postings)), 3, 7, lambda *_: None)


def written(path: Path, evaluation: Evaluation, postings: list[Posting]) -> Any:
    """The report's JSON, strictly."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    write_report(path, report_of(evaluation, postings, Path("folder/catalogue.csv"), 7))
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def both() -> Evaluation:
    return evaluated(POSTINGS, "hash", "title")


def test_held_out_figures_stand_on_top(both: Evaluation, tmp_path: Path) -> None:
    """Those of each signal are below its name."""
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


def test_thresholds_are_written_by_kind_of_signal(both: Evaluation, tmp_path: Path) -> None:
    """Bits at most, cosines at least, and an object for several signals."""
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


def test_thresholds_are_read_of_all_signals_or_one(both: Evaluation, tmp_path: Path) -> None:
    """All signals have those picked together, one signal those of it alone."""
    path = tmp_path / "report.json"
    written(path, both, POSTINGS)
    assert read_signals(path) == ["hash", "title"]
    assert read_thresholds(path, ["title", "hash"]) == both.together.thresholds
    assert read_thresholds(path, ["hash"]) == both.alone["hash"].thresholds
    assert read_thresholds(path, ["title"]) == both.alone["title"].thresholds
    alone = evaluated(POSTINGS, "hash")
    written(path, alone, POSTINGS)
    assert read_thresholds(path, ["hash"]) == alone.together.thresholds


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (["image"], "evaluates hash,title; `pricematch evaluate --signals image` picks thresholds for image"),
        (["hash", "image"], "`pricematch evaluate --signals hash,image` picks thresholds for hash,image"),
        (["hash", "title", "image"], "`pricematch evaluate --signals hash,title,image` picks"),
    ],
)
def test_thresholds_that_were_not_picked_for_these_signals_are_refused(
    both: Evaluation, tmp_path: Path, wanted: list[str], reason: str
) -> None:
    written(tmp_path / "report.json", both, POSTINGS)
    with pytest.raises(SettingsError, match=reason):
        read_thresholds(tmp_path / "report.json", wanted)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the whole file: Invalid JSON"),
        ("[]", "the whole file: Input should be an object"),
        ("{}", "signals: Field required"),
        ('{"signals": ["smell"], "threshold": 1}', "signals.0: Input should be 'hash', 'title' or 'image'"),
        ('{"signals": ["title"], "threshold": 1, "title": {"threshold": "1"}}', "title.threshold: Input should be"),
        ('{"signals": ["title"], "threshold": 1, "title": {"threshold": NaN}}', "title.threshold: Input should be"),
        ('{"signals": ["title"], "threshold": 1, "title": {"threshold": 1.5}}', "threshold: expected a cosine in −1…1"),
        ('{"signals": ["title"], "threshold": 1, "title": {}}', "title.threshold: Field required"),
        ('{"signals": ["title", "hash"], "threshold": {"hash": 3}}', "threshold: expected one for title, got none"),
        ('{"signals": ["title", "hash"], "threshold": 0.5}', "threshold: expected one for title, got none"),
        ('{"signals": ["title", "hash"], "threshold": {"hash": 3.5, "title": 1}}', "a whole number of bits in 0…16"),
    ],
)
def test_a_file_that_is_no_report_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_thresholds(path, ["title", "hash"] if '"hash"]' in text else ["title"])
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


def test_a_missing_report_is_named_with_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No such file or directory.*`pricematch evaluate` writes one"):
        read_thresholds(tmp_path / "report.json", ["hash"])


def test_reports_of_version_1_are_read(both: Evaluation, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A report without a version gives its thresholds, with a warning where titles are among the signals."""
    path = tmp_path / "report.json"
    report = written(path, both, POSTINGS)
    assert report.pop("version") == REPORT_VERSION
    path.write_text(json.dumps(report), encoding="utf-8")
    assert read_thresholds(path, ["hash"]) == both.alone["hash"].thresholds
    assert not caplog.records
    assert read_thresholds(path, ["hash", "title"]) == both.together.thresholds
    assert "was written by an earlier version" in caplog.text


@pytest.mark.parametrize("version", [0, REPORT_VERSION + 1])
def test_reports_of_unknown_versions_are_refused(tmp_path: Path, version: int) -> None:
    """A version that this program does not know is refused, whatever else the file says."""
    path = tmp_path / "report.json"
    path.write_text(f'{{"version": {version}, "signals": ["hash"], "threshold": 8}}', encoding="utf-8")
    with pytest.raises(SettingsError, match=f"version: expected 1 to {REPORT_VERSION}, got {version}"):
        read_signals(path)
