"""Submissions, from the command to the file."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.clustering.assignment import METHODS, Method, cluster_graph
from pricematch.errors import SettingsError
from pricematch.reports.submit import choose_thresholds
from pricematch.search.dense import DenseIndex
from pricematch.search.neighbours import radius_graph
from tests.support.catalogues import distance, groups_of, hash_lists, labelled_postings, naive_means, write_catalogue
from tests.support.cli import Ran, Run
from tests.support.vectors import clustered

POSTINGS = labelled_postings(90)
ROWS = {posting.posting_id: row for row, posting in enumerate(POSTINGS)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A labelled catalogue, and the same without its labels."""
    write_catalogue(tmp_path / "train.csv", POSTINGS)
    write_catalogue(tmp_path / "test.csv", [replace(posting, label_group=None) for posting in POSTINGS])
    return tmp_path


def submit(run: Run, folder: Path, *options: str) -> Ran:
    output = folder / "new" / "submission.csv"
    return run("submit", "--catalogue", str(folder / "test.csv"), "--output", str(output), *options)


def submitted(folder: Path) -> list[list[int]]:
    """The rows of each posting's matches."""
    with (folder / "new" / "submission.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["posting_id"] for line in lines] == list(ROWS)
    return [[ROWS[name] for name in line["matches"].split(" ")] for line in lines]


def test_hashes_within_the_threshold_are_matches(run: Run, folder: Path) -> None:
    ran = submit(run, folder, "--threshold", "hash=8")
    assert ran.code == 0, ran.err
    lists = submitted(folder)
    assert [set(found) for found in lists] == hash_lists(POSTINGS, 8)
    for row, found in enumerate(lists):
        assert found == [
            row,
            *sorted(set(found) - {row}, key=lambda other: (distance(POSTINGS[row], POSTINGS[other]), other)),
        ]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]
    assert cells == [["90", str(sum(len(found) > 1 for found in lists)), str(sum(len(found) - 1 for found in lists))]]


@pytest.mark.parametrize("signals", ["hash,title", "title"])
def test_the_thresholds_of_a_report_give_the_lists_it_evaluated(run: Run, folder: Path, signals: str) -> None:
    options = ["--catalogue", str(folder / "train.csv"), "--output", str(folder), "--signals", signals]
    assert run("evaluate", *options).code == 0
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert submit(run, folder, "--report", str(folder / "report.json")).code == 0
    picked_on_all = report["by_catalogue_size"][-1]
    assert picked_on_all["postings"] == 90
    assert naive_means(submitted(folder), groups_of(POSTINGS))[0] == pytest.approx(picked_on_all["f1"], abs=1e-12)


def test_a_threshold_that_is_given_wins_over_the_report(run: Run, folder: Path) -> None:
    report = {"signals": ["hash", "title"], "threshold": {"hash": 0, "title": None}}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert submit(run, folder, "--report", str(folder / "report.json"), "--threshold", "hash=4").code == 0
    assert [set(found) for found in submitted(folder)] == hash_lists(POSTINGS, 4)


def test_a_signal_that_takes_nothing_needs_nothing(run: Run, folder: Path) -> None:
    write_catalogue(folder / "test.csv", [replace(posting, image_phash=None, title="") for posting in POSTINGS])
    report = {"signals": ["hash", "title", "image"], "threshold": {"hash": None, "title": None, "image": None}}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert submit(run, folder, "--report", str(folder / "report.json")).code == 0
    assert submitted(folder) == [[row] for row in range(90)]


def test_anybodys_embeddings_are_taken_row_by_row(run: Run, folder: Path) -> None:
    np.save(folder / "x.npy", clustered(90))
    assert submit(run, folder, "--threshold", "image=0.8", "--embeddings", str(folder / "x.npy")).code == 0
    found = DenseIndex(clustered(90)).nearest_others(49)
    assert submitted(folder) == [[row, *found.rows[row][found.similarities[row] >= 0.8].tolist()] for row in range(90)]


