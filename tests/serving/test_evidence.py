"""Evidence fields of a served catalogue: what changes a match, what disturbs nothing, and what is read anew."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.matching.queries import Options
from pricematch.serving.declarations import declare
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.matchers import export_matcher
from tests.support.product_shop import ProductShop, hashed, in_memory
from tests.support.served import Told, served

PRICE = Field("price", "number", evidence=True)
EVERY = Options(min_probability=0)


def sold(posting_id: str, bits: int, **metadata: object) -> Posting:
    return replace(hashed(posting_id, bits), metadata=Metadata(metadata))


def filled(*declared: Field) -> ProductShop:
    """Of three postings, two of a price; the price is compared where it is declared as evidence."""
    shop = in_memory()
    shop.compares, shop.declared = (PRICE,), declared
    shop.snapshots.rebuild()
    for posting in (sold("a", 0, price=5), sold("b", 1, price=5), sold("c", 2, price=9)):
        shop.intake.put(Put(posting))
    return shop


@pytest.fixture
def shop() -> ProductShop:
    return filled(PRICE)


def probabilities(shop: ProductShop, posting_id: str = "a") -> dict[str, float]:
    matches = shop.snapshots.current.matcher.match_posting(posting_id, EVERY).matches
    return {it.posting_id: round(it.probability or 0, 3) for it in matches}


def test_evidence_that_changes_is_matched_anew(shop: ProductShop) -> None:
    """As the store has it and as another process writes it; a rebuild finds the same."""
    before, live = probabilities(shop), shop.snapshots.current
    assert before["c"] < 0.5 < before["b"]
    shop.intake.put(Put(sold("c", 2, price=5)))
    assert probabilities(shop)["c"] > 0.5
    assert shop.snapshots.current.matcher.probability is not live.matcher.probability
    shop.put_elsewhere(sold("b", 1, price=7))
    shop.snapshots.complete()
    assert probabilities(shop)["b"] < 0.5
    assert live.matcher.catalogue.posting("c").metadata == Metadata({"price": 9})
    followed = probabilities(shop)
    shop.snapshots.rebuild()
    assert probabilities(shop) == followed
    shop.check()


def test_other_metadata_disturbs_nothing(shop: ProductShop) -> None:
    """Nor does another way to write the same number."""
    before = shop.snapshots.current
    shop.intake.put(Put(sold("c", 2, price=9.0, seller="x")))
    after = shop.snapshots.current
    assert after.matcher.probability is before.matcher.probability
    assert after.matcher.catalogue.posting("c").metadata == Metadata({"price": 9, "seller": "x"})


@pytest.mark.parametrize("declared", [(), (Field("price", "number"),), (Field("price", "text", evidence=True),)])
def test_what_is_not_declared_as_evidence_is_not_compared(declared: tuple[Field, ...]) -> None:
    shop = filled(*declared)
    assert min(probabilities(shop).values()) > 0.5
    before = shop.snapshots.current
    shop.intake.put(Put(sold("c", 2, price=1)))
    assert shop.snapshots.current.matcher.probability is before.matcher.probability


def test_declarations_are_taken_when_all_is_read_anew() -> None:
    """Which is due once what the matcher takes is declared or not; other fields make nothing due."""
    shop = filled()
    shop.snapshots.rebuild()
    assert not shop.snapshots.current.matcher.outdated
    for others in ([Field("price", "number")], [Field("brand", "text", evidence=True)]):
        assert not shop.snapshots.declare(others.copy).matcher.outdated
    assert shop.snapshots.declare(lambda: [PRICE]).matcher.outdated
    assert min(probabilities(shop).values()) > 0.5
    shop.declared = (PRICE,)
    shop.snapshots.rebuild()
    assert not shop.snapshots.current.matcher.outdated
    assert probabilities(shop)["c"] < 0.5
    assert shop.snapshots.declare(list).matcher.outdated


# --- stores that are served ----------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a store of three postings with a price, in which it is declared, and a matcher that halves what differs."""
    export_matcher(tmp_path / "models", ["title"], fields=(PRICE,))
    with closing(open_store(tmp_path / "data")) as store:
        store.fields.declare(PRICE, 9)
        titles = ("kopi susu manis", "kopi susu manis enak", "teh hijau")
        store.postings.put(
            [
                Put(Posting(f"p{row}", None, title, metadata=Metadata({"price": 5, "seller": "x"})))
                for row, title in enumerate(titles)
            ]
        )
    return Settings(
        data=tmp_path / "data", models=tmp_path / "models", catalogue=tmp_path / "none.csv", follow_seconds=3600
    )


def values(running: ServedCatalogue) -> list[float]:
    """The prices by which the postings are compared, by their ids."""
    search = running.snapshots.current.matcher.probability
    assert search is not None
    rows = [search.catalogue.row(f"p{row}") for row in range(3)]
    extractor, delta = search.index.extractor, search.index.delta
    assert extractor.own.evidence is not None
    assert delta.evidence is not None
    known = extractor.own.evidence.joined(delta.evidence)
    return [float(known.numbers[search.nodes.of_row[row], 0]) for row in rows]


@pytest.mark.slow
def test_a_start_takes_in_what_has_changed_of_evidence(settings: Settings) -> None:
    """What was scored before stays; other metadata scores nothing, a price that posting alone."""
    with served(settings) as running:
        assert values(running) == [5, 5, 5]
        posting = running.store.postings.page("", 9)[1].posting
    for metadata, scored in (({"price": 5, "seller": "y"}, False), ({"price": 7}, True)):
        with closing(open_store(settings.data)) as store:
            store.postings.put([Put(replace(posting, metadata=Metadata(metadata)))])
        told = Told()
        with served(settings, told) as running:
            assert values(running) == [5, metadata["price"], 5]
            assert "Scoring pairs" not in told.what
            assert ("Scoring changes" in told.what) == scored


@pytest.mark.slow
def test_a_running_service_takes_declarations_of_evidence(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """By a rebuild, which a start behind it needs no more; what is not declared is told of."""
    with served(settings) as running:
        version = running.snapshots.current.version
        running.tick()
        assert running.snapshots.current.version == version
        assert "is declared as evidence" not in caplog.text
        declare(settings, "price", "number")
        running.tick()
        assert running.snapshots.current.version > version
        assert np.isnan(values(running)).all()
        assert "matcher/1 compares by the field price, and none is declared as evidence of type number" in caplog.text
    scored = list[bool]()
    for evidence in (False, True, True):
        declare(settings, "price", "number", evidence=evidence)
        told = Told()
        with served(settings, told) as running:
            assert np.isnan(values(running)).all() == (not evidence)
            scored.append("Scoring pairs" in told.what)
    assert scored == [False, True, False]
