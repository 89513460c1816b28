"""A posting beside its matches."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from PIL import Image

from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.encoding import encoding
from pricematch.formats.default_matcher import NAME
from pricematch.formats.manifest import MANIFEST
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Matches, Options, Result
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from pricematch.serving.service import Service
from pricematch.serving.show_matches import Shown, show_matches
from pricematch.settings import Settings, load_settings
from tests.support.catalogues import write_catalogue
from tests.support.cli import Ran, Run
from tests.support.fakes import COLOURS, encoded, marked_bytes, scene, tiny_catalogue, tiny_postings
from tests.support.matchers import export_matcher
from tests.support.networks import LATENTS_TENSOR, TinyArtefacts, export, origin
from tests.support.served import matcher_of_networks, served_matcher
from tests.support.tiny_worker import COMMAND, DIMENSION

GREEN, RED = (0x1B, 0x7F, 0x4B), (0xB3, 0x26, 0x1E)
"""Frames of matches of the same group, and of another."""


def _catalogue(folder: Path) -> tuple[Path, Path]:
    """The tiny catalogue, with something to see in its images."""
    csv_path, images = tiny_catalogue(folder)
    for row, colour in enumerate(COLOURS):
        (images / f"p{row}.png").write_bytes(marked_bytes(colour))
    return csv_path, images


def _settings(folder: Path, models: Path, **given: Any) -> Settings:
    """Settings by which similarity decides."""
    csv_path, images = _catalogue(folder)
    paths = {"catalogue": csv_path, "images": images, "models": models, "data": folder / "data"}
    return load_settings(**paths, matcher="none", precision="float32", workers=1, **given)


def _ignored(*_: object) -> None:
    """Progress that nobody watches."""


def frames(sheet: Path) -> tuple[int, int]:
    """How many green and how many red frames a sheet has."""
    with Image.open(sheet) as image:
        pixels = np.asarray(image)
    of_one = 264**2 - 256**2  # pixels: four around a cell of 256
    green, red = (int((pixels == colour).all(axis=2).sum()) for colour in (GREEN, RED))
    assert green % of_one == red % of_one == 0
    return green // of_one, red // of_one


def drawn(settings: Settings, posting_id: str, count: int) -> Shown:
    """What is shown, drawn beside the catalogue."""
    return show_matches(settings, posting_id, count, None, None, settings.catalogue.parent / "sheet.png", _ignored)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder of mean colours: its manifest is whole, and worker processes run no network."""
    monkeypatch.setattr(encoding, "worker_commands", lambda count: [COMMAND] * count)
    output = LATENTS_TENSOR.model_copy(update={"shape": (None, DIMENSION)})
    return export(tmp_path / "models", "cae", "1", output=output).parents[1]


@pytest.mark.tensorflow
def test_matches_are_those_of_the_service_with_their_groups(tmp_path: Path, tiny_artefacts: TinyArtefacts) -> None:
    settings = _settings(tmp_path, tiny_artefacts.models)
    labels = ["red", "red", "green", "green", "blue", None, "white"]
    postings = [replace(posting, label_group=label) for posting, label in zip(tiny_postings(), labels, strict=True)]
    write_catalogue(settings.catalogue, postings)
    shown = drawn(settings, "p1", 49)
    assert replace(shown.query, image="p1.png") == postings[1]
    elsewhere = settings.model_copy(update={"data": tmp_path / "served"})
    answer = matcher_of_networks(elsewhere).match_posting("p1", Options(49, min_similarity=-1)).matches
    assert [it.match for it in shown.found] == list(answer)
    assert {match.posting.posting_id: match.same_group for match in shown.found} == {
        "p0": True,
        "p2": False,
        "p3": False,
        "p4": False,
        "p5": None,
        "p6": False,
    }
    assert frames(tmp_path / "sheet.png") == (1, 4)


