"""Metadata in a notebook: filters of questions, and evidence of matchers that are trained and kept there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pricematch as pm
from pricematch.catalogue.fields import Field
from pricematch.errors import FieldInvalid, FilterInvalid
from tests.support.catalogues import labelled_postings
from tests.support.matchers import export_matcher

pytestmark = pytest.mark.process
PRICE = Field("price", "number", evidence=True)
LOW = "price=..9"


def priced(count: int) -> list[dict[str, Any]]:
    """Postings with a price that is the place of their label group, and a seller."""
    names = ("posting_id", "title", "image_phash", "label_group")
    rows = [{name: getattr(posting, name) for name in names} for posting in labelled_postings(count)]
    places = {group: place for place, group in enumerate(dict.fromkeys(row["label_group"] for row in rows))}
    return [
        {**row, "metadata.price": float(places[row["label_group"]]), "metadata": {"seller": f"s{number % 3}"}}
        for number, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pm.Shop]:
    """A shop of 60 postings whose matcher finds equal hashes and words the same."""
    folder = tmp_path_factory.mktemp("priced")
    export_matcher(folder / "models", ["hash", "title"])
    with pm.load(priced(60), folder=folder, workers=1) as loaded:
        yield loaded


def test_matches_are_those_that_the_filter_holds_of(shop: pm.Shop) -> None:
    """In short and as JSON; a query with a title of its own as well as a posting."""
    rows = priced(60)
    prices = {row["posting_id"]: row["metadata.price"] for row in rows}
    asked = rows[0]
    every = [it.posting_id for it in shop.match(asked["title"], min_probability=0, limit=50)]
    few = [it.posting_id for it in shop.match(asked["title"], min_probability=0, limit=50, filter=LOW)]
    assert few
    assert len(few) < len(every)
    assert max(prices[it] for it in few) <= 9
    assert few == [
        it.posting_id for it in shop.match(asked["title"], min_probability=0, limit=50, filter={"price": {"lte": 9}})
    ]
    of_posting = shop.matches(asked["posting_id"], min_probability=0, limit=50, filter="seller!=s0")
    sellers = {row["posting_id"]: row["metadata"]["seller"] for row in rows}
    assert {sellers[it.posting_id] for it in of_posting} == {"s1", "s2"}


def test_pairs_and_products_are_of_what_the_filter_holds_of(shop: pm.Shop) -> None:
    low = {row["posting_id"] for row in priced(60) if row["metadata.price"] <= 9}
    every, few = shop.pairs(0).records(), shop.pairs(0, filter=LOW).records()
    assert few == [it for it in every if {it["left"], it["right"]} <= low]
    assert 0 < len(few) < len(every)
    products = shop.clusters(filter=LOW).records()
    assert [it["posting_id"] for it in products] == sorted(low)
    whole = {it["posting_id"]: it["product"] for it in shop.clusters().records()}
    # prices are those of label groups here, so nothing that is left out was in their clusters
    assert len({it["product"] for it in products}) == len({whole[it] for it in low})
    assert shop.clusters(filter="price=..1000").records() == shop.clusters().records()


def test_wrong_filters_and_metadata_get_a_sentence(shop: pm.Shop) -> None:
    for ask in (shop.pairs, shop.clusters, lambda **given: shop.match("kopi", **given)):
        with pytest.raises(FilterInvalid, match="character 7"):
            ask(filter="price=")
    with pytest.raises(FieldInvalid, match="metadata"):
        shop.match("kopi", metadata={"a.b": 1})


def test_a_matcher_that_takes_evidence_has_it_in_the_shop(tmp_path: Path) -> None:
    """Of stored postings as of queries; with another catalogue and matcher the fields are others."""
    export_matcher(tmp_path / "models", ["hash", "title"], fields=(PRICE,))
    with pm.load(priced(30), folder=tmp_path, workers=1) as shop:
        search = shop._computed(lambda matcher: matcher)
        assert search.evidence_fields.read == {PRICE}
        assert not search.outdated
        shop.match("kopi", metadata={"price": 5})
    brand = replace(PRICE, name="brand", type="text")
    export_matcher(tmp_path / "models", ["hash", "title"], version="2", fields=(brand,))
    with pm.load(priced(30), folder=tmp_path, workers=1) as shop:
        assert shop._computed(lambda matcher: matcher).evidence_fields.read == {brand}


def test_a_shop_trains_by_evidence(tmp_path: Path) -> None:
    """And compares by it from then on."""
    with pm.load(priced(60), folder=tmp_path, workers=1) as shop:
        shop.match("kopi")
        training = shop.train(signals="hash,title", evidence=["price:number"], force=True)
        assert training.trained.fitted.model.fields in {(PRICE,), ()}
        found = shop._computed(lambda matcher: matcher)
        assert found.evidence_fields.fields == training.trained.fitted.model.fields
        assert found.evidence_fields.read == set(training.trained.fitted.model.fields)
        with pytest.raises(FilterInvalid, match="NAME:number or NAME:text, got 'price'"):
            shop.train(evidence="price")
