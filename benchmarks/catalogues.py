"""What the benchmarks measure on: the user's images or drawn ones, and encoders trained on them."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

DRAWN = 400
_ONE_EPOCH = ("--recipe", "notebook", "--epochs", "1", "--autoencoder-epochs", "5")


@dataclass(frozen=True)
class Subject:
    """A catalogue of JPEG images, numbered in the order of `jpegs`, and the models trained on it."""

    catalogue: Path
    images: Path
    models: Path


@contextmanager
def subject(images: Path | None, models: Path | None) -> Iterator[Subject]:
    """The given images, or a drawn sample; the given models, or the notebook's recipe trained with one epoch each."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if images is None:
            run("sample", "--postings", str(DRAWN), "--output", str(folder / "sample"))
            images = folder / "sample" / "images"
        catalogue = folder / "catalogue.csv"
        rows = (f'{number},"{path.name}"\n' for number, path in enumerate(jpegs(images)))
        catalogue.write_text("posting_id,image\n" + "".join(rows), encoding="utf-8")
        if models is None:
            models = folder / "models"
            paths = ["--catalogue", catalogue, "--images", images, "--models", models]
            run("train", "encoder", *_ONE_EPOCH, *map(str, paths))
        yield Subject(catalogue, images, models)


@contextmanager
def matcher_subject() -> Iterator[Subject]:
    """A drawn catalogue with titles, and a matcher of hash, title and image trained on it, with its encoder."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run("sample", "--postings", str(DRAWN), "--output", str(folder))
        measured = Subject(folder / "catalogue.csv", folder / "images", folder / "models")
        paths = ["--catalogue", measured.catalogue, "--images", measured.images, "--models", measured.models]
        run("train", "encoder", *_ONE_EPOCH, *map(str, paths))
        run("train", "matcher", "--signals", "hash,title,image", *map(str, [*paths, "--data", folder / "training"]))
        yield measured


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
