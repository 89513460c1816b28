"""Writes the sample catalogue: a CSV file and its pictures."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from pricematch.evaluation.metrics import mean_f1_of_partition
from pricematch.sample.articles import draw
from pricematch.sample.listings import Picture, choose_side, finish
from pricematch.sample.offers import Offer, draw_offer, draw_sellers, usual_price
from pricematch.sample.photos import photograph
from pricematch.sample.plan import USUAL, Assortment, Group, plan_groups
from pricematch.sample.shots import seller_shot, stock_shot
from pricematch.sample.titles import write_title

HEADER = (
    *("posting_id", "image", "image_phash", "title", "label_group"),
    *(f"metadata.{field.name}" for field in fields(Offer)),
)

_PLAN, _STOCK, _TITLE, _POSTING, _SELLERS, _PRICE, _OFFER = range(7)
"""Streams of random numbers: what happens in one never moves another."""

_SAME_FILE, _STOCK_PHOTO, _COPIED_TITLE = 0.08, 0.36, 0.42
"""Shares of the later postings of a group: with an earlier one's file, with the maker's photo, with a copied title."""


@dataclass(frozen=True)
class SampleSummary:
    """What was written.

    Attributes:
        postings: rows of the catalogue.
        groups: products among them.
        images: distinct files.
        bytes: the files' size together.
        f1_equal_hash: mean F1 of answering every posting with those of equal perceptual hash.
        f1_equal_title: the same for equal titles.
    """

    postings: int
    groups: int
    images: int
    bytes: int
    f1_equal_hash: float
    f1_equal_title: float


@dataclass(frozen=True)
class _Posting:
    row: int
    image: str
    phash: str
    title: str
    label_group: int
    offer: Offer

    def cells(self) -> tuple[str | int, ...]:
        return (posting_id(self.row), self.image, self.phash, self.title, self.label_group, *astuple(self.offer))


def posting_id(row: int) -> str:
    """The id of the posting in a row of the catalogue."""
    return f"sample_{row:06d}"


def planned_groups(postings: int, seed: int, assortment: Assortment = USUAL) -> list[Group]:
    """The products that `write_sample` draws, each with the rows of its postings."""
    return plan_groups(postings, _stream(seed, _PLAN), assortment)


def write_sample(
    output: Path,
    postings: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    assortment: Assortment = USUAL,
) -> SampleSummary:
    """Draw a catalogue into `output/catalogue.csv` and `output/images/`.

    The same seed and number of postings give the same bytes. The CSV file comes last, so that a catalogue never names
    pictures that an interrupted run did not draw.

    Args:
        output: a directory; it is made when it does not exist.
        postings: rows of the catalogue, at least 1.
        seed: of everything random, at least 0.
        progress: called with how many postings are done, and of how many, after each.
        assortment: what the shop sells.

    Raises:
        ValueError: there are no postings to draw.
        FileExistsError: the directory has a catalogue or pictures already.
    """
    if postings < 1:
        raise ValueError(f"expected at least 1 posting, got {postings}")
    table, images = output / "catalogue.csv", output / "images"
    for existing in (table, images):
        if existing.exists():
            raise FileExistsError(f"{existing} exists already; choose another directory or remove it first")
    groups = planned_groups(postings, seed, assortment)
    sellers = draw_sellers(_stream(seed, _SELLERS))
    images.mkdir(parents=True)
    rows: list[_Posting] = []
    sizes: dict[str, int] = {}
    for group in groups:
        for posting, data in _draw_group(group, sellers, seed):
            if posting.image not in sizes:
                (images / posting.image).write_bytes(data)
                sizes[posting.image] = len(data)
            rows.append(posting)
            if progress is not None:
                progress(len(rows), postings)
    rows.sort(key=lambda posting: posting.row)
    _write_table(table, rows)
    truth = [posting.label_group for posting in rows]
    return SampleSummary(
        postings=postings,
        groups=len(set(truth)),
        images=len(sizes),
        bytes=sum(sizes.values()),
        f1_equal_hash=mean_f1_of_partition(truth, [posting.phash for posting in rows]),
        f1_equal_title=mean_f1_of_partition(truth, [posting.title for posting in rows]),
    )


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _draw_group(group: Group, sellers: tuple[str, ...], seed: int) -> Iterator[tuple[_Posting, bytes]]:
    """The postings of one product, each with its file's bytes.

    The first shows the maker's photo, later ones that photo, an earlier one's file or a photo of their own.
    """
    product = group.product
    article = draw(product)
    stock_article = article if group.stock_product == product else draw(group.stock_product)
    stock = stock_shot(_stream(seed, _STOCK, group.stock_key), product.kind)
    common = write_title(product, _stream(seed, _TITLE, group.title_key), bare=group.bare_title)
    usual = usual_price(product, _stream(seed, _PRICE, group.number))
    pictures: list[Picture] = []
    for row in group.rows:
        rng = _stream(seed, _POSTING, row)
        source, copied = rng.random(), rng.random() < _COPIED_TITLE
        if pictures and source < _SAME_FILE:
            picture = pictures[rng.integers(len(pictures))]
        else:
            from_stock = not pictures or source < _SAME_FILE + _STOCK_PHOTO
            if from_stock:
                pixels = photograph(stock_article, group.stock_product.pack, stock, choose_side(rng))
            else:
                pixels = photograph(article, product.pack, seller_shot(rng, product.kind), choose_side(rng))
            picture = finish(pixels, posting_id(row), rng, plain=from_stock and rng.random() < 0.6)
        pictures.append(picture)
        title = common if copied else write_title(product, rng)
        offer = draw_offer(product, usual, sellers, _stream(seed, _OFFER, row))
        yield _Posting(row, picture.name, picture.phash, title, group.label_group, offer), picture.data


def _write_table(path: Path, rows: list[_Posting]) -> None:
    """Write beside the final name and rename, so that the table is there whole or not at all."""
    part = path.with_suffix(".csv.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(posting.cells() for posting in rows)
    part.replace(path)
