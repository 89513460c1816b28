"""What all tests share: no settings from outside, no deadlines, the order of tests, and one tiny training."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pricematch.encoding.default_encoder import ensure_default_encoder
from tests.support.cli import Run, runner
from tests.support.networks import TinyArtefacts, make_artefacts
from tests.support.stores import small_disk
from tests.support.waiting import SAFETY_SECONDS

__all__ = ["small_disk"]

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")


TESTS = Path(__file__).parent
SLOW_FOLDERS = {"api", "clustering", "evaluation", "hostile", "learning", "notebook", "reports", "sample", "serving"}
"""Their tests build applications, learn pair models, draw catalogues or compare with scikit-learn at length."""
LONGEST = ("test_readme.py", "api/test_server.py", "api/test_connections.py")
"""Modules that start processes and take longest."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import none of the slow folders where no slow test is wanted."""
    unwanted = "not slow" in config.option.markexpr and collection_path.parent == TESTS
    return True if unwanted and collection_path.name in SLOW_FOLDERS else None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests by fixtures and folders, and put those that take long first.

    Of two workers one gets the first half and the other the second half, in this order. One half begins with the
    longest modules, the other with TensorFlow, so that one process imports it and trains what tests share. Short tests
    end both.
    """
    for item in items:
        if "tiny_artefacts" in getattr(item, "fixturenames", ()):
            item.add_marker("tensorflow")
        if item.path.relative_to(TESTS).parts[0] in SLOW_FOLDERS:
            item.add_marker("slow")
    yield  # others take out what -m and -k do not want
    longest, networks, others = [], [], []
    for item in items:
        if item.path.relative_to(TESTS).as_posix() in LONGEST:
            longest.append(item)
        elif item.get_closest_marker("tensorflow") is not None:
            networks.append(item)
        else:
            others.append(item)
    longest.sort(key=lambda item: LONGEST.index(item.path.relative_to(TESTS).as_posix()))
    first = max(len(items) // 2 - len(longest), 0)
    items[:] = [*longest, *others[:first], *networks, *others[first:]]


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


@pytest.fixture(autouse=True, scope="session")
def _processes_end() -> Iterator[None]:
    """A worker process that is killed may take as long to end as a busy machine needs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pricematch.encoding.worker_process.ENDS_SECONDS", float(SAFETY_SECONDS))
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
        from pricematch.encoding.tensorflow_network import use_precision

        use_precision("float32")  # another test may have served in bfloat16, which holds for the whole process


@pytest.fixture(scope="session")
def tiny_artefacts(_repeatable_tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> TinyArtefacts:
    """Both networks, trained on the tiny catalogue within a few seconds; needs TensorFlow. Not to be written to."""
    return make_artefacts(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def earlier_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models that an earlier version exported: `cae`, `autoencoder`, and a `cnn` that needs TensorFlow."""
    folder = tmp_path_factory.mktemp("earlier")
    shutil.unpack_archive(TESTS / "encoding" / "earlier_models.zip", folder)
    return folder / "models"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `pricematch …` in this process."""
    return runner(monkeypatch, capfd)


@pytest.fixture(scope="session")
def default_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as a first start leaves it, with the default encoder alone; not to be changed."""
    models = tmp_path_factory.mktemp("default")
    ensure_default_encoder(models)
    return models
