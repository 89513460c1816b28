"""Imports point one way: down the list `LAYERS`."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.waiting import SAFETY_SECONDS

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "app" / "pricematch"
WEB = {"fastapi", "starlette", "uvicorn", "fastapi_offline"}
TERMINAL = {"typer", "rich", "click"}
NETWORKS = {"tensorflow", "keras"}
RUNNING = {"encoding.tensorflow_network"}
"""What imports TensorFlow to run networks in it."""

LAYERS = (
    "cli",
    "api",
    "notebook",
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
EVERYBODYS = {"errors", "progress", "settings", "stages", ""}
"""Modules that every folder may import; "" is the package itself, for its version."""
PURE = LAYERS[LAYERS.index("matching") :]
"""Folders that do without files, networks and web: features in, results out."""


def module_name(path: Path) -> str:
    """The dotted name below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
"""Every module's file by its name."""


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """The dotted names that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they point"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole.removeprefix("pricematch.") in MODULES else str(node.module))
    return frozenset(found)


def ours(path: Path) -> set[str]:
    """The modules of ours that a file imports, by their names below the package."""
    return {rest for top, _, rest in (target.partition(".") for target in imported(path)) if top == "pricematch"}


def tops(path: Path) -> set[str]:
    """The packages that a file imports."""
    return {target.partition(".")[0] for target in imported(path)}


def folder(name: str) -> str:
    """The folder that a module belongs to; for one directly below the package its own name."""
    return name.partition(".")[0]


def test_imports_point_down() -> None:
    """A folder imports itself, the folders behind it in `LAYERS`, and what is everybody's."""
    wrong = []
    for name in [name for name in MODULES if folder(name) in LAYERS]:
        inner = LAYERS[LAYERS.index(folder(name)) :]
        allowed = {*inner, *EVERYBODYS, *(("sample",) if folder(name) == "cli" else ())}
        wrong += [f"{name} imports {it}" for it in ours(MODULES[name]) if folder(it) not in allowed]
    assert wrong == []


def test_sample_is_alone() -> None:
    """The sample catalogue is drawn with errors and metrics alone."""
    imports = {folder(target) for name, path in MODULES.items() if folder(name) == "sample" for target in ours(path)}
    assert imports <= {"sample", "errors", "evaluation"}


def test_nobody_imports_sample() -> None:
    """Only the command line knows of the sample catalogue."""
    users = {folder(name) for name, path in MODULES.items() if any(folder(it) == "sample" for it in ours(path))}
    assert users <= {"sample", "cli"}


def test_nobody_imports_notebook() -> None:
    """The Python API is a room of its own, which the package itself opens when it is used."""
    users = {name for name, path in MODULES.items() if any(folder(it) == "notebook" for it in ours(path))}
    assert {folder(name) for name in users} <= {"", "notebook"}


def test_the_package_alone_loads_nothing() -> None:
    """`import pricematch` is fast: what is heavy comes with the first use of a name."""
    loaded = loaded_by([""])
    assert not loaded & {"numpy", "scipy", "pydantic", "PIL", "typer", "asyncio", *NETWORKS, *WEB}
    assert {name for name in loaded if name.startswith("pricematch")} == {"pricematch"}


def test_notebooks_load_no_web_and_no_plots() -> None:
    """Nor TensorFlow, a terminal, or what decodes images: worker processes do."""
    loaded = loaded_by([name for name in MODULES if folder(name) == "notebook" and name != "notebook.shop_evaluation"])
    assert not loaded & {*NETWORKS, *WEB, *TERMINAL, "matplotlib", "openvino", "lightgbm", "cv2", "PIL"}


