"""Labelled catalogues: feedback that changes label groups, and the groups that a matcher has not seen."""

import csv
import json
import logging
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError, SettingsError
from pricematch.evaluation.labelled import labels_of, load_feedback, unseen
from pricematch.evaluation.matcher_evaluation import candidates_of, scored_pairs
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.evaluation.signal_evaluation import sizes_below
from pricematch.evaluation.splits import group_digest, training_groups, whole_groups
from pricematch.formats.csv_files import read_csv
from pricematch.formats.manifest import Origin, TrainedOn
from pricematch.formats.matcher_files import LoadedMatcher, read_matcher
from pricematch.formats.posting_rows import RowLimits
from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
from pricematch.pairs.model import ScoredPairs
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, Target
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.catalogues import METADATA_LIMITS, features_of, groups_of, labelled_postings, write_catalogue
from tests.support.cli import Ran, Run
from tests.support.networks import export

FIVE = [Posting(f"p{row}", f"p{row}.png", f"title {row}", label_group=group) for row, group in enumerate("xxyyz")]


def test_feedback_of_file_and_store_mends_labels_alike(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pricematch")
    write_catalogue(tmp_path / "catalogue.csv", FIVE)
    content = read_csv(tmp_path / "catalogue.csv", RowLimits(100, 1000, METADATA_LIMITS))
    (tmp_path / "verdicts.csv").write_text(
        "posting_id,other_posting_id,verdict\np1,p2,same\np0,p3,different\np4,gone,same\n"
    )
    with closing(open_store(tmp_path / "data")) as store:
        store.feedback.decide("p2", "p1", "same")
        store.feedback.decide("p0", "p3", "different")
        store.feedback.decide("p4", "gone", "same")
    found = [labels_of(Settings(), content, tmp_path / name) for name in ("verdicts.csv", "data")]
    assert found[0] == found[1]
    assert found[0][1] == found[0][2]
    assert found[0][0] != found[0][3]
    assert "2 verdicts of" in caplog.text
    assert labels_of(Settings(), content, None) == list("xxyyz")


def test_contradictions_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_catalogue(tmp_path / "catalogue.csv", FIVE)
    content = read_csv(tmp_path / "catalogue.csv", RowLimits(100, 1000, METADATA_LIMITS))
    rows = "p0,p1,same\np1,p2,same\np0,p2,different\n"
    (tmp_path / "verdicts.csv").write_text(f"posting_id,other_posting_id,verdict\n{rows}")
    labels_of(Settings(), content, tmp_path / "verdicts.csv")
    assert "p0 and p2 are different, and the same by p0 = p1 = p2" in caplog.text


def test_a_folder_that_holds_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no store in"):
        load_feedback(Settings(), tmp_path)


POSTINGS = labelled_postings(300)
FEATURES = features_of(POSTINGS).features
LABELS = groups_of(POSTINGS)
UNSEEN = ~training_groups(LABELS, 0.5, 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled catalogue, and a matcher that half of its groups taught."""
    folder = tmp_path_factory.mktemp("trained")
    write_catalogue(folder / "train.csv", POSTINGS)
    settings = Settings(catalogue=folder / "train.csv", models=folder / "models")
    train_matcher(settings, TrainMatcherOptions(("hash", "title"), 0.5, 0, None, force=True), lambda *_: None)
    return folder


def evaluated(folder: Path) -> ScoredPairs:
    return scored_pairs(ParsedFeatures.of(FEATURES), read_matcher(folder / "models").model)


def evaluate(run: Run, folder: Path, output: Path, *options: str) -> Ran:
    paths = ["--catalogue", str(folder / "train.csv"), "--models", str(folder / "models"), "--output", str(output)]
    return run("evaluate", *paths, "--matcher", "auto", *options)


def test_a_matcher_is_evaluated_on_groups_it_has_not_seen(run: Run, trained: Path, tmp_path: Path) -> None:
    """Next to the signals on the same groups."""
    ran = evaluate(run, trained, tmp_path)
    assert ran.code == 0, ran.err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["matcher"]
    thresholds = read_matcher(trained / "models").thresholds.at(F1, len(POSTINGS))
    lists = thresholds.lists(candidates_of(evaluated(trained), len(POSTINGS)))
    expected = scores(lists, number_groups(LABELS)).of(UNSEEN)
    assert report["judged_postings"] == UNSEEN.sum()
    assert report["f1"] == pytest.approx(expected.mean_f1)
    assert report["precision"] == pytest.approx(expected.mean_precision)
    assert set(report["signals_on_the_same"]) == {"hash", "title", "together"}
    assert report["f1"] > report["signals_on_the_same"]["together"]["f1"]
    assert f"{report['f1']:.4f}" in ran.out
    *_, whole = report["by_catalogue_size"]
    assert (whole["postings"], whole["judged"]) == (len(POSTINGS), UNSEEN.sum())
    assert whole["f1"] == whole["f1_fixed"] == report["f1"]
    for name, answers in whole["targets"].items():
        assert answers["stored"] == answers["fixed"] == report["targets"][name]
    assert "target precision:0.95, by the size of the catalogue" in ran.out
    assert "matcher/1 beside the signals" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_figures_of_targets_are_those_of_the_answered_pairs(run: Run, trained: Path, tmp_path: Path) -> None:
    assert evaluate(run, trained, tmp_path).code == 0
    targets = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["matcher"]["targets"]
    stored, candidates = read_matcher(trained / "models").thresholds, candidates_of(evaluated(trained), len(POSTINGS))
    groups = number_groups(LABELS)
    for name, found in targets.items():
        threshold = stored.at(Target.parse(name), len(POSTINGS)).match
        answered = [
            (line, row)
            for line in np.flatnonzero(UNSEEN)
            for row, probability in zip(candidates.rows[line], candidates.similarities[line], strict=True)
            if probability >= threshold
        ]
        right = [groups[line] == groups[row] for line, row in answered]
        if name != "f1":  # whose postings left alone take another threshold
            assert found["precision"] == pytest.approx(np.mean(right) if right else 1.0)


def test_a_matcher_that_knows_every_group_is_not_evaluated(run: Run, trained: Path, tmp_path: Path) -> None:
    seen = [posting for posting, unseen in zip(POSTINGS, UNSEEN, strict=True) if not unseen]
    write_catalogue(tmp_path / "train.csv", seen)
    shutil.copytree(trained / "models", tmp_path / "models")
    ran = evaluate(run, tmp_path, tmp_path / "new")
    assert ran.code == 1
    assert "matcher/1 was trained on every label group" in ran.one_line()
    assert not (tmp_path / "new" / "report.json").exists()


def test_a_trained_catalogue_is_known_under_other_labels(run: Run, trained: Path, tmp_path: Path) -> None:
    """All of its trained groups are renamed: none is evaluated; fault F11."""
    seen = [posting for posting, unseen in zip(POSTINGS, UNSEEN, strict=True) if not unseen]
    write_catalogue(tmp_path / "train.csv", [replace(it, label_group=f"new {it.label_group}") for it in seen])
    shutil.copytree(trained / "models", tmp_path / "models")
    ran = evaluate(run, tmp_path, tmp_path / "new")
    assert ran.code == 1
    assert "matcher/1 was trained on every label group" in ran.one_line()


def test_another_catalogue_with_equal_labels_is_evaluated(trained: Path) -> None:
    """Ids and label groups are the same, titles and hashes are others; fault F11."""
    others = labelled_postings(300, seed=1)
    labels = [LABELS[row] for row in range(300)]
    settings = Settings(models=trained / "models", catalogue=trained / "train.csv")
    assert unseen(settings, read_matcher(trained / "models"), others, labels).all()
    assert np.array_equal(unseen(settings, read_matcher(trained / "models"), POSTINGS, LABELS), UNSEEN)


def test_a_matcher_of_an_earlier_version_is_warned_of(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It knows its label groups by name only; fault F11."""
    unseen(*learned_from(trained, tmp_path, "a", None), POSTINGS[:2], ["a", "b"])
    assert "matcher/1 was trained by an earlier version, which kept the names of its label groups only" in caplog.text


def taught_by(*labels: str) -> TrainedOn:
    return TrainedOn(share=1, seed=0, groups=tuple(sorted(map(group_digest, labels))))


def learned_from(trained: Path, models: Path, matcher: str, encoder: str | None) -> tuple[Settings, LoadedMatcher]:
    """A matcher taught by the groups that a text names by a letter, as is its encoder; None: by none."""
    export(models, "cnn", "3", trained_on=None if encoder is None else taught_by(*encoder))
    origin = Origin(name="cnn", version="3", weights_digest="weights of cnn 3")
    loaded = read_matcher(trained / "models")
    manifest = loaded.manifest.model_copy(update={"encoder": origin, "trained_on": taught_by(*matcher)})
    return Settings(models=models, catalogue=models / "train.csv"), replace(loaded, manifest=manifest)


@pytest.mark.parametrize(
    ("matcher", "encoder", "expected"),
    [
        ("", None, "abca"),
        ("a", None, "bc"),
        ("", "a", "bc"),
        ("b", "c", "aa"),
        ("bx", "bc", "aa"),
        ("xyz", "v", "abca"),
    ],
)
def test_groups_unseen_by_matcher_and_encoder_are_evaluated(
    trained: Path, tmp_path: Path, matcher: str, encoder: str | None, expected: str
) -> None:
    labels = ["a", "b", "c", "a"]
    found = unseen(*learned_from(trained, tmp_path, matcher, encoder), POSTINGS[:4], labels)
    assert [label for label, evaluated in zip(labels, found, strict=True) if evaluated] == list(expected)


@pytest.mark.parametrize("encoder", [None, "d", "ab"])
def test_a_matcher_that_saw_all_groups_needs_a_smaller_share(
    trained: Path, tmp_path: Path, encoder: str | None
) -> None:
    with pytest.raises(CatalogueError) as refused:
        unseen(*learned_from(trained, tmp_path, "abc", encoder), POSTINGS[:3], ["a", "b", "c"])
    reported = str(refused.value)
    assert reported.startswith(f"{tmp_path / 'train.csv'}: matcher/1 was trained on every label group of it")
    assert "`pricematch train matcher --train-share 0.5`" in reported
    assert "encoder" not in reported


@pytest.mark.parametrize(("matcher", "encoder"), [("ab", "c"), ("", "abc"), ("a", "bcx")])
def test_an_encoder_that_saw_the_rest_needs_smaller_shares(
    trained: Path, tmp_path: Path, matcher: str, encoder: str
) -> None:
    with pytest.raises(CatalogueError) as refused:
        unseen(*learned_from(trained, tmp_path, matcher, encoder), POSTINGS[:3], ["a", "b", "c"])
    reported = str(refused.value)
    assert "matcher/1 and its encoder cnn/3 were trained on every label group of it" in reported
    assert "`pricematch train encoder --recipe cnn --train-share 0.3`" in reported
    assert "`pricematch train matcher --train-share 0.5`" in reported


def test_a_single_group_is_evaluated_in_the_catalogues_that_hold_it(run: Run, trained: Path, tmp_path: Path) -> None:
    taught = [posting for posting, new in zip(POSTINGS, UNSEEN, strict=True) if not new]
    [size] = sizes_below(len(taught) + 7)
    for label in dict.fromkeys(np.array(LABELS)[UNSEEN].tolist()):
        group = [posting for posting in POSTINGS if posting.label_group == label]
        postings = sorted([*taught, *group], key=lambda posting: posting.posting_id)  # as matchers have them
        part = whole_groups(number_groups(groups_of(postings)), size, 0)
        if label not in {postings[row].label_group for row in part}:
            break
    write_catalogue(tmp_path / "train.csv", postings)
    shutil.copytree(trained / "models", tmp_path / "models")
    ran = evaluate(run, tmp_path, tmp_path / "new")
    assert ran.code == 0, ran.err
    report = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))["matcher"]
    assert (report["judged_postings"], report["judged_groups"]) == (len(group), 1)
    assert report["f1_interval"]["low"] == pytest.approx(report["f1"]) == report["f1_interval"]["high"]
    assert [point["postings"] for point in report["by_catalogue_size"]] == [len(postings)]


