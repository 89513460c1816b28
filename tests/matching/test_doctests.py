"""The examples in the core's docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

from app import matching

MODULES = [module.name for module in pkgutil.walk_packages(matching.__path__, "app.matching.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    attempted = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    assert attempted["app.matching.titles"] > 0
    assert attempted["app.matching.metrics"] > 0
    assert attempted["app.matching.cluster_metrics"] > 0
