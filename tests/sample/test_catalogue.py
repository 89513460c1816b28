"""The sample catalogue on disk: what is written, when, and how hard it is to solve."""

import csv
import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from pricematch.evaluation.metrics import mean_f1_of_partition
from pricematch.formats.csv_files import read_csv
from pricematch.formats.posting_rows import RowLimits
from pricematch.sample.catalogue import HEADER, SampleSummary, write_sample
from pricematch.sample.kinds import KINDS
from pricematch.sample.offers import draw_offer, draw_sellers, usual_price
from pricematch.sample.products import invent
from tests.support.catalogues import METADATA_LIMITS

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


def test_what_sellers_say_moves_nothing_else(tmp_path: Path) -> None:
    """Titles and groups are those that this seed gave before there were offers."""
    write_sample(tmp_path / "out", 60, 3)
    told = [[row["posting_id"], row["title"], row["label_group"]] for row in read_rows(tmp_path / "out")]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    assert digest == "d6211fd9ee53af8567feda6fba90d0c0bb8a65ebdb64c628623ec8b29904c6ec"


def test_offers_are_metadata(sample: tuple[Path, SampleSummary]) -> None:
    """As every reader of the file takes it: a price is a number, and what a seller does not name is absent."""
    output, _ = sample
    content = read_csv(output / "catalogue.csv", RowLimits(1000, 65_536, METADATA_LIMITS))
    assert (content.problems, content.warnings) == ([], [])
    every = [posting.metadata.as_json() for posting in content.postings]
    assert {name for fields in every for name in fields} == {"seller", "price", "currency", "category", "brand"}
    assert all(isinstance(fields["price"], int) and fields["price"] > 0 for fields in every)
    assert {fields["currency"] for fields in every} == {"IDR"}
    assert 0.6 < sum("brand" in fields for fields in every) / POSTINGS < 0.95
    assert 5 < len({fields["seller"] for fields in every}) <= 30


def test_offers_of_a_product_differ_by_forty_percent_at_most(sample: tuple[Path, SampleSummary]) -> None:
    """And are of one category and at most one brand."""
    output, _ = sample
    groups = defaultdict(list)
    for row in read_rows(output):
        groups[row["label_group"]].append(row)
    for rows in groups.values():
        prices = [int(row["metadata.price"]) for row in rows]
        assert max(prices) <= 1.5 * min(prices) + 200
        assert len({row["metadata.category"] for row in rows}) == 1
        assert len({row["metadata.brand"] for row in rows} - {""}) <= 1
    assert max(len({row["metadata.price"] for row in rows}) for rows in groups.values()) > 1


def test_every_kind_has_an_offer() -> None:
    """Larger packs cost more, and variants of one size differ."""
    rng, sellers = np.random.default_rng(0), draw_sellers(np.random.default_rng(1))
    assert len(set(sellers)) == len(sellers) == 30
    for kind in KINDS:
        product = replace(invent(rng, (kind,)), pack=1)
        usual = usual_price(product, np.random.default_rng(2))
        assert usual_price(replace(product, pack=6), np.random.default_rng(2)) > 3 * usual
        assert usual_price(product, np.random.default_rng(3)) != usual
        offer = draw_offer(product, usual, sellers, rng)
        assert abs(offer.price - usual) <= 0.2 * usual + 50
        assert offer.seller in sellers