@pytest.mark.process
def test_a_query_without_a_group_has_matches_without_frames(tmp_path: Path, models: Path) -> None:
    shown = drawn(_settings(tmp_path, models, encoder="cae"), "p0", 3)
    assert [match.same_group for match in shown.found] == [None, None, None]
    assert frames(tmp_path / "sheet.png") == (0, 0)


@pytest.mark.process
def test_the_query_comes_first_and_images_keep_their_proportions(tmp_path: Path, models: Path) -> None:
    settings = _settings(tmp_path, models, encoder="cae")
    (settings.images / "p0.png").write_bytes(marked_bytes(COLOURS[0], (128, 64)))
    sizes = []
    for count in (1, 4, 5):
        drawn(settings, "p0", count)
        with Image.open(tmp_path / "sheet.png") as sheet:
            sizes.append(sheet.size)
            query = np.argwhere((np.asarray(sheet) == (255, 0, 0)).all(axis=2))
        assert (np.ptp(query, axis=0) + 1).tolist() == [64, 128]
        assert query.max() < 12 + 256
    assert sizes[0][0] < sizes[1][0] == sizes[2][0]
    assert sizes[0][1] == sizes[1][1] < sizes[2][1]


@pytest.mark.process
def test_a_catalogue_of_one_shows_the_query_alone(tmp_path: Path, models: Path) -> None:
    settings = _settings(tmp_path, models, encoder="cae")
    write_catalogue(settings.catalogue, tiny_postings()[:1])
    assert drawn(settings, "p0", 8).found == []
    assert (tmp_path / "sheet.png").exists()


def show(run: Run, folder: Path, posting_id: str, *options: str) -> Ran:
    """Runs `pricematch show matches` over the tiny catalogue in a folder."""
    paths = {name: str(folder / name) for name in ("images", "models", "data")}
    paths |= {"catalogue": str(folder / "catalogue.csv"), "output": str(folder / "sheet.png")}
    given = [part for name, value in paths.items() if f"--{name}" not in options for part in (f"--{name}", value)]
    return run("show", "matches", posting_id, *given, *options)


@pytest.mark.process
def test_the_command_lists_the_matches_with_titles_as_they_are(run: Run, tmp_path: Path, models: Path) -> None:
    _catalogue(tmp_path)
    titles = ["query", "[bold]tas[/x] \x1b[31m", "two\nlines", "W" * 500, "", "", ""]
    postings = [replace(posting, title=title) for posting, title in zip(tiny_postings(), titles, strict=True)]
    write_catalogue(tmp_path / "catalogue.csv", [replace(posting, label_group="g") for posting in postings])
    ran = show(run, tmp_path, "p0", "--matcher", "none", "--encoder", "cae", "--count", "6")
    assert ran.code == 0, ran.err
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]
    assert "\x1b" not in ran.out
    assert {row[0]: (row[2], row[3]) for row in rows} == {
        "p1": ("yes", "[bold]tas[/x] �[31m"),
        "p2": ("yes", "two lines"),
        "p3": ("yes", "W" * 79 + "…"),
        "p4": ("yes", ""),
        "p5": ("yes", ""),
        "p6": ("yes", ""),
    }
    similarities = [float(row[1]) for row in rows]
    assert similarities == sorted(similarities, reverse=True)
    assert ran.out.splitlines()[-1] == f"wrote {tmp_path}/sheet.png"


@pytest.mark.process
def test_an_image_of_one_colour_is_told(run: Run, tmp_path: Path, models: Path) -> None:
    """Instead of matches; fault C7."""
    tiny_catalogue(tmp_path)
    ran = show(run, tmp_path, "p0", "--matcher", "none", "--encoder", "cae")
    assert ran.code == 0, ran.err
    assert "its image is of one colour, which is no evidence" in ran.out
    assert "p1" not in ran.out


