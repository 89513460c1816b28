"""`pricematch train encoder`: which recipe and which values reach the training."""

from typing import NoReturn

import pytest

from pricematch.errors import TrainingInterrupted
from pricematch.training import train_encoder as offline_train
from pricematch.training.recipes import CnnTrainingRecipe
from tests.support.cli import Run


def test_the_options_of_the_cnn_reach_its_recipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[CnnTrainingRecipe] = []

    def stop(_: object, recipe: CnnTrainingRecipe, *__: object) -> NoReturn:
        trained.append(recipe)
        raise TrainingInterrupted("stopped")

    monkeypatch.setattr(offline_train, "train", stop)
    options = "--backbone MobileNetV2 --weights none --train-share 0.5 --fine-tune --epochs 3 --batch 32 --no-augment"
    run("train", "encoder", "--recipe", "cnn", *options.split(), "--set", "cnn.power=2.5")
    cnn = trained[0].cnn
    assert (cnn.backbone, cnn.weights, cnn.train_share, cnn.fine_tune) == ("MobileNetV2", "none", 0.5, True)
    assert (cnn.epochs, cnn.batch, cnn.augment, cnn.power) == (3, 32, False, 2.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "cnn", "--autoencoder-epochs", "3"], "got 'autoencoder.epochs'"),
        (["--recipe", "notebook", "--backbone", "MobileNetV2"], "got 'cnn.backbone'"),
        (["--recipe", "cnn", "--set", "cnn.power=0"], "cnn.power"),
        (["--recipe", "cnn", "--set", "cae.epochs=1"], "got 'cae.epochs'"),
        (["--recipe", "pretrained", "--epochs", "3"], "expected no hyper-parameter, since nothing is trained, got"),
        (["--recipe", "pretrained", "--set", "cnn.power=2"], "got cnn.power=2"),
        (["--recipe", "pretrained", "--version", "x"], "expected a version that is a whole number, got 'x'"),
    ],
)
def test_wrong_hyper_parameters_are_one_line(run: Run, options: list[str], message: str) -> None:
    ran = run("train", "encoder", *options)
    assert ran.code == 2
    assert message in ran.one_line()
