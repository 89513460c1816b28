"""Postings that are easily taken for the same product, or for others, by matchers learned from other products.

Three matchers, each learned from a drawn catalogue, judge another each, whose makers, nouns, flavours, volumes, packs
and models no learned pair had. Twelve such matchers, with the seeds 0 to 11, refuse every difficult pair but 2 % of the
packs, which a tenth of the sellers they learn from do not mention, and accept 90 to 100 % of the pairs of one product;
three in a row never less than 94 % and 84 %. The bounds leave half as many mistakes again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.formats import lightgbm_trees
from pricematch.learning.fit import FittedMatcher, TrainingData, fit_matcher
from pricematch.matching.index import MatchIndex
from pricematch.pairs.explanation import Explainer
from pricematch.pairs.thresholds import F1
from pricematch.titles.normalise import parse_titles

TRAPS = ("flavour", "volume", "pack", "model", "photo")
"""What two variants of a product differ in; those of the last are one product, with as many photos as sellers."""
_ADJECTIVES = ("segar", "asli", "herbal", "klasik", "spesial", "alami", "lembut", "halus", "wangi", "tebal")
_NOISE = ("promo", "ori", "murah", "ready", "bpom", "grosir", "cod", "terlaris")


@dataclass(frozen=True)
class Vocabulary:
    """What a catalogue is drawn from; its makers are two syllables each."""

    syllables: Sequence[str]
    nouns: Sequence[str]
    flavours: Sequence[str]
    volumes: Sequence[int]
    packs: Sequence[int]
    series: Sequence[str]


LEARNED = Vocabulary(
    ("ba", "ci", "dur", "fen", "gal", "ha", "jo", "kem", "lir", "mo", "ra"),
    ("teh", "kopi", "sampo", "sabun", "serum", "melati", "kue", "bedak", "keripik", "saus", "parfum", "selai"),
    ("vanilla", "stroberi", "mangga", "durian", "melon", "lemon", "pisang", "anggur"),
    (50, 150, 250, 600),
    (2, 4, 5, 6, 12),
    ("a", "s", "x"),
)
UNSEEN = Vocabulary(
    ("ne", "pu", "qis", "sen", "tar", "vo", "wu", "yam", "zel"),
    ("susu", "madu", "yogurt", "puding", "permen", "mawar"),
    ("coklat", "jahe", "keju", "leci", "kelapa", "jeruk"),
    (100, 120, 330, 900),
    (3, 7, 10),
    ("k", "m"),
)
"""Shares nothing with `LEARNED`. In both, some nouns are flavours as well; here one flavour is also a colour."""


@dataclass
class Shop:
    """Postings as they are drawn: their features, and which product and variant each shows."""

    random: np.random.Generator
    titles: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    variants: list[int] = field(default_factory=list)

    @property
    def features(self) -> Features:
        """The features of the postings."""
        return Features.of(self.titles, self.hashes)

    @property
    def groups(self) -> NDArray[np.intp]:
        """The label group of each posting."""
        return np.array(self.products, np.intp) * 2 + np.array(self.variants, np.intp)

    def some(self, words: Sequence[str], least: int, most: int) -> list[str]:
        """Some of the words, in any order."""
        return [*self.random.choice(words, int(self.random.integers(least, most + 1)), replace=False)]

    def photo(self) -> int:
        """The hash of a photo like no other."""
        return int(self.random.integers(2**63))

    def post(self, name: Sequence[str], said: str, photo: int) -> None:
        """One seller's posting: the name, two words of it at most left out, between noise; the photo, or nearly it."""
        left_out = set(self.some(name[1:], 0, 2))
        kept = [word for word in name if word not in left_out]
        self.titles.append(
            " ".join(" ".join([*self.some(_NOISE, 0, 2), *kept, said, *self.some(_NOISE, 0, 1)]).split())
        )
        turned = 1 << int(self.random.integers(60)) if self.random.random() < 0.3 else 0
        self.hashes.append(f"{photo ^ turned:016x}")


def drawn(seed: int, words: Vocabulary, count: int, *, stock: float = 1, forgotten: float = 0) -> Shop:
    """A catalogue of `count` products, each a trap of `TRAPS` in turn, two variants each, 2 to 4 sellers a variant.

    Args:
        seed: of all that is drawn.
        words: to draw from.
        count: how many products.
        stock: share of the products whose sellers use one stock photo for both variants.
        forgotten: share of the sellers that say nothing of the variant.
    """
    shop = Shop(np.random.default_rng(seed))
    for number in range(count):
        maker = "".join(shop.some(words.syllables, 2, 2))
        name, trap = [maker, *shop.some(words.nouns, 1, 1), *shop.some(_ADJECTIVES, 2, 3)], TRAPS[number % len(TRAPS)]
        photo = shop.photo() if trap != "photo" and shop.random.random() < stock else None
        for variant, ways in enumerate(_variants(trap, words, shop)):
            for _ in range(int(shop.random.integers(2, 5))):
                said = "" if shop.random.random() < forgotten else str(shop.random.choice(ways))
                shop.post(name, said, shop.photo() if photo is None else photo)
                shop.products.append(number)
                shop.variants.append(variant)
    return shop


