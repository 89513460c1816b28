"""What all tests share: no settings from outside, no deadlines, TensorFlow last, and one tiny training."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cli import Run, runner
from tests.support.small_disk import small_disk
from tests.support.tiny import TinyArtefacts, make_artefacts

__all__ = ["small_disk"]

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")


SLOW_FOLDERS = {"api", "clustering", "evaluation", "hostile", "learning", "reports", "sample", "serving"}
"""Their tests build applications, learn pair models, draw catalogues or compare with scikit-learn at length."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by fixtures and folders; those that need TensorFlow run after the others."""
    for item in items:
        if "tiny_artefacts" in getattr(item, "fixturenames", ()):
            item.add_marker("tensorflow")
        if item.path.relative_to(Path(__file__).parent).parts[0] in SLOW_FOLDERS:
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("tensorflow") is not None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("PRICEMATCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _few_trees() -> Iterator[None]:
    """A pair model learns fewer trees than in earnest, which tell tiny catalogues' groups apart as well."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pricematch.formats.lightgbm_trees.ROUNDS", 40)
        yield


@pytest.fixture(scope="session")
def _repeatable_tensorflow() -> None:
    from pricematch.training.trainer import make_deterministic

    make_deterministic()


@pytest.fixture(autouse=True)
def _tensorflow_where_needed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _no_settings_from_outside: None
) -> None:
    if request.node.get_closest_marker("tensorflow") is not None:
        monkeypatch.setenv("PRICEMATCH_WORKERS", "1")  # each worker process imports TensorFlow for seconds
        request.getfixturevalue("_repeatable_tensorflow")


@pytest.fixture(scope="session")
def tiny_artefacts(_repeatable_tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> TinyArtefacts:
    """Both networks, trained on the tiny catalogue within a few seconds; needs TensorFlow. Not to be written to."""
    return make_artefacts(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `pricematch …` in this process."""
    return runner(monkeypatch, capfd)
