"""From settings to a service that can answer (rows 25 to 31 of the table of faults)."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.encoding.bootstrap import embed_catalogue
from pricematch.encoding.catalogue_files import image_folder, read_catalogue, skip_or_refuse
from pricematch.errors import (
    ArtefactError,
    CatalogueError,
    ImageCorrupt,
    ImageError,
    ImageUnavailable,
    SettingsError,
)
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.exports import write_manifest
from pricematch.formats.manifest import find
from pricematch.matching.similarity import SimilaritySearch
from pricematch.settings import Settings
from tests.support import served
from tests.support.fakes import COLOURS, image_bytes
from tests.support.networks import EMBEDDING, LATENTS
from tests.support.served import Told


def settings_of(folder: Path, **given: Any) -> Settings:
    """Settings over a tiny catalogue, with the autoencoder unless another encoder is given."""
    return served.settings_of(folder, **{"encoder": "autoencoder", **given})


def embed(settings: Settings, told: Told) -> SimilaritySearch:
    """The embedded catalogue of settings."""
    return embed_catalogue(settings, read_catalogue(settings), told)


def refuse(settings: Settings, error: type[Exception], told: Told | None = None) -> str:
    with pytest.raises(error) as caught:
        embed(settings, told or Told())
    return str(caught.value)


# --- refused without TensorFlow ----------------------------------------------------------------------------------


def test_a_missing_catalogue_models_or_folder_of_images_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert "holds no version of autoencoder" in refuse(settings, ArtefactError)
    assert "none.csv: cannot be read" in refuse(settings_of(tmp_path, catalogue=tmp_path / "none.csv"), CatalogueError)


@pytest.fixture
def described_models(tmp_path: Path) -> Path:
    """Artefacts that are whole by their manifests, and no networks."""
    from tests.support.networks import export, origin

    models = tmp_path / "described"
    export(models, "cae", "1")
    export(models, "autoencoder", "1", input_encoder=origin(models))
    return models


def test_a_folder_without_the_images_is_one_line() -> None:
    content = CsvCatalogue(Path("c.csv"), [Posting("a", "a.png"), Posting("b", "b.png")], [2, 3])
    gone: dict[str, ImageError] = {name: ImageUnavailable(f"{name!r} is not there") for name in ("a.png", "b.png")}
    for skip in (False, True):
        with pytest.raises(
            CatalogueError, match=r"c\.csv: none of its images is there; .* row 2, column image: 'a\.png'"
        ):
            skip_or_refuse(content, gone, skip=skip)
    with pytest.raises(CatalogueError, match="2 bad rows"):
        skip_or_refuse(content, {**gone, "b.png": ImageCorrupt("does not decode")}, skip=True)
    skip_or_refuse(content, {"a.png": gone["a.png"]}, skip=True)


def test_a_missing_folder_of_images_is_named(tmp_path: Path, described_models: Path) -> None:
    settings = settings_of(tmp_path, models=described_models, images=tmp_path / "none")
    assert (
        refuse(settings, SettingsError)
        == f"expected a folder of images, got {tmp_path}/none, which is not a folder; name yours with --images"
    )


def test_bad_rows_and_images_are_refused_before_models_load(tmp_path: Path, described_models: Path) -> None:
    settings = settings_of(tmp_path, models=described_models, skip_bad_images=True)
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("p0,p0.png,again\nx,missing.png,\ny,../catalogue.csv,\nz,,\n")
    (settings.images / "p3.png").write_bytes(b"")
    told = Told()
    lines = refuse(settings, CatalogueError, told).splitlines()
    assert lines[0].endswith("5 bad rows")
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "row 5, column image",
        "row 9, column posting_id",
        "row 10, column image",
        "row 11, column image",
        "row 12, column image",
    ]
    assert set(told.what) == {"Checking images"}
    assert not settings.data.exists()


def test_artefacts_that_do_not_fit_are_refused(tmp_path: Path, described_models: Path) -> None:
    from tests.support.networks import export

    export(described_models, "cae", "1", weights_digest="others")
    assert "does not fit" in refuse(settings_of(tmp_path, models=described_models), ArtefactError)


def test_fault_29_a_damaged_artefact_is_named(tmp_path: Path, described_models: Path) -> None:
    (described_models / "cae" / "1" / "saved_model.pb").write_bytes(b"")
    assert "cae/1/saved_model.pb is damaged" in refuse(settings_of(tmp_path, models=described_models), ArtefactError)


# --- with TensorFlow ---------------------------------------------------------------------------------------------


def test_every_posting_is_found_by_its_own_image(tmp_path: Path, earlier_models: Path) -> None:
    settings = settings_of(tmp_path, models=earlier_models)
    found = embed(settings, Told())
    assert len(found.catalogue) == len(COLOURS)
    assert found.embeddings.shape == (len(COLOURS), EMBEDDING)
    assert found.encoder.versions == {"cae": "1", "autoencoder": "1"}
    for row in range(len(COLOURS)):
        content = image_folder(settings).read(f"p{row}.png")
        assert content == (settings.images / f"p{row}.png").read_bytes()
        [best, *_] = found.nearest(found.embeddings[row : row + 1], 100)
        assert best.similarity == pytest.approx(1, abs=1e-5)


def test_a_second_start_encodes_nothing_and_gives_the_same(tmp_path: Path, earlier_models: Path) -> None:
    settings = settings_of(tmp_path, models=earlier_models)
    first, second = Told(), Told()
    before, after = embed(settings, first), embed(settings, second)
    assert "Encoding images" in first.what
    assert "Encoding images" not in second.what
    np.testing.assert_array_equal(before.embeddings, after.embeddings)


def test_embeddings_of_another_encoder_are_never_mixed_in(tmp_path: Path, earlier_models: Path) -> None:
    embed(settings_of(tmp_path, models=earlier_models), Told())
    told = Told()
    ready = embed(settings_of(tmp_path, models=earlier_models, encoder="cae"), told)
    assert ready.embeddings.shape == (len(COLOURS), LATENTS)
    assert "Encoding images" in told.what
    assert len(list((tmp_path / "data" / "embeddings").iterdir())) == 2


def test_bad_images_are_refused_with_their_rows_or_skipped(
    tmp_path: Path, earlier_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path, models=earlier_models)
    (settings.images / "p1.png").unlink()
    (settings.images / "p4.png").write_bytes(image_bytes("red")[:60])
    lines = refuse(settings, CatalogueError).splitlines()
    assert lines[0].endswith("2 bad rows")
    assert lines[1].startswith("  row 3, column image: 'p1.png'")
    assert lines[2].startswith("  row 6, column image: 'p4.png'")

    with caplog.at_level(logging.INFO, "pricematch"):
        ready = embed(settings_of(tmp_path, models=earlier_models, skip_bad_images=True), Told())
    assert [posting.posting_id for posting in ready.catalogue] == ["p0", "p2", "p3", "p5", "p6"]
    assert len(ready.embeddings) == 5
    assert "skipped 2 of 7 postings whose image is bad" in caplog.messages


def test_a_catalogue_of_bad_images_only_is_refused(tmp_path: Path, earlier_models: Path) -> None:
    """Even if bad images are to be skipped."""
    settings = settings_of(tmp_path, models=earlier_models, skip_bad_images=True)
    for path in settings.images.iterdir():
        path.write_bytes(b"")
    assert "7 bad rows" in refuse(settings, CatalogueError)


def test_postings_that_share_an_image_share_an_embedding(tmp_path: Path, earlier_models: Path) -> None:
    settings = settings_of(tmp_path, models=earlier_models)
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("again,p2.png,the same file\n")
    shutil.copy(settings.images / "p2.png", settings.images / "p3.png")
    embeddings = embed(settings, Told()).embeddings
    np.testing.assert_array_equal(embeddings[7], embeddings[2])
    np.testing.assert_array_equal(embeddings[3], embeddings[2])


def test_an_unwritable_data_folder_is_named_first(tmp_path: Path, described_models: Path) -> None:
    """Before anything is encoded."""
    (tmp_path / "file").write_bytes(b"")
    settings, told = settings_of(tmp_path, models=described_models, data=tmp_path / "file"), Told()
    assert f"{tmp_path}/file cannot be written to" in refuse(settings, SettingsError, told)
    assert told.what == []


def test_a_version_that_is_not_there_is_refused(tmp_path: Path, earlier_models: Path) -> None:
    settings = settings_of(tmp_path, models=earlier_models, encoder_version="9")
    assert "expected a version of autoencoder among 1, got 9" in refuse(settings, ArtefactError)


@pytest.mark.tensorflow
def test_fault_30_a_model_of_another_signature_stops_the_start(tmp_path: Path, earlier_models: Path) -> None:
    models = Path(shutil.copytree(earlier_models, tmp_path / "models"))
    cae = find(models, "cae")
    other = cae.manifest.input.model_copy(update={"name": "image"})
    write_manifest(cae.path, cae.manifest.model_copy(update={"input": other}))
    assert "expected the signature" in refuse(settings_of(tmp_path, models=models), ArtefactError)