def test_a_list_holds_fifty_with_the_posting_itself(run: Run, folder: Path) -> None:
    write_catalogue(folder / "test.csv", [replace(posting, image_phash="0" * 16) for posting in POSTINGS])
    assert submit(run, folder, "--threshold", "hash=0").code == 0
    lists = submitted(folder)
    assert lists[0] == list(range(50))
    assert lists[89] == [89, *range(49)]


def test_bad_rows_are_refused_and_a_file_that_is_there_stays(run: Run, folder: Path) -> None:
    assert submit(run, folder, "--threshold", "hash=8").code == 0
    before = (folder / "new" / "submission.csv").read_bytes()
    with (folder / "test.csv").open("a", encoding="utf-8") as file:
        file.write("a/b,p0.png,,tas,\n")
    ran = submit(run, folder, "--threshold", "hash=8")
    assert ran.code == 1
    assert "row 92, column posting_id: expected" in ran.err
    assert (folder / "new" / "submission.csv").read_bytes() == before


def test_ids_with_blanks_are_refused(run: Run, folder: Path) -> None:
    """Blanks separate the matches of a submission, so an id with one would be read as two (fault C19)."""
    with (folder / "test.csv").open("a", encoding="utf-8") as file:
        file.write("a b,p0.png,,tas,\n")
    ran = submit(run, folder, "--threshold", "hash=8")
    assert ran.code == 1
    assert "row 92, column posting_id: a submission has blanks between ids" in ran.err
    assert not (folder / "new" / "submission.csv").exists()


def test_signals_come_from_names_report_or_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(
        '{"signals": ["title", "hash"], "threshold": {"hash": 8, "title": 0.5}, "hash": {"threshold": 4}}',
        encoding="utf-8",
    )
    assert choose_thresholds((), path, []) == {"title": 0.5, "hash": 0.875}
    assert choose_thresholds(("hash", "title"), path, ["title=0.25"]) == {"hash": 0.875, "title": 0.25}
    assert choose_thresholds(("hash",), path, []) == {"hash": 1 - 4 / 64}
    assert choose_thresholds((), None, ["image=0.75", "hash=0"]) == {"image": 0.75, "hash": 1}


@pytest.mark.parametrize(
    ("names", "given", "reason"),
    [
        ((), [], "expected thresholds, got none: give --report"),
        (
            ("hash", "title"),
            ["hash=8"],
            "signal title has no threshold: give --report (`pricematch evaluate --signals hash,title`",
        ),
        (("title",), ["hash=8"], "--threshold hash: expected one of the chosen signals, title"),
        ((), ["hash"], "--threshold hash: expected a number (Hamming distance in bits, at most)"),
        ((), ["hash=many"], "--threshold hash=many: expected a number"),
        ((), ["hash=8.5"], "--threshold hash=8.5: expected a whole number of bits in 0…16, got 8.5"),
        ((), ["title=nan"], "--threshold title=nan: expected a cosine in −1…1, got nan"),
        ((), ["smell=1"], "--threshold: expected SIGNAL=VALUE, such as hash=8 or title=0.5, got 'smell=1'"),
    ],
)
def test_thresholds_that_are_missing_or_make_no_sense_are_reported(
    names: tuple[str, ...], given: list[str], reason: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_thresholds(names, None, given)
    assert reason in str(caught.value)


def test_what_cannot_be_is_one_line_and_exit_code_2(run: Run, folder: Path) -> None:
    for options in ([], ["--threshold", "hash=8", "--embeddings", "x.npy"], ["--report", str(folder / "none.json")]):
        ran = submit(run, folder, *options)
        assert ran.code == 2
        assert ran.one_line().startswith("pricematch: ")


@pytest.mark.parametrize("method", METHODS)
def test_the_notebooks_clusterings_give_the_lists_they_are_swept_by(run: Run, folder: Path, method: Method) -> None:
    embeddings = clustered(90)
    np.save(folder / "x.npy", embeddings)
    ran = submit(run, folder, "--embeddings", str(folder / "x.npy"), "--method", method, "--eps", "0.02")
    assert ran.code == 0, ran.err
    expected = cluster_graph(radius_graph(embeddings, 0.02), method, 0.02, 2).lists
    assert expected.sizes().max() > 2
    assert submitted(folder) == [expected[row].tolist() for row in range(90)]


def test_min_samples_is_that_requested(run: Run, folder: Path) -> None:
    embeddings = clustered(90)
    np.save(folder / "x.npy", embeddings)
    options = ["--embeddings", str(folder / "x.npy"), "--method", "dbscan", "--eps", "0.02", "--min-samples", "4"]
    assert submit(run, folder, *options).code == 0
    expected = cluster_graph(radius_graph(embeddings, 0.02), "dbscan", 0.02, 4).lists
    assert submitted(folder) == [expected[row].tolist() for row in range(90)]


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--method", "kmeans", "--eps", "0.02"], "expected one of dbscan, optics, nearest, ensemble, got 'kmeans'"),
        (["--method", "dbscan"], "expected --eps beside it"),
        (["--method", "dbscan", "--eps", "0.02", "--signals", "hash"], "either --method, or --signals"),
        (["--method", "dbscan", "--eps", "0.02", "--threshold", "hash=8"], "either --method, or --signals"),
    ],
)
def test_a_clustering_that_makes_no_sense_is_refused(run: Run, folder: Path, options: list[str], reported: str) -> None:
    ran = submit(run, folder, *options)
    assert (ran.code, reported in ran.err) == (2, True), ran.err
    assert not (folder / "new").exists()


