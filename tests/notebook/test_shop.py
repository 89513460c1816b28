"""A shop in a notebook: questions, evaluation and training, and what is left when it is closed."""

import asyncio
import csv
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image, ImageOps

import pricematch as pm
from pricematch.catalogue.postings import Posting
from pricematch.errors import (
    CatalogueError,
    ImageTypeUnsupported,
    MatcherNeeded,
    NotReady,
    PostingNotFound,
    PricematchError,
    SettingsError,
)
from pricematch.notebook import late_progress as late
from tests.support.catalogues import labelled_postings, write_catalogue
from tests.support.fakes import encoded, scene
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process

TITLES = {"a": "kopi susu gula aren 200 ml", "b": "KOPI gula aren susu 200ml", "c": "lampu meja belajar"}


def photos(folder: Path) -> Path:
    """A catalogue of three postings, two of them of one product, and their images."""
    images = folder / "images"
    images.mkdir()
    shown = scene((120, 90))
    for name, image in zip(TITLES, (shown, shown, ImageOps.invert(shown.rotate(180))), strict=True):
        (images / f"{name}.jpg").write_bytes(encoded(image, "JPEG", quality=70 + ord(name) % 20))
    return write_catalogue(
        folder / "postings.csv",
        [Posting(name, f"{name}.jpg", title, label_group=name[0]) for name, title in TITLES.items()],
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pm.Shop]:
    """The shop of `photos`, with one worker process."""
    folder = tmp_path_factory.mktemp("shop")
    with pm.load(photos(folder), images=folder / "images", folder=folder / "kept", workers=1) as loaded:
        yield loaded


@pytest.fixture
def labelled() -> Iterator[pm.Shop]:
    """A shop of hashes and titles whose label groups are known."""
    with pm.load(records(60), workers=1) as loaded:
        yield loaded


def records(count: int) -> list[dict[str, Any]]:
    """Labelled postings without images, as a data frame has them."""
    names = ("posting_id", "title", "image_phash", "label_group")
    return [{name: getattr(posting, name) for name in names} for posting in labelled_postings(count)]


