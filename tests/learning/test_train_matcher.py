"""`pricematch train matcher`: what it writes, says and refuses."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.errors import ArtefactExists
from pricematch.evaluation.splits import group_digest
from pricematch.formats import matcher_files
from pricematch.formats.manifest import TrainedOn
from pricematch.formats.matcher_files import read_matcher
from pricematch.learning.comparison import Comparison
from pricematch.learning.train_matcher import (
    STAGED,
    TrainMatcherOptions,
    train_matcher,
    training_postings,
)
from pricematch.settings import Settings
from tests.support.catalogues import labelled_postings, mislabelled, write_catalogue, write_verdicts
from tests.support.cli import Ran, Run
from tests.support.networks import PIXELS_TENSOR, export

POSTINGS = labelled_postings(120)


def train(run: Run, folder: Path, *options: str) -> Ran:
    """A training that writes what it has learned, however good that is."""
    catalogue = ["--catalogue", str(folder / "train.csv")]
    return run("train", "matcher", *catalogue, "--models", str(folder / "m"), "--force", *options)


def test_a_matcher_is_written_with_its_figures_in_a_table(run: Run, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    ran = train(run, tmp_path, "--signals", "hash,title", "--train-share", "0.7")
    assert ran.code == 0, ran.err
    manifest = read_matcher(tmp_path / "m").manifest
    assert manifest.signals == ("hash", "title")
    assert 0 < len(manifest.trained_on.groups) < len({posting.label_group for posting in POSTINGS})
    assert f"{manifest.counts['postings']} postings, {manifest.counts['groups']} label groups" in ran.out
    assert f"{manifest.held_out[0]['f1']:.3f}" in ran.out
    assert "Comparing postings" in ran.err
    assert "Learning" in ran.err
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["matcher"]


def test_what_is_no_better_than_the_default_is_not_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says what was compared, and that is no error; `--force` writes it all the same."""
    monkeypatch.setattr(Comparison, "better", property(lambda _: False))
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    options = ["--catalogue", str(tmp_path / "train.csv"), "--models", str(tmp_path / "m"), "--signals", "hash"]
    ran = run("train", "matcher", *options)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("not written, the default matcher stays: mean F1 on ")
    assert "by the default matcher" in ran.out
    assert "by the signal hash alone" in ran.out
    assert not (tmp_path / "m" / "matcher").exists()
    assert run("train", "matcher", *options, "--force").code == 0
    assert set(read_matcher(tmp_path / "m").manifest.compared) == {"learned", "default", "hash"}


