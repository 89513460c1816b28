"""`pricematch sweep`."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pricematch.catalogue.features import unit_rows
from pricematch.cli.sweep import parse_eps
from pricematch.errors import SettingsError
from pricematch.reports.sweep import sweep
from tests.support.cli import Run

GROUPS = [row // 4 for row in range(40)]
ROWS = np.repeat(np.random.default_rng(1).standard_normal((10, 6)), 4, axis=0)
EMBEDDINGS = unit_rows(ROWS + 0.07 * np.random.default_rng(2).standard_normal((40, 6)), 6)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The options that name a labelled catalogue and its embeddings."""
    write_catalogue(tmp_path / "catalogue.csv", [str(group) for group in GROUPS])
    np.save(tmp_path / "x.npy", 3 * EMBEDDINGS)
    return ["--catalogue", str(tmp_path / "catalogue.csv"), "--embeddings", str(tmp_path / "x.npy")]


def write_catalogue(path: Path, groups: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["posting_id", "image", "label_group"])
        writer.writerows([f"p{row}", f"{row}.jpg", group] for row, group in enumerate(groups))


def test_anybodys_embeddings_are_scored_without_images_and_written_down(
    run: Run, files: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "new" / "folder"
    ran = run("sweep", *files, "--output", str(output))
    assert ran.code == 0, ran.err
    records = json.loads((output / "sweep.json").read_text())
    every_eps = [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008]
    expected = sweep(EMBEDDINGS, np.array(GROUPS), every_eps, 2, lambda *_: None)
    assert len({record.f1 for record in expected}) > 5
    names = ("method", "eps", "f1", "precision", "recall", "clusters", "noise")
    assert [[record[name] for name in names] for record in records] == [
        [getattr(record, name) for name in names] for record in expected
    ]
    [best] = [record for record in records if record["best"]]
    assert best["f1"] == max(record["f1"] for record in records)
    with Image.open(output / "sweep.png") as image:
        assert image.format == "PNG"
    assert "40 postings, 10 groups" in ran.out
    assert sum("│" in line for line in ran.out.splitlines()) == 4 * 8
    assert next(line for line in ran.out.splitlines() if "best" in line).split("│")[3].strip() == f"{best['f1']:.4f}"
    assert "Sweeping" in ran.err


def test_eps_and_min_samples_are_those_requested(run: Run, files: list[str], tmp_path: Path) -> None:
    assert run("sweep", *files, "--eps", "0.01,0.03", "--min-samples", "3", "--output", str(tmp_path)).code == 0
    records = json.loads((tmp_path / "sweep.json").read_text())
    expected = sweep(EMBEDDINGS, np.array(GROUPS), [0.01, 0.03], 3, lambda *_: None)
    assert [(record["eps"], record["method"], record["f1"]) for record in records] == [
        (record.eps, record.method, record.f1) for record in expected
    ]


def test_a_best_eps_at_the_edge_is_pointed_out(run: Run, files: list[str], tmp_path: Path) -> None:
    assert "the largest eps tried" in run("sweep", *files, "--eps", "0.001,0.003", "--output", str(tmp_path)).out
    assert "the largest eps tried" not in run("sweep", *files, "--eps", "0.05,0.3", "--output", str(tmp_path)).out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.001:0.009:0.001", [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008]),
        ("0.1:0.3:0.1", [0.1, 0.2]),
        ("0.1:0.31:0.1", [0.1, 0.2, 0.3]),
        ("0:2:1", [0.0, 1.0]),
        ("0.005", [0.005]),
        ("0.3,0.1,0.3", [0.1, 0.3]),
    ],
)
def test_eps_is_a_range_without_its_stop_or_a_list(text: str, expected: list[float]) -> None:
    assert parse_eps(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0.1:0.2",
        "1:2:3:4",
        "0.2:0.1:0.1",
        "0.1:0.2:0",
        "0.1:0.2:-1",
        "-1",
        "2.1",
        "nan",
        "0:nan:1",
        "0:inf:1",
        "0:1:1e-9",
        "inf:1:1",
    ],
)
def test_any_other_eps_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--eps: expected START:STOP:STEP"):
        parse_eps(text)


def test_a_posting_without_a_label_group_is_named_by_its_row(run: Run, files: list[str], tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue.csv", ["1", "", "2", ""])
    ran = run("sweep", *files, "--output", str(tmp_path / "out"))
    assert ran.code == 1
    assert "row 3, column label_group: expected" in ran.err
    assert "row 5, column label_group: expected" in ran.err
    assert "Traceback" not in ran.err


def test_embeddings_of_another_number_of_postings_are_refused(run: Run, files: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", EMBEDDINGS[:39])
    ran = run("sweep", *files, "--output", str(tmp_path / "out"))
    assert (ran.code, "a row for each of 40 postings, got 39 rows" in ran.err) == (2, True)


def test_too_many_pairs_are_refused_with_the_setting_that_allows_them(
    run: Run, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICEMATCH_MAX_CLUSTER_PAIRS", "50")
    ran = run("sweep", *files, "--eps", "2", "--output", str(tmp_path / "out"))
    assert ran.code == 1
    assert "expected at most 50 pairs" in ran.err
    assert "PRICEMATCH_MAX_CLUSTER_PAIRS" in ran.err


def test_embeddings_and_images_together_are_refused(run: Run, files: list[str], tmp_path: Path) -> None:
    ran = run("sweep", *files, "--images", str(tmp_path), "--output", str(tmp_path / "out"))
    assert (ran.code, "either --embeddings" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(run: Run, files: list[str], tmp_path: Path) -> None:
    ran = run("sweep", *files, "--output", str(tmp_path / "x.npy"))
    assert (ran.code, "cannot be written to" in ran.one_line()) == (2, True)


def test_a_catalogue_without_label_groups_is_refused(run: Run, files: list[str], tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue.csv", [""] * 40)
    ran = run("sweep", *files, "--output", str(tmp_path / "out"))
    assert (ran.code, "expected a column label_group" in ran.one_line()) == (1, True)
    assert not (tmp_path / "out").exists()
