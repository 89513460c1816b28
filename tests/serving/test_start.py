"""What the service answers with, from settings."""

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.postings import Posting
from pricematch.errors import ArtefactError, CatalogueError, EncoderNeeded, SettingsError
from pricematch.formats.manifest import Origin, find
from pricematch.matching.clusters import Item, cluster_by_probability
from pricematch.matching.queries import Options, Query, Result
from pricematch.settings import Settings
from pricematch.store.sqlite.store import DATABASE
from tests.support.catalogues import logos, others, write_catalogue
from tests.support.encoding import image_features
from tests.support.fakes import COLOURS, encoded, image_bytes, scene, tiny_catalogue
from tests.support.matchers import export_matcher
from tests.support.networks import TinyArtefacts, export
from tests.support.served import (
    Loaded,
    Told,
    coloured,
    loaded,
    matcher_of_networks,
    served,
    served_matcher,
    settings_of,
    titles_and_hashes,
    without_pictures,
    worker_processes,
)

__all__ = ["loaded"]

ROOT = Path(__file__).parents[2]


def elsewhere(settings: Settings, name: str) -> Settings:
    """Settings with another data folder, which is filled from the catalogue file anew."""
    return settings.model_copy(update={"data": settings.data.parent / name})


def ids(answer: Result) -> list[str]:
    """Whose matches they are, in order."""
    return [match.posting_id for match in answer.matches]


