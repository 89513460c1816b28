"""What all tests share: no settings from outside, no deadlines, TensorFlow last, and one tiny training."""

import os

import pytest
from hypothesis import settings

from tests.support.cli import Run, runner
from tests.support.small_disk import small_disk
from tests.support.tiny import TinyArtefacts, make_artefacts

__all__ = ["small_disk"]

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need TensorFlow run after the others."""
    items.sort(key=lambda item: item.get_closest_marker("tensorflow") is not None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("PRICEMATCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _repeatable_tensorflow() -> None:
    from pricematch.training.trainer import make_deterministic

    make_deterministic()


@pytest.fixture(autouse=True)
def _tensorflow_where_needed(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("tensorflow") is not None:
        request.getfixturevalue("_repeatable_tensorflow")


@pytest.fixture(scope="session")
def tiny_artefacts(_repeatable_tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> TinyArtefacts:
    """Both networks, trained on the tiny catalogue within a few seconds; needs TensorFlow. Not to be written to."""
    return make_artefacts(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `pricematch …` in this process."""
    return runner(monkeypatch, capfd)
