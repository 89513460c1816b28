"""The table of faults and the tests that cite it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_row_is_cited() -> None:
    """Each row of docs/faults.md has a test that names its number, and no test names a row that is not there."""
    table = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = {int(number) for number in re.findall(r"^\| B(\d+) \|", table, re.MULTILINE)}
    names = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def test_fault_((?:\d+_)+)", path.read_text(encoding="utf-8"))
    }
    cited = {int(number) for name in names for number in name.rstrip("_").split("_")}
    assert rows == cited