def test_a_catalogue_without_images_is_matched_by_its_hashes_and_titles(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    matcher = served_matcher(settings, Told())
    assert ids(matcher.match_posting("p0", Options())) == ["p1"]
    assert ids(matcher.match_posting("p2", Options())) == ["p3"]
    assert ids(matcher.match(Query(title="TEH manis"), Options())) == ["p3", "p2"]  # p3 has no hash either
    with pytest.raises(EncoderNeeded):
        matcher.match_posting("p0", Options(min_similarity=0.5))


def test_it_takes_no_tensorflow_without_images(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    code = """
import sys
from pathlib import Path
from pricematch.settings import Settings
from tests.support.served import matcher_of_networks, served, served_matcher, worker_processes
folder = Path(sys.argv[1])
served_matcher(Settings(catalogue=folder / "catalogue.csv", models=folder / "models", data=folder / "data"))
print([name for name in ("tensorflow", "keras", "torch") if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(settings.catalogue.parent)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'app'}"},
    )
    assert ran.stdout == "[]\n", ran.stderr


def test_the_newest_matcher_decides_unless_another_or_none_is_named(tmp_path: Path) -> None:
    titles_and_hashes(tmp_path)
    export_matcher(tmp_path / "models", ["title"], version="2")
    labels = []
    for matcher in ("auto", "1", "2"):
        search = served_matcher(without_pictures(tmp_path, matcher=matcher), Told()).probability
        labels.append(None if search is None else search.label)
    assert labels == ["matcher/2", "matcher/1", "matcher/2"]
    with pytest.raises(ArtefactError, match="among 1, 2, got 3"):
        served_matcher(without_pictures(tmp_path, matcher="3"), Told())
    with pytest.raises(ArtefactError, match="holds no version of cae"):
        served_matcher(without_pictures(tmp_path, matcher="none", encoder="cae"), Told())


def test_a_damaged_matcher_ends_the_start(tmp_path: Path) -> None:
    settings = titles_and_hashes(tmp_path)
    (tmp_path / "models" / "matcher" / "1" / "first.txt").write_text("tree")
    with pytest.raises(ArtefactError, match=r"first\.txt"):
        served_matcher(settings, Told())


def test_a_missing_encoder_is_named_with_its_matcher(tmp_path: Path) -> None:
    export_matcher(tmp_path / "models", ["image"], Origin(name="cae", version="", weights_digest="0"))
    with pytest.raises(ArtefactError, match=r"matcher/1 needs the encoder it was trained with: .*no version of cae"):
        served_matcher(without_pictures(tmp_path), Told())


def test_a_signal_that_no_posting_has_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = titles_and_hashes(tmp_path)
    served_matcher(settings, Told())
    assert "no posting has" not in caplog.text
    write_catalogue(settings.catalogue, [Posting(f"p{row}", f"p{row}.png", "kopi") for row in range(3)])
    served_matcher(elsewhere(settings, "other"))
    assert "matcher/1 compares by hash, and no posting has a hash" in caplog.text
    assert "title, and" not in caplog.text


def test_stock_images_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log of a start; fault C5."""
    settings = titles_and_hashes(tmp_path)
    served_matcher(settings)
    assert "stock image" not in caplog.text
    write_catalogue(settings.catalogue, [*logos(12), *others(30)])
    served_matcher(elsewhere(settings, "other"))
    stock = "stock images are no evidence: the image of logo00, which 12 postings show under 12 titles"
    assert caplog.text.count(stock) == 1


def test_a_second_start_scores_nothing_and_answers_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = titles_and_hashes(tmp_path)
    before = served_matcher(settings, Told()).match_posting("p0", Options())
    monkeypatch.setattr("pricematch.matching.index.first_scores", None)
    after = served_matcher(settings, Told()).match_posting("p0", Options())
    assert list(after.matches) == list(before.matches)


def test_another_matcher_scores_anew(tmp_path: Path) -> None:
    """What one matcher said of the catalogue is not taken for what another one says."""
    settings = titles_and_hashes(tmp_path)
    assert ids(served_matcher(settings).match_posting("p2", Options())) == ["p3"]
    export_matcher(tmp_path / "models", ["hash"], version="2")
    assert ids(served_matcher(settings).match_posting("p0", Options())) == ["p1"]
    assert ids(served_matcher(settings).match_posting("p2", Options())) == []


def crowded(count: int) -> list[Posting]:
    """Postings so alike that most of what could be proposed has to be left out: two titles, a few hashes."""
    hashes = ["0" * 16, "0" * 15 + "1", "f" * 16]
    return [Posting(f"p{row}", None, ["kopi susu", "teh"][row % 2], hashes[row // 3 % 3]) for row in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_file_changes_nothing(tmp_path: Path, seed: int) -> None:
    settings, postings = titles_and_hashes(tmp_path), crowded(240)
    answers = list[tuple[dict[str, Any], list[Item]]]()
    for order in (np.arange(240), np.random.default_rng(seed).permutation(240)):
        write_catalogue(settings.catalogue, [postings[row] for row in order])
        matcher = served_matcher(elsewhere(settings, str(len(answers))))
        assert matcher.probability is not None
        clusters = cluster_by_probability(matcher.probability, "all", 0.5)
        found = {id_: matcher.match_posting(id_, Options(100, min_probability=0)) for id_ in ("p0", "p7", "p239")}
        answers.append(({id_: list(answer.matches) for id_, answer in found.items()}, list(clusters.items(0, 240))))
        answers[-1][0]["new"] = list(matcher.match(Query(title="kopi susu"), Options(100)).matches)
    assert answers[0] == answers[1]
    assert len(answers[0][0]["p0"]) < 239  # something was left out


def test_hashes_that_the_file_lacks_are_computed_from_the_images(tmp_path: Path) -> None:
    settings, told = coloured(tmp_path, ["hash"]), Told()
    (settings.images / "p0.png").write_bytes(encoded(scene()))
    (settings.images / "p4.png").write_bytes(encoded(scene(), "BMP"))
    matcher = served_matcher(settings, told)
    [match] = matcher.match(Query("", image_features(encoded(scene()))), Options(limit=1)).matches
    assert match.posting_id == "p0"
    assert ids(matcher.match_posting("p0", Options())) == ["p4"]
    assert "Encoding images" in told.what
    assert told.what[-1] == "Scoring pairs"


def test_a_store_without_hashes_tells_one_colour(tmp_path: Path, loaded: Loaded) -> None:
    """As earlier versions left it without a matcher: the next start looks at its images; fault C7."""
    export(tmp_path / "models", "cae", "1")
    settings = settings_of(tmp_path, encoder="cae")
    served_matcher(settings)
    with closing(sqlite3.connect(settings.data / DATABASE)) as connection, connection:
        connection.execute("DELETE FROM hash")
    loaded.blank.add(image_bytes(COLOURS[0]))
    matcher = served_matcher(settings)
    found = matcher.match_posting("p0", Options(min_similarity=-1))
    assert (ids(found), found.one_colour) == ([], True)
    assert sorted(ids(matcher.match_posting("p1", Options(min_similarity=-1)))) == [f"p{row}" for row in range(2, 7)]


def test_the_same_bytes_under_two_names_are_identical(tmp_path: Path) -> None:
    settings = coloured(tmp_path, ["hash", "title"])
    for name in ("p0.png", "p4.png"):
        (settings.images / name).write_bytes(encoded(scene()))
    [match] = served_matcher(settings, Told()).match_posting("p0", Options()).matches
    assert (match.posting_id, match.match_type) == ("p4", "identical")


def test_bad_images_are_refused_or_skipped_as_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refusals name their rows; skipped postings have no image."""
    settings = coloured(tmp_path, ["hash", "title"])
    (settings.images / "p1.png").unlink()
    (settings.images / "p4.png").write_bytes(image_bytes("red")[:60])
    with pytest.raises(CatalogueError, match="2 bad rows") as caught:
        served_matcher(settings, Told())
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "row 3, column image",
        "row 6, column image",
    ]
    with caplog.at_level(logging.WARNING, "pricematch"):
        matcher = served_matcher(settings_of(tmp_path, skip_bad_images=True), Told())
    assert len(matcher.catalogue) == len(COLOURS)
    assert "2 postings whose image is bad" in caplog.text
    assert ids(matcher.match(Query(title="Product #f40808"), Options())) == ["p1"]


def test_postings_without_image_are_no_fault_with_a_matcher(tmp_path: Path) -> None:
    from tests.support.fakes import tiny_postings

    settings = coloured(tmp_path, ["hash", "title"])
    write_catalogue(settings.catalogue, [replace(tiny_postings()[0], image=None), *tiny_postings()[1:]])
    matcher = served_matcher(settings, Told())
    assert matcher.catalogue[0].image is None
    assert ids(matcher.match(Query(title="Product #ff0000"), Options(1))) == ["p0"]


def test_a_folder_of_images_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a folder of images"):
        served_matcher(coloured(tmp_path, ["hash"], images=tmp_path / "none"), Told())


def test_a_named_encoder_must_exist_a_default_one_need_not(tmp_path: Path) -> None:
    assert served_matcher(coloured(tmp_path, ["title"]), Told()).encoders == {}
    for given in ({"encoder": "autoencoder"}, {"encoders": "cae"}):
        with pytest.raises(ArtefactError, match="holds no version of"):
            served_matcher(settings_of(tmp_path, **given), Told())


def test_the_matcher_needs_the_encoder_of_its_training(tmp_path: Path) -> None:
    from tests.support.networks import export

    export(tmp_path / "models", "cae", "1")
    other = Origin(name="cae", version="1", weights_digest="of others")
    export_matcher(tmp_path / "models", ["image"], other)
    tiny_catalogue(tmp_path)
    with pytest.raises(ArtefactError, match="does not fit"):
        served_matcher(settings_of(tmp_path), Told())


# --- with TensorFlow ---------------------------------------------------------------------------------------------


@pytest.fixture
def image_settings(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> Settings:
    """Settings over the tiny catalogue and a matcher that compares by the CAE."""
    models = tmp_path / "models"
    models.mkdir()
    for name in ("cae", "autoencoder"):
        (models / name).symlink_to(tiny_artefacts.models / name)
    cae = find(models, "cae").manifest
    origin = Origin(name="cae", version=cae.version, weights_digest=cae.weights_digest)
    export_matcher(models, ["title", "image"], origin)
    settings = settings_of(tmp_path, models=models)
    (settings.images / "p2.png").write_bytes(encoded(scene()))  # one of one colour would be no evidence
    return settings


def match_p2(settings: Settings, options: Options) -> Result:
    """The result of a query by the image of p2, encoded by the networks in worker processes."""
    with worker_processes(settings) as encoding, served(settings, encoding=encoding) as running:
        matcher, content = running.snapshots.current.matcher, (settings.images / "p2.png").read_bytes()
        [image] = encoding.encode([content], matcher.wanted(options, image=True, title=False))
        assert isinstance(image, ImageFeatures)
        return matcher.match(Query("", image), options)


@pytest.mark.tensorflow
def test_the_encoder_of_the_matcher_is_the_default(image_settings: Settings) -> None:
    result = match_p2(image_settings, Options())
    assert result.decision.models == {"matcher": "1", "cae": "1"}
    assert result.matches[0].posting_id == "p2"
    assert result.matches[0].similarity == pytest.approx(1, abs=1e-5)


@pytest.mark.tensorflow
@pytest.mark.long  # each starts a service with its networks
def test_several_encoders_are_held_and_the_named_one_is_the_default(image_settings: Settings) -> None:
    both = image_settings.model_copy(update={"encoder": "autoencoder", "encoders": ("cae",)})
    matcher = matcher_of_networks(both)
    assert list(matcher.encoders) == ["autoencoder", "cae"]
    assert matcher.retrieved["image"] == matcher.named["cae"]
    by_both = [matcher.match_posting("p0", Options(encoder=name)) for name in ("autoencoder", "cae")]
    assert [list(it.decision.models) for it in by_both] == [["matcher", "cae", "autoencoder"], ["matcher", "cae"]]


@pytest.mark.tensorflow
def test_a_matcher_of_images_serves_a_catalogue_without_any(image_settings: Settings) -> None:
    for path in image_settings.images.iterdir():
        path.unlink()
    image_settings.images.rmdir()
    matcher = served_matcher(without_pictures(image_settings.catalogue.parent))
    assert ids(matcher.match(Query(title="product #00ff00"), Options(1))) == ["p2"]


@pytest.mark.tensorflow
@pytest.mark.long  # each starts a service with its networks
def test_without_a_matcher_several_encoders_are_held_too(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = settings_of(tmp_path, models=tiny_artefacts.models, encoders="cae,autoencoder")
    result = match_p2(settings, Options(1, encoder="cae"))
    assert (result.decision.models, result.decision.by) == ({"cae": "1"}, "similarity")
