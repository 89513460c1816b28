"""Training on a store: the same matcher as of a file, and no image is encoded twice."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.features import unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.encoders import NEWEST_COLOURS, colours_spec, encoder_spec, find_artefacts
from pricematch.encoding.versions import HASHING
from pricematch.errors import CatalogueError
from pricematch.formats.matcher_files import read_matcher
from pricematch.learning.train_matcher import TrainMatcherOptions
from pricematch.learning.train_stored import train_stored
from pricematch.progress import silent
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.catalogues import labelled_postings, mislabelled, write_catalogue, write_verdicts
from tests.support.cli import Run
from tests.support.networks import PIXELS_TENSOR, export
from tests.support.stores import image_bytes, name_of

POSTINGS = labelled_postings(120)
FORCED = TrainMatcherOptions((), 1.0, 0, None, force=True)


def fill(data: Path, postings: Sequence[Posting]) -> None:
    """Store postings without their images."""
    with closing(open_store(data)) as store:
        store.postings.put([Put(replace(it, image=None)) for it in postings])


def test_a_store_teaches_what_its_file_teaches(run: Run, tmp_path: Path) -> None:
    """Verdicts, which overrule label groups, included."""
    postings, verdicts = mislabelled(POSTINGS)
    write_catalogue(tmp_path / "train.csv", postings)
    write_verdicts(tmp_path / "verdicts.csv", verdicts)
    fill(tmp_path / "data", postings)
    assert run("verdicts", "import", str(tmp_path / "verdicts.csv"), "--data", str(tmp_path / "data")).code == 0
    given = ["--catalogue", str(tmp_path / "train.csv"), "--verdicts", str(tmp_path / "verdicts.csv")]
    for options in (given, ["--stored", "--data", str(tmp_path / "data")]):
        ran = run("train", "matcher", "--models", str(tmp_path / "m"), "--force", *options)
        assert ran.code == 0, ran.err
    first, second = (read_matcher(tmp_path / "m", version).manifest for version in "12")
    assert first.files == second.files
    assert first.trained_on.groups == second.trained_on.groups
    assert first.held_out == second.held_out


def test_features_that_are_kept_are_taken_as_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Here the images could not even be decoded."""
    export(tmp_path / "m", "cnn", "1", input=PIXELS_TENSOR)
    settings = Settings(data=tmp_path / "data", models=tmp_path / "m", precision="float32")
    encoder, colours = encoder_spec(settings, find_artefacts(settings)), colours_spec(NEWEST_COLOURS)
    images = [image_bytes(number) for number in range(len(POSTINGS))]
    digests = [bytes.fromhex(name_of(image)) for image in images]
    draw = np.random.default_rng(0)
    with closing(open_store(settings.data)) as store:
        named = [replace(it, image=name_of(image)) for it, image in zip(POSTINGS, images, strict=True)]
        store.postings.put([Put(it, [image]) for it, image in zip(named, images, strict=True)])
        for spec in (encoder, colours):
            rows = unit_rows(draw.normal(size=(len(images), spec.dimension)), spec.dimension)
            store.computed.keep_embeddings(spec.key, digests, rows)
        store.computed.keep_hashes(HASHING, digests, [str(it.image_phash or "0" * 16) for it in POSTINGS])
    trained = train_stored(settings, FORCED, silent)
    assert trained.path is not None
    manifest = read_matcher(settings.models).manifest
    assert set(manifest.signals) == {"hash", "title", "image"}
    assert manifest.encoder is not None
    assert (manifest.encoder.name, manifest.encoder.version) == ("cnn", "1")
    assert "cannot be used" not in caplog.text


def test_without_signals_it_compares_by_what_there_is(tmp_path: Path) -> None:
    fill(tmp_path / "data", [replace(it, image_phash=None) for it in POSTINGS])
    settings = Settings(data=tmp_path / "data", models=tmp_path / "m")
    assert train_stored(settings, FORCED, silent).fitted.model.signals == ("title",)
    with pytest.raises(CatalogueError, match="signal hash: no posting of the store"):
        train_stored(settings, replace(FORCED, signals=("hash",)), silent)


def test_a_store_without_labels_teaches_nothing(tmp_path: Path, run: Run) -> None:
    fill(tmp_path / "data", [replace(it, label_group=None) for it in POSTINGS])
    settings = Settings(data=tmp_path / "data", models=tmp_path / "m")
    with pytest.raises(CatalogueError, match="expected at least 4 label groups to learn from, got 0 of 0"):
        train_stored(settings, FORCED, silent)
    ran = run("train", "matcher", "--stored", "--catalogue", "x.csv")
    assert (ran.code, "--stored: expected no --catalogue" in ran.err) == (2, True)
