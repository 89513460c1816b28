"""The command line: what it writes, where, and with which exit code."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from pricematch import __version__
from pricematch.errors import TrainingInterrupted
from pricematch.training import train_encoder as offline_train
from pricematch.training.recipes import NOTEBOOK, Recipe
from tests.support.cli import Run
from tests.support.fakes import encoded, scene, tiny_catalogue
from tests.support.waiting import SAFETY_SECONDS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(scene((300, 200)), "JPEG"))
    return path


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=SAFETY_SECONDS
    )


@pytest.mark.process
def test_the_module_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pricematch", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SAFETY_SECONDS,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"pricematch {__version__}\n", "")


@pytest.mark.process
def test_help_needs_no_tensorflow_and_nothing_else_that_is_heavy() -> None:
    ran = python(
        "import os, sys; os.environ['COLUMNS'] = '160'; from pricematch.__main__ import main\n"
        "sys.argv = ['pricematch', 'train', 'encoder', '--help']\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print([name for name in ('tensorflow', 'keras', 'fastapi', 'sklearn', 'cv2') if name in sys.modules])"
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
    assert "--autoencoder-epochs" in ran.stdout


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["sample"],
        ["train"],
        ["train", "encoder"],
        ["serve"],
        ["evaluate"],
        ["submit"],
        ["show", "augmentations"],
        ["show", "reconstructions"],
        ["show", "matches"],
        ["explore"],
        ["import"],
    ],
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_verb_explains_itself(run: Run, verb: list[str], option: str) -> None:
    ran = run(*verb, option)
    assert ran.code == 0
    assert " ".join(["Usage: pricematch", *verb]) in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("verb", [[], ["train"], ["show"]])
def test_a_verb_that_lacks_its_object_explains_itself(run: Run, verb: list[str]) -> None:
    ran = run(*verb)
    assert ran.code == 2
    assert "Usage: pricematch" in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train", "encoder", "--epochs", "0"], "--epochs"),
        (["train", "encoder", "--epochs", "many"], "--epochs"),
        (["train", "encoder", "--batch", "0"], "--batch"),
        (["sample", "--output", "x", "--postings", "0"], "--postings"),
        (["sample"], "--output"),
        (["serve", "--prot", "80"], "--prot"),
        (["bake"], "bake"),
        (["show", "augmentations", "--output", "x.png"], "image"),
    ],
)
def test_a_wrong_option_is_named_on_stderr(run: Run, arguments: list[str], reason: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert reason in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("cae.patience", "--set: expected NAME=VALUE, got 'cae.patience'"),
        ("cae.patience=five", "--set: expected a number, true, false or [a list of numbers] behind =, got"),
        ("cae.patience=-1", "cae.patience: Input should be"),
        ("cae.pateince=1", "got 'cae.pateince'"),
    ],
)
def test_a_wrong_hyper_parameter_is_one_line_and_exit_code_2(run: Run, given: str, reason: str) -> None:
    ran = run("train", "encoder", "--set", given)
    assert (ran.code, ran.out) == (2, "")
    assert reason in ran.one_line()


def test_hyper_parameters_reach_the_training_and_win_over_the_recipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Recipe] = []

    def stop(_: object, recipe: Recipe, *rest: object) -> NoReturn:
        trained.append(recipe)
        raise TrainingInterrupted("seen")

    monkeypatch.setattr(offline_train, "train", stop)
    options = ["--epochs", "2", "--batch", "7", "--augment", "--set", "cae.patience=5", "--set", "autoencoder.batch=9"]
    run("train", "encoder", "--recipe", "notebook", *options)
    assert trained == [
        replace(
            NOTEBOOK,
            cae=replace(NOTEBOOK.cae, epochs=2, batch=7, augment=True, patience=5),
            autoencoder=replace(NOTEBOOK.autoencoder, batch=9),
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["train", "encoder", "--recipe", "x"],
            "pricematch: expected a recipe among notebook, default, cnn, pretrained, got 'x'",
        ),
        (
            ["serve", "--port", "70000"],
            "pricematch: port: Input should be less than or equal to 65535, got 70000",
        ),
        (
            ["serve", "--encoder", "resnet"],
            "pricematch: encoder: Input should be 'autoencoder', 'cae' or 'cnn', got 'resnet'",
        ),
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_2(run: Run, arguments: list[str], line: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out, ran.one_line()) == (2, "", line)


def test_a_wrong_environment_variable_is_one_line_like_an_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICEMATCH_PORT", "http")
    ran = run("serve")
    assert (ran.code, ran.out) == (2, "")
    assert ran.one_line().startswith("pricematch: port: Input should be a valid integer")


@pytest.mark.parametrize("verb", [["train", "encoder"], ["show", "reconstructions", "--output", "x.png"]])
def test_a_missing_catalogue_is_one_line_and_exit_code_1(run: Run, tmp_path: Path, verb: list[str]) -> None:
    ran = run(*verb, "--catalogue", str(tmp_path / "none.csv"))
    assert ran.code == 1
    reason = "cannot be read (No such file or directory); `pricematch sample` draws a catalogue to try"
    assert ran.one_line() == f"pricematch: {tmp_path}/none.csv: {reason}"


def test_a_bad_catalogue_is_refused_row_by_row(run: Run, tmp_path: Path) -> None:
    csv_path, images = tiny_catalogue(tmp_path)
    csv_path.write_text("posting_id,image\na?b,p0.png\n", encoding="utf-8")
    ran = run("show", "reconstructions", "--output", "x.png", "--catalogue", str(csv_path), "--images", str(images))
    assert ran.code == 1
    assert ran.err.splitlines()[0] == f"pricematch: {csv_path}: 1 bad row"
    assert ran.err.splitlines()[1].startswith("  row 2, column posting_id: ")


def test_missing_models_are_one_line_that_says_how_to_get_them(run: Run, tmp_path: Path) -> None:
    csv_path, images = tiny_catalogue(tmp_path)
    options = ["--catalogue", str(csv_path), "--images", str(images), "--models", str(tmp_path / "models")]
    ran = run("show", "reconstructions", "--output", "x.png", *options)
    assert ran.code == 1
    assert ran.one_line().endswith("holds no version of cae; `pricematch train encoder` writes one")


def test_augmentations_are_drawn_into_an_image(run: Run, photo: Path, tmp_path: Path) -> None:
    ran = run("show", "augmentations", str(photo), "--output", str(tmp_path / "sheet.png"))
    assert (ran.code, ran.out, ran.err) == (0, f"wrote {tmp_path}/sheet.png\n", "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 4 * 256
        assert sheet.height > 3 * 256


def test_the_seed_chooses_the_augmentations(run: Run, photo: Path, tmp_path: Path) -> None:
    drawn = []
    for number, seed in enumerate(["1", "1", "2"]):
        run("show", "augmentations", str(photo), "--output", str(tmp_path / f"{number}.png"), "--seed", seed)
        drawn.append((tmp_path / f"{number}.png").read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_cannot_be_drawn_is_one_line(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_bytes(b"hello")
    for image, output, code, reason in (
        (tmp_path / "none.jpg", "sheet.png", 2, "cannot be read (No such file or directory)"),
        (tmp_path / "text.jpg", "sheet.png", 1, "expected JPEG, PNG, WEBP, GIF, BMP, TIFF"),
        (photo, "sheet.xyz", 2, "cannot write"),
        (photo, "nowhere/sheet.png", 2, "cannot write"),
    ):
        ran = run("show", "augmentations", str(image), "--output", str(tmp_path / output))
        assert ran.code == code
        assert reason in ran.one_line()


def test_damaged_metadata_of_an_image_is_not_talked_about(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photo.tif"
    photo.write_bytes(encoded(scene(), "TIFF", tiffinfo={270: "x" * 50})[:-100] + b"\0" * 100)
    ran = run("show", "augmentations", str(photo), "--output", str(tmp_path / "sheet.png"))
    assert ran.err == "" or ran.one_line().startswith("pricematch: ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            TrainingInterrupted("cae: stopped in epoch 1 of 2, step 3 of 4"),
            "pricematch: cae: stopped in epoch 1 of 2, step 3 of 4; run the same command again to go on from there",
        ),
        (KeyboardInterrupt(), None),
    ],
)
def test_an_interrupted_training_ends_with_130(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str | None
) -> None:
    def interrupt(*arguments: object) -> NoReturn:
        raise error

    monkeypatch.setattr(offline_train, "train", interrupt)
    ran = run("train", "encoder")
    assert ran.code == 130
    assert "Traceback" not in ran.err
    if line is not None:
        assert ran.one_line() == line
