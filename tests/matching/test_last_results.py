"""The last results that are kept."""

from threading import Barrier, Thread
from time import sleep
from typing import NoReturn

import pytest

from pricematch.matching.last_results import LastResults


def test_the_last_results_are_kept() -> None:
    """The least recently asked for goes first, and an error is not kept."""
    kept, computed = LastResults[str](2), list[str]()

    def get(name: str) -> str:
        def compute() -> str:
            computed.append(name)
            return name.upper()

        return kept.get(name, compute)

    assert [get(name) for name in "abacabb"] == list("ABACABB")
    assert computed == list("abcb")

    def fails() -> NoReturn:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        kept.get("d", fails)
    assert kept.get("d", lambda: "D") == "D"


def test_who_asks_at_once_waits_for_one_computation() -> None:
    kept, computed, found, together = LastResults[int](2), list[int](), list[int](), Barrier(8)

    def compute() -> int:
        computed.append(1)
        sleep(0.05)  # others would begin meanwhile
        return 5

    def ask() -> None:
        together.wait()
        found.append(kept.get("a", compute))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (computed, found) == ([1], [5] * 8)
