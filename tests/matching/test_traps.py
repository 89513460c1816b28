"""Postings that are easily taken for the same product, or for others, by a matcher learned from other products."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.adapters.lightgbm_trees import TreeLearner
from app.matching.evidence.carried import Carried, carried
from app.matching.evidence.reference import Reference
from app.matching.learning.learn import Learned, Lesson, learn
from app.matching.pair_model import JudgedCatalogue
from app.matching.size_thresholds import F1

SIGNALS = ("hash", "title")
NOUNS = ("kopi", "teh", "sirup", "sampo", "sabun", "serum", "lotion", "kue", "susu", "bedak",
         "madu", "keripik", "saus", "parfum", "selai", "biskuit", "cuka", "sambal")  # fmt: skip
MAKERS = ("abadi", "bintang", "cahaya", "delima", "elang", "fajar", "garuda", "harum", "intan", "jaya", "kencana",
          "lestari", "mawar", "nirwana", "orkid", "permata")  # fmt: skip
FLAVOURS = ("coklat", "vanilla", "stroberi", "mangga", "durian", "melon")
ADJECTIVES = ("segar", "asli", "premium", "herbal", "klasik", "spesial")
SAID = ("promo", "ori", "murah", "ready", "bpom", "")
UNKNOWN = ("mawar", "susu")
PRODUCTS = [(maker, noun) for maker in MAKERS for noun in NOUNS if (maker, noun) != UNKNOWN]
VARIANTS = ("flavour", "volume", "pack", "model", "photo")


def variants(kind: str, number: int) -> tuple[str, str]:
    """What is said of two products that are alike but for one thing; of the kind `photo`, of one and the same."""
    match kind:
        case "flavour":
            one, other = FLAVOURS[number % 6], FLAVOURS[(number + 1 + number // 6 % 5) % 6]
            return f"rasa {one}", f"rasa {other}"
        case "volume":
            base = (50, 100, 150, 250)[number % 4]
            return f"{base}ml", f"{2 * base} ml"
        case "pack":
            return "", f"isi {(2, 3, 5)[number % 3]} pcs"
        case "model":
            return f"a{10 + number % 40}", f"a{11 + number % 40}"
        case _:
            return "", ""


class Shop:
    """Draws postings: their titles, hashes and label groups."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.titles: list[str] = []
        self.hashes: list[str] = []
        self.groups: list[int] = []

    def photo(self) -> int:
        return int(self.random.integers(2**63))

    def product(self, name: str, said: str, photos: Sequence[int], group: int, count: int) -> None:
        """`count` sellers' postings: most of the name's words, and one of some photos, a bit turned or not."""
        for _ in range(count):
            noise = self.random.choice(SAID, 2)
            kept = [word for word in name.split() if self.random.random() < 0.8]
            self.titles.append(" ".join(f"{noise[0]} {' '.join(kept)} {said} {noise[1]}".split()))
            photo = int(photos[int(self.random.integers(len(photos)))])
            if self.random.random() < 0.3:
                photo ^= 1 << int(self.random.integers(60))
            self.hashes.append(f"{photo:016x}")
            self.groups.append(group)

    def carried(self) -> Carried:
        return carried(self.titles, self.hashes)


def shop_with_traps(seed: int) -> Shop:
    """Each maker's products come as two variants: of one stock photo, or of as many photos as there are sellers."""
    shop = Shop(seed)
    for number, (maker, noun) in enumerate(PRODUCTS):
        name, kind = (
            f"{maker} {noun} {' '.join(shop.random.choice(ADJECTIVES, shop.random.integers(1, 4), replace=False))}",
            VARIANTS[number % 5],
        )
        stock = [shop.photo()]
        for place, said in enumerate(variants(kind, number)):
            if kind == "photo" and place:
                continue
            photos = stock if kind != "photo" and shop.random.random() < 0.6 else [shop.photo() for _ in range(3)]
            shop.product(name, said, photos, 2 * number + place, int(shop.random.integers(1, 5)))
    return shop


@pytest.fixture(scope="module")
def learned() -> Learned:
    shop = shop_with_traps(0)
    groups = np.array(shop.groups)
    lesson = Lesson(shop.carried(), SIGNALS, groups, np.ones(len(groups), bool))
    return learn(lesson, TreeLearner(0, 1), 0, lambda *_: None)


STOCK, OTHER = "00000000ffff0f0f", "f0f0a5a5c3c30001"
DRINK = "mawar susu segar"


def probability(learned: Learned, one: tuple[str, str], other: tuple[str, str]) -> tuple[float, float]:
    """Of two postings, given title and hash, in a shop of other products; and the threshold there."""
    shop = shop_with_traps(1)
    for title, value in (one, other):  # whose product another seller has too
        shop.titles.append(f"ready {title}")
        shop.hashes.append(value)
    for title, value in (one, other):
        shop.titles.append(title)
        shop.hashes.append(value)
    judged = JudgedCatalogue(Reference(shop.carried(), SIGNALS), learned.model)
    count = len(judged)
    found = dict(zip(*(it.tolist() for it in judged.of(count - 2)), strict=True))
    return float(found.get(count - 1, 0.0)), learned.thresholds.at(F1, count).match


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((f"{DRINK} rasa coklat", STOCK), (f"promo {DRINK} rasa stroberi", STOCK)),
        ((f"{DRINK} 100ml", STOCK), (f"ori {DRINK} 200 ml", STOCK)),
        ((f"{DRINK} isi 3 pcs", STOCK), (f"{DRINK} murah", STOCK)),
        (("mawar sabun segar a21", STOCK), ("mawar sabun segar a22", STOCK)),
    ],
    ids=["two flavours", "100 ml and 200 ml", "three and one", "two models of one stock photo"],
)
def test_what_differs_in_one_thing_is_another_product(
    learned: Learned, one: tuple[str, str], other: tuple[str, str]
) -> None:
    found, threshold = probability(learned, one, other)
    assert found < threshold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((f"{DRINK} rasa coklat", STOCK), (f"promo {DRINK} rasa coklat", OTHER)),
        ((f"{DRINK} 100ml", STOCK), (f"ori {DRINK} 0,1 liter", OTHER)),
        ((f"{DRINK} isi 3 pcs", STOCK), (f"murah {DRINK} isi 3 pcs", STOCK)),
    ],
    ids=["unlike photos", "unlike photos, another unit", "the same pack"],
)
def test_what_is_said_alike_is_one_product_whatever_the_photo(
    learned: Learned, one: tuple[str, str], other: tuple[str, str]
) -> None:
    found, threshold = probability(learned, one, other)
    assert found >= threshold
