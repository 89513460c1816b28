"""The error tree and its texts."""

import inspect

import pytest

from pricematch import errors
from pricematch.errors import CatalogueError, PricematchError, RowProblem

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


def test_the_documented_tree_is_that_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if name in {each.__name__ for each in CLASSES}:
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
            path[depth:] = [name]
            drawn[name] = path[depth - 1] if depth else "Exception"
    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_one_of_ours_and_says_what_it_means(error: type[Exception]) -> None:
    assert issubclass(error, PricematchError)
    assert error.__doc__


def test_problems_are_listed_in_the_order_of_rows() -> None:
    error = CatalogueError("bad", [RowProblem(9, None, "second"), RowProblem(2, "title", "first")])
    assert str(error).splitlines() == ["bad", "  row 2, column title: first", "  row 9: second"]
    assert [problem.row for problem in error.problems] == [2, 9]


@pytest.mark.parametrize(("count", "lines"), [(0, 1), (20, 21), (21, 22), (1000, 22)])
def test_twenty_problems_are_shown_at_most_and_the_rest_counted(count: int, lines: int) -> None:
    text = str(CatalogueError("bad", [RowProblem(row, None, "odd") for row in range(count)])).splitlines()
    assert len(text) == lines
    assert (text[-1] == f"  … and {count - 20} more") == (count > 20)
