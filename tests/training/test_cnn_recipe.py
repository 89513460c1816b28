"""The recipe of the encoder `cnn`."""

from dataclasses import replace

import pytest

from pricematch.errors import SettingsError
from pricematch.training.cnn_recipe import CNN, CnnRecipe
from pricematch.training.recipes import override


def test_hyper_parameters_are_overridden_as_those_of_other_recipes() -> None:
    changed = override(CNN, {"cnn.backbone": "efficientnet-lite1", "cnn.train_share": 0.5, "cnn.fine_tune": True})
    assert changed.cnn == replace(CNN.cnn, backbone="efficientnet-lite1", train_share=0.5, fine_tune=True)
    assert CNN.cnn == CnnRecipe()
    assert override(CNN, {}) == CNN


@pytest.mark.parametrize("name", ["cae.epochs", "cnn.filters", "autoencoder.epochs", "cnn"])
def test_a_hyper_parameter_of_another_recipe_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"expected .*cnn\.backbone.*cnn\.power.*, got '{name}'"):
        override(CNN, {name: 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cnn.train_share", 1.5),
        ("cnn.power", 0.5),
        ("cnn.dimension", 0),
        ("cnn.per_group", 1),
        ("cnn.within_shrinkage", 0),
        ("cnn.backbone", ""),
        ("cnn.temperature", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name.replace(".", r"\.")):
        override(CNN, {name: value})


def test_a_description_holds_every_hyper_parameter() -> None:
    described = CNN.describe()
    assert described["name"] == "cnn"
    assert set(described["cnn"]) == set(CnnRecipe.__dataclass_fields__)
