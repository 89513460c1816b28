"""Tiny trainings of the encoder `title`: real ones, of seconds. Importing this imports no TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.training.title_recipe import TITLE, TitleTrainingRecipe

if TYPE_CHECKING:
    from app.training.fit import Step
    from app.training.trainer import Trained

PRODUCTS = (
    "kopi susu gula",
    "sabun mandi cair",
    "kaos polos katun",
    "lampu led putih",
    "tas kulit hitam",
    "teh melati",
)
SELLERS = ("{} murah meriah", "toko {} asli", "{} kualitas bagus sekali")
DIMENSION = 6


def labelled_titles() -> tuple[dict[str, str], dict[str, str]]:
    """Titles of 6 products by 3 sellers with words of their own, and the product of each, by posting."""
    titles, labels = {}, {}
    for group, product in enumerate(PRODUCTS):
        for number, seller in enumerate(SELLERS):
            titles[f"p{group}_{number}"] = seller.format(product)
            labels[f"p{group}_{number}"] = f"group {group}"
    return titles, labels


def recipe(**changes: Any) -> TitleTrainingRecipe:
    """512 buckets, 6 values an embedding, 2 epochs."""
    tiny = {"buckets": 512, "components": 12, "dimension": DIMENSION, "epochs": 2, "batch": 8, "per_group": 2}
    return TitleTrainingRecipe("title", replace(TITLE.title, **(tiny | {"validation_share": 0.4} | changes)))


def train_titles(
    models: Path,
    chosen: TitleTrainingRecipe | None = None,
    *,
    titles: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    watch: "Callable[[Step], None]" = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> "Trained":
    """Train a recipe on the labelled titles; needs TensorFlow."""
    from app.training.determinism import make_deterministic
    from app.training.title_encoder import TitleTrainer

    make_deterministic()
    trainer = TitleTrainer(chosen or recipe(), seed, models, None, 0, 0, 1, lambda *_: None, watch, interrupted)
    known = labelled_titles()
    [trained] = trainer.run(known[0] if titles is None else titles, known[1] if labels is None else labels)
    return trained
