"""Recipes and how they are overridden."""

from dataclasses import FrozenInstanceError, replace

import pytest

from pricematch.errors import SettingsError
from pricematch.training.recipes import (
    CNN,
    DEFAULT,
    NOTEBOOK,
    RECIPES,
    AutoencoderRecipe,
    CaeRecipe,
    CnnRecipe,
    Recipe,
    override,
)


def test_the_notebooks_recipe_is_the_notebooks() -> None:
    assert NOTEBOOK.cae == CaeRecipe(
        side=256,
        filters=(32, 16, 16, 8),
        kernel=3,
        learning_rate=0.001,
        batch=32,
        epochs=1,
        validation_share=0,
        patience=0,
        augment=False,
    )
    assert NOTEBOOK.autoencoder == AutoencoderRecipe(
        encoder_units=(2048, 64),
        decoder_units=(512,),
        negative_slope=0.3,
        learning_rate=0.001,
        constant_epochs=10,
        decay=0.1,
        batch=32,
        epochs=30,
        validation_share=0,
        patience=0,
    )


def test_the_default_recipe_has_the_notebooks_networks() -> None:
    for name in ("side", "filters", "kernel", "learning_rate"):
        assert getattr(DEFAULT.cae, name) == getattr(NOTEBOOK.cae, name)
    for name in ("encoder_units", "decoder_units", "negative_slope", "learning_rate"):
        assert getattr(DEFAULT.autoencoder, name) == getattr(NOTEBOOK.autoencoder, name)
    for network in (DEFAULT.cae, DEFAULT.autoencoder):
        assert network.validation_share > 0
        assert 0 < network.patience < network.epochs


def test_recipes_are_found_by_their_own_names() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {"notebook": "notebook", "default": "default"}


@pytest.mark.parametrize("recipe", [NOTEBOOK, NOTEBOOK.cae, NOTEBOOK.autoencoder])
def test_a_recipe_cannot_be_changed(recipe: object) -> None:
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 2  # type: ignore[attr-defined]  # that it is refused is the point


@pytest.mark.parametrize("recipe", [NOTEBOOK, DEFAULT])
def test_overriding_nothing_changes_nothing(recipe: Recipe) -> None:
    assert override(recipe, {}) == recipe


def test_each_hyper_parameter_is_overridden_alone_and_the_recipe_itself_stays() -> None:
    changed = override(NOTEBOOK, {"cae.epochs": 3, "cae.augment": True, "autoencoder.encoder_units": [1024, 32]})
    assert changed.cae == replace(NOTEBOOK.cae, epochs=3, augment=True)
    assert changed.autoencoder == replace(NOTEBOOK.autoencoder, encoder_units=(1024, 32))
    assert NOTEBOOK.cae.epochs == 1


def test_false_and_zero_are_values_too() -> None:
    augmented = override(NOTEBOOK, {"cae.augment": True})
    assert not override(augmented, {"cae.augment": False}).cae.augment
    assert override(DEFAULT, {"cae.validation_share": 0.0}).cae.validation_share == 0


@pytest.mark.parametrize("name", ["epochs", "cae", "cae.epoch", "cae.decay", "name", "autoencoder.epochs.x", ""])
def test_an_unknown_hyper_parameter_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"expected .*cae\.epochs.*autoencoder\.decay.*, got {name!r}"):
        override(NOTEBOOK, {name: 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cae.epochs", "many"),
        ("cae.epochs", 0),
        ("cae.learning_rate", -1),
        ("cae.validation_share", 1.0),
        ("cae.filters", [8, 0]),
        ("cae.patience", -1),
        ("autoencoder.encoder_units", 64),
        ("autoencoder.batch", 0),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: object) -> None:
    """Of the wrong type or out of range."""
    with pytest.raises(SettingsError, match=name.replace(".", r"\.")):
        override(NOTEBOOK, {name: value})


def test_a_side_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cae\.side to be a multiple of 16"):
        override(NOTEBOOK, {"cae.side": 250})
    assert override(NOTEBOOK, {"cae.side": 48}).cae.side == 48


def test_a_description_holds_every_hyper_parameter_as_plain_values() -> None:
    described = NOTEBOOK.describe()
    assert described["name"] == "notebook"
    assert set(described["cae"]) == set(CaeRecipe.__dataclass_fields__)
    assert set(described["autoencoder"]) == set(AutoencoderRecipe.__dataclass_fields__)


def test_hyper_parameters_are_overridden_as_those_of_other_recipes() -> None:
    changed = override(CNN, {"cnn.backbone": "efficientnet-lite1", "cnn.train_share": 0.5, "cnn.fine_tune": True})
    assert changed.cnn == replace(CNN.cnn, backbone="efficientnet-lite1", train_share=0.5, fine_tune=True)
    assert CNN.cnn == CnnRecipe()
    assert override(CNN, {}) == CNN


@pytest.mark.parametrize("name", ["cae.epochs", "cnn.filters", "autoencoder.epochs", "cnn"])
def test_a_hyper_parameter_of_another_recipe_is_refused(name: str) -> None:
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