def test_too_many_pairs_are_refused_with_the_setting(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(folder / "x.npy", clustered(90))
    monkeypatch.setenv("PRICEMATCH_MAX_CLUSTER_PAIRS", "91")
    ran = submit(run, folder, "--embeddings", str(folder / "x.npy"), "--method", "dbscan", "--eps", "1")
    assert (ran.code, "PRICEMATCH_MAX_CLUSTER_PAIRS" in ran.err) == (1, True)
    assert not (folder / "new" / "submission.csv").exists()


@pytest.mark.parametrize("lost", ["test.csv", "report.json", "x.npy"])
def test_what_is_read_is_never_written_over(run: Run, folder: Path, lost: str) -> None:
    np.save(folder / "x.npy", clustered(90))
    (folder / "report.json").write_text(
        json.dumps({"signals": ["image"], "image": {"threshold": 0.9}, "threshold": 0.9})
    )
    before = (folder / lost).read_bytes()
    options = ["--report", str(folder / "report.json"), "--embeddings", str(folder / "x.npy")]
    ran = run("submit", "--catalogue", str(folder / "test.csv"), "--output", str(folder / lost), *options)
    assert (ran.code, "it is read here, and would be lost" in ran.one_line()) == (2, True)
    assert (folder / lost).read_bytes() == before


def test_the_thresholds_taken_are_printed(run: Run, folder: Path) -> None:
    """And whether they were picked on as many postings."""
    report = {"signals": ["hash", "title"], "threshold": {"hash": 6, "title": None}, "postings": 90}
    (folder / "report.json").write_text(json.dumps(report))
    ran = submit(run, folder, "--report", str(folder / "report.json"))
    assert "thresholds: hash ≤ 6 bits, title never\n" in ran.out
    (folder / "report.json").write_text(json.dumps({**report, "postings": 7}))
    ran = submit(run, folder, "--report", str(folder / "report.json"))
    assert "picked on 7 postings, these are 90" in ran.out


def test_an_eps_without_a_method_is_refused(run: Run, folder: Path) -> None:
    ran = submit(run, folder, "--threshold", "hash=8", "--eps", "0.1")
    assert (ran.code, "--eps: expected --method beside it" in ran.one_line()) == (2, True)


@pytest.mark.process
def test_the_default_matcher_takes_what_there_is(run: Run, folder: Path) -> None:
    """Without a folder of images it compares hashes and titles, and many of its matches are right."""
    ran = submit(run, folder, "--matcher", "default", "--models", str(folder / "models"))
    assert ran.code == 0, ran.err
    assert "matcher/default, f1" in ran.out
    f1, *_ = naive_means([set(found) for found in submitted(folder)], groups_of(POSTINGS))
    alone, *_ = naive_means([{row} for row in range(len(POSTINGS))], groups_of(POSTINGS))
    assert f1 > alone + 0.05
