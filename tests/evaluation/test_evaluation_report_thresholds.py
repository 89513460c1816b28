"""The thresholds that are taken from reports of evaluations."""

import json
from pathlib import Path

import pytest

from pricematch.errors import SettingsError
from pricematch.evaluation.evaluation_report import REPORT_VERSION, read_signals, read_thresholds
from pricematch.evaluation.signal_evaluation import Evaluation
from tests.support.written_report import POSTINGS, evaluated, written


@pytest.fixture
def both() -> Evaluation:
    return evaluated(POSTINGS, "hash", "title")


def test_thresholds_of_all_its_signals_are_those_picked_together_and_of_one_those_of_it_alone(
    both: Evaluation, tmp_path: Path
) -> None:
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


def test_a_report_that_is_not_there_is_told_with_how_to_get_one(tmp_path: Path) -> None:
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