def test_every_folder_has_its_place() -> None:
    """No folder stands beside the list."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == {*LAYERS, "sample", "client", "errors", "settings"}


def test_the_client_is_alone() -> None:
    """It imports nothing of the service but its version, of others httpx2 alone, and nobody imports it."""
    own = {name: path for name, path in MODULES.items() if folder(name) == "client"}
    assert {folder(target) for path in own.values() for target in ours(path)} <= {"client", ""}
    assert {it for path in own.values() for it in tops(path)} - set(sys.stdlib_module_names) == {"pricematch", "httpx2"}
    users = {folder(name) for name, path in MODULES.items() if any(folder(it) == "client" for it in ours(path))}
    assert users == {"client"}
    assert {it for it in loaded_by(["client"]) if it.startswith("pricematch.")} == {
        f"pricematch.{name}" for name in own if name
    }


def test_no_circles() -> None:
    """No modules import each other in a circle."""
    graph = {name: {target for target in ours(path) if target in MODULES} for name, path in MODULES.items()}
    graph[""] = set()  # what the package itself names is imported when it is used, by its `__getattr__`
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" ▸ ".join(error.args[1]))


def test_web_stays_in_the_api() -> None:
    """FastAPI, Starlette and uvicorn are imported in `api` alone, terminals in `cli` alone."""
    assert {folder(name) for name, path in MODULES.items() if tops(path) & WEB} <= {"api"}
    assert {folder(name) for name, path in MODULES.items() if tops(path) & TERMINAL} <= {"cli", "__main__"}


def test_tensorflow_stays_in_training() -> None:
    """TensorFlow is imported in `training`, and by what runs networks that OpenVINO refuses."""
    importing = {name for name, path in MODULES.items() if folder(name) != "training" and tops(path) & NETWORKS}
    assert importing == {"encoding.tensorflow_network"}
    loading = {name for name, path in MODULES.items() if ours(path) & {*importing, "encoding.tensorflow_import"}}
    assert {name for name in loading if folder(name) != "training"} == {"encoding.exported_encoder"}


def test_openvino_is_imported_without_its_converter() -> None:
    """Only one module imports OpenVINO, since that must not happen before it."""
    assert [name for name, path in MODULES.items() if "openvino" in tops(path)] == ["encoding.openvino_import"]


def test_one_module_asks_other_hosts() -> None:
    """So that whatever is asked is guarded; the client asks the service that its user names."""
    asking = [name for name, path in MODULES.items() if tops(path) & {"httpx2", "httpx", "urllib3", "requests"}]
    assert [name for name in asking if folder(name) != "client"] == ["serving.outgoing"]


def test_plots_stay_in_reports() -> None:
    """What the extra `reports` brings is imported there alone, and by no report that the service loads."""
    reports = {"matplotlib", "jinja2", "markupsafe"}
    assert {folder(name) for name, path in MODULES.items() if tops(path) & reports} == {"reports"}
    assert not loaded_by([*_served(), "reports.submit", "reports.sheets"]) & reports


def test_the_core_takes_numbers() -> None:
    """The inner folders import NumPy, SciPy and scikit-learn, and nothing else of others."""
    allowed = {*sys.stdlib_module_names, "numpy", "scipy", "sklearn", "lightgbm", "pricematch"}
    assert {name: tops(path) - allowed for name, path in MODULES.items() if folder(name) in PURE} == {
        name: set() for name in MODULES if folder(name) in PURE
    }


def loaded_by(names: Sequence[str]) -> set[str]:
    """What a fresh interpreter has loaded after importing these modules."""
    dotted = ", ".join(f"pricematch.{name}" if name else "pricematch" for name in names)
    code = f"import {dotted}, sys; print(*sys.modules, sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=SAFETY_SECONDS
    )
    return set(ran.stdout.splitlines())


def test_the_core_loads_no_images_and_no_web() -> None:
    """Importing the inner folders loads no decoder, no web framework and no network library."""
    loaded = loaded_by([name for name in MODULES if folder(name) in PURE])
    assert not loaded & {*NETWORKS, *WEB, "PIL", "cv2", "pydantic"}


def _served() -> list[str]:
    """The modules that a service is made of."""
    return [name for name in MODULES if folder(name) in {"api", "serving", "encoding"} and name not in RUNNING]


def test_starting_loads_no_tensorflow() -> None:
    """Neither the service nor the command line loads TensorFlow before it is needed."""
    starting = [name for name in MODULES if folder(name) != "training" and name not in RUNNING]
    light = ["recipes", "augmentation", "label_groups"]
    assert not loaded_by([*starting, *(f"training.{name}" for name in light)]) & NETWORKS


def test_a_start_loads_no_trees_and_no_decoder() -> None:
    """What takes long to import comes with the matcher, clustering or network that needs it; workers alone decode."""
    late = {"lightgbm", "sklearn", "scipy.sparse.csgraph", "openvino"}
    assert not loaded_by(["__main__", "api.server"]) & {*late, "cv2", "PIL", "imagehash", "simplejpeg"}
    assert not loaded_by(["encoding.worker"]) & {*late, "scipy", "pydantic_settings"}


def test_no_test_module_imports_another() -> None:
    """What tests share stands in `tests/support`; `golden` is a script of its own."""
    tests = {path: imported(path) for path in (ROOT / "tests").rglob("*.py")}
    wrong = {
        f"{path.relative_to(ROOT)} imports {target}"
        for path, targets in tests.items()
        for target in targets
        if target.startswith("tests.") and not target.startswith(("tests.support", "tests.golden"))
    }
    assert wrong == set()
