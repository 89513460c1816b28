"""Products, their near-miss siblings and the plan of who sells them."""

from dataclasses import fields

import numpy as np
import pytest

from pricematch.sample.articles import DRAWINGS, draw
from pricematch.sample.kinds import KINDS
from pricematch.sample.plan import Assortment, plan_groups
from pricematch.sample.products import Product, invent, sibling


def differences(first: Product, second: Product) -> set[str]:
    names = (field.name for field in fields(Product))
    return {name for name in names if getattr(first, name) != getattr(second, name)}


def test_a_sibling_differs_in_exactly_one_thing() -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for _ in range(600):
        product = invent(rng)
        (difference,) = differences(product, sibling(rng, product))
        seen.add(difference)
    assert seen == {"colour", "flavour", "pattern", "size", "pack"}


def test_a_sibling_has_another_identity() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        product = invent(rng)
        assert sibling(rng, product).identity != product.identity


def test_a_sibling_is_drawn_differently_unless_only_the_pack_differs() -> None:
    rng = np.random.default_rng(2)
    for _ in range(8):
        product = invent(rng)
        near = sibling(rng, product)
        same_pixels = np.array_equal(draw(product), draw(near))
        assert same_pixels == (differences(product, near) == {"pack"})


@pytest.mark.parametrize("postings", [1, 2, 7, 500])
def test_a_plan_gives_every_row_to_one_group(postings: int) -> None:
    groups = plan_groups(postings, np.random.default_rng(postings))
    assert sorted(row for group in groups for row in group.rows) == list(range(postings))
    assert [group.number for group in groups] == list(range(len(groups)))


def test_most_groups_have_two_to_five_postings() -> None:
    sizes = [len(group.rows) for group in plan_groups(3000, np.random.default_rng(4))]
    assert sum(2 <= size <= 5 for size in sizes) > 0.6 * len(sizes)
    assert min(sizes) == 1
    assert 8 < max(sizes) <= 12


def test_no_two_groups_sell_the_same_product() -> None:
    groups = plan_groups(3000, np.random.default_rng(5))
    assert len({group.product.identity for group in groups}) == len(groups)


def test_a_shared_photo_differs_in_size_or_pack_only() -> None:
    groups = plan_groups(1000, np.random.default_rng(6))
    borrowed = [differences(group.product, group.stock_product) for group in groups]
    assert {frozenset(difference) for difference in borrowed} == {frozenset(), frozenset({"size"}), frozenset({"pack"})}


def test_an_assortment_limits_kinds() -> None:
    kinds = tuple(kind for kind in KINDS if kind.name in {"can", "mug"})
    groups = plan_groups(300, np.random.default_rng(7), Assortment(kinds=kinds))
    assert {group.product.kind for group in groups} == set(kinds)


@pytest.mark.parametrize("lone", [0.0, 0.6, 1.0])
def test_an_assortment_sets_how_many_products_are_sold_once(lone: float) -> None:
    """The last group is cut where the rows end."""
    sizes = [len(group.rows) for group in plan_groups(3000, np.random.default_rng(8), Assortment(lone=lone))][:-1]
    assert np.mean([size == 1 for size in sizes]) == pytest.approx(lone, abs=0.05)


def test_variants_share_a_label_group_where_they_are_one_product() -> None:
    """The same rows sell the same products as where each variant has a label group of its own."""
    apart, together = (
        plan_groups(500, np.random.default_rng(9), Assortment(variants=variants)) for variants in (True, False)
    )
    assert [(it.product, it.rows) for it in apart] == [(it.product, it.rows) for it in together]
    assert [it.label_group for it in apart] == [it.number for it in apart]
    families = {label: [it.product for it in together if it.label_group == label] for label in range(len(together))}
    found = [family for family in families.values() if len(family) > 1]
    assert len(found) > 20
    assert all(len(differences(family[0], it)) == 1 for family in found for it in family[1:])


def test_an_impossible_assortment_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one kind"):
        Assortment(kinds=())
    with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
        Assortment(lone=1.5)


def test_every_kind_has_a_drawing() -> None:
    assert set(DRAWINGS) == {kind.name for kind in KINDS}


@pytest.mark.parametrize("kind", sorted(DRAWINGS))
def test_an_article_fills_its_canvas_but_the_border(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    while (product := invent(rng)).kind.name != kind:
        pass
    pixels = draw(product)
    cover = pixels[..., 3]
    assert (pixels[..., :3] <= cover[..., None]).all()
    assert 0.08 < (cover > 127).mean() < 0.8
    assert not np.concatenate([cover[0], cover[-1], cover[:, 0], cover[:, -1]]).any()