def test_on_another_catalogue_everything_is_evaluated(run: Run, trained: Path, tmp_path: Path) -> None:
    others = [posting for posting, unseen in zip(POSTINGS, UNSEEN, strict=True) if unseen]
    write_catalogue(tmp_path / "train.csv", others)
    shutil.copytree(trained / "models", tmp_path / "models")
    assert evaluate(run, tmp_path, tmp_path / "new").code == 0
    report = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert report["matcher"]["judged_postings"] == len(others)


@pytest.mark.parametrize(
    ("version", "code", "reported"),
    [
        ("7", 1, "expected a version of the matcher among 1, got 7"),
        ("best", 2, "expected auto, default or the whole number"),
    ],
)
def test_another_matcher_than_there_is_cannot_be_requested(
    run: Run, trained: Path, tmp_path: Path, version: str, code: int, reported: str
) -> None:
    ran = run("evaluate", "--catalogue", str(trained / "train.csv"), "--models", str(trained / "models"),
              "--output", str(tmp_path), "--matcher", version)  # fmt: skip
    assert ran.code == code
    assert reported in ran.one_line()


@pytest.mark.parametrize("target", ["f1", "precision:0.95"])
def test_a_submission_holds_what_the_matcher_finds(run: Run, trained: Path, tmp_path: Path, target: str) -> None:
    output = tmp_path / "submission.csv"
    ran = run("submit", "--catalogue", str(trained / "train.csv"), "--models", str(trained / "models"),
              "--matcher", "1", "--target", target, "--output", str(output))  # fmt: skip
    assert ran.code == 0, ran.err
    thresholds = read_matcher(trained / "models").thresholds.at(Target.parse(target), len(POSTINGS))
    candidates = candidates_of(evaluated(trained), len(POSTINGS))
    lists = thresholds.lists(candidates)
    with output.open(encoding="utf-8", newline="") as file:
        written = [line["matches"].split(" ") for line in csv.DictReader(file)]
    for line, posting in enumerate(POSTINGS):
        probabilities = dict(zip(candidates.rows[line].tolist(), candidates.similarities[line].tolist(), strict=True))
        others = [(-probabilities[row], POSTINGS[row].posting_id) for row in lists[line] if row != line]
        assert written[line] == [posting.posting_id, *(name for _, name in sorted(others))]
    assert f"matcher/1, {target}" in ran.out


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--target", "precision:0.5"], "--target: no thresholds for precision:0.50"),
        (["--target", "best"], "--target: expected f1"),
        (["--threshold", "hash=8"], "expected --matcher with --target alone"),
        (["--method", "dbscan", "--eps", "0.1"], "expected --matcher with --target alone"),
    ],
)
def test_what_a_matcher_cannot_answer_is_reported(
    run: Run, trained: Path, tmp_path: Path, options: list[str], reported: str
) -> None:
    ran = run("submit", "--catalogue", str(trained / "train.csv"), "--models", str(trained / "models"),
              "--matcher", "auto", "--output", str(tmp_path / "s.csv"), *options)  # fmt: skip
    assert ran.code == 2
    assert reported in ran.one_line()


def test_the_groups_that_taught_are_named_by_digest_only(trained: Path) -> None:
    manifest = read_matcher(trained / "models").manifest
    assert set(manifest.trained_on.groups) == {
        group_digest(label) for label, unseen in zip(LABELS, UNSEEN, strict=True) if not unseen
    }
    assert not any(label in (trained / "models/matcher/1/manifest.json").read_text() for label in set(LABELS))


def test_others_may_read_what_was_written(trained: Path) -> None:
    assert (trained / "models/matcher/1").stat().st_mode & 0o777 == 0o755
