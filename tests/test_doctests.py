"""The examples in the core's docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import pricematch

FOLDERS = ("catalogue", "search", "titles", "pairs", "clustering", "matching", "evaluation", "notebook")
MODULES = [
    module.name
    for folder in FOLDERS
    for module in pkgutil.walk_packages([f"{pricematch.__path__[0]}/{folder}"], f"pricematch.{folder}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    attempted = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    assert attempted["pricematch.catalogue.postings"] > 0
    assert attempted["pricematch.evaluation.metrics"] > 0
