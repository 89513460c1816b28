"""The sdist and the wheel: what is in them, and that the wheel works where nothing else is installed."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from pricematch import __version__
from tests.support.waiting import SAFETY_SECONDS

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[1]
NAME = f"pricematch-{__version__}"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "data")


def ran(*words: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints; it must end well. It knows of no source folder."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=known | environment,
        capture_output=True,
        text=True,
        timeout=SAFETY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, since building writes beside its sources."""
    copy = tmp_path_factory.mktemp("source") / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    for name in ("app", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
    return copy


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    """A folder with an sdist, and the wheel that is built from it."""
    uv = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation"]
    ran(*uv, "--python", sys.executable, "--out-dir", "dist", cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    return built / f"{NAME}-py3-none-any.whl"


def packaged(root: Path) -> set[str]:
    """Files of the package, below the folder that holds it."""
    paths = (path for path in (root / "app" / "pricematch").rglob("*") if path.is_file())
    return {path.relative_to(root / "app").as_posix() for path in paths}


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel; its record names those it was built with in any order."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_the_wheel_holds_the_package_and_nothing_else(source: Path, wheel: Path) -> None:
    """All its files, whatever they are, and the licences; no tests, no caches, no folder `app`."""
    names = set(contents(wheel))
    own = {name for name in names if not name.startswith(f"{NAME}.dist-info/")}
    assert own == packaged(source)
    assert {"pricematch/py.typed", "pricematch/encoding/general_statistics.npz"} <= own
    assert {f"{NAME}.dist-info/licenses/{name}" for name in ("LICENSE", "NOTICE")} <= names
    assert contents(wheel)[f"{NAME}.dist-info/top_level.txt"] == b"pricematch\n"


def test_the_sdist_holds_what_builds_the_wheel(source: Path, built: Path) -> None:
    """Sources, licences and metadata; no tests, no caches."""
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        names = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    made = {name for name in names if name.startswith("app/pricematch.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    metadata = {"pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"}
    assert names - made == metadata | {f"app/{name}" for name in packaged(source)}


def test_the_wheel_of_the_sdist_is_that_of_the_sources(source: Path, wheel: Path) -> None:
    """To the byte."""
    uv = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation", "--wheel"]
    ran(*uv, "--python", sys.executable, "--out-dir", "direct", cwd=source)
    assert contents(source / "direct" / wheel.name) == contents(wheel)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a bare virtual environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("bare")
    ran(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=folder)
    installed = folder / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    ran(*uv, "--python", installed, wheel, cwd=folder)
    return installed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else's, with a package `app` of its own."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").write_text("whose = 'theirs'\n", encoding="utf-8")
    return folder


def test_both_packages_are_imported_by_their_names(python: Path, project: Path) -> None:
    """`app` is the project's, `pricematch` the wheel's; importing it needs none of what it depends on."""
    code = "import app, pricematch; print(app.whose, pricematch.__version__, pricematch.__file__)"
    whose, version, file = ran(python, "-c", code, cwd=project).split()
    assert (whose, version) == ("theirs", __version__)
    assert Path(file).is_relative_to(python.parents[1])


def test_the_installed_wheel_answers(python: Path, project: Path) -> None:
    """The command says its version, and a notebook matches, beside the dependencies of this environment."""
    [site] = (python.parents[1] / "lib").glob("*/site-packages")
    # a path file's entries are not searched for further path files, so no editable installation comes with them
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    assert ran(python.parent / "pricematch", "--version", cwd=project) == f"pricematch {__version__}\n"
    key = json.loads(ran(python.parent / "pricematch", "key", "shop", "--scope", "read", "--json", cwd=project))
    assert key["name"] == "shop"
    code = (
        "import pricematch as pm, app, pricematch.notebook.shop as home\n"
        "with pm.load({'posting_id': ['a', 'b'], 'title': ['kopi susu', 'KOPI susu']}, workers=1) as shop:\n"
        "    print(app.whose, home.__file__, *[match.posting_id for match in shop.match('kopi susu')])\n"
    )
    whose, file, *found = ran(python, "-c", code, cwd=project).split()
    assert Path(file).is_relative_to(python.parents[1])
    assert (whose, sorted(found)) == ("theirs", ["a", "b"])
