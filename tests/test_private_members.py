"""Frameworks are used by their public members: `uvicorn`, FastAPI, Starlette and python-multipart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

API = Path(__file__).parents[1] / "app" / "pricematch" / "api"
FRAMEWORKS = {"uvicorn", "fastapi", "fastapi_offline", "starlette", "python_multipart", "httptools", "h11"}
DOCUMENTED = {"status_code", "openapi"}
"""What FastAPI documents to be assigned: `app.openapi` ("Extending OpenAPI") and `response.status_code`."""


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore, and is no special method."""
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def root(node: ast.expr) -> str | None:
    """The name that an expression of attributes and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that a module takes from frameworks, and what they are called there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in FRAMEWORKS:
                    yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in FRAMEWORKS:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def framework_objects(tree: ast.Module) -> set[str]:
    """Names of what is imported from frameworks, is made by it, or is a parameter annotated with it."""
    names = {name for name, _ in imported_names(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and root(node.value) in names:
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.arg) and node.annotation is not None and root(node.annotation) in names:
            names.add(node.arg)
    return names


def own_members(node: ast.ClassDef) -> set[str]:
    """Private names that a class defines itself: methods, and attributes it assigns to `self` or annotates."""
    found = {it.name for it in node.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and root(each) == "self":
            found.add(each.attr)
    return found | {
        it.target.id for it in node.body if isinstance(it, ast.AnnAssign) and isinstance(it.target, ast.Name)
    }


def private_uses(tree: ast.Module) -> Iterator[str]:
    """What a module does with frameworks that is not public, as sentences."""
    for _, dotted in imported_names(tree):
        if any(map(is_private, dotted.split("."))):
            yield f"imports {dotted}"
    names = framework_objects(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and root(node) in names:
            if is_private(node.attr):
                yield f"line {node.lineno}: uses {node.attr}"
            elif isinstance(node.ctx, ast.Store | ast.Del) and node.attr not in DOCUMENTED:
                yield f"line {node.lineno}: assigns {node.attr}"
        elif isinstance(node, ast.ClassDef) and any(root(base) in names for base in node.bases):
            yield from subclass_uses(node)


def subclass_uses(node: ast.ClassDef) -> Iterator[str]:
    """Private names of a framework's subclass that it takes from its base, and methods of the base it overrides."""
    made = own_members(node)
    for each in ast.walk(node):
        if not isinstance(each, ast.Attribute) or not is_private(each.attr):
            continue
        if root(each) == "super" or (root(each) == "self" and each.attr not in made):
            yield f"line {each.lineno}: {node.name} uses {each.attr}"
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and is_private(method.name):
            yield f"line {method.lineno}: {node.name} defines {method.name}, which may override"


@pytest.mark.parametrize("path", sorted(API.rglob("*.py")), ids=lambda path: str(path.relative_to(API)))
def test_only_public_members_of_frameworks_are_used(path: Path) -> None:
    """No module of the API uses, overrides or assigns what frameworks keep to themselves."""
    assert list(private_uses(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "from starlette.formparsers import _user_safe_decode",
        "import fastapi\nfastapi.routing._match()",
        "from fastapi import FastAPI\napp = FastAPI()\napp.router.middleware_stack = 1",
        "from fastapi import FastAPI\napp = FastAPI()\napp.build_middleware_stack = 1",
        "from fastapi import Request\ndef f(request: Request):\n    request._receive()",
        "from starlette.formparsers import MultiPartParser as M\nclass P(M):\n    def f(self):\n        self._part",
        "from uvicorn import Server\nclass S(Server):\n    async def _serve(self): ...",
        "from uvicorn import Server\nclass S(Server):\n    def f(self):\n        super()._serve()",
    ],
)
def test_the_check_finds_a_private_member(code: str) -> None:
    """Imports, uses, assignments and overrides of private members are found."""
    assert list(private_uses(ast.parse(code)))


def test_the_check_lets_own_members_pass() -> None:
    """A class may have private attributes of its own, and the description of an API may be assigned."""
    code = """
from fastapi import FastAPI
from uvicorn import Server
class S(Server):
    def __init__(self):
        self._told = False
    def handle_exit(self):
        return self._told
app = FastAPI()
app.openapi = 1
"""
    assert list(private_uses(ast.parse(code))) == []
