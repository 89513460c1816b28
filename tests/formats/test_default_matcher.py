"""The default matcher's file: read as it was written, and refused with what is wrong where it is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.errors import ArtefactError
from pricematch.formats.default_matcher import FILE, read_default, write_default
from pricematch.formats.matcher_files import load_matcher
from pricematch.pairs.bounds import ordinary
from pricematch.pairs.default_model import FEATURES, TERMS, EvidenceScorer
from pricematch.pairs.thresholds import F1, TARGETS, SizeThresholds, Target, Thresholds
from pricematch.settings import Settings
from tests.support.matchers import export_matcher

THRESHOLDS = SizeThresholds((500,), {F1: [Thresholds(0.4, 0.3)], Target(0.95): [Thresholds(0.96, 0.96)]})
EVIDENCE = [0.25 if term.most > 0 else -0.25 for term in TERMS]
ABOUT: dict[str, Any] = {
    "created": "2026-01-01T00:00:00+00:00",
    "taught_by": [
        {"name": "shop", "licence": "CC0", "postings": 3, "groups": 2, "titles": True, "held_out": {"f1": 0.5}}
    ],
    "libraries": {"numpy": "2"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A default matcher that was written."""
    write_default(tmp_path / "default.json", EVIDENCE, (0.5, 1.0, -0.25), THRESHOLDS, ABOUT)
    return tmp_path / "default.json"


def change(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads(file.read_text(encoding="utf-8"))
    edit(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def test_what_is_read_is_what_was_written(file: Path) -> None:
    """Weights, thresholds and where they come from."""
    read = read_default(file)
    scorer, agreement = read.model.first, read.model.second
    assert isinstance(scorer, EvidenceScorer)
    assert scorer.weights.tolist() == EVIDENCE
    assert vars(agreement)["weights"] == (0.5, 1.0, -0.25)
    assert read.size_thresholds.describe() == THRESHOLDS.describe()
    assert (read.name, read.version, read.probabilities, read.verdicts) == ("matcher", "default", "estimated", 0)
    assert [shop.model_dump() for shop in read.taught_by] == ABOUT["taught_by"]


def test_writing_what_was_read_changes_nothing(file: Path, tmp_path: Path) -> None:
    """To the byte."""
    read = read_default(file)
    again = tmp_path / "again.json"
    agreement = (read.agreement["first"], read.agreement["agreement"], read.agreement["always"])
    write_default(again, [read.evidence[term.name] for term in TERMS], agreement, read.size_thresholds, ABOUT)
    assert again.read_bytes() == file.read_bytes()


def test_the_package_carries_one() -> None:
    """It names the shops that taught it and their licences, and no weight is against likeness."""
    shipped = read_default()
    assert FILE.parent.name == "formats"
    assert shipped.encoder_name == "cnn"
    assert shipped.probabilities == "estimated"
    assert all(shop.name and shop.licence for shop in shipped.taught_by)
    assert len(shipped.taught_by) > 1
    features = np.full((1, len(FEATURES)), np.nan, np.float32)
    assert 0 < shipped.model.first.predict(features)[0] < 0.5  # nothing known, hardly the same


def test_its_thresholds_hold_what_they_promise() -> None:
    """From where on 95 % of the matches are to be right, a match is that probable at least, as bounds map it."""
    thresholds = read_default().size_thresholds
    matches = [thresholds.at(target, 1000) for target in TARGETS]
    for target, it in zip(TARGETS, matches, strict=True):
        assert it.match >= ordinary(np.array(target.precision or 0.0))
    assert sorted(it.match for it in matches) == [it.match for it in matches]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """As one that may not be read is."""
    with pytest.raises(ArtefactError, match=r"none\.json cannot be read \(No such file or directory\)"):
        read_default(tmp_path / "none.json")
    with pytest.raises(ArtefactError, match=r"cannot be read \(Is a directory\)"):
        read_default(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b'"default"', b"null"], ids=range(6))
def test_what_is_no_manifest_is_refused(file: Path, content: bytes) -> None:
    """In one sentence that names the file."""
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"default\.json holds no default matcher: "):
        read_default(file)


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        (lambda it: it.pop("evidence"), "evidence: Field required"),
        (lambda it: it.update(version="1"), "version: "),
        (lambda it: it.update(encoder_name="cae"), "encoder_name: "),
        (lambda it: it["evidence"].update(hash="much"), r"evidence\.hash: "),
        (lambda it: it["evidence"].update(hash=-1), "expected a weight of hash from 0.0 to inf, got -1"),
        (lambda it: it["evidence"].pop("hash"), "expected weights of scaled, firm, hash"),
        (lambda it: it["evidence"].update(weight=1), "expected weights of scaled, firm, hash"),
        (lambda it: it["evidence"].update(hash=float("nan")), "."),
        (lambda it: it["agreement"].update(agreement=-1), "expected weights of 0 or more"),
        (lambda it: it["agreement"].pop("first"), "expected weights of"),
        (lambda it: it.update(thresholds=[{"postings": 3}]), "."),
        (lambda it: it.update(thresholds=[{}]), "."),
        (lambda it: it.update(thresholds=[]), "expected catalogue sizes"),
        (lambda it: it["thresholds"][0]["thresholds"].update(f1={"match": "half"}), "."),
    ],
    ids=range(14),
)
def test_a_damaged_file_is_refused(file: Path, edit: Callable[[dict[str, Any]], object], wrong: str) -> None:
    """With the field or the weight that is wrong, never with a traceback."""
    change(file, edit)
    with pytest.raises(ArtefactError, match=rf"default\.json holds no default matcher: .*{wrong}"):
        read_default(file)


@pytest.mark.parametrize(
    "edit",
    [
        lambda it: it["features"].pop(),
        lambda it: it["features"].reverse(),
        lambda it: it.update(signals=["hash", "title"]),
    ],
    ids=range(3),
)
def test_a_file_of_other_features_is_refused(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """As another version may have written it."""
    change(file, edit)
    with pytest.raises(ArtefactError, match=r"default\.json was written by a version of pricematch with other"):
        read_default(file)


def test_without_a_trained_matcher_auto_is_the_default(tmp_path: Path) -> None:
    """And `default` always is; the encoder is the one that it was made for, in the version that settings name."""
    settings = Settings(models=tmp_path, encoder="cae", encoder_version="3")
    matched, loaded = load_matcher(settings, "auto")
    assert (loaded.label, loaded.encoder, loaded.trained_on, loaded.colours) == ("matcher/default", None, None, "2")
    assert (matched.encoder, matched.encoder_version) == ("cnn", None)
    export_matcher(tmp_path, ["title"])
    assert load_matcher(settings, "auto")[1].label == "matcher/1"
    assert load_matcher(settings, "default")[1].label == "matcher/default"
    named, _ = load_matcher(Settings(models=tmp_path, encoder="cnn", encoder_version="2"), "default")
    assert (named.encoder, named.encoder_version) == ("cnn", "2")
