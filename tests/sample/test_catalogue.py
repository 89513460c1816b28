"""The sample catalogue on disk: what is written, when, and how hard it is to solve."""

import csv
from collections import defaultdict
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from pricematch.evaluation.metrics import mean_f1_of_partition
from pricematch.sample.catalogue import HEADER, SampleSummary, write_sample

POSTINGS, SEED = 60, 3


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleSummary]:
    output = tmp_path_factory.mktemp("sample") / "new"
    return output, write_sample(output, POSTINGS, SEED)


def read_rows(output: Path) -> list[dict[str, str]]:
    with (output / "catalogue.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == HEADER
        return list(reader)


def read_files(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def test_the_catalogue_has_the_number_of_postings(sample: tuple[Path, SampleSummary]) -> None:
    output, summary = sample
    rows = read_rows(output)
    assert [row["posting_id"] for row in rows] == [f"sample_{i:06d}" for i in range(POSTINGS)]
    assert summary.postings == POSTINGS
    assert summary.groups == len({int(row["label_group"]) for row in rows})


def test_the_images_on_disk_are_those_the_catalogue_names(sample: tuple[Path, SampleSummary]) -> None:
    output, summary = sample
    on_disk = {path.name: path.stat().st_size for path in (output / "images").iterdir()}
    assert set(on_disk) == {row["image"] for row in read_rows(output)}
    assert (summary.images, summary.bytes) == (len(on_disk), sum(on_disk.values()))


def test_every_image_has_the_hash_in_its_row(
    sample: tuple[Path, SampleSummary],
) -> None:
    """It decodes, at a size of marketplaces."""
    output, _ = sample
    for row in read_rows(output):
        with Image.open(output / "images" / row["image"]) as image:
            image.load()
            assert image.mode == "RGB"
            assert 300 <= max(image.size) <= 900
            assert row["image_phash"] == str(imagehash.phash(image))


def test_every_title_says_something_on_one_line(sample: tuple[Path, SampleSummary]) -> None:
    output, _ = sample
    for row in read_rows(output):
        assert len(row["title"].split()) >= 3
        assert row["title"].isprintable()


def test_no_image_file_is_shared_by_two_groups(sample: tuple[Path, SampleSummary]) -> None:
    output, _ = sample
    groups = defaultdict(set)
    for row in read_rows(output):
        groups[row["image"]].add(row["label_group"])
    assert {len(labels) for labels in groups.values()} == {1}


def test_some_postings_reuse_a_file_of_their_group(sample: tuple[Path, SampleSummary]) -> None:
    _, summary = sample
    assert 0.8 * POSTINGS < summary.images < POSTINGS


def test_neither_equal_hashes_nor_equal_titles_solve_the_sample(sample: tuple[Path, SampleSummary]) -> None:
    output, summary = sample
    rows = read_rows(output)
    truth = [int(row["label_group"]) for row in rows]
    assert summary.f1_equal_hash == mean_f1_of_partition(truth, [row["image_phash"] for row in rows])
    assert summary.f1_equal_title == mean_f1_of_partition(truth, [row["title"] for row in rows])
    assert 0.40 < summary.f1_equal_hash < 0.80
    assert 0.40 < summary.f1_equal_title < 0.80


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_sample(tmp_path / name, 8, 11)
    assert read_files(tmp_path / "first") == read_files(tmp_path / "second")


def test_another_seed_writes_another_catalogue(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_sample(tmp_path / str(seed), 3, seed)
    first, second = (read_rows(tmp_path / str(seed)) for seed in (1, 2))
    assert not {row["image_phash"] for row in first} & {row["image_phash"] for row in second}


def test_progress_counts_every_posting_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_sample(tmp_path / "out", 4, 0, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupted_run_leaves_no_catalogue(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path, 3, 0, interrupt)
    assert list((tmp_path / "images").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize("existing", ["catalogue.csv", "images"])
def test_what_exists_is_never_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(FileExistsError, match=f"{existing} exists already; choose another directory"):
        write_sample(tmp_path, 3, 0)
    assert read_files(tmp_path) == {existing: b"precious"}


@pytest.mark.parametrize("postings", [0, -5])
def test_a_sample_without_postings_is_refused(tmp_path: Path, postings: int) -> None:
    with pytest.raises(ValueError, match=f"expected at least 1 posting, got {postings}"):
        write_sample(tmp_path / "out", postings, 0)
    assert not (tmp_path / "out").exists()