def workers_of(pid: int) -> set[int]:
    """The worker processes that a process has started and that still run."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return {int(line.split()[0]) for line in listed.stdout.splitlines() if "pricematch.encoding.worker" in line}


def test_the_package_says_what_it_has() -> None:
    """Names that are imported late are listed, and others are refused as usual."""
    assert {"load", "embed", "Shop", "PricematchError", "__version__"} <= set(dir(pm))
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = pm.laod  # type: ignore[attr-defined]


def test_a_shop_tells_its_size(shop: pm.Shop) -> None:
    """And where it is kept."""
    assert len(shop) == 3
    assert repr(shop) == f"<Shop: 3 postings, matcher auto, kept in {shop.folder}>"


def test_a_title_and_an_image_are_matched(shop: pm.Shop) -> None:
    """In every form that an image may have."""
    path = shop.folder.parent / "images" / "b.jpg"
    with Image.open(path) as image:
        forms: list[Any] = [path, str(path), path.read_bytes(), image, np.asarray(image)]
        for form in forms:
            found = shop.match(TITLES["b"], form, limit=2)
            assert [match.posting_id for match in found] == ["b", "a"]
            assert found[0].probability is not None
            assert found[0].probability > 0.9
            assert found[0].evidence
    assert [it.posting_id for it in shop.match(TITLES["b"])] == ["b", "a"]
    assert len(shop.match(image=path, limit=1)) == 1


def test_matches_of_a_posting_make_records(shop: pm.Shop) -> None:
    """Itself excluded; with why."""
    found = shop.matches("a", min_probability=0)
    assert [it.posting_id for it in found] == ["b", "c"]
    first = found.records()[0]
    assert set(first) == {"posting_id", "title", "probability", "level", "similarity", "evidence"}
    assert first["title"] == TITLES["b"]
    assert "titles" in first["evidence"]
    assert found[0].level == first["level"]
    assert found[0].similarity == first["similarity"]
    assert "matcher/default" in repr(found)


def test_pairs_are_the_matches_of_all(shop: pm.Shop) -> None:
    """Each once, the most probable first, as the matches of their postings have them."""
    pairs = shop.pairs(min_probability=0).records()
    assert [(it["left"], it["right"]) for it in pairs][:1] == [("a", "b")]
    assert [it["probability"] for it in pairs] == sorted((it["probability"] for it in pairs), reverse=True)
    for pair in pairs:
        every = {it.posting_id: it.probability for it in shop.matches(pair["left"], min_probability=0)}
        assert pair["left"] < pair["right"]
        assert every[pair["right"]] == pytest.approx(pair["probability"])
    assert len(shop.pairs(min_probability=1)) <= len(shop.pairs()) <= len(pairs)


def test_every_posting_is_of_a_product(shop: pm.Shop) -> None:
    """One alone as well."""
    products = shop.clusters().records()
    assert [(it["posting_id"], it["product"], it["postings"]) for it in products] == [
        ("a", 0, 2),
        ("b", 0, 2),
        ("c", 1, 1),
    ]
    assert products[0]["cohesion"] == products[1]["cohesion"] == pytest.approx(shop.pairs().records()[0]["probability"])
    assert products[2]["cohesion"] == 1
    assert {it["product"] for it in shop.clusters(min_probability=1).records()} == {0, 1, 2}


def test_tables_show_themselves_and_escape_titles(tmp_path: Path) -> None:
    """A title cannot bring markup into a notebook."""
    with pm.load({"posting_id": ["a", "b"], "title": ["<b>kopi</b> susu", "<b>kopi</b> susu"]}, workers=1) as shop:
        shown = shop.clusters()._repr_html_()
    assert "&lt;b&gt;kopi&lt;/b&gt; susu" in shown
    assert "<b>" not in shown
    assert "2 postings of 1 products" in shown


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda shop: shop.match(), SettingsError, "expected a title, an image, or both, got none"),
        (lambda shop: shop.match("x", limit=0), SettingsError, "limit of 1 match or more, got 0"),
        (lambda shop: shop.match("x", min_probability=2), SettingsError, "0 to 1, got 2"),
        (lambda shop: shop.match("x", min_probability=0.5, target="f1"), SettingsError, "either"),
        (lambda shop: shop.match("x", target="best"), SettingsError, "target: expected"),
        (lambda shop: shop.match("x", image=7), ImageTypeUnsupported, "got int"),
        (lambda shop: shop.match("x", image=b"no image"), ImageTypeUnsupported, "expected"),
        (lambda shop: shop.pairs(-1), SettingsError, "0 to 1, got -1"),
        (lambda shop: shop.matches("nobody"), PostingNotFound, "nobody"),
        (lambda shop: shop.train(share=0), SettingsError, "above 0 and up to 1, got 0"),
        (lambda shop: shop.train(), CatalogueError, "label groups to learn from"),
        (lambda shop: shop.evaluate(), CatalogueError, "label groups for as many folds"),
        (lambda shop: shop.evaluate(signals="smell"), SettingsError, "got 'smell'"),
        (lambda shop: shop.evaluate(matcher="7"), PricematchError, "holds no matcher"),
    ],
)
def test_wrong_questions_get_a_sentence(shop: pm.Shop, ask: Any, error: type[Exception], message: str) -> None:
    """And the shop goes on."""
    with pytest.raises(error, match=message):
        ask(shop)
    assert len(shop.matches("a")) == 1


def drawn_images(folder: Path, count: int) -> list[dict[str, str]]:
    """Postings with images of random pixels."""
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    return [{"posting_id": f"p{number:02}", "image": f"{number:02}.png", "title": "kopi"} for number in range(count)]


def test_the_encoder_is_whitened_before_the_first_answer(tmp_path: Path) -> None:
    """With as many images as a service takes; answers are the same from the first one on, and the next time."""
    rows = drawn_images(tmp_path, 30)
    with pm.load(rows, images=tmp_path, folder=tmp_path / "kept", workers=1) as shop:
        found = shop.matches("p00", min_probability=0)
        assert found.decision.models == {"matcher": "default", "cnn": "2"}
    with pm.load(rows, images=tmp_path, folder=tmp_path / "kept", workers=1) as again:
        assert again.matches("p00", min_probability=0).records() == found.records()
    assert {path.name for path in (tmp_path / "kept" / "models" / "cnn").iterdir()} == {"1", "2"}


def test_an_encoder_that_cannot_be_whitened_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop answers with what there is."""

    def fails(*_: object) -> NoReturn:
        raise CatalogueError("no room")

    monkeypatch.setattr("pricematch.serving.catalogue_whitening.CatalogueWhitening.whiten", fails)
    with pm.load(drawn_images(tmp_path, 30), images=tmp_path, workers=1) as shop:
        assert shop.matches("p00").decision.models == {"matcher": "default", "cnn": "1"}


