"""The catalogue and the encoders that all recordings share."""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.support.golden.checkout import Checkout, Part

COLUMNS = ("posting_id", "image", "image_phash", "title", "label_group")
SIDE = 240
"""Pixels, fewer than twice what the colours are taken from, and fewer than twice what a network sees."""
Row: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Subject:
    """What is asked about: the rows of the catalogue, and rows and pictures that it lacks."""

    rows: Sequence[Row]
    others: Sequence[Row]
    images: Path

    def image(self, row: Row) -> bytes:
        """The bytes of a row's picture."""
        return (self.images / row["image"]).read_bytes()

    def ids(self, step: int) -> list[str]:
        """Every so manieth posting's id."""
        return [row["posting_id"] for row in self.rows[::step]]

    def siblings(self, count: int) -> list[str]:
        """The ids of that many postings, those of one product beside each other."""
        return [row["posting_id"] for row in sorted(self.rows, key=lambda row: row["label_group"])[:count]]

    def parts(self, index: int) -> tuple[Part, Part]:
        """Picture and title of a posting that the catalogue lacks."""
        row = self.others[index]
        return ("image", "a.jpg", self.image(row)), ("title", None, row["title"].encode())

    def large(self) -> list[Path]:
        """Images of many more pixels than a network sees."""
        return sorted((self.images.parent / "large").iterdir())[:5]

    def pictures(self, start: int, stop: int) -> list[Part]:
        """Pictures that the catalogue lacks, as parts named `images`."""
        return [("images", f"{index}.jpg", self.parts(index)[0][2]) for index in range(start, stop)]


def read_rows(path: Path) -> list[Row]:
    """The rows of a catalogue."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def csv_text(rows: Sequence[Row]) -> str:
    """A catalogue of these rows."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def prepare(executable: Path, work: Path) -> Subject:
    """Make the catalogue and the encoders in the shared folder, if they are not there."""
    work.mkdir(parents=True, exist_ok=True)
    checkout, catalogue = Checkout(executable, work), work / "catalogue"
    if not (catalogue / "others.csv").exists():
        shutil.rmtree(catalogue, ignore_errors=True)
        checkout.run("sample", "--output", "catalogue", "--postings", "320", "--seed", "7")
        _shrink(catalogue / "images", catalogue / "large")
        rows = read_rows(catalogue / "catalogue.csv")
        known, others = rows[:300], [row for row in rows[300:] if row["image"]]
        for column, every, first in (("image", 17, 5), ("image_phash", 11, 3), ("title", 13, 4)):
            for row in known[first::every]:
                row[column] = ""
        (catalogue / "catalogue.csv").write_text(csv_text(known), encoding="utf-8")
        (catalogue / "others.csv").write_text(csv_text(others), encoding="utf-8")
    train = ("train", "encoder", "--skip-bad-images", "--recipe")
    if not (work / "models" / "cnn" / "1").exists():
        checkout.run(*train, "cnn", "--train-share", "0", "--no-fine-tune")
    if not (work / "models" / "autoencoder" / "1").exists():
        checkout.run(*train, "notebook", "--epochs", "4")
    return Subject(read_rows(catalogue / "catalogue.csv"), read_rows(catalogue / "others.csv"), catalogue / "images")


def _shrink(images: Path, large: Path) -> None:
    """Keep larger images in another folder, and shrink them where they are.

    How an image is scaled while it is decoded is a matter of its own, and is not to hide whatever else differs.
    """
    from PIL import Image

    large.mkdir()
    for path in images.iterdir():
        with Image.open(path) as image:
            if max(image.size) <= SIDE:
                continue
            shrunk = image.resize((SIDE, SIDE))
        path.rename(large / path.name)
        shrunk.save(path, "JPEG", quality=90)
