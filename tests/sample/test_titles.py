"""Sellers' titles."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pricematch.sample.kinds import KINDS, Kind
from pricematch.sample.products import Product, invent
from pricematch.sample.titles import write_title


@pytest.fixture(scope="module")
def shampoo() -> Product:
    rng = np.random.default_rng(0)
    while (product := invent(rng)).kind.name != "shampoo":
        pass
    return replace(product, brand="Lumora", model="Silk Care", size="200 ml", pack=1)


def titles(product: Product, count: int, *, bare: bool = False) -> list[str]:
    return [write_title(product, np.random.default_rng(seed), bare=bare) for seed in range(count)]


def test_the_same_generator_writes_the_same_title(shampoo: Product) -> None:
    assert titles(shampoo, 20) == titles(shampoo, 20)


def test_sellers_seldom_agree(shampoo: Product) -> None:
    assert len(set(titles(shampoo, 100))) > 90


def test_nearly_every_title_names_the_brand(shampoo: Product) -> None:
    assert sum("lumora" in title.lower() for title in titles(shampoo, 200)) > 180


def test_contents_are_written_in_several_ways(shampoo: Product) -> None:
    found = {match[0] for title in titles(shampoo, 200) if (match := re.search(r"@?200 ?(ml|ML)", title))}
    assert {"200 ml", "200ml", "@200ml"} <= found


def test_a_bare_title_names_no_variant_so_that_siblings_share_it(shampoo: Product) -> None:
    larger = replace(shampoo, size="340 ml", pack=3)
    assert titles(shampoo, 50, bare=True) == titles(larger, 50, bare=True)


def test_some_titles_are_upper_case_and_some_lower_case(shampoo: Product) -> None:
    written = titles(shampoo, 100)
    assert any(title.isupper() for title in written)
    assert any(title.islower() for title in written)


def test_some_titles_hold_utf8_bytes_as_text(shampoo: Product) -> None:
    escaped = [title for title in titles(shampoo, 300) if "\\x" in title]
    assert 0 < len(escaped) < 40
    for title in escaped:
        (ornament,) = {match[0] for match in re.finditer(r"(\\x[0-9a-f]{2})+", title)}
        assert bytes.fromhex(ornament.replace("\\x", "")).decode()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_every_kind_can_be_titled(kind: Kind) -> None:
    rng = np.random.default_rng(3)
    while (product := invent(rng)).kind is not kind:
        pass
    assert all(len(title) > 8 for title in titles(product, 10))