@pytest.mark.process
def test_matches_are_narrowed(run: Run, tmp_path: Path) -> None:
    """By a filter in short or as JSON, and by what they share with the posting."""
    export_matcher(tmp_path / "models", ["title"])
    rows = [("a", "x", 5), ("b", "x", 5), ("c", "y", 5), ("d", "y", 9)]
    postings = [
        Posting(name, None, "kopi susu", metadata=Metadata({"seller": seller, "price": price}))
        for name, seller, price in rows
    ]
    write_catalogue(tmp_path / "catalogue.csv", postings)

    def found(*options: str) -> list[str]:
        given = [f"--{name}={tmp_path / path}" for name, path in (("models", "models"), ("data", "data"))]
        ran = run("show", "matches", "a", f"--catalogue={tmp_path / 'catalogue.csv'}", *given, *options, "--json")
        assert ran.code == 0, ran.err
        return [it["posting_id"] for it in json.loads(ran.out)["matches"]]

    assert found() == ["b", "c", "d"]
    assert found("--filter", "price=5") == found("--filter", '{"price": 5}') == ["b", "c"]
    assert found("--exclude", "seller") == ["c", "d"]
    assert found("--exclude", "seller,price") == ["d"]
    assert found("--filter", "price=5", "--exclude", "product") == []


