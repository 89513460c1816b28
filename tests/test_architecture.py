"""Imports point one way: down the list `LAYERS`."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "app" / "pricematch"
WEB = {"fastapi", "starlette", "uvicorn", "fastapi_offline"}
TERMINAL = {"typer", "rich", "click"}
NETWORKS = {"tensorflow", "keras"}

LAYERS = (
    "cli",
    "api",
    "serving",
    "training",
    "learning",
    "reports",
    "evaluation",
    "encoding",
    "store",
    "formats",
    "matching",
    "clustering",
    "pairs",
    "titles",
    "search",
    "catalogue",
)
"""Folders from the outermost to the innermost; each may import those behind it."""
EVERYBODYS = {"errors", "progress", "settings", ""}
"""Modules that every folder may import; "" is the package itself, for its version."""
PURE = LAYERS[LAYERS.index("matching") :]
"""Folders that do without files, networks and web: features in, results out."""
PENDING = {
    ("formats", "learning"),
    ("matching", "encoding"),
    ("matching", "serving"),
    ("serving", "api"),
}
"""Arrows that still point up."""


def modules() -> dict[str, ast.Module]:
    """Every module of ours by its dotted name below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a syntax tree imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole.removeprefix("pricematch.") in MODULES else str(node.module)


def ours(tree: ast.AST) -> set[str]:
    """The modules of ours that a syntax tree imports, by their names below the package."""
    tops = (target.partition(".") for target in imported(tree))
    return {rest for top, _, rest in tops if top == "pricematch"}


def folder(name: str) -> str:
    """The folder that a module belongs to; for one directly below the package its own name."""
    return name.partition(".")[0]


@pytest.mark.parametrize("name", [name for name in MODULES if folder(name) in LAYERS])
def test_imports_point_down(name: str) -> None:
    """A folder imports itself, the folders behind it in `LAYERS`, and what is everybody's."""
    inner = LAYERS[LAYERS.index(folder(name)) :]
    for target in ours(MODULES[name]):
        arrow = folder(name), folder(target)
        allowed = {*inner, *EVERYBODYS, *(("sample",) if folder(name) == "cli" else ())}
        assert arrow[1] in allowed or arrow in PENDING, f"{name} imports {target}"


@pytest.mark.parametrize("name", [name for name in MODULES if folder(name) == "sample"])
def test_sample_is_alone(name: str) -> None:
    """The sample catalogue is drawn with errors and metrics alone."""
    assert {folder(target) for target in ours(MODULES[name])} <= {"sample", "errors", "evaluation"}


def test_nobody_imports_sample() -> None:
    """Only the command line knows of the sample catalogue."""
    assert {folder(name) for name in MODULES if any(folder(it) == "sample" for it in ours(MODULES[name]))} <= {
        "sample",
        "cli",
    }


def test_every_folder_has_its_place() -> None:
    """No folder stands beside the list."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == {*LAYERS, "sample"}


def test_no_circles() -> None:
    """No modules import each other in a circle."""
    graph = {name: {target for target in ours(tree) if target in MODULES} for name, tree in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" ▸ ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_web_stays_in_the_api(name: str) -> None:
    """FastAPI, Starlette and uvicorn are imported in `api` alone, terminals in `cli` alone."""
    tops = {target.partition(".")[0] for target in imported(MODULES[name])}
    assert not tops & WEB or folder(name) == "api"
    assert not tops & TERMINAL or folder(name) in {"cli", "__main__"}


@pytest.mark.parametrize("name", MODULES)
def test_tensorflow_stays_in_training(name: str) -> None:
    """TensorFlow is imported in `training`, and where exported models run."""
    tops = {target.partition(".")[0] for target in imported(MODULES[name])}
    assert not tops & NETWORKS or folder(name) in {"training", "encoding"}


@pytest.mark.parametrize("name", [name for name in MODULES if folder(name) in PURE])
def test_the_core_takes_numbers(name: str) -> None:
    """The inner folders import NumPy, SciPy and scikit-learn, and nothing else of others."""
    tops = {target.partition(".")[0] for target in imported(MODULES[name])}
    assert tops - set(sys.stdlib_module_names) <= {"numpy", "scipy", "sklearn", "lightgbm", "pricematch"}


def loaded_by(names: Sequence[str]) -> set[str]:
    """What a fresh interpreter has loaded after importing these modules."""
    dotted = ", ".join(f"pricematch.{name}" if name else "pricematch" for name in names)
    code = f"import {dotted}, sys; print(*sys.modules, sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
    )
    return set(ran.stdout.splitlines())


def test_the_core_loads_no_pictures_and_no_web() -> None:
    """Importing the inner folders loads no decoder, no web framework and no network library."""
    loaded = loaded_by([name for name in MODULES if folder(name) in PURE])
    assert not loaded & {*NETWORKS, *WEB, "PIL", "cv2", "pydantic"}


def test_starting_loads_no_tensorflow() -> None:
    """Neither the service nor the command line loads TensorFlow before it is needed."""
    running = {"encoding.saved_model", "encoding.worker"}
    starting = [name for name in MODULES if folder(name) != "training" and name not in running]
    light = ["recipes", "cnn_recipe", "augment", "seller_views", "whitening", "label_groups", "group_batches"]
    assert not loaded_by([*starting, *(f"training.{name}" for name in light)]) & NETWORKS