def test_the_same_seed_writes_the_same_trees(run: Run, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    for options in (["--signals", "hash"], ["--signals", "hash"], ["--signals", "hash", "--version", "9"]):
        assert train(run, tmp_path, *options).code == 0
    first, second, ninth = (read_matcher(tmp_path / "m", version).manifest for version in ("1", "2", "9"))
    assert first.files == second.files == ninth.files
    ran = train(run, tmp_path, "--version", "2")
    assert ran.code == 1
    assert "versions are never overwritten" in ran.one_line()


def test_without_label_groups_there_is_nothing_to_learn(run: Run, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "train.csv", [replace(posting, label_group=None) for posting in POSTINGS])
    ran = train(run, tmp_path)
    assert ran.code == 1
    assert "expected at least 4 label groups to learn from, got 0 of 0" in ran.one_line()
    assert not (tmp_path / "m").exists()


def test_nothing_is_learned_from_rounded_labels(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As if those postings had no label; their count is told (fault C12)."""
    groups = {str(posting.label_group) for posting in POSTINGS}
    damaged = sorted(groups)[: len(groups) // 3]
    for rounded in ("2.49115E+11", None):
        postings = [replace(it, label_group=rounded) if it.label_group in damaged else it for it in POSTINGS]
        write_catalogue(tmp_path / "train.csv", postings)
        assert train(run, tmp_path, "--signals", "hash").code == 0
    first, second = (read_matcher(tmp_path / "m", version).manifest for version in "12")
    assert first.files == second.files
    assert first.trained_on == second.trained_on
    count = sum(it.label_group in damaged for it in POSTINGS)
    assert caplog.text.count(f"nothing is learned from the rounded labels of {count} postings") == 1


def test_too_few_label_groups_are_counted(run: Run, tmp_path: Path) -> None:
    few = [replace(posting, label_group=str(row % 3)) for row, posting in enumerate(POSTINGS[:30])]
    write_catalogue(tmp_path / "train.csv", few)
    ran = train(run, tmp_path)
    assert ran.code == 1
    assert "expected at least 4 label groups to learn from, got 3 of 3" in ran.one_line()


def beside_encoder(run: Run, folder: Path, groups: str, seen: list[str]) -> Ran:
    """Training on label groups named by a letter, beside an encoder that was trained on some."""
    postings = [replace(it, label_group=groups[row % len(groups)]) for row, it in enumerate(POSTINGS)]
    write_catalogue(folder / "train.csv", postings)
    trained_on = TrainedOn(share=1, seed=0, groups=tuple(sorted(map(group_digest, seen))))
    export(folder / "m", "cnn", "1", input=PIXELS_TENSOR, trained_on=trained_on)
    return train(run, folder, "--signals", "hash,image", "--images", str(folder), "--encoder", "cnn")


def test_an_encoder_that_saw_too_much_needs_a_smaller_share(run: Run, tmp_path: Path) -> None:
    ran = beside_encoder(run, tmp_path, "abcde", ["a", "c", "of another catalogue"])
    assert ran.code == 1
    reported = ran.one_line()
    assert (
        "expected at least 4 label groups to learn from, got 3 of 5; the encoder was trained on 2 of them" in reported
    )
    assert "`pricematch train encoder --recipe cnn --train-share 0.3`" in reported


def test_an_encoder_of_another_catalogue_is_not_to_blame(run: Run, tmp_path: Path) -> None:
    ran = beside_encoder(run, tmp_path, "abc", ["of another catalogue"])
    assert ran.code == 1
    assert ran.one_line().endswith("expected at least 4 label groups to learn from, got 3 of 3")


def test_groups_of_one_posting_teach_nothing(run: Run, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "train.csv", [replace(it, label_group=it.posting_id) for it in POSTINGS[:40]])
    ran = train(run, tmp_path)
    assert ran.code == 1
    assert "expected postings of one label group among each other's candidates, got none" in ran.err.splitlines()[-1]


def test_four_groups_are_enough(run: Run, tmp_path: Path) -> None:
    few = [replace(posting, label_group=str(row % 4)) for row, posting in enumerate(POSTINGS[:40])]
    write_catalogue(tmp_path / "train.csv", few)
    ran = train(run, tmp_path)
    assert ran.code == 0, ran.err
    assert read_matcher(tmp_path / "m").manifest.counts["groups"] == 4


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--signals", "smell"], "smell"),
        (["--signals", ""], "expected"),
        (["--version", "new"], "expected a version that is a whole number, got 'new'"),
    ],
)
def test_options_that_mean_nothing_are_reported_in_one_line(
    run: Run, tmp_path: Path, options: list[str], reported: str
) -> None:
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    ran = train(run, tmp_path, *options)
    assert ran.code == 2
    assert reported in ran.one_line()


def test_a_catalogue_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    ran = train(run, tmp_path)
    assert ran.code in {1, 2}
    assert str(tmp_path / "train.csv") in ran.one_line()


def test_help_says_what_is_learned_and_who_takes_it(run: Run) -> None:
    out = " ".join(run("train", "matcher", "--help").out.split())
    for reported in (
        "Learn from the label groups",
        "models/matcher/VERSION",
        "--train-share",
        "--signals",
        "--seed",
        "--force",
    ):
        assert reported in out


def killed(*_: object) -> Path:
    raise KeyboardInterrupt


def test_a_training_that_ends_while_it_writes_leaves_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    settings = Settings(catalogue=tmp_path / "train.csv", models=tmp_path / "m")
    monkeypatch.setattr(matcher_files, "move_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        train_matcher(settings, TrainMatcherOptions(("hash",), 1.0, 0, None, force=True), lambda *_: None)
    assert list((tmp_path / "m").iterdir()) == []


def test_what_a_killed_training_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    left = tmp_path / "m" / f"{STAGED}left"
    left.mkdir(parents=True)
    (left / "first.txt").write_text("half", encoding="utf-8")
    os.utime(left, (0, 0))
    settings = Settings(catalogue=tmp_path / "train.csv", models=tmp_path / "m")
    train_matcher(settings, TrainMatcherOptions(("hash",), 1.0, 0, None, force=True), lambda *_: None)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["matcher"]
    with pytest.raises(ArtefactExists):
        train_matcher(settings, TrainMatcherOptions(("hash",), 1.0, 0, "1", force=True), lambda *_: None)


def test_groups_the_encoder_has_seen_teach_nothing() -> None:
    seen = np.array([False, False, True, False])
    assert training_postings(["a", None, "b", ""], 1.0, 0, seen).tolist() == [True, False, False, True]


def test_what_people_reported_is_learned_as_a_label(run: Run, tmp_path: Path) -> None:
    postings, feedback = mislabelled(POSTINGS)
    write_verdicts(tmp_path / "verdicts.csv", feedback)
    options = ["--signals", "hash", "--train-share", "0.7"]
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    assert train(run, tmp_path, *options).code == 0
    write_catalogue(tmp_path / "train.csv", postings)
    assert train(run, tmp_path, *options).code == 0
    ran = train(run, tmp_path, *options, "--verdicts", str(tmp_path / "verdicts.csv"))
    assert ran.code == 0, ran.err
    right, wrong, mended = (read_matcher(tmp_path / "m", version).manifest for version in "123")
    assert mended.files == right.files != wrong.files
    assert mended.held_out == right.held_out != wrong.held_out
