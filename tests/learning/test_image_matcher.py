"""A matcher that compares images, from training to answers."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.encoding.blocking import ForThreads
from pricematch.encoding.encoders import NEWEST_COLOURS
from pricematch.formats.matcher_files import read_matcher
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query
from pricematch.settings import Settings
from tests.support.cli import Ran, Run
from tests.support.networks import TinyArtefacts
from tests.support.served import served, worker_processes

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_artefacts: TinyArtefacts) -> Path:
    """A sample catalogue, two postings of which have no image, and the tiny networks."""
    from pricematch.sample.catalogue import write_sample

    folder = tmp_path_factory.mktemp("image-matcher")
    write_sample(folder, 120, 0, lambda *_: None)
    with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        columns, *lines = csv.reader(file)
    for line in (lines[4], lines[30]):
        line[columns.index("image")] = line[columns.index("image_phash")] = ""
    with (folder / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *lines])
    shutil.copytree(tiny_artefacts.models, folder / "models")
    return folder


def verb(run: Run, folder: Path, *arguments: str) -> Ran:
    names = {"catalogue": "catalogue.csv", "images": "images", "models": "models", "data": "data"}
    paths = [text for name, path in names.items() for text in (f"--{name}", str(folder / path))]
    return run(*arguments, *paths)


def test_a_matcher_of_images_works_from_training_to_answers(run: Run, folder: Path) -> None:
    """What is right is found, though not whether more is than by images alone.

    Forty postings and a network of seven images tell F1 to within 0.12: over sixteen samples and splits the matcher is
    ahead of images alone in eight, and a processor's arithmetic moves a split's F1 by 0.04.
    """
    signals = ("--signals", "hash,image")
    trained = verb(run, folder, "train", "matcher", *signals, "--encoder", "cae", "--train-share", "0.6")
    assert trained.code == 0, trained.err
    manifest = read_matcher(folder / "models").manifest
    assert manifest.encoder is not None
    assert manifest.encoder.name == "cae"
    assert {"image_similarity", "colours_similarity"} <= set(manifest.features)
    assert manifest.colours == NEWEST_COLOURS

    evaluated = verb(run, folder, "evaluate", *signals, "--matcher", "auto", "--output", str(folder / "e"))
    assert evaluated.code == 0, evaluated.err
    report = json.loads((folder / "e" / "report.json").read_text(encoding="utf-8"))["matcher"]
    assert report["map_at_k"]["1"] > 0.25  # chance finds one in forty
    assert report["f1_interval"]["high"] > report["signals_on_the_same"]["image"]["f1"]

    written = verb(run, folder, "submit", "--matcher", "auto", "--output", str(folder / "submission.csv"))
    assert written.code == 0, written.err
    with (folder / "submission.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["posting_id"]: line["matches"].split(" ") for line in csv.DictReader(file)}

    settings = Settings(
        catalogue=folder / "catalogue.csv", images=folder / "images", models=folder / "models", data=folder / "data"
    )
    with worker_processes(settings) as encoding, served(settings, encoding=encoding) as running:
        _check(settings, running.snapshots.current.matcher, encoding, lines)


def _check(settings: Settings, matcher: Matcher, encoding: ForThreads, lines: dict[str, list[str]]) -> None:
    for posting in list(matcher.catalogue)[:20]:
        stored = matcher.match_posting(posting.posting_id, Options(limit=50))
        assert [match.posting_id for match in stored.matches] == lines[posting.posting_id][1:]
        if posting.image is None:
            continue
        wanted = matcher.wanted(Options(), image=True, title=False)
        content = (settings.data / "images" / posting.image[:2] / posting.image[2:]).read_bytes()
        [image] = encoding.encode([content], wanted)
        assert isinstance(image, ImageFeatures)
        every = matcher.match(Query("", image), Options(limit=200, min_probability=0)).matches
        [itself] = [match for match in every if match.posting_id == posting.posting_id]
        assert itself.match_type == "identical"
        assert itself.evidence is not None
        assert itself.evidence.signals["colours"] == pytest.approx(1, abs=1e-5)


def test_where_no_posting_names_an_image_there_is_no_signal_image(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue.csv").write_text("posting_id,image,label_group\na,,1\nb,,1\nc,,2\n", encoding="utf-8")
    ran = run("evaluate", "--catalogue", str(tmp_path / "catalogue.csv"), "--models", str(folder / "models"),
              "--signals", "image", "--folds", "2", "--output", str(tmp_path))  # fmt: skip
    assert ran.code == 2
    assert "signal image: no posting of" in ran.one_line()
