"""`pricematch sample`."""

import csv
from pathlib import Path

from pricematch.sample.kinds import KINDS
from tests.support.cli import Run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_shop_of_one_kind_is_drawn(run: Run, tmp_path: Path) -> None:
    """Every title has a noun of that kind, and no product is sold twice."""
    shop = tmp_path / "mugs"
    drawn = run("sample", "--output", str(shop), "--postings", "6", "--kinds", "mug", "--sold-once", "1")
    assert drawn.code == 0, drawn.err
    nouns = next(kind.nouns for kind in KINDS if kind.name == "mug")
    found = rows(shop)
    assert all(any(noun.lower() in row["title"].lower() for noun in nouns) for row in found)
    assert len({row["label_group"] for row in found}) == len(found)


def test_variants_of_a_product_are_one_label_group_on_request(run: Run, tmp_path: Path) -> None:
    """The images and titles are the same, the label groups fewer."""
    options = ("--postings", "24", "--seed", "2")
    assert run("sample", "--output", str(tmp_path / "apart"), *options).code == 0
    assert run("sample", "--output", str(tmp_path / "together"), *options, "--no-variants").code == 0
    apart, together = rows(tmp_path / "apart"), rows(tmp_path / "together")
    assert [(it["image"], it["title"]) for it in apart] == [(it["image"], it["title"]) for it in together]
    assert len({it["label_group"] for it in together}) < len({it["label_group"] for it in apart})


def test_a_kind_that_nobody_can_draw_is_refused(run: Run, tmp_path: Path) -> None:
    """The message lists those that there are, and nothing is written."""
    refused = run("sample", "--output", str(tmp_path / "hats"), "--kinds", "mug,hat")
    assert refused.code != 0
    assert "--kinds: expected some of tshirt, shampoo," in refused.err
    assert "got 'hat'" in refused.err
    assert not (tmp_path / "hats").exists()
