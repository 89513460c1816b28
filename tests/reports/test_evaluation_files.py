"""Evaluating a labelled catalogue, from the command to its files."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.evaluation import signal_evaluation as judging
from pricematch.evaluation.metrics import number_groups
from pricematch.reports.evaluation import shown_names
from pricematch.search.dense import DenseIndex
from tests.support.catalogues import (
    features_of,
    groups_of,
    hash_lists,
    labelled_postings,
    mislabelled,
    naive_means,
    write_catalogue,
    write_verdicts,
)
from tests.support.cli import Ran, Run
from tests.support.fakes import encoded, scene
from tests.support.networks import TinyArtefacts

POSTINGS = labelled_postings(90)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_catalogue(tmp_path / "catalogue.csv", POSTINGS)
    return tmp_path


def evaluate(run: Run, folder: Path, *options: str) -> Ran:
    return run("evaluate", "--catalogue", str(folder / "catalogue.csv"), "--output", str(folder / "out"), *options)


def report_of(folder: Path) -> Any:
    return json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))


def draw_images(folder: Path, postings: Sequence[Posting]) -> list[str]:
    """Images of all postings, each a turn of one scene; returns the option that names their folder."""
    images = folder / "images"
    images.mkdir()
    for posting in postings:
        turn = sum(map(ord, str(posting.label_group)))
        (images / str(posting.image)).write_bytes(encoded(scene((64, 64)).rotate(turn), "PNG"))
    return ["--images", str(images)]


def test_equal_hash_and_hamming_distances_score_what_counting_directly_scores(run: Run, folder: Path) -> None:
    ran = evaluate(run, folder, "--signals", "hash")
    assert ran.code == 0, ran.err
    report = report_of(folder)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]
    printed = {int(row[0]): row[1] for row in cells if row[0].isdigit()}
    assert list(printed) == list(range(17))
    for bits in range(17):
        f1, precision, recall = naive_means(hash_lists(POSTINGS, bits), groups_of(POSTINGS))
        assert re.fullmatch(r"\d\.\d{10}", printed[bits])
        assert float(printed[bits]) == pytest.approx(f1, abs=1e-9)
        point = report["hash"]["curve"][bits]
        assert point["threshold"] == bits
        assert (point["f1"], point["precision"], point["recall"]) == pytest.approx((f1, precision, recall), abs=1e-12)
    assert len({printed[bits] for bits in (0, 8)}) == 2


def test_held_out_figures_are_printed_with_the_size_of_the_catalogue(run: Run, folder: Path) -> None:
    ran = evaluate(run, folder)
    report, groups = report_of(folder), len(set(groups_of(POSTINGS)))
    head = next(line for line in ran.out.splitlines() if "together" in line)
    assert [cell.strip() for cell in head.split("┃")[1:-1]] == ["", "hash", "title", "together"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]
    table = {row[0]: row[1:] for row in rows if len(row) == 4}
    sections = (report["hash"], report["title"], report)
    assert [(section["postings"], section["groups"]) for section in sections] == [(90, groups)] * 3
    assert (table["postings"], table["groups"]) == (["90"] * 3, [str(groups)] * 3)
    assert table["threshold"][0] == f"≤ {report['hash']['threshold']} bits"
    for name, key in (("F1", "f1"), ("precision", "precision"), ("recall", "recall")):
        assert table[name] == [f"{section[key]:.4f}" for section in sections]
    for name, (key, inner) in {
        "B-cubed F1": ("b_cubed", "f1"),
        "pairwise F1": ("pairwise", "f1"),
        "pairwise precision": ("pairwise", "precision"),
        "pairwise recall": ("pairwise", "recall"),
    }.items():
        assert table[name] == [f"{section[key][inner]:.4f}" for section in sections]
    intervals = [section["f1_interval"] for section in sections]
    assert table["95 %"] == [f"{interval['low']:.4f}–{interval['high']:.4f}" for interval in intervals]
    assert table["mAP@5"] == [f"{section['map_at_k']['5']:.4f}" for section in sections]
    assert report["signals"] == ["hash", "title"]
    assert ran.out.splitlines()[-1] == f"wrote {folder}/out/report.json and {folder}/out/report.html"
    assert "Name their folder with" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_the_same_seed_writes_the_same_files(run: Run, folder: Path) -> None:
    written = []
    for _ in range(2):
        assert evaluate(run, folder, "--signals", "title", "--folds", "3", "--seed", "1").code == 0
        written.append([(folder / "out" / name).read_bytes() for name in ("report.json", "report.html")])
    assert written[0] == written[1]
    assert len(report_of(folder)["folds"]) == 3
    assert report_of(folder)["seed"] == 1


def test_postings_without_a_label_group_are_named_by_their_rows(run: Run, folder: Path) -> None:
    write_catalogue(folder / "catalogue.csv", [replace(POSTINGS[0], label_group=None), *POSTINGS[1:]])
    ran = evaluate(run, folder)
    assert ran.code == 1
    assert "row 2, column label_group: expected" in ran.err
    assert not (folder / "out" / "report.json").exists()


def test_bad_rows_are_refused(run: Run, folder: Path) -> None:
    with (folder / "catalogue.csv").open("a", encoding="utf-8") as file:
        file.write("p0,p0.png,,tas,group 0\n")
    ran = evaluate(run, folder)
    assert (ran.code, ran.err.splitlines()[1]) == (1, "  row 92, column posting_id: 'p0' already stands in row 2")


def test_fewer_groups_than_folds_are_reported(run: Run, folder: Path) -> None:
    write_catalogue(folder / "catalogue.csv", [replace(posting, label_group="one") for posting in POSTINGS])
    ran = evaluate(run, folder)
    assert ran.code == 1
    assert "expected at least 5 label groups for as many folds, got 1" in ran.err


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--signals", "hash,smell"],
            "--signals: expected some of hash, title, image, with commas between them, got 'smell'",
        ),
        (["--signals", ""], "--signals: expected some of hash, title, image, with commas between them, got ''"),
        (["--embeddings", "x.npy"], "--embeddings: expected image among the signals, got --signals hash,title"),
        (["--signals", "image", "--encoder", "cae"], "holds no version of cae"),
        (["--images", "nowhere"], "expected a folder of images, got nowhere, which is not a folder"),
    ],
)
def test_options_that_make_no_sense_are_one_line(run: Run, folder: Path, options: list[str], line: str) -> None:
    ran = evaluate(run, folder, *options, "--models", str(folder / "models"))
    assert ran.code in {1, 2}
    assert line in ran.one_line()


def test_missing_hashes_and_titles_come_with_advice(run: Run, folder: Path) -> None:
    write_catalogue(
        folder / "catalogue.csv", [*POSTINGS[:7], *(replace(one, image_phash=None) for one in POSTINGS[7:])]
    )
    line = evaluate(run, folder, "--signals", "hash").one_line()
    assert "signal hash: 83 of 90 postings" in line
    assert "the first in row 9; give --images to compute it from the images" in line
    write_catalogue(folder / "catalogue.csv", [replace(posting, title="") for posting in POSTINGS])
    assert "signal title: " in evaluate(run, folder, "--signals", "title").one_line()


def test_postings_without_hash_and_image_are_counted(run: Run, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    bare = [replace(posting, image=None, image_phash=None) for posting in POSTINGS[80:]]
    write_catalogue(folder / "catalogue.csv", [*POSTINGS[:80], *bare])
    assert evaluate(run, folder, "--signals", "hash,title").code == 0
    assert "10 of 90 postings of" in caplog.text
    assert "the first in row 82, and no image to compute it from" in caplog.text
    assert report_of(folder)["postings"] == 90
    write_catalogue(folder / "catalogue.csv", [replace(one, image=None, image_phash=None) for one in POSTINGS])
    assert "signal hash: 90 of 90 postings" in evaluate(run, folder, "--signals", "hash").one_line()


def test_missing_hashes_are_computed_from_images(run: Run, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_catalogue(folder / "catalogue.csv", [replace(posting, image_phash=None) for posting in POSTINGS])
    images = draw_images(folder, POSTINGS)
    assert evaluate(run, folder, "--signals", "hash", *images).code == 0
    whole = report_of(folder)
    assert whole["hash"]["curve"][0]["recall"] == pytest.approx(1)  # one image a group
    (folder / "images" / "p3.png").unlink()
    (folder / "images" / "p4.png").write_bytes(b"no image")
    ran = evaluate(run, folder, "--signals", "hash", *images)
    assert ran.code == 0
    assert f"{folder}/catalogue.csv: 2 postings without a hash" in caplog.text
    assert "row 5, column image: 'p3.png'" in caplog.text
    assert "row 6, column image: 'p4.png'" in caplog.text
    assert report_of(folder)["postings"] == 90
    assert report_of(folder)["hash"]["curve"][0]["recall"] < 1


def test_images_that_cannot_be_hashed_at_all_are_refused(run: Run, folder: Path) -> None:
    write_catalogue(folder / "catalogue.csv", [replace(posting, image_phash=None) for posting in POSTINGS])
    (folder / "images").mkdir()
    ran = evaluate(run, folder, "--signals", "hash", "--images", str(folder / "images"))
    assert ran.code == 1
    assert "90 bad rows" in ran.err
    assert "Traceback" not in ran.err


def test_images_are_drawn_into_the_page(run: Run, folder: Path) -> None:
    images = draw_images(folder, POSTINGS)
    found = judging.evaluate(
        features_of(POSTINGS), ["hash", "title"], number_groups(groups_of(POSTINGS)), 5, 0, lambda *_: None
    )
    name = shown_names(found, POSTINGS)[0]
    (folder / "images" / name).unlink()
    assert evaluate(run, folder, *images).code == 0
    html = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert html.count('src="data:image/jpeg;base64,') > 10
    assert "1 image could not be shown" in html
    assert name in html


def test_the_default_folder_of_images_may_hold_some(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "catalogue").mkdir()
    draw_images(folder / "catalogue", POSTINGS[:60])
    monkeypatch.chdir(folder)
    assert evaluate(run, folder, "--signals", "hash").code == 0
    assert "images could not be shown" in (folder / "out" / "report.html").read_text(encoding="utf-8")
    write_catalogue(folder / "catalogue.csv", [replace(posting, image="elsewhere.png") for posting in POSTINGS])
    monkeypatch.chdir(folder)
    assert evaluate(run, folder, "--signals", "hash").code == 0
    assert "Name their folder with" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_anybodys_embeddings_are_evaluated_row_by_row(run: Run, folder: Path) -> None:
    centres = np.random.default_rng(0).standard_normal((90, 8))[number_groups(groups_of(POSTINGS))]
    embeddings = unit_rows(centres + 0.3 * np.random.default_rng(1).standard_normal((90, 8)), 8)
    np.save(folder / "x.npy", 3 * embeddings)
    ran = evaluate(run, folder, "--signals", "image", "--embeddings", str(folder / "x.npy"))
    assert ran.code == 0, ran.err
    report = report_of(folder)
    found, groups = DenseIndex(embeddings).nearest_others(49), groups_of(POSTINGS)
    lists = [{row, *found.rows[row][found.similarities[row] >= report["threshold"]].tolist()} for row in range(90)]
    best = max(point["f1"] for point in report["image"]["curve"])
    assert naive_means(lists, groups)[0] == pytest.approx(best, abs=0.01)
    assert naive_means(lists, groups)[0] >= best - 1e-12
    np.save(folder / "x.npy", embeddings[:80])
    assert (
        "expected a row for each of 90 postings, got 80 rows"
        in evaluate(run, folder, "--signals", "image", "--embeddings", str(folder / "x.npy")).one_line()
    )


def test_a_folder_that_cannot_be_made_is_named_first(run: Run, folder: Path) -> None:
    (folder / "out").write_text("a file")
    ran = evaluate(run, folder)
    assert ran.code == 2
    assert "cannot be written to" in ran.one_line()


@pytest.mark.tensorflow
def test_images_are_encoded_and_bad_ones_are_skipped_where_reported(
    run: Run, folder: Path, tiny_artefacts: TinyArtefacts
) -> None:
    images = draw_images(folder, POSTINGS)
    (folder / "images" / "p3.png").unlink()
    options = [
        *images,
        "--models",
        str(tiny_artefacts.models),
        "--data",
        str(folder / "data"),
        "--signals",
        "image,title",
    ]
    ran = evaluate(run, folder, *options)
    assert ran.code == 1
    assert "row 5, column image: 'p3.png'" in ran.err
    ran = evaluate(run, folder, *options, "--skip-bad-images")
    assert ran.code == 0, ran.err
    assert report_of(folder)["postings"] == 90
    assert report_of(folder)["image"]["measure"] == "cosine similarity, at least"


@pytest.mark.parametrize("kept_in", ["verdicts.csv", "data"])
def test_labels_mended_by_decisions_count_as_right(run: Run, tmp_path: Path, kept_in: str) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    postings, feedback = mislabelled(POSTINGS)
    for folder, content in ((right, POSTINGS), (wrong, postings)):
        folder.mkdir()
        write_catalogue(folder / "catalogue.csv", content)
    write_verdicts(wrong / kept_in, feedback)
    assert evaluate(run, right, "--signals", "hash").code == 0
    assert evaluate(run, wrong, "--signals", "hash").code == 0
    assert report_of(wrong)["hash"] != report_of(right)["hash"]
    ran = evaluate(run, wrong, "--signals", "hash", "--verdicts", str(wrong / kept_in))
    assert ran.code == 0, ran.err
    assert report_of(wrong)["hash"] == report_of(right)["hash"]


def test_verdicts_that_cannot_be_read_are_reported_in_one_line(run: Run, folder: Path) -> None:
    (folder / "verdicts.csv").write_text("posting_id,other_posting_id,verdict\np0,p1,perhaps\n")
    ran = evaluate(run, folder, "--verdicts", str(folder / "verdicts.csv"))
    assert ran.code == 1
    assert "row 2, column verdict: expected same or different, got 'perhaps'" in ran.err
    assert "Traceback" not in ran.err
    assert not (folder / "out" / "report.json").exists()