def test_a_wrong_filter_is_one_line_before_anything_is_read(run: Run, described: Path) -> None:
    for option, value in (("--filter", "price="), ("--exclude", "a..b")):
        ran = show(run, described, "p0", option, value)
        assert ran.code == 1
        assert option.removeprefix("--") in ran.one_line()
    assert not (described / "data").exists()


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A tiny catalogue, and artefacts that are whole by their manifests, and no networks."""
    _catalogue(tmp_path)
    export(tmp_path / "models", "cae", "1")
    export(tmp_path / "models", "autoencoder", "1", input_encoder=origin(tmp_path / "models"))
    return tmp_path


def test_an_unknown_posting_is_one_line_before_anything_is_embedded(run: Run, described: Path) -> None:
    ran = show(run, described, "p7")
    assert (ran.code, ran.out, ran.one_line()) == (1, "", "pricematch: no posting has the id 'p7'")
    assert not (described / "data").exists()


@pytest.mark.parametrize("name", ["sheet.xyz", "nowhere/sheet.png"])
def test_an_unwritable_output_is_one_line_at_once(run: Run, described: Path, name: str) -> None:
    ran = show(run, described, "p0", "--output", str(described / name))
    assert ran.code == 2
    assert f"cannot write {described / name}" in ran.one_line()
    assert not (described / "data").exists()


def test_bad_rows_are_named_before_an_unknown_posting(run: Run, described: Path) -> None:
    with (described / "catalogue.csv").open("a", encoding="utf-8") as file:
        file.write("p0,again.png,\n")
    ran = show(run, described, "p7")
    assert ran.code == 1
    assert "1 bad row" in ran.err


@pytest.mark.parametrize("count", ["0", "50"])
def test_as_many_matches_as_a_list_holds_can_be_shown(run: Run, count: str) -> None:
    ran = run("show", "matches", "p0", "--output", "x.png", "--count", count)
    assert ran.code == 2
    assert "--count" in ran.err


# --- with a trained matcher --------------------------------------------------------------------------------------


def labelled(folder: Path) -> None:
    """The tiny catalogue with hashes, of which p0 and p1 have the same and p2 nearly so, and a matcher of them."""
    tiny_catalogue(folder)
    for row, side in enumerate(range(64, 64 + len(COLOURS))):  # with something to see, so that their hashes count
        (folder / "images" / f"p{row}.png").write_bytes(encoded(scene((side, side))))
    hashes = ["0" * 16, "0" * 16, "0" * 15 + "1", "f" * 16, "0f" * 8, "3c" * 8, "a5" * 8]
    labels = ["a", "a", "b", "b", None, "c", "c"]
    titles = ["kopi susu", "Kopi Susu", "kopi", "teh", "", "", ""]
    write_catalogue(
        folder / "catalogue.csv",
        [
            replace(posting, image_phash=hashes[row], label_group=labels[row], title=titles[row])
            for row, posting in enumerate(tiny_postings())
        ],
    )
    export_matcher(folder / "models", ["hash", "title"])


def rows_of(ran: Ran) -> list[list[str]]:
    """The cells of a table."""
    assert ran.code == 0, ran.err
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if "│" in line]


def test_matches_come_with_probability_level_and_reasons(run: Run, tmp_path: Path) -> None:
    labelled(tmp_path)
    ran = show(run, tmp_path, "p0")
    paths = {name: tmp_path / name for name in ("images", "models", "data")}
    settings = load_settings(catalogue=tmp_path / "catalogue.csv", **paths)
    elsewhere = settings.model_copy(update={"data": tmp_path / "served"})
    answer = served_matcher(elsewhere).match_posting("p0", Options())
    rows = [row for row in rows_of(ran) if row[0]]
    assert [row[:3] for row in rows] == [
        [match.posting_id, f"{match.probability:.3f}", match.match_type] for match in answer.matches
    ]
    assert [row[4:] for row in rows] == [["yes", "Kopi Susu"], ["no", "kopi"]]
    for match in answer.matches:
        assert match.evidence is not None
        assert all(reason.text[:20] in ran.out for reason in match.evidence.reasons)
    assert frames(tmp_path / "sheet.png") == (1, 1)


def test_a_probability_and_the_count_decide_how_many(run: Run, tmp_path: Path) -> None:
    labelled(tmp_path)

    def shown(*options: str) -> list[str]:
        return [row[0] for row in rows_of(show(run, tmp_path, "p0", *options)) if row[0]]

    assert shown("--min-probability", "0.9999") == ["p1"]  # of the same title and hash
    assert shown("--min-probability", "0", "--count", "1") == ["p1"]
    assert shown("--min-probability", "0") == shown("--target", "f1") == ["p1", "p2"]


def test_no_matches_come_with_advice(run: Run, tmp_path: Path) -> None:
    labelled(tmp_path)
    ran = show(run, tmp_path, "p4")
    assert ran.code == 0
    assert "no posting reaches a probability of 0.500; --min-probability 0 shows every candidate" in ran.out


def test_a_target_out_of_reach_is_named_without_a_number(run: Run, tmp_path: Path) -> None:
    labelled(tmp_path)
    manifest = tmp_path / "models" / NAME / "1" / MANIFEST
    out_of_reach = {F1: [Thresholds(0.5, 0.5)], Target(0.95): [Thresholds(inf, inf)]}
    thresholds = {"thresholds": SizeThresholds((1,), out_of_reach).describe()}
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | thresholds), encoding="utf-8")
    ran = show(run, tmp_path, "p0", "--target", "precision:0.95")
    assert ran.code == 0, ran.err
    assert "the matcher reaches precision:0.95 at no probability in a catalogue of this size" in ran.out


def test_without_images_no_tensorflow_is_loaded(tmp_path: Path) -> None:
    labelled(tmp_path)
    shutil.rmtree(tmp_path / "images")
    shown = (
        "import sys\n"
        "from pricematch.serving.show_matches import show_matches\n"
        "from pricematch.settings import load_settings\n"
        "from pathlib import Path\n"
        "settings = load_settings(catalogue=Path('catalogue.csv'), models=Path('models'), data=Path('data'))\n"
        "found = show_matches(settings, 'p0', 8, None, None, None, lambda *_: None).found\n"
        "print(len(found), [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", shown], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "2 []\n"


def test_without_images_there_is_a_table_and_no_sheet(run: Run, tmp_path: Path) -> None:
    labelled(tmp_path)
    paths = [part for name in ("models", "data") for part in (f"--{name}", str(tmp_path / name))]
    given = ["show", "matches", "p0", "--catalogue", str(tmp_path / "catalogue.csv"), *paths]
    ran = run(*given)
    assert [row[0] for row in rows_of(ran) if row[0]] == ["p1", "p2"]
    assert "wrote" not in ran.out
    refused = run(*given, "--output", str(tmp_path / "sheet.png"))
    assert refused.code == 2
    assert "there are no images; name them with --images, or leave it out" in refused.err


@pytest.mark.parametrize("named", [True, False])
def test_a_posting_without_an_image_is_a_grey_square(tmp_path: Path, named: bool) -> None:
    labelled(tmp_path)
    if named:
        (tmp_path / "images" / "p1.png").unlink()
    else:
        written = (tmp_path / "catalogue.csv").read_text(encoding="utf-8")
        assert written.count("p1.png") == 1
        (tmp_path / "catalogue.csv").write_text(written.replace("p1.png", ""), encoding="utf-8")
    paths = {name: tmp_path / name for name in ("images", "models", "data")}
    settings = load_settings(catalogue=tmp_path / "catalogue.csv", skip_bad_images=True, **paths)
    assert [it.posting.posting_id for it in drawn(settings, "p0", 8).found] == ["p1", "p2"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        grey = np.argwhere((np.asarray(sheet) == 232).all(axis=2))
    in_second_cell = (grey >= (12, 12 + 268)).all(axis=1) & (grey < (12 + 256, 12 + 268 + 256)).all(axis=1)
    assert in_second_cell.sum() == 256**2


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--target", "best"], 2, "--target: expected f1, or a precision such as precision:0.95, got 'best'"),
        (["--target", "precision:0.5"], 1, "no thresholds for precision:0.50; there are some for f1"),
        (["--matcher", "7"], 1, "expected a version of the matcher among 1, got 7"),
        (["--matcher", "best"], 2, "best"),
        (["--min-probability", "1.5"], 2, "--min-probability"),
    ],
)
def test_wrong_options_are_refused(run: Run, tmp_path: Path, options: list[str], code: int, told: str) -> None:
    labelled(tmp_path)
    ran = show(run, tmp_path, "p0", *options)
    assert ran.code == code
    assert told in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.process
def test_without_a_matcher_the_log_names_similarity(
    run: Run, tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_catalogue(tmp_path)
    ran = show(run, tmp_path, "p0", "--matcher", "none", "--encoder", "cae")
    assert ran.code == 0, ran.err
    assert "no matcher: similarity decides" in caplog.text


@pytest.mark.process
def test_a_target_without_a_matcher_is_one_line(run: Run, tmp_path: Path, models: Path) -> None:
    tiny_catalogue(tmp_path)
    ran = show(run, tmp_path, "p0", "--matcher", "none", "--encoder", "cae", "--target", "f1")
    assert ran.code == 1
    assert "target takes a matcher" in ran.err.splitlines()[-1]


def test_the_nearest_image_of_a_match_is_drawn(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several the one that the matcher names; of the query its first."""
    settings, read = _settings(tmp_path, models, encoder="cae"), list[tuple[str, int]]()
    match, image = Matcher.match_posting, Service.image

    def matched(matcher: Matcher, posting_id: str, options: Options) -> Result:
        result = match(matcher, posting_id, options)
        found = [replace(it, image_pair=(0, 1)) for it in result.matches]
        return replace(result, matches=cast("Matches", found))

    async def opened(service: Service, posting_id: str, place: int = 1) -> tuple[BinaryIO, str]:
        read.append((posting_id, place))
        return await image(service, posting_id)

    monkeypatch.setattr(Matcher, "match_posting", matched)
    monkeypatch.setattr(Service, "image", opened)
    shown = drawn(settings, "p0", 2)
    assert read == [("p0", 1), *((it.posting.posting_id, 2) for it in shown.found)]
