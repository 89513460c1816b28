"""Identical is identical: a stored posting that is asked by its own image, its own title or both is found first.

By every matcher, whatever it was taught: one that was learned from the catalogue's label groups, the default one, and
one that takes the most similar pairs for the least probable. Another catalogue than the drawn one is tested, too, where
the variable `TEST_SHOPS` names a folder that holds `magento/train.csv` and `magento/images`.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from math import inf
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.evaluation.metrics import number_groups
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.learning.fit import TrainingData, fit_matcher
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.ranked_matches import RankedMatches, match_query
from pricematch.matching.stock_images import without_stock_images
from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from pricematch.pairs.model import PairModel
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from pricematch.progress import silent
from pricematch.sample.catalogue import write_sample
from pricematch.titles.normalise import parse_title
from tests.support.matchers import HighestSimilarity

pytestmark = pytest.mark.slow

COUNT = 300
SIGNALS = ("hash", "title")
SHOPS = os.environ.get("TEST_SHOPS")
MATCHERS = ("learned", "default", "contrary")
HIGHEST = SizeThresholds((1,), {F1: [Thresholds(0.9, 0.9)], Target(0.99): [Thresholds(1.0, 1.0)]})
"""What a matcher of an earlier version may have picked at most."""


class Contrary(HighestSimilarity):
    """Implements `pairs.model.Scorer`: the more similar, the less probable."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return 1 - super().predict(features)


class Read:
    """A catalogue in a folder, and its features.

    Attributes:
        catalogue: n postings.
        features: of them, without those of stock images.
        groups: intp [n].
    """

    def __init__(self, table: Path, images: Path) -> None:
        with table.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        digests = [hashlib.sha256((images / it["image"]).read_bytes()).digest() for it in lines]
        self.catalogue = Catalogue([Posting(it["posting_id"], it["image"], it["title"]) for it in lines])
        titles, hashes = [it["title"] for it in lines], [it["image_phash"] for it in lines]
        self.features = without_stock_images(self.catalogue, Features.of(titles, hashes, images=digests))
        self.groups = number_groups([it["label_group"] for it in lines])
        self.words = [parse_title(title).words for title in titles]

    def search(self, matcher: str) -> ProbabilitySearch:
        """The catalogue scored by one of `MATCHERS`."""
        if matcher == "learned":
            data = TrainingData(self.features, SIGNALS, self.groups, np.ones(len(self.groups), np.bool_))
            fitted = fit_matcher(data, TreeLearner(0, 1), 0, silent)
            return self._scored(self.features, fitted.model, fitted.thresholds)
        if matcher == "default":
            manifest = read_default()
            return self._scored(self.bare(self.features), manifest.model, manifest.size_thresholds)
        scorer = Contrary(SIGNALS)
        model = PairModel(SIGNALS, scorer, scorer, Calibration(PLATT, (0.0,), (0.0,), 1.0))
        return self._scored(self.features, model, HIGHEST)

    def _scored(self, features: Features, model: PairModel, thresholds: SizeThresholds) -> ProbabilitySearch:
        return ProbabilitySearch.build("matcher/1", self.catalogue, features, model, thresholds)

    @staticmethod
    def bare(features: Features) -> Features:
        """Features for a matcher that compares embeddings, where none were computed."""
        nothing: dict[str, Embeddings] = {name: np.zeros((len(features), 4), np.float32) for name in IMAGE_RETRIEVERS}
        return Features(features.titles, features.hashes, nothing, features.images)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, COUNT, 0)
    return Read(folder / "catalogue.csv", folder / "images")


def not_found(read: Read, search: ProbabilitySearch) -> Iterator[tuple[str, str, str]]:
    """Which postings are not found by what, and why not."""
    thresholds = [search.rule(target, None).thresholds.match for target in search.thresholds.thresholds]
    highest = max((it for it in thresholds if it < inf), default=0.0)
    repeats = Counter(read.words)
    features = read.features if "image" not in search.signals else read.bare(read.features)
    only = np.zeros(1, np.intp)
    for row in range(len(read.catalogue)):
        one, image, words = features.select(np.array([row])), read.features.images[row], read.words[row]
        ways = {"both": one} if image and words else {}
        if image:
            ways["image"] = one.without_titles(only)
        if words and repeats[words] == 1:
            ways["title"] = one.without_images(only)
        for way, asked in ways.items():
            found: RankedMatches = match_query(search, asked, search.rule(None, 0))
            first = int(found.rows[0]) if len(found.rows) else -1
            same_image, same_title = read.features.images[first] == image, read.words[first] == words
            if first != row and not (same_image and (same_title or way == "image")):
                yield read.catalogue[row].posting_id, way, f"{read.catalogue[first].posting_id} is found first"
            elif found.probabilities[0] < highest:
                yield read.catalogue[row].posting_id, way, f"{found.probabilities[0]} is below {highest}"


@pytest.mark.parametrize("matcher", MATCHERS)
def test_a_drawn_posting_finds_itself(drawn: Read, matcher: str) -> None:
    """By its image, its title where no other has it, and both, at every target."""
    assert list(not_found(drawn, drawn.search(matcher))) == []


@pytest.mark.skipif(SHOPS is None, reason="TEST_SHOPS names no folder of catalogues")
@pytest.mark.parametrize("matcher", MATCHERS)
def test_a_posting_of_a_shop_finds_itself(matcher: str) -> None:
    """The same in a shop whose colours of one product share a hash."""
    read = Read(Path(SHOPS or "") / "magento" / "train.csv", Path(SHOPS or "") / "magento" / "images")
    assert list(not_found(read, read.search(matcher))) == []


def test_one_common_word_is_no_product(drawn: Read) -> None:
    """Many postings hold it, and none is probable."""
    common = [word for word, _ in Counter(word for words in drawn.words for word in {*words}).most_common(20)]
    for matcher in ("learned", "default"):
        search = drawn.search(matcher)
        for word in ("kopi", *common):
            asked = Features.of([word], [None])
            asked = drawn.bare(asked) if "image" in search.signals else asked
            found = match_query(search, asked, search.rule(None, 0))
            assert found.probabilities.max(initial=0) < 0.3, (matcher, word)
            assert not len(match_query(search, asked, search.rule(None, None)).rows)
