"""The scripts that measure serving and encoding run from beginning to end."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.process, pytest.mark.tensorflow]


def _printed(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_serving_is_measured_on_a_small_catalogue(tmp_path: Path) -> None:
    """A sample is drawn, models are trained, postings added; every table has a row of the naive service."""
    small = ("--sample", "60", "--encoders", "autoencoder", "--postings", "90", "--queries", "both", "title")
    quick = ("--clients", "2", "--seconds", "0.3", "--rounds", "1", "--folder", str(tmp_path))
    printed = _printed("serve.py", *small, *quick)
    for table in ("both, 2 clients", "both at half load", "requests a second"):
        assert f"autoencoder, 90 postings: {table}" in printed
    assert printed.count("naive service") >= 2


def test_evidence_is_measured_on_a_small_sample() -> None:
    """Each field alone and both; of values that are others' both only."""
    small = ("--postings", "160", "--splits", "1")
    printed = _printed("evidence.py", *small)
    for evidence in ("none", "brand", "price", "brand and price"):
        assert f"\nevidence {evidence}: F1 0." in printed
    assert "evidence brand:" not in _printed("evidence.py", *small, "--spoilt", "0.5")


def test_encoding_is_measured_on_few_images(tmp_path: Path) -> None:
    """The share of the arithmetic limit is told, and embeddings agree with TensorFlow's."""
    subprocess.run(
        [sys.executable, "-m", "pricematch", "sample", "--postings", "12", "--output", str(tmp_path / "sample")],
        check=True,
    )
    printed = _printed(
        "encode.py", "--encoders", "autoencoder", "--images", str(tmp_path / "sample" / "images"), "--rounds", "1"
    )
    assert "offline verb, all cores" in printed
    assert "arithmetic limit" in printed
    assert "at least 0.99" in printed
