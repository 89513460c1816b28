"""Products keep their numbers while postings come, go, and are clustered anew."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.products import ProductChange, product_id, product_number, repartitioned


def changes(before: Mapping[int, str], clusters: Sequence[str], first: int = 100) -> list[ProductChange]:
    """Of products and clusters given as strings, each letter a posting."""
    return repartitioned(before, clusters, first)


def partition_after(before: Mapping[int, str], found: Sequence[ProductChange]) -> dict[int, tuple[str, ...]]:
    after = {number: tuple(sorted(members)) for number, members in before.items()}
    after |= {change.number: change.after for change in found}
    return {number: members for number, members in after.items() if members}


def test_nothing_changes_where_clusters_are_the_products() -> None:
    assert changes({1: "ab", 2: "c"}, ["c", "ba"]) == []


def test_an_arrival_alone_is_a_new_product() -> None:
    assert changes({}, ["a"], 7) == [ProductChange(7, "created", (), ("a",))]


def test_an_arrival_joins_a_product() -> None:
    [change] = changes({1: "ab"}, ["abc"])
    assert change == ProductChange(1, "changed", ("a", "b"), ("a", "b", "c"))
    assert (change.joined, change.left) == (("c",), ())


def test_a_deleted_posting_leaves_its_product() -> None:
    [change] = changes({1: "abc"}, ["ac"])
    assert change == ProductChange(1, "changed", ("a", "b", "c"), ("a", "c"))
    assert (change.joined, change.left) == ((), ("b",))


def test_a_product_without_postings_is_removed() -> None:
    assert changes({4: "a"}, []) == [ProductChange(4, "removed", ("a",), ())]


def test_the_product_with_more_postings_goes_on_when_two_merge() -> None:
    assert changes({1: "ab", 2: "cde"}, ["abcde"]) == [
        ProductChange(1, "merged", ("a", "b"), (), into=2),
        ProductChange(2, "changed", ("c", "d", "e"), ("a", "b", "c", "d", "e")),
    ]


def test_the_older_of_two_equal_products_goes_on() -> None:
    assert changes({5: "ab", 3: "cd"}, ["abcd"]) == [
        ProductChange(3, "changed", ("c", "d"), ("a", "b", "c", "d")),
        ProductChange(5, "merged", ("a", "b"), (), into=3),
    ]


def test_the_larger_part_of_a_split_product_goes_on() -> None:
    assert changes({1: "abcde"}, ["ab", "cde"], 9) == [
        ProductChange(1, "split", ("a", "b", "c", "d", "e"), ("c", "d", "e")),
        ProductChange(9, "created", (), ("a", "b")),
    ]


def test_equal_parts_of_a_split_go_by_the_lowest_posting() -> None:
    assert changes({1: "abcd"}, ["cd", "ab"], 9) == [
        ProductChange(1, "split", ("a", "b", "c", "d"), ("a", "b")),
        ProductChange(9, "created", (), ("c", "d")),
    ]


def test_a_cluster_takes_its_second_best_where_the_best_goes_on_elsewhere() -> None:
    """Of product 1 the larger part goes on; the smaller one continues the product that it joined."""
    assert changes({1: "abcde", 2: "f"}, ["abc", "def"]) == [
        ProductChange(1, "split", ("a", "b", "c", "d", "e"), ("a", "b", "c")),
        ProductChange(2, "changed", ("f",), ("d", "e", "f")),
    ]


def test_a_product_that_falls_apart_merges_into_what_has_most_of_it() -> None:
    """Both parts join larger products."""
    assert changes({1: "abc", 2: "defg", 3: "hijk"}, ["adefg", "bchijk"]) == [
        ProductChange(1, "merged", ("a", "b", "c"), (), into=3),
        ProductChange(2, "changed", ("d", "e", "f", "g"), ("a", "d", "e", "f", "g")),
        ProductChange(3, "changed", ("h", "i", "j", "k"), ("b", "c", "h", "i", "j", "k")),
    ]


PARTITIONS = st.lists(st.integers(0, 5), min_size=12, max_size=12)


def parts(labels: Sequence[int], postings: str) -> dict[int, str]:
    found = dict[int, str]()
    for posting, label in zip(postings, labels, strict=True):
        found[label] = found.get(label, "") + posting
    return found


@given(PARTITIONS, PARTITIONS, st.integers(0, 4), st.integers(0, 4))
def test_every_posting_ends_in_its_cluster(old: list[int], new: list[int], came: int, went: int) -> None:
    """Nothing is lost, no number is given twice, and one that went on shares a posting with what it was."""
    postings = "abcdefghijkl"
    before = {label + 1: members for label, members in parts(old[came:], postings[came:]).items()}
    clusters = list(parts(new[: 12 - went], postings[: 12 - went]).values())
    found = repartitioned(before, clusters, 50)
    after = partition_after(before, found)
    assert sorted(after.values()) == sorted(tuple(members) for members in clusters)
    for change in found:
        assert (change.number >= 50) == (change.kind == "created")
        assert bool(change.after) == (change.kind in {"created", "changed", "split"})
        assert change.kind != "merged" or change.into in after
        assert not change.after or not change.before or set(change.after) & set(change.before)
    assert [change.number for change in found] == sorted({change.number for change in found})


@given(PARTITIONS, PARTITIONS)
def test_the_order_of_clusters_does_not_matter(old: list[int], new: list[int]) -> None:
    before, clusters = parts(old, "abcdefghijkl"), list(parts(new, "abcdefghijkl").values())
    assert repartitioned(before, clusters, 50) == repartitioned(dict(reversed(before.items())), clusters[::-1], 50)


@pytest.mark.parametrize("number", [1, 10, 10**18 - 1])
def test_an_id_names_its_number(number: int) -> None:
    assert product_number(product_id(number)) == number


@pytest.mark.parametrize("text", ["", "p", "p0", "p01", "P1", "1", "p-1", "p1 ", "p" + "1" * 19, "p٣"])
def test_other_texts_name_no_product(text: str) -> None:
    assert product_number(text) is None
