"""Fields that are declared in a data folder, and services that follow."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pricematch.catalogue.fields import Field
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.errors import FieldNotDeclared, FieldNotFound, FilterInvalid, LimitExceeded
from pricematch.serving.declarations import declare, declared, remove
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store
from tests.support.cli import Run
from tests.support.served import served

SELLERS = ("acme", "lg", "acme", "tokyo")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a store of four postings with sellers, of which a filter may look into one."""
    settings = Settings(
        data=tmp_path,
        catalogue=tmp_path / "none.csv",
        max_scanned_postings=1,
        follow_seconds=3600,
        max_declared_fields=2,
    )
    with closing(open_store(tmp_path)) as store:
        store.postings.put(
            [
                Put(Posting(f"p{row}", None, f"kopi {row}", metadata=Metadata({"seller": seller})))
                for row, seller in enumerate(SELLERS)
            ]
        )
    return settings


@pytest.mark.slow
def test_a_running_service_takes_declarations(settings: Settings) -> None:
    """Also such as it starts with; a filter by what is not declared is refused again once it is removed."""
    seller = read_filter("seller=acme", 4096)

    def allowed() -> list[str]:
        matcher = running.snapshots.current.matcher
        mask = matcher.allowed(seller)
        return matcher.catalogue.ids_of([] if mask is None else mask.nonzero()[0])

    declare(settings, "price", "number")
    with served(settings) as running:
        assert list(running.snapshots.current.matcher.fields.declared) == ["price"]
        with pytest.raises(FieldNotDeclared, match=r"4 postings .* 1 may"):
            allowed()
        version = running.snapshots.current.version
        declare(settings, "seller", "text")
        running.tick()
        assert allowed() == ["p0", "p2"]
        assert running.snapshots.current.version == version
        before = running.snapshots.current
        running.tick()
        assert running.snapshots.current.matcher is before.matcher
        moved = Put(Posting("p3", None, "kopi 3", metadata=Metadata({"seller": "acme"})))
        running.intake.put(moved)
        assert allowed() == ["p0", "p2", "p3"]
        running.intake.put(replace(moved, posting=replace(moved.posting, title="teh")))
        running.intake.remove("p0")
        assert sorted(allowed()) == ["p2", "p3"]
        assert running.snapshots.rebuild().matcher.fields.declared.keys() == {"price", "seller"}
        assert sorted(allowed()) == ["p2", "p3"]
        remove(settings, "seller")
        running.tick()
        with pytest.raises(FieldNotDeclared):
            allowed()


def test_declarations_are_checked(settings: Settings) -> None:
    with pytest.raises(FilterInvalid, match="field: expected the name of a field"):
        declare(settings, "a..b", "text")
    assert declare(settings, "a", "text")
    assert declare(settings, "b", "text")
    assert not declare(settings, "b", "number")
    with pytest.raises(LimitExceeded):
        declare(settings, "c", "text")
    assert declared(settings) == [Field("a", "text"), Field("b", "number")]
    with pytest.raises(FieldNotFound, match="no field 'c' is declared"):
        remove(settings, "c")


def test_the_command_line_declares_lists_and_removes(run: Run, settings: Settings) -> None:
    data = ("--data", str(settings.data))
    assert "seller is declared as text" in run("fields", "declare", "seller", "--type", "text", *data).out
    assert "seller was declared already as number" in run("fields", "declare", "seller", "--type", "number", *data).out
    listed = run("fields", *data)
    assert listed.code == 0
    assert "seller" in listed.out
    assert "number" in listed.out
    assert run("fields", "remove", "seller", *data).code == 0
    again = run("fields", "remove", "seller", *data)
    assert (again.code, again.one_line()) == (1, "pricematch: no field 'seller' is declared")
    wrong = run("fields", "declare", "seller", "--type", "date", *data)
    assert (wrong.code, wrong.one_line()) == (2, "pricematch: --type: expected number or text, got 'date'")
    nowhere = run("fields", "--data", str(settings.data / "none"))
    assert nowhere.code == 2