def test_similarity_alone_has_no_pairs(tmp_path: Path) -> None:
    """With the matcher `none` the most similar images are found, and the sentence says what is lacking."""
    with pm.load(photos(tmp_path), images=tmp_path / "images", matcher="none", workers=1) as shop:
        assert shop.match(image=tmp_path / "images" / "a.jpg")[0].similarity == pytest.approx(1, abs=1e-3)
        for ask in (shop.pairs, shop.clusters):
            with pytest.raises(MatcherNeeded):
                ask()
        with pytest.raises(PricematchError):
            shop.evaluate()


def test_a_notebook_with_an_event_loop_may_ask(shop: pm.Shop) -> None:
    """Jupyter runs cells within a loop; evaluating and embedding do, too."""

    async def cell() -> tuple[int, tuple[int, ...]]:
        return len(shop.matches("a")), pm.embed([shop.folder.parent / "images" / "a.jpg"]).shape

    assert asyncio.run(cell()) == (1, (1, 256))


def test_evaluation_is_that_of_the_verb(labelled: pm.Shop, tmp_path: Path) -> None:
    """Figures, table, plots, and the files of `pricematch evaluate`."""
    found = labelled.evaluate(folds=3, signals="hash,title")
    report = found.report()["matcher"]
    assert (found.f1, found.precision, found.recall) == (report["f1"], report["precision"], report["recall"])
    assert (found.brier, found.calibration_error) == (report["brier"], report["expected_calibration_error"])
    assert [it["by"] for it in found.records()] == ["hash", "title", "together", "matcher", "matcher, clusters"]
    assert found.records()[3]["f1"] == found.f1
    assert f"F1 {found.f1:.4f}" in repr(found)
    for name in ("reliability", "recall", "group_sizes", "catalogue_sizes", "hash"):
        assert found.plot(name).axes
    with pytest.raises(SettingsError, match="reliability, recall, group_sizes, catalogue_sizes, hash, title, got 'x'"):
        found.plot("x")
    found.save(tmp_path / "evaluated")
    assert {path.name for path in (tmp_path / "evaluated").iterdir()} == {"report.json", "report.html"}


def test_what_is_no_better_is_not_kept_unless_forced(labelled: pm.Shop) -> None:
    """The result says so; a matcher that is kept decides from then on, and is evaluated on the other groups."""
    before = labelled.match("kopi")
    training = labelled.train(share=0.5, signals="hash,title")
    if training.path is None:
        assert "not kept, the default matcher stays" in repr(training)
        assert labelled.matcher == "auto"
    forced = labelled.train(share=0.5, signals="hash,title", force=True)
    assert forced.path is not None
    assert forced.path.is_relative_to(labelled.folder / "models" / "matcher")
    assert labelled.matcher == forced.path.name
    assert forced.records()[0]["postings"] > 0
    assert before.decision.models["matcher"] == "default"
    assert labelled.match("kopi").decision.models["matcher"] == forced.path.name
    evaluation = labelled.evaluate(folds=2)
    assert evaluation.matcher == f"matcher/{forced.path.name}"


