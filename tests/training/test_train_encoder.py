"""Training, put together from settings."""

from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.encoding.bootstrap import embed_catalogue
from pricematch.encoding.catalogue_files import read_catalogue
from pricematch.errors import CatalogueError
from pricematch.formats.manifest import find_chain, versions
from pricematch.matching.queries import Options
from pricematch.settings import Settings, load_settings
from pricematch.training.recipes import TrainOptions
from pricematch.training.train_encoder import train
from tests.support.catalogues import write_catalogue
from tests.support.fakes import tiny_catalogue, tiny_postings
from tests.support.networks import RECIPE, labelled_images, recipe
from tests.support.served import matcher_of_networks

pytestmark = pytest.mark.tensorflow

OPTIONS = TrainOptions(seed=0, version=None, memory_bytes=1 << 20, disk_bytes=0)


def settings_of(folder: Path, models: Path, *, skip_bad_images: bool = False) -> Settings:
    csv_path, images = tiny_catalogue(folder)
    return load_settings(catalogue=csv_path, images=images, models=models, skip_bad_images=skip_bad_images)


def run(settings: Settings) -> list[str]:
    trained = train(settings, RECIPE, OPTIONS, lambda *_: None, lambda _: None, lambda: False)
    return [network.name for network in trained]


def test_each_image_is_trained_on_once(tmp_path: Path) -> None:
    """Bad ones are skipped where settings allow it."""
    settings = settings_of(tmp_path, tmp_path / "models", skip_bad_images=True)
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("again,p0.png,the same file\n")
    (settings.images / "p1.png").unlink()
    assert run(settings) == ["cae", "autoencoder"]
    for artefact in find_chain(settings.models, "autoencoder"):
        assert artefact.manifest.counts["images"] == 6


def test_bad_rows_and_images_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path / "models")
    with settings.catalogue.open("a", encoding="utf-8") as file:
        file.write("p0,p0.png,again\n")
    (settings.images / "p1.png").unlink()
    with pytest.raises(CatalogueError) as caught:
        run(settings)
    assert [problem.row for problem in caught.value.problems] == [3, 9]
    assert versions(settings.models, "cae") == []


def test_a_trained_cnn_serves_every_verb(
    tmp_path: Path,
) -> None:
    """It is trained on the labels of the catalogue."""
    source, labels = labelled_images()
    images, catalogue = tmp_path / "images", tmp_path / "labelled.csv"
    images.mkdir()
    for name, content in source.contents.items():
        (images / name).write_bytes(content)
    lines = [f"{name[:-4]},{name},{labels[name]}" for name in labels]
    catalogue.write_text("\n".join(["posting_id,image,label_group", *lines, "again,g0_0.png,another group", ""]))
    settings = load_settings(
        catalogue=catalogue, images=images, models=tmp_path / "models", data=tmp_path / "data", encoder="cnn"
    )
    [trained] = train(settings, recipe(), OPTIONS, lambda *_: None, lambda _: None, lambda: False)
    assert trained.fitted.training_rows + trained.fitted.validation_rows == len(labels) - 1  # one has two groups
    embedded = embed_catalogue(settings, read_catalogue(settings), lambda *_: None)
    assert embedded.embeddings.shape == (len(labels) + 1, 6)
    assert embedded.encoder.versions == {"cnn": "1"}
    assert (embedded.embeddings[-1] == embedded.embeddings[0]).all()


@pytest.mark.long  # starts a service with its networks once more
def test_without_a_matcher_the_threshold_of_the_encoder_decides(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path / "models").model_copy(update={"data": tmp_path / "data"})
    groups = ["red", "red", "green", "green", "dark", "dark", "white"]
    labelled = [replace(posting, label_group=group) for posting, group in zip(tiny_postings(), groups, strict=True)]
    write_catalogue(settings.catalogue, labelled)
    run(settings)
    threshold = find_chain(settings.models, "autoencoder")[-1].manifest.threshold
    matcher = matcher_of_networks(settings.model_copy(update={"matcher": "none"}))
    every = list(matcher.match_posting("p0", Options(min_similarity=-1)).matches)
    answer = matcher.match_posting("p0", Options())
    assert threshold is not None
    assert (answer.decision.by, answer.decision.threshold, answer.decision.fallback) == (
        "similarity",
        threshold,
        threshold,
    )
    assert list(answer.matches) == [match for match in every if (match.similarity or 0) >= threshold]
    assert 0 < len(answer.matches) < len(every) == len(labelled) - 1
