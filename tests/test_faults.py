"""The tables of faults and the tests that cite them."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_row_is_cited() -> None:
    """Each row of docs/faults.md has a test that cites it, by name or docstring, and no test cites another row."""
    table = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([BFC]\d+) \|", table, re.MULTILINE))
    cited: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                if numbers := re.match(r"test_fault_((?:\d+_)+)", node.name):
                    cited |= {f"B{int(number)}" for number in numbers[1].rstrip("_").split("_")}
                cited |= set(re.findall(r"\b[Ff]aults? ([FC]\d+)\b", ast.get_docstring(node) or ""))
    assert rows == cited
