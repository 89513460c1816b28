"""What the benchmarks measure on: the user's images or drawn ones, and encoders trained on them."""

import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

DRAWN = 400
_ONE_EPOCH = ("--recipe", "notebook", "--epochs", "1", "--autoencoder-epochs", "5")
_RECIPES = {"autoencoder": _ONE_EPOCH, "cnn": ("--recipe", "cnn", "--train-share", "0")}
ENCODERS = tuple(_RECIPES)


@dataclass(frozen=True)
class Subject:
    """A catalogue of JPEG images, numbered in the order of `jpegs`, and the models trained on it."""

    catalogue: Path
    images: Path
    models: Path


@contextmanager
def subject(images: Path | None, models: Path | None, encoders: Sequence[str] = ()) -> Iterator[Subject]:
    """The given images, or a drawn sample; the given models, or these encoders trained as `trained_matcher` does.

    Without models and encoders the service takes its default encoder, which it writes when it first starts.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if images is None:
            images = drawn_sample(folder / "sample") / "images"
        catalogue = folder / "catalogue.csv"
        rows = (f'{number},"{path.name}"\n' for number, path in enumerate(jpegs(images)))
        catalogue.write_text("posting_id,image\n" + "".join(rows), encoding="utf-8")
        measured = Subject(catalogue, images, models or folder / "models")
        if models is None:
            for encoder in encoders:
                _train_encoder(measured, encoder)
        yield measured


@contextmanager
def matcher_subject() -> Iterator[Subject]:
    """A drawn catalogue with titles, and a matcher of hash, title and image trained on it, with its encoder."""
    with TemporaryDirectory() as scratch:
        yield trained_matcher(drawn_sample(Path(scratch)), "autoencoder")


def drawn_sample(folder: Path, postings: int = DRAWN, seed: int = 0) -> Path:
    """The folder with a drawn catalogue in it: `catalogue.csv` and `images`; drawn where it is not there yet."""
    if not (folder / "catalogue.csv").exists():
        run("sample", "--postings", str(postings), "--seed", str(seed), "--output", str(folder))
    return folder


def trained_matcher(sample: Path, encoder: str) -> Subject:
    """A matcher of hash, title and image with an encoder, trained on a drawn catalogue where they are not there yet.

    Args:
        sample: folder that `drawn_sample` gave; models are written into a folder of it.
        encoder: `autoencoder`, trained for one epoch, or `cnn`, whose trunk is as it comes.
    """
    measured = Subject(sample / "catalogue.csv", sample / "images", sample / f"models-{encoder}")
    if not (measured.models / "matcher").exists():
        _train_encoder(measured, encoder)
        of = ["--data", sample / f"training-{encoder}", "--encoder", encoder, *_paths(measured)]
        run("train", "matcher", "--force", "--signals", "hash,title,image", *map(str, of))
    return measured


def _train_encoder(measured: Subject, encoder: str) -> None:
    run("train", "encoder", *_RECIPES[encoder], *map(str, _paths(measured)))


def _paths(measured: Subject) -> list[str | Path]:
    return ["--catalogue", measured.catalogue, "--images", measured.images, "--models", measured.models]


def titles(measured: Subject) -> Iterator[tuple[Path, str]]:
    """Every image's path with its posting's title."""
    with measured.catalogue.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield measured.images / row["image"], row["title"]


def jpegs(folder: Path) -> list[Path]:
    """The JPEG files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})


def run(*arguments: str) -> None:
    """Run a verb of the command line."""
    subprocess.run([sys.executable, "-m", "pricematch", *arguments], check=True, stdout=sys.stderr)
