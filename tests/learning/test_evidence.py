"""Matchers that learn from evidence fields: of files and stores, monotone, written, read and served."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.evidence import EvidenceFields, direction
from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.errors import ArtefactError, CatalogueError
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.formats.matcher_files import TrainedVersion, read_matcher
from pricematch.learning import ladder
from pricematch.learning.fit import TrainingData
from pricematch.learning.ladder import fit_on_prior
from pricematch.learning.rungs import Prior
from pricematch.learning.samples import samples
from pricematch.learning.train_matcher import TrainMatcherOptions, train_matcher
from pricematch.learning.train_stored import train_stored
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.progress import silent
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.catalogues import groups_of, labelled_postings, write_catalogue
from tests.support.cli import Run

pytestmark = pytest.mark.slow
BRAND, PRICE = Field("brand", "text", evidence=True), Field("price", "number", evidence=True)
OPTIONS = TrainMatcherOptions(("hash", "title"), 0.6, 0, None, force=True, evidence=(PRICE, BRAND))


def sold(count: int = 160) -> list[Posting]:
    """Labelled postings: prices of a group are within a fifth of each other, and a fifth names no brand."""
    rng = np.random.default_rng(0)
    usual = {group: float(rng.uniform(1, 100)) for group in groups_of(labelled_postings(count))}
    return [
        replace(
            it,
            image=None,
            metadata=Metadata(
                {"price": round(usual[str(it.label_group)] * rng.uniform(0.9, 1.1), 2)}
                | ({"brand": f"brand {it.label_group}"} if rng.random() < 0.8 else {})
            ),
        )
        for it in labelled_postings(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a catalogue, and of the matcher that it has taught."""
    folder = tmp_path_factory.mktemp("evidence")
    write_catalogue(folder / "train.csv", sold())
    train_matcher(Settings(catalogue=folder / "train.csv", models=folder / "models"), OPTIONS, silent)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedVersion:
    return read_matcher(folder / "models")


def test_what_was_learned_from_is_written(trained: TrainedVersion) -> None:
    assert trained.manifest.evidence == {"brand": "text", "price": "number"}
    assert trained.model.fields == (BRAND, PRICE)
    assert {"field_0_shared", "field_1_ratio", "field_1_equal"} < {*trained.model.feature_names}
    assert trained.manifest.trees


def test_nearer_evidence_never_makes_a_pair_less_sure(trained: TrainedVersion) -> None:
    """By either scorer, of any pair, other features being as they are."""
    rng, names = np.random.default_rng(0), trained.model.feature_names
    features = rng.random((400, len(names))).astype(np.float32)
    pair_features = features[:, : len(names) - len(GRAPH_FEATURES)]
    pair_features[rng.random(pair_features.shape) < 0.1] = np.nan
    moved = 0
    for scorer, width in ((trained.model.first, pair_features.shape[1]), (trained.model.second, len(names))):
        for column in (column for column, name in enumerate(names[:width]) if direction(name)):
            steps = np.linspace(0, 3, 61) if direction(names[column]) < 0 else np.linspace(1, 0, 61)
            rows = np.repeat(features[:, :width], len(steps), axis=0)
            rows[:, column] = np.tile(steps, len(features))
            found = scorer.predict(rows).reshape(len(features), -1)
            assert (np.diff(found, axis=1) <= 1e-12).all()
            moved += int((found[:, 0] > found[:, -1]).sum())
    assert moved


def test_a_store_teaches_what_its_file_teaches(folder: Path, tmp_path: Path) -> None:
    """Where the same fields are declared as evidence; others that are declared are not compared."""
    with closing(open_store(tmp_path)) as store:
        store.postings.put([Put(it) for it in sold()])
        for field in (BRAND, PRICE, Field("seller", "text")):
            store.fields.declare(field, 9)
    train_stored(Settings(data=tmp_path, models=tmp_path / "m"), replace(OPTIONS, evidence=()), silent)
    one, other = (read_matcher(it).manifest for it in (folder / "models", tmp_path / "m"))
    assert one.files == other.files
    assert one.evidence == other.evidence
    assert one.catalogue_digest == other.catalogue_digest


