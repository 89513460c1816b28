"""Imports point one way: `api ▸ matching ◂ adapters`, `training ▸ matching`, `reports ▸ matching`."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEB = {"fastapi", "starlette", "uvicorn", "fastapi_offline"}
TERMINAL = {"typer", "rich", "click"}
NETWORKS = {"tensorflow", "keras"}

CORE = {"app.errors", "app.matching"}
ALLOWED: dict[str, tuple[set[str], set[str] | None]] = {
    "app.errors": (set(), set()),
    "app.settings": (CORE, {"pydantic", "pydantic_settings"}),
    "app.matching": (CORE, {"numpy", "scipy", "sklearn"}),
    "app.access": ({"app.errors", "app.access", "app.settings"}, set()),
    "app.logs": ({"app.logs", "app.access.keys"}, set()),
    "app.api": (
        {*CORE, "app", "app.access", "app.api", "app.logs", "app.settings"},
        {"fastapi", "starlette", "fastapi_offline", "python_multipart", "pydantic", "anyio", "prometheus_client"},
    ),
    "app.adapters": ({*CORE, "app.adapters"}, None),
    "app.training": (
        {*CORE, "app.training", "app.adapters.manifest", "app.adapters.torch_file", "app.adapters.whole_folder"},
        None,
    ),
    "app.reports": ({*CORE, "app.reports"}, None),
    "app.sample": ({*CORE, "app.sample"}, None),
}
"""Per folder: what of ours and what of others it may import; None: anything but web servers and terminals."""
COMPOSING = {
    "app",
    "app.arenas",
    "app.connections",
    "app.__main__",
    "app.bootstrap",
    "app.commands",
    "app.offline",
    "app.server",
    "app.service",
    "app.terminal",
    "app.tracing",
}
"""What puts the others together, and may import all of them."""


def modules() -> dict[str, ast.Module]:
    """Every module of ours by its dotted name."""
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
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
                yield whole if whole in MODULES else str(node.module)


def inside(name: str, folders: Sequence[str] | set[str]) -> bool:
    """Whether a module is one of these or in one of these folders; `app` means its own names alone."""
    return any(name == folder or (folder != "app" and name.startswith(f"{folder}.")) for folder in folders)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_folder_may(name: str) -> None:
    folder = next((folder for folder in ALLOWED if inside(name, {folder})), None)
    if folder is None:
        assert inside(name, COMPOSING)
        return
    ours, others = ALLOWED[folder]
    for target in imported(MODULES[name]):
        top = target.partition(".")[0]
        if top == "app":
            assert inside(target, ours), f"{name} imports {target}"
        elif top not in sys.stdlib_module_names:
            allowed = top not in WEB | TERMINAL if others is None else top in others
            assert allowed, f"{name} imports {target}"


def test_the_rules_hold_for_every_folder_there_is() -> None:
    folders = {f"app.{path.parent.name}" for path in (ROOT / "app").glob("*/__init__.py")}
    assert folders <= set(ALLOWED) | COMPOSING


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {target for target in imported(tree) if target in MODULES} for name, tree in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" ▸ ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_both_a_web_framework_and_a_network_library(name: str) -> None:
    tops = {target.partition(".")[0] for target in imported(MODULES[name])}
    assert not (tops & WEB and tops & NETWORKS)


def loaded_by(names: Sequence[str]) -> set[str]:
    """What a fresh interpreter has loaded after importing these modules."""
    code = f"import {', '.join(names)}, sys; print(*sys.modules, sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(ran.stdout.splitlines())


def test_the_core_and_the_api_load_neither_adapters_nor_tensorflow_nor_pictures() -> None:
    loaded = loaded_by([name for name in MODULES if inside(name, {"app.api", "app.matching"})])
    assert not loaded & {*NETWORKS, "PIL", "cv2", "app.adapters", "app.training", "app.bootstrap"}


def test_the_core_alone_loads_no_web_framework() -> None:
    assert not loaded_by([name for name in MODULES if inside(name, {"app.matching"})]) & {*WEB, "pydantic"}


def test_starting_the_service_or_the_command_line_loads_no_tensorflow() -> None:
    starting = [name for name in MODULES if inside(name, COMPOSING)]
    light = ["recipes", "cnn_recipe", "augment", "seller_views", "whitening", "label_groups", "group_batches"]
    assert not loaded_by([*starting, *(f"app.training.{name}" for name in light)]) & NETWORKS
