"""`pricematch train matcher` in one process and another: the same input, settings and seed learn the same."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.formats.csv_files import read_csv
from pricematch.formats.matcher_files import read_matcher
from pricematch.formats.matcher_manifest import MatcherManifest
from pricematch.formats.posting_rows import RowLimits
from pricematch.sample.catalogue import write_sample
from tests.support.catalogues import METADATA_LIMITS, write_catalogue

pytestmark = pytest.mark.process
_LABELLED = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn catalogue with images, few of whose label groups are known."""
    folder = tmp_path_factory.mktemp("same")
    write_sample(folder, 60, 0, lambda *_: None)
    postings = read_csv(folder / "catalogue.csv", RowLimits(100, 10_000, METADATA_LIMITS)).postings
    groups = [it.label_group for it in postings]
    known = [group for group in dict.fromkeys(groups) if groups.count(group) > 1][:_LABELLED]
    given = [replace(it, label_group=it.label_group if it.label_group in known else None) for it in postings]
    write_catalogue(folder / "catalogue.csv", given)
    return folder


def trained(folder: Path, name: str, threads: int, hash_seed: int) -> MatcherManifest:
    """What another process learns, with an encoder that it whitens itself, in so many threads of linear algebra."""
    names = {"catalogue": "catalogue.csv", "images": "images", "models": f"{name}-models", "data": f"{name}-data"}
    paths = [text for option, path in names.items() for text in (f"--{option}", str(folder / path))]
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith("PRICEMATCH_")}
    environment = {
        **kept,
        "PYTHONHASHSEED": str(hash_seed),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "PRICEMATCH_WORKERS": str(threads),
        "PRICEMATCH_PRECISION": "float32",  # bfloat16 rounds most differences away
    }
    command = [sys.executable, "-m", "pricematch", "train", "matcher", "--signals", "hash,title,image", "--force"]
    subprocess.run([*command, *paths], check=True, capture_output=True, env=environment)
    return read_matcher(folder / f"{name}-models").manifest


def test_threads_and_the_order_of_hashes_are_no_part_of_what_is_learned(folder: Path) -> None:
    """Of six groups trees learn by chance, so that the last bit of an embedding may choose another rung.

    Both whiten the encoder to the same bits, too; those of another processor may differ.
    """
    one, other = trained(folder, "one", 1, 0), trained(folder, "other", 2, 1)
    assert one.encoder == other.encoder
    assert (one.trees, one.moved, one.thresholds) == (other.trees, other.moved, other.thresholds)
    assert one.files == other.files
    assert one.compared == other.compared
