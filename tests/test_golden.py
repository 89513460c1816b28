"""The comparison of golden answers."""

from typing import Any

import pytest

from tests.golden import differences


def recorded(posting_id: str = "a", probability: Any = 0.25, limit: Any = 2) -> dict[str, Any]:
    """A small recording."""
    first, second = {"posting_id": posting_id, "probability": probability}, {"posting_id": "b", "probability": 0.2}
    return {"match": {"limit": limit, "matches": [first, second], "threshold": None}}


@pytest.mark.parametrize("probability", [0.25, 0.250009, 0.249991])
def test_nearly_equal_numbers_do_not_differ(probability: float) -> None:
    """Floats within the tolerance are the same answer."""
    assert not list(differences(recorded(), recorded(probability=probability)))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (recorded(probability=0.2501), "/match/matches[0]/probability: 0.25 before, 0.2501 after"),
        (recorded(probability=None), "/match/matches[0]/probability: 0.25 before, None after"),
        (recorded(posting_id="c"), "/match/matches[0]/posting_id: 'a' before, 'c' after"),
        (recorded(limit=3), "/match/limit: 2 before, 3 after"),
        (recorded(limit=True), "/match/limit: 2 before, True after"),
        (recorded() | {"review": []}, "/review: only after"),
        ({}, "/match: only before"),
    ],
)
def test_differences_have_a_path(after: dict[str, Any], expected: str) -> None:
    """Whatever is not equal is told with the place it is at."""
    assert list(differences(recorded(), after)) == [expected]


def test_order_matters() -> None:
    """The same matches in another order are another answer."""
    after = recorded()
    after["match"]["matches"].reverse()
    assert len(list(differences(recorded(), after))) == 4


def test_missing_items_are_counted() -> None:
    """A shorter list is told by its length, and its items are compared as far as they go."""
    assert list(differences([1, 2, 3], [1, 4])) == [": 3 items before, 2 after", "[1]: 2 before, 4 after"]


def test_large_numbers_may_differ_relatively() -> None:
    """The tolerance is relative above 1, for floats only."""
    assert not list(differences([1e6, float("nan")], [1e6 + 5, float("nan")]))
    assert list(differences([1_000_000], [1_000_005]))