def test_what_a_folder_keeps_is_there_the_next_time(tmp_path: Path) -> None:
    """The trained matcher decides at once; a frame that changed is another catalogue."""
    with pm.load(records(60), folder=tmp_path / "kept", workers=1) as shop:
        first = shop.train(signals="hash,title", force=True)
        found = shop.pairs().records()
    with pm.load(records(60), folder=tmp_path / "kept", workers=1) as again:
        assert first.path is not None
        assert again.match("kopi").decision.models["matcher"] == first.path.name
        assert again.pairs().records() == found
    with pm.load(records(30), folder=tmp_path / "kept", workers=1) as other:
        assert len(other.clusters()) == len(other) == 30


def test_a_closed_shop_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process and no temporary folder; what is asked then gets a sentence."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = workers_of(os.getpid())
    with pm.load(records(3), workers=1) as shop:
        shop.match("kopi")
        assert len(workers_of(os.getpid()) - before) == 1
        assert shop.folder.parent == tmp_path
    assert not workers_of(os.getpid()) - before
    assert list(tmp_path.iterdir()) == []
    assert "closed" in repr(shop)
    for ask in (shop.pairs, shop.evaluate, shop.train):
        with pytest.raises(NotReady, match="closed"):
            ask()
    shop.close()


def test_a_shop_that_nobody_holds_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is closed, in the background."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = workers_of(os.getpid())
    shop = pm.load(records(3), workers=1)
    shop.match("kopi")
    del shop
    gc.collect()
    eventually(lambda: not workers_of(os.getpid()) - before and not list(tmp_path.iterdir()))


def test_an_interpreter_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """Without `close`: the exit code is 0, nothing is written, no process and no temporary folder is left."""
    code = (
        "import pricematch as pm, subprocess, os\n"
        "shop = pm.load([{'posting_id': 'a', 'title': 'kopi'}], workers=1)\n"
        "shop.match('kopi')\n"
        "print(subprocess.run(['ps', '-o', 'pid=,args=', '--ppid', str(os.getpid())], capture_output=True,"
        " text=True).stdout)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SAFETY_SECONDS,
        check=False,
    )
    assert (ran.returncode, [line for line in ran.stderr.splitlines() if " of " not in line]) == (0, [])
    workers = [int(line.split()[0]) for line in ran.stdout.splitlines() if "pricematch.encoding.worker" in line]
    assert len(workers) == 1
    eventually(lambda: not Path(f"/proc/{workers[0]}").exists())
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_late_and_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends at once says nothing; the newest line of what goes on is told when it is late."""
    with late.late_progress() as progress:
        progress("Doing", 1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(late, "LATE_SECONDS", 0.01)
    told = ""

    def is_told() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return told.startswith("Doing: 1 of 2")

    with late.late_progress() as progress:
        progress("Doing", 1, 2)
        eventually(is_told)


@pytest.fixture(scope="module")
def catalogue_rows(shop: pm.Shop) -> list[dict[str, str]]:
    """The rows of the shop's file."""
    with (shop.folder.parent / "postings.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_records_are_searched_as_the_file_is(shop: pm.Shop, catalogue_rows: list[dict[str, str]]) -> None:
    """Whatever the catalogue was loaded from."""
    with pm.load(catalogue_rows, images=shop.folder.parent / "images", workers=1) as other:
        assert other.pairs(0).records() == shop.pairs(0).records()


def test_images_are_embedded_in_their_order(shop: pm.Shop) -> None:
    """Rows of length 1; a bad image is named by its place."""
    images = [shop.folder.parent / "images" / f"{name}.jpg" for name in "abc"]
    vectors = pm.embed(images)
    assert vectors.shape == (3, 256)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert pm.embed(reversed(images))[::-1] == pytest.approx(vectors, abs=1e-6)
    assert vectors[0] @ vectors[1] > 0.9 > vectors[0] @ vectors[2]
    assert pm.embed([]).shape == (0, 256)
    with pytest.raises(ImageTypeUnsupported, match=r"^image 1: "):
        pm.embed([images[0], b"no image"])
    with pytest.raises(TypeError, match=r"several images, such as \[image\], got one"):
        pm.embed("a.jpg")
