"""Catalogues of any size that a service with a trained matcher serves, and what clients ask of them."""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from catalogues import Subject, titles, trained_matcher
from drawn_postings import add_postings, read_features
from live import command, free_port, started
from PIL import Image

from pricematch.formats.manifest import find_chain
from pricematch.serving.models import choose_models, load_models
from pricematch.settings import Settings

BOUNDARY = "benchmark-of-multipart"
QUERIES = {"both": ("image", "title"), "image": ("image",), "title": ("title",)}
"""By the name of a query the fields that it sends."""
_SCALE, _QUALITY = 0.9, 85


@dataclass(frozen=True)
class Served:
    """A catalogue in a store that a service can start over at once.

    Attributes:
        sample: the drawn sample, and models.
        subject: the same with those postings of it that are in the catalogue.
        data: folder of the store.
        arrays: the same catalogue for services that know no store, see `user_search.Search`.
        encoder: name of the encoder that the matcher takes.
        postings: how many there are.
    """

    sample: Subject
    subject: Subject
    data: Path
    arrays: Path
    encoder: str
    postings: int

    @property
    def models(self) -> list[Path]:
        """The encoder's SavedModels, the first takes pixels."""
        return [artefact.path for artefact in find_chain(self.subject.models, self.encoder)]


@dataclass(frozen=True)
class Query:
    """What a client asks with."""

    image: bytes
    title: str


def served(sample: Path, encoder: str, postings: int) -> Served:
    """A catalogue, made ready in the sample's folder where it is not there yet.

    It holds the first postings of the sample with their images; where that has too few, `drawn_postings` adds others.
    A service has scored all of it once, so that the next start does not.
    """
    drawn, name = trained_matcher(sample, encoder), f"{encoder}-{postings}"
    first = min(postings, sum(1 for _ in titles(drawn)))
    subject = replace(drawn, catalogue=sample / f"first-{first}.csv")
    found = Served(drawn, subject, sample / f"data-{name}", sample / f"arrays-{name}.npz", encoder, postings)
    if not found.arrays.exists():
        shutil.rmtree(found.data, ignore_errors=True)
        _write_first(drawn.catalogue, subject.catalogue, first)
        _start_once(found)
        same = _keys(subject.models)
        if postings > first:
            add_postings(found.data, postings - first, same)
            _start_once(found)
        _write_arrays(found, same[0][0])
    return found


def queries(subject: Subject, seed: int = 0) -> list[Query]:
    """Image and title of every drawn posting as another seller would post them: saved again, words moved, one left out.

    So no image has the bytes of a stored one.
    """
    draw, found = np.random.default_rng(seed), []
    for path, title in titles(subject):
        words = draw.permutation(title.split())
        found.append(Query(_saved_again(path.read_bytes()), " ".join(words[: max(1, len(words) - 1)])))
    return found


def form(query: Query, fields: Sequence[str]) -> bytes:
    """The multipart body with those of the fields `image` and `title`."""
    contents = {"image": ('"image"; filename="image"', query.image), "title": ('"title"', query.title.encode())}
    parts = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name={contents[field][0]}\r\n\r\n".encode()
        + contents[field][1]
        + b"\r\n"
        for field in fields
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _write_first(catalogue: Path, path: Path, count: int) -> None:
    with catalogue.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as file:
        for row, cells in enumerate(csv.reader(source)):
            if row <= count:
                csv.writer(file).writerow(cells)


def _start_once(served: Served) -> None:
    """Start a service and end it: its store is filled, and all of it scored."""
    port = free_port()
    with started(command(served.subject, port, served.data), port):
        pass


def _keys(models: Path) -> list[list[str]]:
    """Keys of the embeddings that the matcher takes, of images and of colours; of each the one in use here first."""
    found: dict[str, dict[str, None]] = {}
    for precision in ("auto", "float32", "bfloat16"):
        settings = Settings.model_validate({"models": models, "precision": precision})
        loaded = load_models(choose_models(settings, {}), lambda _: None, lambda *_: None, images=True)
        for name, encoder in loaded.retrieved.items():
            found.setdefault(name, {})[encoder.key] = None
    return [list(found[name]) for name in ("image", "colours")]


def _write_arrays(served: Served, key: str) -> None:
    """The catalogue as `user_search.Search` reads it, in place at once."""
    features = read_features(served.data, [key])
    part = served.arrays.with_suffix(".part.npz")
    np.savez(
        part,
        posting_ids=np.array(features.posting_ids),
        titles=np.array(features.titles),
        bits=features.bits,
        embeddings=features.embeddings[key],
    )
    part.replace(served.arrays)


def _saved_again(image: bytes) -> bytes:
    with Image.open(io.BytesIO(image)) as picture:
        smaller = picture.convert("RGB").resize((round(picture.width * _SCALE), round(picture.height * _SCALE)))
    target = io.BytesIO()
    smaller.save(target, "JPEG", quality=_QUALITY)
    return target.getvalue()