def test_it_is_evaluated_by_what_the_file_says(run: Run, folder: Path, tmp_path: Path) -> None:
    """By `evaluate` and `submit`: without the columns nothing is known of the fields, and less is found."""
    catalogue, submission, report = tmp_path / "test.csv", tmp_path / "s.csv", tmp_path / "report"
    submitted, f1 = list[str](), list[float]()
    for postings in (sold(), [replace(it, metadata=Metadata({})) for it in sold()]):
        write_catalogue(catalogue, postings)
        given = ("--catalogue", str(catalogue), "--models", str(folder / "models"), "--matcher", "1")
        for verb, output in (("submit", submission), ("evaluate", report)):
            ran = run(verb, *given, "--output", str(output))
            assert ran.code == 0, ran.err
        submitted.append(submission.read_text())
        f1.append(json.loads((report / "report.json").read_text())["matcher"]["f1"])
    assert submitted[0] != submitted[1]
    assert f1[0] > f1[1] + 0.02


def test_a_field_that_no_posting_has_is_refused(folder: Path, tmp_path: Path) -> None:
    settings = Settings(catalogue=folder / "train.csv", models=tmp_path)
    cost = Field("cost", "number", evidence=True)
    with pytest.raises(CatalogueError, match=r"expected a number in metadata\.cost of some posting, got none"):
        train_matcher(settings, replace(OPTIONS, evidence=(cost,)), silent)


def test_the_command_line_takes_fields(run: Run, folder: Path, tmp_path: Path) -> None:
    given = ("train", "matcher", "--catalogue", str(folder / "train.csv"), "--models", str(tmp_path), "--force")
    assert run(*given, "--evidence", "price:number").code == 0
    assert read_matcher(tmp_path).manifest.evidence == {"price": "number"}
    wrong = run(*given, "--evidence", "price")
    assert (wrong.code, wrong.one_line()) != (0, "")
    assert "expected NAME:number or NAME:text" in wrong.err
    stored = run("train", "matcher", "--stored", "--evidence", "price:number", "--data", str(tmp_path))
    assert stored.code == 2
    assert "expected no --evidence; declare it" in stored.err


def test_a_damaged_list_of_fields_is_refused(folder: Path, tmp_path: Path) -> None:
    """Features of fields that the trees do not know."""
    shutil.copytree(folder / "models", tmp_path / "m")
    file = tmp_path / "m/matcher/1/manifest.json"
    file.write_text(file.read_text().replace('"brand": "text"', '"brand": "number"'))
    with pytest.raises(ArtefactError):
        read_matcher(tmp_path / "m")


def training_data() -> TrainingData:
    postings = sold(120)
    features = Features.of([it.title for it in postings], [it.image_phash for it in postings])
    features = replace(features, evidence=EvidenceFields.every([PRICE]).values([it.metadata for it in postings]))
    groups = np.unique(groups_of(postings), return_inverse=True)[1].astype(np.intp)
    return TrainingData(features, ("hash", "title"), groups, np.ones(len(groups), np.bool_))


def test_where_weights_are_moved_alone_no_field_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take nothing of them, so that no posting needs to be matched anew for one."""
    monkeypatch.setattr(ladder, "mean_gain", lambda *_: (-1.0, 0.0))
    default, data = read_default(), training_data()
    fitted = fit_on_prior(data, TreeLearner(0, 1), Prior(default.model, default.size_thresholds), 0, silent)
    assert fitted.model.fields == ()
    plain = replace(data, postings=replace(data.postings, evidence=None))
    same = fit_on_prior(plain, TreeLearner(0, 1), Prior(default.model, default.size_thresholds), 0, silent)
    features = np.random.default_rng(0).random((50, len(fitted.model.feature_names))).astype(np.float32)
    assert np.allclose(fitted.model.predict_proba(features), same.model.predict_proba(features), atol=0.02)


def test_trees_see_postings_that_lack_evidence() -> None:
    """Else what a query does not say would be taken for a number."""
    data = training_data()
    assert data.postings.evidence is not None
    assert data.postings.evidence.known.all()
    *_, last = samples(data.postings, data.groups, ("title",), 0)
    assert last.postings.evidence is not None
    lacking = 1 - last.postings.evidence.known.mean()
    assert 0.1 < lacking < 0.3
    assert all(last.postings.titles[row] for row in range(len(last.postings)))
    assert not last.whole
