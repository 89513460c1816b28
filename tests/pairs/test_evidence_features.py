"""Evidence fields among the pair features, for postings that are there, new ones, and what is equal."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.evidence import EvidenceFields, evidence_names, is_evidence
from pricematch.catalogue.features import Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.formats.default_matcher import read_default
from pricematch.matching.nodes import node_keys
from pricematch.pairs.explanation import Explainer
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.titles.normalise import parse_title

BRAND, PRICE = Field("brand", "text", evidence=True), Field("price", "number", evidence=True)
FIELDS, SIGNALS = (BRAND, PRICE), ("hash", "title")


def priced(*prices: float | None, brands: tuple[str, ...] = ()) -> Features:
    """Postings of one title and nearly one hash each, with prices and brands."""
    names = brands or ("acme",) * len(prices)
    metadata = [Metadata({"price": price, "brand": brand}) for price, brand in zip(prices, names, strict=True)]
    plain = Features.of(
        [f"kopi susu {row}" for row in range(len(prices))], ["0" * 15 + f"{row:x}" for row in range(len(prices))]
    )
    return replace(plain, evidence=EvidenceFields.every(FIELDS).values(metadata))


@given(st.lists(st.one_of(st.none(), st.floats(0.01, 1e6)), min_size=3, max_size=8))
def test_new_postings_have_the_features_that_stored_ones_have(prices: list[float | None]) -> None:
    """Compared with the catalogue, among each other and with those that came before."""
    features, count = priced(*prices), len(prices)
    whole = PairFeatureExtractor(features, SIGNALS, fields=FIELDS)
    left, right = np.triu_indices(count, 1)
    expected = whole.features(whole.own, left, right)[:, -3:]
    stored = PairFeatureExtractor(features.select(np.arange(1)), SIGNALS, fields=FIELDS)
    new, _, _ = stored.profiles(ParsedFeatures.of(features.select(np.arange(1, count))))
    with_base = left == 0
    across = stored.features(new, right[with_base] - 1, left[with_base], stored.own)[:, -3:]
    assert np.array_equal(across, expected[with_base], equal_nan=True)
    joined = stored.joined(new, stored.nothing())
    later = stored.features(joined, left[~with_base] - 1, right[~with_base] - 1)[:, -3:]
    assert np.array_equal(later, expected[~with_base], equal_nan=True)


def test_other_features_are_as_without_evidence() -> None:
    features = priced(5, 6, None)
    ends = np.array([0, 0, 1]), np.array([1, 2, 2])
    plain, told = PairFeatureExtractor(features, SIGNALS), PairFeatureExtractor(features, SIGNALS, fields=FIELDS)
    assert told.names == (*plain.names, *evidence_names(FIELDS))
    found = told.features(told.own, *ends)
    assert np.array_equal(found[:, :-3], plain.features(plain.own, *ends), equal_nan=True)
    assert found[0, -3:] == pytest.approx([1, np.log(1.2), 0])


def test_what_nobody_knows_the_values_of_is_absent() -> None:
    plain = replace(priced(5, 6), evidence=None)
    extractor = PairFeatureExtractor(plain, SIGNALS, fields=FIELDS)
    assert np.isnan(extractor.features(extractor.own, np.array([0]), np.array([1]))[0, -3:]).all()


def test_copies_of_other_prices_are_nodes_of_their_own() -> None:
    """Where the price is compared; what has no title and no image is no copy by its price."""
    metadata = [Metadata(it) for it in ({"price": 5}, {"price": 5.0, "seller": "x"}, {"price": 6}, {}, {"price": 5})]
    found = Features.of(["kopi"] * 4 + [""], [None] * 5)
    found = replace(found, evidence=EvidenceFields.every(FIELDS).values(metadata))
    keys = node_keys(ParsedFeatures.of(found), SIGNALS, FIELDS).tolist()
    assert keys[0] == keys[1]
    assert len({*keys}) == 4
    assert keys[4] == 0
    plain = node_keys(ParsedFeatures.of(found), SIGNALS).tolist()
    assert plain[:4] == [keys[3]] * 4


def told(values: dict[str, float], weights: dict[str, float], *fields: Field) -> list[tuple[str, float]]:
    """The reasons for a pair of nothing but evidence that has these features, which add so much each."""
    names = (*pair_feature_names(SIGNALS, fields=fields), *GRAPH_FEATURES)
    features, added = (np.full((1, len(names)), empty) for empty in (np.nan, 0.0))
    for name, value in {"catalogue_size": 5.0, **dict.fromkeys(GRAPH_FEATURES, 0.0), **values}.items():
        features[0, names.index(name)] = value
    for name, value in weights.items():
        added[0, names.index(name)] = value
    untitled = parse_title("")
    [found] = Explainer(names, {}, fields).explain(features.astype(np.float32), added, untitled, [untitled])
    return [(reason.text, reason.weight) for reason in found.reasons if reason.text.split()[0] not in ("neither",)]


@pytest.mark.parametrize(
    ("ratio", "sign", "expected"),
    [
        (0.0, 1, "price is the same"),
        (np.log(1.02), 1, "price differs by 2 % only"),
        (np.log(1.0001), -1, "price differs by 1 %"),
        (np.log(1.4), -1, "price differs by 40 %"),
        (np.log(3), -1, "price is 3.0 times as high in one"),
        (np.log(12.2), -1, "price is 12 times as high in one"),
        (700.0, -1, "price is over 1000 times as high in one"),
        (None, -1, "price differs"),
    ],
)
def test_a_number_is_told_by_how_far_it_is_apart(ratio: float | None, sign: int, expected: str) -> None:
    values = {"field_0_equal": float(ratio == 0)} | ({} if ratio is None else {"field_0_ratio": float(ratio)})
    [(text, weight)] = told(values, {"field_0_equal": 0.4 * sign, "field_0_ratio": 0.6 * sign}, PRICE)
    assert text == expected
    assert weight == pytest.approx(sign)


@pytest.mark.parametrize(
    ("shared", "sign", "expected"),
    [
        (1, 1, ["brand is the same"]),
        (0, -1, ["brand differs"]),
        (0.5, 1, ["some values of brand are the same"]),
        (0.5, -1, ["some values of brand differ"]),
        (1, -1, []),
        (0, 1, []),
        (np.nan, -1, []),
    ],
)
def test_a_text_is_told_as_the_same_or_not(shared: float, sign: int, expected: list[str]) -> None:
    """And only what is true of the pair, whatever it weighs."""
    assert [text for text, _ in told({"field_0_shared": shared}, {"field_0_shared": sign}, BRAND)] == expected


def test_names_of_fields_are_shortened_and_printable() -> None:
    field = Field("a\u202e" + "b" * 90, "text", evidence=True)
    [(text, _)] = told({"field_0_shared": 0.0}, {"field_0_shared": -1.0}, field)
    assert text == f"a {'b' * 21}… differs"


def test_the_default_takes_nothing_of_evidence() -> None:
    features, default = priced(5, 50, None, brands=("acme", "lg", "acme")), read_default().model
    ends, scores, added = (np.array([0, 0, 1]), np.array([1, 2, 2])), [], []
    for fields in ((), FIELDS):
        model: PairModel = narrowed(default, SIGNALS, fields)
        extractor = PairFeatureExtractor(features, SIGNALS, fields=fields)
        values = extractor.features(extractor.own, *ends)
        scores.append(model.first.predict(values))
        own = [column for column, name in enumerate(extractor.names) if not is_evidence(name)]
        contributions = model.first.contributions(values)
        added.append(contributions[:, own])
        assert not np.delete(contributions, own, axis=1).any()
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(added[0], added[1])