def _variants(trap: str, words: Vocabulary, shop: Shop) -> list[list[str]]:
    """The ways to say each variant of a product."""
    match trap:
        case "flavour":
            return [[f"rasa {flavour}", flavour] for flavour in shop.some(words.flavours, 2, 2)]
        case "volume":
            volume = int(shop.random.choice(words.volumes))
            return [[f"{ml}ml", f"{ml} ml", f"{ml / 1000:g} liter".replace(".", ",")] for ml in (volume, 2 * volume)]
        case "pack":
            pack = shop.random.choice(words.packs)
            return [["", "1 pcs"], [f"isi {pack}", f"isi {pack} pcs", f"{pack} pcs"]]
        case "model":
            [series], code = shop.some(words.series, 1, 1), int(shop.random.integers(10, 14))
            return [[f"{series}{number}", f"{series}-{number}"] for number in (code, code + 1)]
        case _:
            return [[""]]


pytestmark = pytest.mark.slow

SIGNALS = ("hash", "title")
SEEDS = (0, 1, 2)
ROUNDS = 40
"""Fewer trees than matchers have in earnest tell these traps apart as well, in a third of the time."""
STOCK_TRAPS = tuple(trap for trap in TRAPS if trap != "photo")
REFUSED, ACCEPTED, TOLD = 0.9, 0.75, 0.95
"""Least shares of the pairs of a trap."""
CONTRADICTION = {
    "flavour": r"[a-z/, ]+ against [a-z/, ]+",
    "volume": r"[\d.]+ m?l against [\d.]+ m?l",
    "pack": r"pack of \d+ against (1|no number)|(pack of 1|no number) against (pack of )?\d+",
    "model": r"model [KM]-?\d+ against [KM]-?\d+",
}
"""How the explanation of a pair puts what its titles say."""


@dataclass(frozen=True)
class Scored:
    """A pair of one product's postings, or of two of its variants'.

    Attributes:
        trap: of the product.
        same: whether both show one variant.
        bits: that their hashes differ in.
        accepted: whether the matcher takes them for the same, by its own threshold for F1.
        reasons: what it tells, of the product's first posting and those of its other variant.
    """

    trap: str
    same: bool
    bits: int
    accepted: bool
    reasons: tuple[str, ...]


@pytest.fixture(scope="module")
def pairs() -> list[Scored]:
    """All pairs of all products that the matchers judge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightgbm_trees, "ROUNDS", ROUNDS)
        return [pair for seed in SEEDS for pair in scored(fitted(seed), drawn(1000 + seed, UNSEEN, 30))]


def fitted(seed: int) -> FittedMatcher:
    """From a catalogue where two of five products lack a stock photo, and a tenth of the sellers forget the variant."""
    shop = drawn(seed, LEARNED, 45, stock=0.6, forgotten=0.1)
    data = TrainingData(shop.features, SIGNALS, shop.groups, np.ones(len(shop.titles), bool))
    return fit_matcher(data, lightgbm_trees.TreeLearner(seed, 1), seed, lambda *_: None)


def scored(learned: FittedMatcher, shop: Shop) -> Iterator[Scored]:
    """The pairs of each product of a shop; what is no candidate is refused."""
    index = MatchIndex.build(shop.features, learned.model)
    threshold = learned.thresholds.at(F1, len(index)).match
    for row, product in enumerate(shop.products):
        candidates = dict(zip(*(column.tolist() for column in index.candidates_of(row)), strict=True))
        first = shop.products.index(product)
        for other in range(first, row):
            same = shop.variants[row] == shop.variants[other]
            explained = other == first and not same and other in candidates
            yield Scored(
                TRAPS[product % len(TRAPS)],
                same,
                (int(shop.hashes[row], 16) ^ int(shop.hashes[other], 16)).bit_count(),
                candidates.get(other, 0) >= threshold,
                reasons(index, shop, (row, other)) if explained else (),
            )


def reasons(index: MatchIndex, shop: Shop, pair: tuple[int, int]) -> tuple[str, ...]:
    """What is told of a candidate pair."""
    row, other = pair
    title, *others = parse_titles([shop.titles[row], shop.titles[other]])
    features = index.features_of(row, np.array([other]))
    explainer = Explainer(index.model.feature_names, index.extractor.word_counts)
    [explanation] = explainer.explain(features.values, features.contributions(index.model), title, others)
    return tuple(reason.text for reason in explanation.reasons)


def share(answers: list[bool]) -> float:
    """How many are true, of enough to tell."""
    assert len(answers) >= 40
    return sum(answers) / len(answers)


@pytest.mark.parametrize("trap", STOCK_TRAPS)
def test_variants_with_one_stock_photo_are_refused(pairs: list[Scored], trap: str) -> None:
    """They differ in one thing of the title."""
    difficult = [pair for pair in pairs if pair.trap == trap and not pair.same]
    assert max(pair.bits for pair in difficult) <= 2
    assert share([not pair.accepted for pair in difficult]) >= REFUSED


@pytest.mark.parametrize("trap", STOCK_TRAPS)
def test_one_variant_is_accepted_in_any_words(pairs: list[Scored], trap: str) -> None:
    assert share([pair.accepted for pair in pairs if pair.trap == trap and pair.same]) >= ACCEPTED


def test_one_product_is_accepted_though_its_photos_are_unlike(pairs: list[Scored]) -> None:
    alike = [pair for pair in pairs if pair.trap == "photo"]
    assert min(pair.bits for pair in alike) > 16
    assert share([pair.accepted for pair in alike]) >= ACCEPTED


@pytest.mark.parametrize("trap", STOCK_TRAPS)
def test_contradictions_of_titles_are_shown(pairs: list[Scored], trap: str) -> None:
    difficult = [pair for pair in pairs if pair.trap == trap and not pair.same and pair.reasons]
    told = [any(re.fullmatch(CONTRADICTION[trap], reason) for reason in pair.reasons) for pair in difficult]
    assert share(told) >= TOLD
