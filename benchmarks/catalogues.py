"""What the benchmarks measure on: the user's pictures or drawn ones, and encoders trained on them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

DRAWN = 400


@dataclass(frozen=True)
class Subject:
    """A catalogue of JPEG pictures, numbered in the order of `jpegs`, and the models trained on it."""

    catalogue: Path
    images: Path
    models: Path


@contextmanager
def subject(images: Path | None, models: Path | None) -> Iterator[Subject]:
    """The given pictures, or a drawn sample; the given models, or the notebook's recipe trained with one epoch each."""
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
            options = ["--recipe", "notebook", "--autoencoder-epochs", "5", "--models", str(models)]
            run("train", "encoder", *options, "--catalogue", str(catalogue), "--images", str(images))
        yield Subject(catalogue, images, models)


def jpegs(folder: Path) -> list[Path]:
    """The JPEG files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})


def run(*arguments: str) -> None:
    """Run a verb of the command line."""
    subprocess.run([sys.executable, "-m", "pricematch", *arguments], check=True, stdout=sys.stderr)
