"""The examples of docs/client.md do what it says."""

import re
from functools import partial
from pathlib import Path

import pytest

from pricematch import client as package
from pricematch.client import AsyncClient, Client
from pricematch.client.verbs import Verbs
from tests.support.applications import served_app
from tests.support.clients import URL, Through
from tests.support.contract import client_of
from tests.support.fakes import image_bytes
from tests.support.served import coloured

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, in a service of its own."""
    (tmp_path / "images").mkdir()
    for name in ("photo.jpg", "other.jpg", "images/teal.png"):
        (tmp_path / name).write_bytes(image_bytes("#008080"))
    (tmp_path / "postings.csv").write_bytes(b"posting_id,image,title\nfirst,teal.png,kopi\nsecond,none.png,kopi\n")
    (tmp_path / "service").mkdir()
    monkeypatch.chdir(tmp_path)
    with served_app(coloured(tmp_path / "service", ["hash", "title"])) as app, client_of(app) as served:
        through = Through(served)
        for kind in (Client, AsyncClient):
            monkeypatch.setattr(package, kind.__name__, partial(kind, transport=through))
        monkeypatch.setenv("PRICEMATCH_URL", URL)
        for block in BLOCKS:
            exec(compile(block, "docs/client.md", "exec"), {"__name__": "example"})  # noqa: S102
        put = served.get("/v1/postings/shop-1").json()
    printed = capsys.readouterr().out
    assert len(BLOCKS) == 5
    assert "shop-1 Susu coklat 200 ml" in printed
    assert "1 1 [" in printed  # postings of the file that were created, and failed
    assert "posting put" in printed
    assert "image-type expected" in printed
    assert "404 posting-not-found" in printed
    assert (put["title"], put["metadata"]) == ("Teh manis", {"price": 11.9})


def test_every_verb_is_listed() -> None:
    listed = set(re.findall(r"`(\w+)`", PAGE.partition("iterators, which")[2].partition("## Many")[0]))
    verbs = {name for kind in Verbs.__mro__ for name in vars(kind) if not name.startswith("_")}
    assert listed - {"filter"} == verbs
