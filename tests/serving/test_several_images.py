"""Snapshots of a store whose postings have several images, followed, built anew and started from a file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.versions import HASHING
from pricematch.formats.matcher_files import read_matcher
from pricematch.matching.matcher import Matcher
from pricematch.matching.queries import Options, Query
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.progress import silent
from pricematch.serving.models import LoadedModels
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshot_builder import SnapshotBuilder
from pricematch.serving.snapshots import Snapshots
from pricematch.settings import Settings
from tests.support.fakes import MEAN_COLOUR
from tests.support.matchers import export_matcher, tiny_model
from tests.support.shop import Shop
from tests.support.vectors import scattered

HASHES = {number: f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}" for number in range(12)}
ALL = Options(limit=50, min_probability=0.0)


def content(number: int) -> bytes:
    return f"image {number}".encode()


def name(number: int) -> str:
    return hashlib.sha256(content(number)).hexdigest()


def encode(images: Sequence[bytes], _: object) -> list[ImageFeatures]:
    """Drawn features of images that are numbers."""
    found = []
    for image in images:
        number = int(image.split()[1])
        [vector] = scattered(1, MEAN_COLOUR.dimension, number)
        found.append(ImageFeatures(hashlib.sha256(image).digest(), HASHES[number], {MEAN_COLOUR.key: vector}))
    return found


@dataclass
class SeveralShop(Shop):
    """A shop whose snapshots are built as the service does.

    Attributes:
        folder: of models, and of the scored catalogue.
        anew: whether all is scored together, whatever was before.
    """

    folder: Path = Path()
    anew: bool = False

    def __post_init__(self) -> None:
        signals = ("hash", "title", "image")
        if not (self.folder / "matcher").is_dir():
            export_matcher(self.folder, ("hash", "title"))
        loaded = read_matcher(self.folder, "1", 1)
        loaded = replace(loaded, model=tiny_model(signals))
        retrieved = dict.fromkeys(IMAGE_RETRIEVERS, MEAN_COLOUR)
        self.models = LoadedModels(loaded, {"mean-colour": MEAN_COLOUR}, retrieved, [])
        super().__post_init__()
        self.stored = replace(self.stored, encode=encode)
        self.snapshots = Snapshots(self.store, self.store, self.stored, self.build)

    def build(self) -> Snapshot:
        self.built += 1
        parts: Any = SimpleNamespace(
            postings=self.store,
            fields=SimpleNamespace(fields=list),
            feedback=SimpleNamespace(all_feedback=list),
        )
        settings = Settings(data=self.folder, models=self.folder)
        stored = replace(self.stored, encode=encode)
        return SnapshotBuilder(settings, cast("Any", parts), stored, self.models, silent, self.anew)()

    def show(self, posting_id: str, *numbers: int, title: str = "") -> None:
        """Store a posting with these images, as another process does."""
        first, *more = map(name, numbers)
        posting = Posting(posting_id, first, title, more_images=tuple(more))
        self.store.put([Put(posting, [*map(content, numbers)])])


def shop_of_store(shop: SeveralShop, folder: Path, *, anew: bool = False) -> SeveralShop:
    """Another service of the same store."""
    folder.mkdir()
    return SeveralShop(store=shop.store, folder=folder, anew=anew)


def answers(matcher: Matcher) -> dict[str, list[tuple[object, ...]]]:
    return {
        posting_id: sorted(
            (it.posting_id, round(it.probability or 0, 6), round(it.similarity or 0, 6), it.image_pair)
            for it in matcher.match_posting(posting_id, ALL).matches
        )
        for posting_id in matcher.catalogue.posting_ids
    }


def nearest(matcher: Matcher, *numbers: int) -> list[tuple[str, tuple[int, int] | None]]:
    """Ids of those that show one of some images."""
    images = encode([content(number) for number in numbers], None)
    query = Query("", images[0], more_images=tuple(images[1:]))
    return [(it.posting_id, it.image_pair) for it in matcher.match(query, Options(min_probability=0.99)).matches]


def test_all_images_of_a_changed_posting_are_taken_in(tmp_path: Path) -> None:
    """Encoded where they lack features; what is followed answers as what is built anew."""
    shop = SeveralShop(folder=tmp_path)
    for row in range(6):
        shop.show(f"p{row}", row)
    shop.snapshots.complete()
    shop.show("several", 7, 8, 3)
    followed = shop.snapshots.complete().matcher
    assert nearest(followed, 8) == [("several", (0, 1))]
    [match] = followed.match_posting("p3", Options(min_probability=0.99)).matches
    assert (match.posting_id, match.image_pair) == ("several", (0, 2))
    assert set(shop.store.hashed) == {(HASHING, bytes.fromhex(name(number))) for number in (*range(6), 7, 8)}
    shop.show("several", 7, 9)
    followed = shop.snapshots.complete().matcher
    assert (nearest(followed, 8), nearest(followed, 3)) == ([], [("p3", None)])
    assert nearest(followed, 9) == [("several", (0, 1))]
    assert answers(followed) == answers(shop_of_store(shop, tmp_path / "anew", anew=True).snapshots.current.matcher)


def test_a_posting_of_others_whose_second_image_lacks_features_waits(tmp_path: Path) -> None:
    """Nobody who writes waits while it is encoded; what they wrote is taken in."""
    shop = SeveralShop(folder=tmp_path)
    shop.show("p0", 0)
    shop.snapshots.complete()
    shop.stored.ensure([hashlib.sha256(content(1)).digest()], shop.snapshots.current.matcher.wanted_of_stored)
    shop.show("theirs", 0, 1)
    before = len(shop.store.hashed)
    shop.show("mine", 0)
    matcher = shop.snapshots.follow(["mine"]).matcher
    assert sorted(matcher.catalogue.posting_ids) == ["mine", "p0"]
    assert len(shop.store.hashed) == before
    assert len(shop.snapshots.complete().matcher.catalogue) == 3


@pytest.mark.parametrize("turned", [(4, 5), (5, 4, 6), (4,)])
def test_a_start_from_the_file_sees_other_images(tmp_path: Path, turned: tuple[int, ...]) -> None:
    """A posting whose images behind the first are others is scored; all others are as they were."""
    shop = SeveralShop(folder=tmp_path)
    for row in range(4):
        shop.show(f"p{row}", row, row + 4, title="kopi")
    shop.show("last", 4, 6, 7)
    first = shop_of_store(shop, tmp_path / "first", anew=True).build().matcher
    kept = shop_of_store(shop, tmp_path / "kept")
    again = kept.build()
    assert (answers(again.matcher), again.anew) == (answers(first), False)
    shop.show("last", *turned)
    found = kept.build()
    assert found.anew
    fresh = shop_of_store(shop, tmp_path / "anew", anew=True).build().matcher
    assert answers(found.matcher) == answers(fresh)
    assert answers(fresh) != answers(first)
